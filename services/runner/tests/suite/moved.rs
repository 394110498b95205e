//! What an operator does in mid-stream: move, rebuild, heal; and entities that come in with their past.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;
use yiping_elder::Elder;
use yiping_event::{Stream, TimeMs};
use yiping_hotline::Hotline;
use yiping_runner::{Upkeep, heal, rebuild, relocate};
use yiping_window::Domain;

use crate::{
    for_every_domain,
    play::paused,
    scene::Scene,
    slice::{END, HOUR, MINUTE, Slice, event, start, tick},
    steps::{LATENESS, at_once, straight},
    support::{MemorySink, Merged, WindowId},
};

fn upkeep<D>(slice: &Slice<D>, scene: &Scene) -> Upkeep {
    Upkeep {
        log: Arc::clone(&scene.log),
        store: Arc::new(scene.store.clone()),
        catalogue: Arc::clone(&slice.catalogue),
        settings: slice.settings.clone(),
        progress: Box::new(|_, _, _| {}),
    }
}

for_every_domain!(i4_moves_to_other_numbers_of_partitions_in_mid_stream_change_nothing, super::LATENESS);

/// Three partitions, then eight, then two, each for a third of the slice: retries of events from before a move, windows that are
/// revised after it, alarms that wait for their minute across it.
fn i4_moves_to_other_numbers_of_partitions_in_mid_stream_change_nothing<D: Domain + Send + Sync + 'static>(
    slice: &Slice<D>,
) {
    let straight = straight(slice, 1);
    let scene = paused(async {
        let mut scene = Arc::new(Scene::new(None, at_once(slice)));
        for (number, partitions) in [3, 8, 2].into_iter().enumerate() {
            if number > 0 {
                let next = Scene { store: scene.store.clone(), ..Scene::new(None, at_once(slice)) };
                let (upkeep, to) = (upkeep(slice, &scene), Arc::clone(&next.log));
                let moved = relocate::<D>(&upkeep, slice.stream, to, Some(partitions)).await.unwrap();
                assert_eq!(moved.partitions, partitions);
                scene = Arc::new(next);
            }
            let heads = slice.feed(&scene, partitions, slice.part(partitions, number, 3)).await;
            slice.drain(&scene, &heads).await;
        }
        scene
    });
    let (moved, straight_rows) = (scene.store.merged(), straight.store.merged());
    for (id, merged) in &straight_rows {
        assert_eq!(moved.get(id), Some(merged), "{id:?}");
    }
    assert_eq!(moved.len(), straight_rows.len());
    assert_eq!(slice.counters(&scene), slice.counters(&straight));
}

for_every_domain!(i3_rows_that_were_lost_are_rebuilt_as_they_were, super::LATENESS);

fn i3_rows_that_were_lost_are_rebuilt_as_they_were<D: Domain + Send + Sync + 'static>(slice: &Slice<D>) {
    let scene = straight(slice, 3);
    let before = scene.store.every_window();
    for from in [start() - 25 * HOUR, start() + 20 * MINUTE] {
        scene.store.look(|kept| kept.rows.clear());
        let rebuilt = paused(rebuild::<D>(&upkeep(slice, &scene), slice.stream, TimeMs(from))).unwrap();
        let wanted: BTreeMap<WindowId, Merged> =
            before.iter().filter(|(id, _)| id.4 > from).map(|(id, merged)| (id.clone(), merged.clone())).collect();
        assert!(rebuilt.rows > 0 && scene.store.every_window() == wanted, "from {}", TimeMs(from));
    }
}

/// Calls of the slice's time that come two hours after it.
fn with_late_calls(slice: &Slice<Hotline>, lateness_ms: i64) -> Slice<Hotline> {
    let mut lines = slice.lines.clone();
    lines.push(tick(start() + END + HOUR));
    for call in 0..5 {
        let id = format!("late-{call}");
        let data = json!({"call_id": id, "event": "offered", "district": "环翠区"});
        lines.push(event(Stream::Hotline, "call", &id, start() + call * 7 * MINUTE, &data));
    }
    lines.push(tick(start() + END + 3 * HOUR));
    slice.with(lines, lateness_ms)
}

