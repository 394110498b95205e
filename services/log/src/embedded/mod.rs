//! The embedded log: durable, on SQLite, for one machine. Several processes may use one folder.
//!
//! `append` returns after the fsync. Readers never wait for the writer (WAL). A consumer is woken at once by what this
//! process appends, and within [`GLANCE`] by what another does.

mod database;
mod groups;
mod retention;
mod writer;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::group::Place;
use crate::local::{Fetched, LocalConsumer, Seat, Shelf, choose_partition, lock, wall_clock_ms};
use crate::{Consumer, Log, LogError, NewRecord, Offset, Partition, Record, Result};
use database::{Readers, Slot, offset_of, open_groups, open_log};
pub use retention::Retention;
use writer::{Row, Writer};

/// How often a look is taken at whether another process wrote.
const GLANCE: Duration = Duration::from_millis(50);
/// How often retention is applied.
const CLEAN: Duration = Duration::from_secs(60);
/// A fetch stops behind this much, however many records were asked for.
const FETCH_BYTES: usize = 16 << 20;

/// A log in a folder.
pub struct EmbeddedLog {
    shelf: Arc<SqliteShelf>,
    writer: Writer,
    cleaning: JoinHandle<()>,
}

struct SqliteShelf {
    readers: Readers,
    groups: Mutex<Connection>,
    /// For what is rare: making topics, retention.
    upkeep: Mutex<Connection>,
    /// Topics are never removed nor repartitioned, so what was once read stays true.
    topics: Mutex<HashMap<String, Arc<Topic>>>,
    bell: watch::Sender<()>,
}

struct Topic {
    fingerprint: String,
    slots: Vec<Slot>,
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
                readers: Readers::new(dir.clone()),
                topics: Mutex::default(),
                bell: bell.clone(),
            });
            let glance = open_log(&dir)?;
            let watched = Arc::downgrade(&shelf);
            std::thread::Builder::new()
                .name("log-glance".to_owned())
                .spawn(move || watch_others(&glance, &watched))?;
            Ok::<_, LogError>((shelf, Writer::start(&dir, bell)?))
        })
        .await
        .map_err(|_| LogError::Closed)??;
        let cleaning = tokio::spawn(keep_clean(Arc::clone(&shelf), retention));
        Ok(Self {
            shelf,
            writer,
            cleaning,
        })
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
    blocking(shelf, move |shelf| {
        retention::apply(&mut lock(&shelf.upkeep), retention, now_ms)
    })
    .await
}

