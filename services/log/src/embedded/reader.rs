//! The embedded log for people who only look: `yiping log export` beside a running system, or on what it left.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::task::spawn_blocking;

use super::database::{Readers, Slot, open_log_to_read};
use super::shelf::{load_topic, read_range, read_records};
use crate::{Consumer, Log, LogError, NewRecord, Offset, Partition, Record, Result};

/// A log in a folder, opened for reading only. Several may be open, and whoever writes to it doesn't wait for them.
pub struct EmbeddedReader {
    readers: Arc<Readers>,
}

impl EmbeddedReader {
    /// # Errors
    /// [`LogError::NoLog`] where there is none: none is made.
    pub async fn open(dir: &Path) -> Result<Self> {
        let reader = Self { readers: Arc::new(Readers::new(dir.to_owned(), open_log_to_read)) };
        reader.with(|_| Ok(())).await?;
        Ok(reader)
    }

    async fn with<T: Send + 'static>(&self, read: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> Result<T> {
        let readers = Arc::clone(&self.readers);
        spawn_blocking(move || readers.with(read)).await.map_err(|_| LogError::Closed)?
    }
}

fn slot(connection: &Connection, topic: &str, partition: Partition) -> Result<Slot> {
    let slots = load_topic(connection, topic)?.slots;
    let slot = slots.get(partition as usize).copied();
    slot.ok_or_else(|| LogError::UnknownPartition { topic: topic.to_owned(), partition })
}

#[async_trait]
impl Log for EmbeddedReader {
    async fn ensure_topic(&self, _topic: &str, _partitions: u32) -> Result<u32> {
        Err(LogError::ReadOnly)
    }

    async fn partitions(&self, topic: &str) -> Result<u32> {
        let topic = topic.to_owned();
        self.with(move |connection| Ok(load_topic(connection, &topic)?.slots.len() as u32)).await
    }

    async fn append(&self, _records: Vec<NewRecord>) -> Result<Vec<(Partition, Offset)>> {
        Err(LogError::ReadOnly)
    }

    async fn consumer(&self, _group: &str, _topics: &[&str]) -> Result<Box<dyn Consumer>> {
        Err(LogError::ReadOnly)
    }

    async fn range(&self, topic: &str, partition: Partition) -> Result<(Offset, Offset)> {
        let topic = topic.to_owned();
        self.with(move |connection| read_range(connection, slot(connection, &topic, partition)?)).await
    }

    async fn read(&self, topic: &str, partition: Partition, from: Offset, max: usize) -> Result<Vec<Record>> {
        let topic = topic.to_owned();
        self.with(move |connection| read_records(connection, slot(connection, &topic, partition)?, from, max)).await
    }

    async fn fingerprint(&self, topic: &str) -> Result<String> {
        let topic = topic.to_owned();
        self.with(move |connection| Ok(load_topic(connection, &topic)?.fingerprint)).await
    }
}