fn until(store: &MemorySink, end: i64) -> BTreeMap<WindowId, Merged> {
    store.merged().into_iter().filter(|(id, _)| id.4 <= end).collect()
}

#[test]
fn i5_healed_windows_are_those_of_a_run_in_which_nothing_was_late() {
    let slice = Slice::<Hotline>::of(Stream::Hotline, LATENESS);
    let (patient, strict) = (with_late_calls(&slice, LATENESS), with_late_calls(&slice, HOUR));
    for partitions in [1, 3] {
        let wanted = straight(&patient, partitions);
        let scene = straight(&strict, partitions);
        // the five, and what the simulator itself sends hours late
        let all = strict.counters(&scene).late;
        assert!(patient.counters(&wanted).late == 0 && (5..15).contains(&all), "{all}");
        let (from, to) = (TimeMs(start() - 6 * HOUR), TimeMs(start() + 2 * HOUR));
        assert!(until(&scene.store, to.0) != until(&wanted.store, to.0), "the late calls are missing");

        let healed = paused(heal::<Hotline>(&upkeep(&strict, &scene), Stream::Hotline, from, to)).unwrap();
        assert_eq!((healed.events, healed.waiting), (all, 0));
        assert!(healed.rows > 0 && healed.until > to);
        assert!(until(&scene.store, to.0) == until(&wanted.store, to.0), "{partitions} partitions");
        let (late, marked) = scene.store.look(|kept| {
            (kept.late.values().map(|(_, events)| events).sum::<u64>(), kept.healed.values().sum::<u64>())
        });
        assert_eq!((late, marked), (all, all));

        let again = paused(heal::<Hotline>(&upkeep(&strict, &scene), Stream::Hotline, from, to)).unwrap();
        assert_eq!(again.rows, 0, "what is healed is healed");
    }
}

/// The gauge of a city at a minute of the slice.
fn gauge(store: &MemorySink, metric: &str, minute: i64) -> Option<i64> {
    let id = (metric.to_owned(), "city".to_owned(), "city".to_owned(), "now".to_owned(), start() + minute * MINUTE);
    store.every_window().get(&id).map(|merged| merged.num)
}

/// A stream that goes live takes its open entities over from the system before: they were raised up to thirty days ago, and count
/// from the minute on in which they come.
fn opened<D: Domain + Send + Sync + 'static>(stream: Stream, metric: &str, old: impl Fn(i64) -> String) {
    const DAY: i64 = 24 * HOUR;
    let days = [1, 2, 10, 29];
    let of = |with: bool| {
        let slice = Slice::<D>::of(stream, LATENESS);
        let mut lines = slice.lines.clone();
        let middle = lines.len() / 2;
        if with {
            lines.splice(middle..middle, days.map(|days| old(start() - days * DAY)));
        }
        slice.with(lines, LATENESS)
    };
    let (plain, with) = (of(false), of(true));
    let (before, after) = (straight(&plain, 1), straight(&with, 1));
    assert_eq!(with.counters(&after).late, plain.counters(&before).late + days.len() as u64);
    let minute = |store: &MemorySink, minute| gauge(store, metric, minute).unwrap_or(0);
    for end in [60, 90] {
        assert_eq!(minute(&after.store, end), minute(&before.store, end) + days.len() as i64, "minute {end}");
    }
}

#[test]
fn i5_open_alarms_count_at_once_however_old_they_are() {
    opened::<Elder>(Stream::Elder, "elder.sos_open", |raised| {
        let data = json!({"case_id": format!("old-{raised}"), "event": "raised", "district": "环翠区"});
        event(Stream::Elder, "sos", &format!("old-{raised}"), raised, &data)
    });
}
