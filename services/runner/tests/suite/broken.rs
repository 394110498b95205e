//! Negative controls: each protection taken away, outside the code that has it. The comparison of the other tests must see it.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use yiping_event::Stream;
use yiping_hotline::Hotline;
use yiping_parking::Parking;
use yiping_runner::{Origin, Sink};
use yiping_store::{Batch, CheckpointId, GenerationRow, MetricRow, Parts, Result};
use yiping_window::Domain;

use crate::{
    for_every_domain,
    play::paused,
    scene::Scene,
    slice::{MINUTE, Slice, start, tick},
    steps::{LATENESS, at_once, straight},
    support::{Kept, MemorySink},
};

/// What a store gets wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// The first row of a window is the one that stays: nothing is revised.
    FirstWins,
    /// The row that was written last stays, whatever its revision.
    LastWins,
    /// It says that rows are kept before they are: one batch is always in its memory alone.
    Forgetful,
}

struct WrongSink {
    wrong: Wrong,
    store: MemorySink,
    unkept: Mutex<Vec<Batch>>,
    /// All batches, in their order.
    batches: Mutex<Vec<Batch>>,
}

impl WrongSink {
    fn over(scene: &Scene, wrong: Wrong) -> Arc<Self> {
        Arc::new(WrongSink { wrong, store: scene.store.clone(), unkept: Mutex::default(), batches: Mutex::default() })
    }

    fn take(&self, batch: &Batch) {
        let id = |row: &MetricRow| {
            let names = [&row.metric, &row.level, &row.key, &row.span].map(|name| name.to_string());
            let [metric, level, key, span] = names;
            ((metric, level, key, span, row.window_end_ms), row.generation, row.partition)
        };
        match self.wrong {
            Wrong::Nothing => self.store.take(batch),
            Wrong::FirstWins => {
                let known: HashSet<_> = self.store.look(|kept: &mut Kept| kept.rows.keys().cloned().collect());
                let metrics = batch.metrics.iter().filter(|row| !known.contains(&id(row))).cloned().collect();
                self.store.take(&Batch { metrics, ..batch.clone() });
            }
            Wrong::LastWins => {
                self.store.look(|kept| batch.metrics.iter().for_each(|row| drop(kept.rows.remove(&id(row)))));
                self.store.take(batch);
            }
            Wrong::Forgetful => {
                self.store.take(&Batch { generations: batch.generations.clone(), ..Batch::default() });
                let mut unkept = self.unkept.lock().unwrap();
                unkept.drain(..).for_each(|batch| self.store.take(&batch));
                unkept.push(batch.clone());
            }
        }
    }
}

#[async_trait]
impl Sink for WrongSink {
    async fn write(&self, batch: &Batch, _: &CancellationToken) -> Result<()> {
        self.batches.lock().unwrap().push(batch.clone());
        self.take(batch);
        Ok(())
    }

    async fn save_checkpoint(
        &self,
        stream: &str,
        partition: u32,
        generation: u16,
        to: u64,
        parts: Parts,
    ) -> Result<()> {
        self.store.save_checkpoint(stream, partition, generation, to, parts).await
    }

    async fn checkpoints(&self, stream: &str, partition: u32) -> Result<Vec<CheckpointId>> {
        self.store.checkpoints(stream, partition).await
    }

    async fn checkpoint_parts(&self, id: &CheckpointId) -> Result<std::result::Result<Parts, String>> {
        self.store.checkpoint_parts(id).await
    }

    async fn generations(&self, stream: &str) -> Result<Vec<GenerationRow>> {
        self.store.generations(stream).await
    }

    async fn published_until(&self, stream: &str) -> Result<Option<i64>> {
        self.store.published_until(stream).await
    }

    async fn metric_rows(&self, origin: &Origin, from_ms: i64, to_ms: i64) -> Result<Vec<MetricRow>> {
        self.store.metric_rows(origin, from_ms, to_ms).await
    }
}

/// The slice over such a store, killed when so many checkpoints are kept (where that is said), and gone on with. What it leaves, and
/// all batches of the last service.
fn played<D: Domain + Send + Sync + 'static>(
    slice: &Slice<D>,
    wrong: Wrong,
    kill_at: Option<usize>,
) -> (Arc<Scene>, Arc<WrongSink>) {
    paused(async {
        let scene = Arc::new(Scene::new(None, at_once(slice)));
        let heads = slice.feed(&scene, 1, slice.records(1)).await;
        let begin = || {
            let sink = WrongSink::over(&scene, wrong);
            let life = scene.next_life();
            let store: Arc<dyn Sink> = Arc::<WrongSink>::clone(&sink);
            (slice.begin_with(life, slice.deps_over(&scene, life, store, 1)), sink)
        };
        let (mut running, mut sink) = begin();
        let mut kill_at = kill_at;
        while scene.heads().get(&0) < heads.get(&0) {
            assert!(!running.task.is_finished());
            tokio::time::sleep(Duration::from_millis(1)).await;
            if kill_at.is_some_and(|at| scene.store.look(|kept| kept.checkpoints.len()) >= at) {
                kill_at = None;
                running.kill().await;
                (running, sink) = begin();
            }
        }
        running.stop().await;
        let unkept = std::mem::take(&mut *sink.unkept.lock().unwrap());
        unkept.iter().for_each(|batch| scene.store.take(batch)); // it had only needed time
        (scene, sink)
    })
}