async fn keep_clean(shelf: Arc<SqliteShelf>, retention: Retention) {
    let mut ticks = tokio::time::interval(CLEAN);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match clean(&shelf, retention, wall_clock_ms()).await {
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

async fn blocking<T: Send + 'static>(
    shelf: &Arc<SqliteShelf>,
    work: impl FnOnce(&SqliteShelf) -> Result<T> + Send + 'static,
) -> Result<T> {
    let shelf = Arc::clone(shelf);
    spawn_blocking(move || work(&shelf))
        .await
        .map_err(|_| LogError::Closed)?
}

impl SqliteShelf {
    fn topic(&self, name: &str) -> Result<Arc<Topic>> {
        if let Some(topic) = lock(&self.topics).get(name) {
            return Ok(Arc::clone(topic));
        }
        let topic = Arc::new(
            self.readers
                .with(|connection| load_topic(connection, name))?,
        );
        lock(&self.topics).insert(name.to_owned(), Arc::clone(&topic));
        Ok(topic)
    }

    fn slot(&self, topic: &str, partition: Partition) -> Result<Slot> {
        let slots = &self.topic(topic)?.slots;
        let slot = slots.get(partition as usize).copied();
        slot.ok_or_else(|| LogError::UnknownPartition {
            topic: topic.to_owned(),
            partition,
        })
    }

    fn make_topic(&self, name: &str, partitions: u32) -> Result<()> {
        let mut connection = lock(&self.upkeep);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let made = transaction.execute(
            "INSERT OR IGNORE INTO topics (name, fingerprint) VALUES (?1, ?2)",
            params![name, format!("embedded:{:032x}", rand::random::<u128>())],
        )?;
        if made == 1 {
            let topic = transaction.last_insert_rowid();
            for partition in 0..partitions.max(1) {
                transaction.execute(
                    "INSERT INTO partitions (topic, partition) VALUES (?1, ?2)",
                    params![topic, partition],
                )?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn range(&self, slot: Slot) -> Result<(Offset, Offset)> {
        self.readers.with(|connection| read_range(connection, slot))
    }

    fn fetch_first(&self, wanted: Vec<(Place, Offset)>, max: usize) -> Result<Option<Fetched>> {
        for (place, from) in wanted {
            let slot = self.slot(&place.0, place.1)?;
            let found = self.readers.with(|connection| {
                let (_, head) = read_range(connection, slot)?;
                if from >= head {
                    Ok(None)
                } else {
                    Ok(Some((read_records(connection, slot, from, max)?, head)))
                }
            })?;
            if let Some((records, head)) = found
                && let Some(last) = records.last()
            {
                // What was appended between the two reads is known by now, too.
                let head = head.max(last.offset + 1);
                return Ok(Some(Fetched {
                    place,
                    records,
                    head,
                }));
            }
        }
        Ok(None)
    }
}

fn load_topic(connection: &Connection, name: &str) -> Result<Topic> {
    let found = connection
        .prepare_cached("SELECT id, fingerprint FROM topics WHERE name = ?1")?
        .query_row([name], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })
        .optional()?;
    let (id, fingerprint) = found.ok_or_else(|| LogError::UnknownTopic(name.to_owned()))?;
    let mut statement = connection
        .prepare_cached("SELECT id FROM partitions WHERE topic = ?1 ORDER BY partition")?;
    let slots = statement
        .query_map([id], |row| Ok(Slot(row.get(0)?)))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Topic { fingerprint, slots })
}

fn read_range(connection: &Connection, slot: Slot) -> Result<(Offset, Offset)> {
    let (first, next): (i64, i64) = connection
        .prepare_cached("SELECT first, next FROM partitions WHERE id = ?1")?
        .query_row([slot.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((first.cast_unsigned(), next.cast_unsigned()))
}

fn read_records(
    connection: &Connection,
    slot: Slot,
    from: Offset,
    max: usize,
) -> Result<Vec<Record>> {
    let mut statement = connection.prepare_cached(
        "SELECT place, append_ms, key, payload FROM records WHERE place >= ?1 AND place < ?2 ORDER BY place LIMIT ?3",
    )?;
    let mut rows = statement.query(params![
        slot.place(from),
        slot.end(),
        i64::try_from(max).unwrap_or(i64::MAX)
    ])?;
    let mut records = Vec::new();
    let mut bytes = 0;
    while bytes < FETCH_BYTES
        && let Some(row) = rows.next()?
    {
        let key: Option<Vec<u8>> = row.get(2)?;
        let payload: Vec<u8> = row.get(3)?;
        bytes += payload.len() + key.as_ref().map_or(0, Vec::len);
        records.push(Record {
            offset: offset_of(row.get(0)?),
            append_ms: row.get(1)?,
            key: key.map(Bytes::from),
            payload: Bytes::from(payload),
        });
    }
    Ok(records)
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
        blocking(&self.shelf, move |shelf| {
            Ok(shelf.topic(&topic)?.slots.len() as u32)
        })
        .await
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
            rows.push(Row {
                slot: topic.slots[partition as usize],
                key: record.key,
                payload: record.payload,
            });
        }
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        Ok(partitions
            .into_iter()
            .zip(self.writer.append(rows).await?)
            .collect())
    }

    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>> {
        for topic in topics {
            self.partitions(topic).await?;
        }
        Ok(Box::new(
            LocalConsumer::join(Arc::clone(&self.shelf), group, topics).await?,
        ))
    }

    async fn range(&self, topic: &str, partition: Partition) -> Result<(Offset, Offset)> {
        let topic = topic.to_owned();
        blocking(&self.shelf, move |shelf| {
            shelf.range(shelf.slot(&topic, partition)?)
        })
        .await
    }

    async fn read(
        &self,
        topic: &str,
        partition: Partition,
        from: Offset,
        max: usize,
    ) -> Result<Vec<Record>> {
        let topic = topic.to_owned();
        blocking(&self.shelf, move |shelf| {
            let slot = shelf.slot(&topic, partition)?;
            shelf
                .readers
                .with(|connection| read_records(connection, slot, from, max))
        })
        .await
    }

    async fn fingerprint(&self, topic: &str) -> Result<String> {
        let topic = topic.to_owned();
        blocking(&self.shelf, move |shelf| {
            Ok(shelf.topic(&topic)?.fingerprint.clone())
        })
        .await
    }
}

/// The shelf is shared as `Arc<SqliteShelf>`; its blocking work needs one of its own to take along.
#[async_trait]
impl Shelf for SqliteShelf {
    async fn beat(
        self: &Arc<Self>,
        seat: &Arc<Seat>,
        holding: BTreeSet<Place>,
    ) -> Result<BTreeSet<Place>> {
        let seat = Arc::clone(seat);
        blocking(self, move |shelf| {
            let partitions_of =
                |topic: &str| shelf.topic(topic).map_or(0, |t| t.slots.len() as u32);
            groups::beat(&mut lock(&shelf.groups), &seat, &holding, partitions_of)
        })
        .await
    }

    async fn leave(self: &Arc<Self>, seat: &Arc<Seat>) -> Result<()> {
        let seat = Arc::clone(seat);
        blocking(self, move |shelf| {
            groups::leave(&mut lock(&shelf.groups), &seat)
        })
        .await
    }

    async fn fetch_first(
        self: &Arc<Self>,
        wanted: Vec<(Place, Offset)>,
        max: usize,
    ) -> Result<Option<Fetched>> {
        blocking(self, move |shelf| shelf.fetch_first(wanted, max)).await
    }

    async fn commit(self: &Arc<Self>, group: &str, place: &Place, next: Offset) -> Result<()> {
        let (group, place) = (group.to_owned(), place.clone());
        blocking(self, move |shelf| {
            groups::commit(&lock(&shelf.groups), &group, &place, next)
        })
        .await
    }

    async fn committed(self: &Arc<Self>, group: &str, place: &Place) -> Result<Option<Offset>> {
        let (group, place) = (group.to_owned(), place.clone());
        blocking(self, move |shelf| {
            groups::committed(&lock(&shelf.groups), &group, &place)
        })
        .await
    }

    fn bell(&self) -> &watch::Sender<()> {
        &self.bell
    }
}
