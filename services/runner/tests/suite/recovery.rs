//! What can't be gone on from as it is: damaged checkpoints, logs made anew or cut, another number of partitions (I4).

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use yiping_elder::Elder;
use yiping_event::Stream;
use yiping_hotline::Hotline;
use yiping_log::NewRecord;
use yiping_store::Parts;
use yiping_window::Domain;

use crate::{
    for_every_domain,
    play::paused,
    scene::Scene,
    slice::{MINUTE, Slice},
    steps::{End, LATENESS, at_once, straight},
    support::{MemorySink, Merged, WindowId},
};

/// Errors and warnings of the service, as text.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<String>>);

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.lock().unwrap().push_str(&format!("{field}={value:?} "));
    }
}

impl Subscriber for Said {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl Said {
    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

/// One half of the slice stored.
async fn half<D: Domain + Send + Sync + 'static>(slice: &Slice<D>, scene: Scene, partitions: u32) -> Arc<Scene> {
    let scene = Arc::new(scene);
    let heads = slice.feed(&scene, partitions, slice.part(partitions, 0, 2)).await;
    slice.drain(&scene, &heads).await;
    scene
}

async fn rest<D: Domain + Send + Sync + 'static>(slice: &Slice<D>, scene: &Arc<Scene>, partitions: u32) {
    let heads = slice.feed(scene, partitions, slice.part(partitions, 1, 2)).await;
    slice.drain(scene, &heads).await;
}

/// What happens to the parts of a checkpoint.
type Damage = fn(&mut Parts);

fn cut(parts: &mut Parts) {
    parts.iter_mut().for_each(|(_, bytes)| bytes.truncate(bytes.len() / 2));
}

fn scrambled(parts: &mut Parts) {
    parts.iter_mut().for_each(|(_, bytes)| bytes.iter_mut().for_each(|byte| *byte ^= 0xA5));
}

fn of_a_later_version(parts: &mut Parts) {
    parts.iter_mut().filter(|(name, _)| name.starts_with("core")).for_each(|(name, _)| *name = "core/99".to_owned());
}

fn without_core(parts: &mut Parts) {
    parts.retain(|(name, _)| !name.starts_with("core"));
}

for_every_domain!(i4_where_the_newest_checkpoints_are_unreadable_the_one_before_is_taken, super::LATENESS);

fn i4_where_the_newest_checkpoints_are_unreadable_the_one_before_is_taken<D: Domain + Send + Sync + 'static>(
    slice: &Slice<D>,
) {
    let end = End::of(slice, &straight(slice, 1));
    let damages: [Damage; 4] = [cut, scrambled, of_a_later_version, without_core];
    for (damage, number) in damages.into_iter().zip(1..) {
        for how_many in [1, usize::MAX] {
            let said = Said::default();
            let scene = tracing::subscriber::with_default(said.clone(), || {
                paused(async {
                    let scene = half(slice, Scene::new(None, at_once(slice) / 2), 1).await;
                    let known = scene.store.look(|kept| {
                        kept.checkpoints.values_mut().rev().take(how_many).for_each(damage);
                        kept.checkpoints.len()
                    });
                    assert!(known > 2, "{known} checkpoints");
                    rest(slice, &scene, 1).await;
                    scene
                })
            });
            End::of(slice, &scene).assert_same(&end, &format!("damage {number} of {how_many}"));
            assert!(said.text().contains("a checkpoint can't be read, taking the one before"), "{}", said.text());
        }
    }
}

fn sums(store: &MemorySink) -> BTreeMap<WindowId, Merged> {
    let mut merged = store.merged();
    merged.values_mut().for_each(|merged| merged.incomplete = false);
    merged
}

for_every_domain!(i4_a_log_made_anew_is_a_new_generation_and_nothing_counts_twice, super::LATENESS);

