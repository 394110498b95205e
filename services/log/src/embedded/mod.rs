//! The embedded log: durable, on SQLite, for one machine. Several processes may use one folder.
//!
//! `append` returns after the fsync. Readers never wait for the writer (WAL). A consumer is woken at once by what this
//! process appends, and within [`GLANCE`] by what another does.

mod database;
mod groups;
mod reader;
mod retention;
mod shelf;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::local::{LocalConsumer, choose_partition, lock};
use crate::{Consumer, Log, LogError, NewRecord, Offset, Partition, Record, Result};
use database::{Readers, open_groups, open_log};
pub use reader::EmbeddedReader;
pub use retention::Retention;
pub(crate) use retention::TOPIC_OPTION;
use shelf::{SqliteShelf, blocking, read_records};
use writer::{Row, Writer};

/// How often a look is taken at whether another process wrote.
const GLANCE: Duration = Duration::from_millis(50);
/// How often retention is applied.
const CLEAN: Duration = Duration::from_secs(60);

/// A log in a folder.
pub struct EmbeddedLog {
    shelf: Arc<SqliteShelf>,
    writer: Writer,
    cleaning: JoinHandle<()>,
}

impl EmbeddedLog {
    /// Opens the log in `dir`, and makes both where they aren't there.
    pub async fn open(dir: &Path, retention: Retention) -> Result<Self> {
        let dir = dir.to_owned();
        let (shelf, writer) = spawn_blocking(move || {
            std::fs::create_dir_all(&dir)?;
            let bell = watch::Sender::new(());
            let shelf = Arc::new(SqliteShelf {
                upkeep: Mutex::new(open_log(&dir)?),
                groups: Mutex::new(open_groups(&dir)?),
                readers: Readers::new(dir.clone(), open_log),
                topics: Mutex::default(),
                bell: bell.clone(),
            });
            let glance = open_log(&dir)?;
            let watched = Arc::downgrade(&shelf);
            std::thread::Builder::new().name("log-glance".to_owned()).spawn(move || watch_others(&glance, &watched))?;
            Ok::<_, LogError>((shelf, Writer::start(&dir, bell)?))
        })
        .await
        .map_err(|_| LogError::Closed)??;
        let cleaning = tokio::spawn(keep_clean(Arc::clone(&shelf), retention));
        Ok(Self { shelf, writer, cleaning })
    }

    /// Removes at once what `retention` says, as of `now_ms`; otherwise it happens every minute. Returns how many
    /// records went.
    pub async fn clean(&self, retention: Retention, now_ms: i64) -> Result<u64> {
        clean(&self.shelf, retention, now_ms).await
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        self.cleaning.abort();
    }
}

async fn clean(shelf: &Arc<SqliteShelf>, retention: Retention, now_ms: i64) -> Result<u64> {
    blocking(shelf, move |shelf| retention::apply(&mut lock(&shelf.upkeep), &retention, now_ms)).await
}

async fn keep_clean(shelf: Arc<SqliteShelf>, retention: Retention) {
    let mut ticks = tokio::time::interval(CLEAN);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // By the clock that stamps: one that steps ahead by a month must not empty the log.
        match clean(&shelf, retention.clone(), yiping_clock::unix_ms()).await {
            Ok(0) => {}
            Ok(records) => tracing::info!(records, "retention removed records from the log"),
            Err(error) => tracing::warn!(%error, "retention of the log failed"),
        }
    }
}

/// `data_version` of a connection changes when any other one has committed: a look at shared memory, no disk.
fn watch_others(connection: &Connection, shelf: &Weak<SqliteShelf>) {
    let mut seen: i64 = 0;
    loop {
        match connection.pragma_query_value(None, "data_version", |row| row.get(0)) {
            Ok(version) if version == seen => {}
            Ok(version) => {
                seen = version;
                let Some(shelf) = shelf.upgrade() else { return };
                shelf.bell.send_replace(());
            }
            Err(error) => {
                tracing::warn!(%error, "could not look for what other processes appended")
            }
        }
        std::thread::sleep(GLANCE);
        if shelf.strong_count() == 0 {
            return;
        }
    }
}

#[async_trait]
impl Log for EmbeddedLog {
    async fn ensure_topic(&self, topic: &str, partitions: u32) -> Result<u32> {
        let name = topic.to_owned();
        blocking(&self.shelf, move |shelf| {
            match shelf.topic(&name) {
                Err(LogError::UnknownTopic(_)) => shelf.make_topic(&name, partitions)?,
                known => drop(known?),
            }
            Ok(shelf.topic(&name)?.slots.len() as u32)
        })
        .await
    }

    async fn partitions(&self, topic: &str) -> Result<u32> {
        let topic = topic.to_owned();
        blocking(&self.shelf, move |shelf| Ok(shelf.topic(&topic)?.slots.len() as u32)).await
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<(Partition, Offset)>> {
        let mut partitions = Vec::with_capacity(records.len());
        let mut rows = Vec::with_capacity(records.len());
        for record in records {
            let known = lock(&self.shelf.topics).get(&record.topic).cloned();
            let topic = match known {
                Some(topic) => topic,
                None => {
                    let name = record.topic.clone();
                    blocking(&self.shelf, move |shelf| shelf.topic(&name)).await?
                }
            };
            let partition = choose_partition(&record, topic.slots.len() as u32)?;
            partitions.push(partition);
            rows.push(Row { slot: topic.slots[partition as usize], key: record.key, payload: record.payload });
        }
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        Ok(partitions.into_iter().zip(self.writer.append(rows).await?).collect())
    }

    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>> {
        for topic in topics {
            self.partitions(topic).await?;
        }
        Ok(Box::new(LocalConsumer::join(Arc::clone(&self.shelf), group, topics).await?))
    }

    async fn range(&self, topic: &str, partition: Partition) -> Result<(Offset, Offset)> {
        let topic = topic.to_owned();
        blocking(&self.shelf, move |shelf| shelf.range(shelf.slot(&topic, partition)?)).await
    }

    async fn read(&self, topic: &str, partition: Partition, from: Offset, max: usize) -> Result<Vec<Record>> {
        let topic = topic.to_owned();
        blocking(&self.shelf, move |shelf| {
            let slot = shelf.slot(&topic, partition)?;
            shelf.readers.with(|connection| read_records(connection, slot, from, max))
        })
        .await
    }

    async fn fingerprint(&self, topic: &str) -> Result<String> {
        let topic = topic.to_owned();
        blocking(&self.shelf, move |shelf| Ok(shelf.topic(&topic)?.fingerprint.clone())).await
    }
}
