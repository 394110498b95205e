//! A store in memory: what ClickHouse would keep, with the merging view as a plain loop.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use yiping_catalogue::{Catalogue, Merge};
use yiping_runner::{Origin, Sink};
use yiping_store::{Batch, CheckpointId, GenerationRow, LiveRow, MetricRow, Parts, Result, StatusRow};

/// metric, level, key, span, window end.
pub type WindowId = (String, String, String, String, i64);

/// One partition's part of a window.
type PartId = (WindowId, u16, u32);

/// A window's sums over all partitions of its newest generation: num, den, n, the second two, histogram. Where the catalogue merges by
/// the least, `num` is the least of the parts in which anything was observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    pub num: i64,
    pub den: i64,
    pub n: i64,
    pub num2: i64,
    pub den2: i64,
    pub hist: BTreeMap<u16, i64>,
    pub incomplete: bool,
}

#[derive(Default)]
pub struct Kept {
    pub rows: HashMap<PartId, MetricRow>,
    pub live: HashMap<(String, String), LiveRow>,
    pub late: HashMap<(u16, u32, i64), (u64, u64)>,
    pub healed: HashMap<(u16, u32, i64), u64>,
    pub generations: BTreeMap<u16, GenerationRow>,
    /// By (partition, generation, offset).
    pub checkpoints: BTreeMap<(u32, u16, u64), Parts>,
    pub watermarks: HashMap<(u16, u32), i64>,
    pub status: BTreeMap<(u16, u32), StatusRow>,
}

/// One stream's store.
#[derive(Clone, Default)]
pub struct MemorySink {
    pub kept: Arc<Mutex<Kept>>,
}

impl MemorySink {
    pub fn look<T>(&self, at: impl FnOnce(&mut Kept) -> T) -> T {
        at(&mut self.kept.lock().unwrap())
    }

    /// What a batch leaves: of each identity the highest revision.
    pub fn take(&self, batch: &Batch) {
        self.look(|kept| {
            for row in &batch.metrics {
                let window = (
                    row.metric.to_string(),
                    row.level.to_string(),
                    row.key.to_string(),
                    row.span.to_string(),
                    row.window_end_ms,
                );
                let newest = kept.rows.entry((window, row.generation, row.partition)).or_insert_with(|| row.clone());
                if newest.revision <= row.revision {
                    *newest = row.clone();
                }
            }
            for row in &batch.live {
                let id = (row.kind.to_string(), row.key.to_string());
                let newest = kept.live.entry(id).or_insert_with(|| row.clone());
                if newest.revision <= row.revision {
                    *newest = row.clone();
                }
            }
            for row in &batch.late {
                let newest = kept.late.entry((row.generation, row.partition, row.minute_ms)).or_default();
                *newest = (*newest).max((row.revision, row.events));
            }
            for row in &batch.healed {
                kept.healed.insert((row.generation, row.partition, row.minute_ms), row.events);
            }
            for row in &batch.generations {
                kept.generations.insert(row.generation, row.clone());
            }
            for row in &batch.status {
                let id = (row.generation, row.partition);
                if let Some(watermark) = row.watermark_ms {
                    let newest = kept.watermarks.entry(id).or_insert(watermark);
                    *newest = (*newest).max(watermark);
                }
                let newest = kept.status.entry(id).or_insert_with(|| row.clone());
                if newest.revision <= row.revision {
                    *newest = row.clone();
                }
            }
        });
    }

    /// The merging view: every window, from the newest generation that covers it; emptied ones are no rows.
    pub fn merged(&self) -> BTreeMap<WindowId, Merged> {
        let mut merged = self.every_window();
        merged.retain(|_, sum| (sum.num, sum.den, sum.n) != (0, 0, 0) || !sum.hist.is_empty());
        merged
    }

    /// As [`MemorySink::merged`], with the rows that say zero; those that every partition says are gone are hidden.
    pub fn every_window(&self) -> BTreeMap<WindowId, Merged> {
        self.look(|kept| {
            let covers = |generation: u16, end: i64| {
                let newest = kept.generations.values().rev().find(|life| life.from_ms.is_none_or(|from| from < end));
                newest.is_some_and(|life| life.generation == generation)
            };
            let entries = Catalogue::builtin().unwrap().entries;
            let least: HashSet<String> =
                entries.into_iter().filter(|entry| entry.merge == Merge::Min).map(|entry| entry.id).collect();
            let mut merged: BTreeMap<WindowId, Merged> = BTreeMap::new();
            let mut shown: HashSet<WindowId> = HashSet::new();
            for ((window, generation, _), row) in &kept.rows {
                if !covers(*generation, window.4) {
                    continue;
                }
                let sum = merged.entry(window.clone()).or_default();
                sum.num = match (least.contains(&window.0), row.n > 0, sum.n > 0) {
                    (false, ..) => sum.num + row.num,
                    (true, true, true) => sum.num.min(row.num),
                    (true, true, false) => row.num,
                    (true, false, _) => sum.num,
                };
                sum.den += row.den;
                sum.n += row.n;
                sum.num2 += row.num2;
                sum.den2 += row.den2;
                sum.incomplete |= row.incomplete;
                for (bucket, count) in &row.hist {
                    *sum.hist.entry(*bucket).or_default() += count;
                }
                if !row.gone {
                    shown.insert(window.clone());
                }
            }
            for sum in merged.values_mut() {
                sum.hist.retain(|_, count| *count != 0);
            }
            merged.retain(|window, _| shown.contains(window));
            merged
        })
    }
}

#[async_trait]
impl Sink for MemorySink {
    async fn write(&self, batch: &Batch, _: &CancellationToken) -> Result<()> {
        self.take(batch);
        Ok(())
    }

    async fn save_checkpoint(&self, _: &str, partition: u32, generation: u16, offset: u64, parts: Parts) -> Result<()> {
        self.look(|kept| kept.checkpoints.insert((partition, generation, offset), parts));
        Ok(())
    }

    async fn checkpoints(&self, stream: &str, partition: u32) -> Result<Vec<CheckpointId>> {
        let id = |&(partition, generation, offset): &(u32, u16, u64)| CheckpointId {
            stream: stream.to_owned(),
            partition,
            generation,
            offset,
            written_at_ms: 0,
        };
        Ok(self.look(|kept| kept.checkpoints.keys().rev().filter(|key| key.0 == partition).map(id).collect()))
    }

    async fn checkpoint_parts(&self, id: &CheckpointId) -> Result<std::result::Result<Parts, String>> {
        let key = (id.partition, id.generation, id.offset);
        Ok(self.look(|kept| kept.checkpoints.get(&key).cloned().ok_or_else(|| "it is gone".to_owned())))
    }

    async fn generations(&self, _: &str) -> Result<Vec<GenerationRow>> {
        Ok(self.look(|kept| kept.generations.values().rev().cloned().collect()))
    }

    async fn published_until(&self, _: &str) -> Result<Option<i64>> {
        Ok(self.look(|kept| kept.watermarks.values().copied().max()))
    }

    async fn metric_rows(&self, origin: &Origin, from_ms: i64, to_ms: i64) -> Result<Vec<MetricRow>> {
        let mine = |((window, generation, partition), _): &(&PartId, &MetricRow)| {
            (*generation, *partition) == (origin.generation, origin.partition)
                && (from_ms + 1..=to_ms).contains(&window.4)
        };
        Ok(self.look(|kept| kept.rows.iter().filter(mine).map(|(_, row)| row.clone()).collect()))
    }
}