/// The topic is deleted and made anew when all of it was stored: nothing is lost, so no figure may differ.
fn i4_a_log_made_anew_is_a_new_generation_and_nothing_counts_twice<D: Domain + Send + Sync + 'static>(
    slice: &Slice<D>,
) {
    for (partitions, lateness) in [(1, LATENESS), (1, 10 * MINUTE), (3, LATENESS)] {
        let slice = slice.with(slice.lines.clone(), lateness);
        let straight = straight(&slice, partitions);
        // with another name of its own, and, where only its end was lost, with the old one
        for name in [None, Some("the-same".to_owned())] {
            let scene = paused(async {
                let scene = Scene { fingerprint: name.clone(), ..Scene::new(None, at_once(&slice)) };
                let old = half(&slice, scene, partitions).await;
                let then = yiping_runtime::clock::unix_ms();
                while yiping_runtime::clock::unix_ms() <= then {
                    std::thread::yield_now(); // what comes later has a later append time
                }
                let store = old.store.clone();
                let new = Scene { fingerprint: name.clone(), store, ..Scene::new(None, at_once(&slice)) };
                let new = Arc::new(new);
                slice.feed(&new, partitions, slice.part(partitions, 1, 2)).await;
                let service = slice.begin(&new, partitions);
                tokio::time::sleep(Duration::from_secs(3)).await;
                service.stop().await;
                new
            });
            let lives = scene.store.look(|kept| kept.generations.values().cloned().collect::<Vec<_>>());
            let numbers: Vec<u16> = lives.iter().map(|life| life.generation).collect();
            assert_eq!(numbers, [1, 2], "{partitions} partitions, {name:?}");
            if lateness == LATENESS {
                assert!(sums(&scene.store) == sums(&straight.store), "{partitions} partitions, {name:?}");
                continue;
            }
            let from = lives[1].from_ms.unwrap();
            let (now, before) = (sums(&scene.store), sums(&straight.store));
            for (id, merged) in &before {
                assert_eq!(now.get(id), Some(merged), "{id:?}, the new generation begins at {from}");
            }
            assert_eq!(now.len(), before.len());
            let kept =
                scene.store.look(|kept| kept.rows.keys().filter(|(id, life, _)| *life == 1 && id.4 <= from).count());
            assert!(kept > 0, "windows that stay with the first generation");
        }
    }
}

/// The log lost records before they were read: every figure that differs says so, and those that it can't concern don't.
fn hole<D: Domain + Send + Sync + 'static>(slice: &Slice<D>, gone: u64) -> u64 {
    let straight = straight(slice, 1);
    let said = Said::default();
    let mut until = 0;
    let scene = tracing::subscriber::with_default(said.clone(), || {
        paused(async {
            let scene = half(slice, Scene::new(None, at_once(slice)), 1).await;
            until = scene.store.look(|kept| kept.watermarks[&(1, 0)]);
            let read = scene.heads()[&0];
            scene.first.lock().unwrap().insert(0, read + gone);
            rest(slice, &scene, 1).await;
            scene
        })
    });
    assert!(said.text().contains(&format!("records={gone} ")), "{}", said.text());
    let (rows, whole) = (scene.store.every_window(), straight.store.every_window());
    let mut marked = 0;
    for (id, merged) in &rows {
        marked += u64::from(merged.incomplete);
        let same = whole.get(id).is_some_and(|it| (it.num, it.den, it.n) == (merged.num, merged.den, merged.n));
        assert!(same || merged.incomplete || id.4 <= until, "{id:?} differs and doesn't say so");
        assert!(id.4 > until || !merged.incomplete, "{id:?} ended before the hole");
    }
    assert!(rows.values().any(|merged| !merged.incomplete));
    marked
}

#[test]
fn i4_figures_that_lack_what_the_log_lost_say_so() {
    assert!(hole(&Slice::<Hotline>::of(Stream::Hotline, LATENESS), 40) > 0);
    assert!(hole(&Slice::<Elder>::of(Stream::Elder, LATENESS), 40) > 0);
}

#[test]
fn i4_another_number_of_partitions_needs_a_move() {
    let slice = Slice::<Hotline>::of(Stream::Hotline, LATENESS);
    let error = paused(async {
        let old = half(&slice, Scene::new(None, at_once(&slice)), 3).await;
        let new = Arc::new(Scene { store: old.store.clone(), ..Scene::new(None, 100) });
        slice.feed(&new, 8, Vec::<NewRecord>::new()).await;
        let before = new.store.every_window();
        let error = slice.begin(&new, 8).task.await.unwrap().unwrap_err();
        assert!(new.store.every_window() == before);
        format!("{error:#}")
    });
    assert!(error.contains("`yiping move --stream hotline`"), "{error}");
}
