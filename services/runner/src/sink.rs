//! What a service asks of the store: ClickHouse in production, plain memory that fails on command in tests.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use yiping_store::{Batch, CheckpointId, GenerationRow, MetricRow, Parts, Result, Store};

use crate::rows::Origin;

/// A place for rows and checkpoints. Rows are absolute (I3): writing a batch twice, or an older one after a newer one, harms nothing.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Returns when all rows are on disk; tries again by itself until `stop` says otherwise. After an error some may be written.
    async fn write(&self, batch: &Batch, stop: &CancellationToken) -> Result<()>;

    /// Returns when the checkpoint is on disk, whole.
    async fn save_checkpoint(
        &self,
        stream: &str,
        partition: u32,
        generation: u16,
        offset: u64,
        parts: Parts,
    ) -> Result<()>;

    /// The checkpoints of a partition, newest first.
    async fn checkpoints(&self, stream: &str, partition: u32) -> Result<Vec<CheckpointId>>;

    /// A checkpoint's parts; the inner error says why they can't be had.
    async fn checkpoint_parts(&self, id: &CheckpointId) -> Result<std::result::Result<Parts, String>>;

    /// The generations of a stream, newest first.
    async fn generations(&self, stream: &str) -> Result<Vec<GenerationRow>>;

    /// The newest watermark that any partition of a stream has published, in ms.
    async fn published_until(&self, stream: &str) -> Result<Option<i64>>;

    /// A partition's own rows of one generation whose windows end in (from, to], ms.
    async fn metric_rows(&self, origin: &Origin, from_ms: i64, to_ms: i64) -> Result<Vec<MetricRow>>;
}

#[async_trait]
impl Sink for Store {
    async fn write(&self, batch: &Batch, stop: &CancellationToken) -> Result<()> {
        Store::write(self, batch, stop).await
    }

    async fn save_checkpoint(
        &self,
        stream: &str,
        partition: u32,
        generation: u16,
        offset: u64,
        parts: Parts,
    ) -> Result<()> {
        Store::save_checkpoint(self, stream, partition, generation, offset, parts).await
    }

    async fn checkpoints(&self, stream: &str, partition: u32) -> Result<Vec<CheckpointId>> {
        Store::checkpoints(self, stream, partition).await
    }

    async fn checkpoint_parts(&self, id: &CheckpointId) -> Result<std::result::Result<Parts, String>> {
        Store::checkpoint_parts(self, id).await
    }

    async fn generations(&self, stream: &str) -> Result<Vec<GenerationRow>> {
        Store::generations(self, stream).await
    }

    async fn published_until(&self, stream: &str) -> Result<Option<i64>> {
        Store::published_until(self, stream).await
    }
    async fn metric_rows(&self, origin: &Origin, from_ms: i64, to_ms: i64) -> Result<Vec<MetricRow>> {
        Store::metric_rows(self, &origin.stream, origin.generation, origin.partition, from_ms, to_ms).await
    }
}
