//! Where the service's rows go: counted, and on to ClickHouse where there is one; else dropped. Nothing was stored before, so there is
//! nothing to go on from.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use yiping_runner::{Origin, Sink};
use yiping_store::{Batch, CheckpointId, GenerationRow, MetricRow, Parts, Result, StatusRow, Store};

use super::{verify::Figure, watch::Watch};

pub struct Counting {
    store: Option<Store>,
    watch: Arc<Watch>,
    figure: Figure,
    tally: Mutex<Tally>,
}

/// What was acknowledged.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Of all tables.
    pub rows: u64,
    /// Of windows, provisional ones apart.
    pub metric_rows: u64,
    pub checkpoints: u64,
    /// The newest of each partition.
    pub status: BTreeMap<u32, StatusRow>,
    /// n of the figure that is verified, by the window's end; of each partition the newest revision.
    pub windows: BTreeMap<(i64, u32), i64>,
}

impl Counting {
    pub fn new(store: Option<Store>, watch: Arc<Watch>, figure: Figure) -> Self {
        Counting { store, watch, figure, tally: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn tally(&self) -> Tally {
        self.lock().clone()
    }

    fn count(&self, batch: &Batch) {
        let Figure { metric, span, .. } = self.figure;
        let mut tally = self.lock();
        tally.rows += batch.rows() as u64;
        tally.metric_rows += batch.metrics.len() as u64;
        let verified = |row: &&MetricRow| &*row.level == "city" && &*row.span == span && &*row.metric == metric;
        for row in batch.metrics.iter().filter(verified) {
            tally.windows.insert((row.window_end_ms, row.partition), row.n);
        }
        tally.status.extend(batch.status.iter().map(|row| (row.partition, row.clone())));
    }
}

#[async_trait]
impl Sink for Counting {
    async fn write(&self, batch: &Batch, stop: &CancellationToken) -> Result<()> {
        self.watch.storing();
        if let Some(store) = &self.store {
            store.write(batch, stop).await?;
        }
        self.count(batch);
        self.watch.stored(batch.status.iter().map(|row| (row.partition, row.frontier)));
        Ok(())
    }

    async fn save_checkpoint(
        &self,
        stream: &str,
        partition: u32,
        generation: u16,
        offset: u64,
        parts: Parts,
    ) -> Result<()> {
        self.watch.storing();
        if let Some(store) = &self.store {
            store.save_checkpoint(stream, partition, generation, offset, parts).await?;
        }
        self.lock().checkpoints += 1;
        self.watch.stored(std::iter::empty());
        Ok(())
    }

    async fn checkpoints(&self, stream: &str, partition: u32) -> Result<Vec<CheckpointId>> {
        match &self.store {
            Some(store) => store.checkpoints(stream, partition).await,
            None => Ok(Vec::new()),
        }
    }

    async fn checkpoint_parts(&self, id: &CheckpointId) -> Result<std::result::Result<Parts, String>> {
        match &self.store {
            Some(store) => store.checkpoint_parts(id).await,
            None => Ok(Err("it was not kept".to_owned())),
        }
    }

    async fn generations(&self, stream: &str) -> Result<Vec<GenerationRow>> {
        match &self.store {
            Some(store) => store.generations(stream).await,
            None => Ok(Vec::new()),
        }
    }

    async fn published_until(&self, stream: &str) -> Result<Option<i64>> {
        match &self.store {
            Some(store) => store.published_until(stream).await,
            None => Ok(None),
        }
    }

    async fn metric_rows(&self, origin: &Origin, from_ms: i64, to_ms: i64) -> Result<Vec<MetricRow>> {
        match &self.store {
            Some(store) => store.metric_rows(&origin.stream, origin.generation, origin.partition, from_ms, to_ms).await,
            None => Ok(Vec::new()),
        }
    }
}