for_every_domain!(i3_without_revisions_the_rows_differ, super::LATENESS);

fn i3_without_revisions_the_rows_differ<D: Domain + Send + Sync + 'static>(slice: &Slice<D>) {
    let straight = straight(slice, 1).store.every_window();
    assert!(played(slice, Wrong::Nothing, None).0.store.every_window() == straight);
    let first_wins = played(slice, Wrong::FirstWins, None).0.store.every_window();
    assert!(first_wins != straight, "events that came after their window was closed must have changed its row");
}

for_every_domain!(i3_without_the_order_of_revisions_a_stale_batch_does_harm, super::LATENESS);

fn i3_without_the_order_of_revisions_a_stale_batch_does_harm<D: Domain + Send + Sync + 'static>(slice: &Slice<D>) {
    let straight = straight(slice, 1).store.every_window();
    for (wrong, harm) in [(Wrong::Nothing, false), (Wrong::LastWins, true)] {
        let (scene, sink) = played(slice, wrong, None);
        assert!(scene.store.every_window() == straight, "in their order they leave the right rows");
        let stale = sink.batches.lock().unwrap().clone();
        let harmed = stale.iter().any(|batch| {
            sink.take(batch);
            scene.store.every_window() != straight
        });
        assert_eq!(harmed, harm);
    }
}

for_every_domain!(i4_where_a_checkpoint_is_kept_before_its_rows_a_crash_loses_them, super::LATENESS);

fn i4_where_a_checkpoint_is_kept_before_its_rows_a_crash_loses_them<D: Domain + Send + Sync + 'static>(
    slice: &Slice<D>,
) {
    let straight = straight(slice, 1).store.every_window();
    assert!(played(slice, Wrong::Forgetful, None).0.store.every_window() == straight, "without a crash nobody notices");
    let mut lost = 0;
    for kill_at in 1..5 {
        assert!(played(slice, Wrong::Nothing, Some(kill_at)).0.store.every_window() == straight);
        lost += usize::from(played(slice, Wrong::Forgetful, Some(kill_at)).0.store.every_window() != straight);
    }
    assert!(lost > 0, "rows that were only said to be kept are gone");
}

/// Ids are all that tells a retry from an event: with new ones, it is as if nothing was dropped. (Cars have no names. The entities of
/// the other streams know what was said of them already, so a retry does no harm there even then.)
#[test]
fn i7_where_a_retry_gets_a_new_id_it_counts_twice() {
    let slice = Slice::<Parking>::of(Stream::Parking, LATENESS);
    let mut seen = HashSet::new();
    let renamed = slice.lines.iter().map(|line| match seen.insert(line) {
        true => line.clone(),
        false => line.replacen("\"id\":\"", "\"id\":\"again-", 1),
    });
    let broken = slice.with(renamed.collect(), LATENESS);
    let (once, twice) = (straight(&slice, 1), straight(&broken, 1));
    assert!(slice.counters(&once).duplicates > slice.counters(&twice).duplicates + 20);
    assert!(
        once.store.every_window() != twice.store.every_window(),
        "retries must count where they aren't known as such"
    );
}

/// Time by a clock in place of time by the log: while the log waited for twenty minutes, the clock went on, so what waited is late. The
/// same events, another day, another result.
#[test]
fn i2_where_a_clock_closes_windows_a_delay_changes_rows() {
    let slice = Slice::<Hotline>::of(Stream::Hotline, LATENESS);
    let by_clock = |waited: i64| {
        let mut lines = slice.lines.clone();
        let middle = lines.len() / 3;
        if waited > 0 {
            lines.insert(middle, tick(start() + waited));
        }
        slice.with(lines, 5 * MINUTE)
    };
    let straight = straight(&by_clock(0), 1);
    let delayed = crate::steps::straight(&by_clock(39 * MINUTE), 1);
    assert!(slice.counters(&delayed).late > slice.counters(&straight).late + 10);
    assert!(straight.store.every_window() != delayed.store.every_window());
}
