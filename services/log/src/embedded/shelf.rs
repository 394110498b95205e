//! The tables of the embedded log, read and changed: what a consumer ([`Shelf`]) and the log itself ask of SQLite.
//!
//! Everything here blocks on the disk, and so runs through [`blocking`].

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::database::{Readers, Slot, offset_of};
use super::groups;
use crate::group::Place;
use crate::local::{Fetched, Seat, Shelf, lock};
use crate::{LogError, Offset, Partition, Record, Result};

/// A fetch stops behind this much, however many records were asked for.
const FETCH_BYTES: usize = 16 << 20;

/// The log's tables, as all its handles in this process share them.
pub(super) struct SqliteShelf {
    pub readers: Readers,
    pub groups: Mutex<Connection>,
    /// For what is rare: making topics, retention.
    pub upkeep: Mutex<Connection>,
    /// Topics are never removed nor repartitioned, so what was once read stays true.
    pub topics: Mutex<HashMap<String, Arc<Topic>>>,
    pub bell: watch::Sender<()>,
}

pub(super) struct Topic {
    pub fingerprint: String,
    pub slots: Vec<Slot>,
}

/// Runs work on the database on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    shelf: &Arc<SqliteShelf>,
    work: impl FnOnce(&SqliteShelf) -> Result<T> + Send + 'static,
) -> Result<T> {
    let shelf = Arc::clone(shelf);
    spawn_blocking(move || work(&shelf)).await.map_err(|_| LogError::Closed)?
}

impl SqliteShelf {
    pub fn topic(&self, name: &str) -> Result<Arc<Topic>> {
        if let Some(topic) = lock(&self.topics).get(name) {
            return Ok(Arc::clone(topic));
        }
        let topic = Arc::new(self.readers.with(|connection| load_topic(connection, name))?);
        lock(&self.topics).insert(name.to_owned(), Arc::clone(&topic));
        Ok(topic)
    }

    pub fn slot(&self, topic: &str, partition: Partition) -> Result<Slot> {
        let slots = &self.topic(topic)?.slots;
        let slot = slots.get(partition as usize).copied();
        slot.ok_or_else(|| LogError::UnknownPartition { topic: topic.to_owned(), partition })
    }

    pub fn make_topic(&self, name: &str, partitions: u32) -> Result<()> {
        let mut connection = lock(&self.upkeep);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let made = transaction.execute(
            "INSERT OR IGNORE INTO topics (name, fingerprint) VALUES (?1, ?2)",
            params![name, format!("embedded:{:032x}", rand::random::<u128>())],
        )?;
        if made == 1 {
            let topic = transaction.last_insert_rowid();
            for partition in 0..partitions.max(1) {
                transaction
                    .execute("INSERT INTO partitions (topic, partition) VALUES (?1, ?2)", params![topic, partition])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    pub fn range(&self, slot: Slot) -> Result<(Offset, Offset)> {
        self.readers.with(|connection| read_range(connection, slot))
    }

    fn fetch_first(&self, wanted: Vec<(Place, Offset)>, max: usize) -> Result<Option<Fetched>> {
        for (place, from) in wanted {
            let slot = self.slot(&place.0, place.1)?;
            let found = self.readers.with(|connection| {
                let (_, head) = read_range(connection, slot)?;
                if from >= head { Ok(None) } else { Ok(Some((read_records(connection, slot, from, max)?, head))) }
            })?;
            if let Some((records, head)) = found
                && let Some(last) = records.last()
            {
                // What was appended between the two reads is known by now, too.
                let head = head.max(last.offset + 1);
                return Ok(Some(Fetched { place, records, head }));
            }
        }
        Ok(None)
    }
}

pub(super) fn load_topic(connection: &Connection, name: &str) -> Result<Topic> {
    let found = connection
        .prepare_cached("SELECT id, fingerprint FROM topics WHERE name = ?1")?
        .query_row([name], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    let (id, fingerprint) = found.ok_or_else(|| LogError::UnknownTopic(name.to_owned()))?;
    let mut statement = connection.prepare_cached("SELECT id FROM partitions WHERE topic = ?1 ORDER BY partition")?;
    let slots = statement.query_map([id], |row| Ok(Slot(row.get(0)?)))?.collect::<rusqlite::Result<_>>()?;
    Ok(Topic { fingerprint, slots })
}

pub(super) fn read_range(connection: &Connection, slot: Slot) -> Result<(Offset, Offset)> {
    let (first, next): (i64, i64) = connection
        .prepare_cached("SELECT first, next FROM partitions WHERE id = ?1")?
        .query_row([slot.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((first.cast_unsigned(), next.cast_unsigned()))
}

pub(super) fn read_records(connection: &Connection, slot: Slot, from: Offset, max: usize) -> Result<Vec<Record>> {
    let mut statement = connection.prepare_cached(
        "SELECT place, append_ms, key, payload FROM records WHERE place >= ?1 AND place < ?2 ORDER BY place LIMIT ?3",
    )?;
    let mut rows = statement.query(params![slot.place(from), slot.end(), i64::try_from(max).unwrap_or(i64::MAX)])?;
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
impl Shelf for SqliteShelf {
    async fn beat(self: &Arc<Self>, seat: &Arc<Seat>, holding: BTreeSet<Place>) -> Result<BTreeSet<Place>> {
        let seat = Arc::clone(seat);
        blocking(self, move |shelf| {
            let partitions_of = |topic: &str| shelf.topic(topic).map_or(0, |t| t.slots.len() as u32);
            groups::beat(&mut lock(&shelf.groups), &seat, &holding, partitions_of)
        })
        .await
    }

    async fn leave(self: &Arc<Self>, seat: &Arc<Seat>) -> Result<()> {
        let seat = Arc::clone(seat);
        blocking(self, move |shelf| groups::leave(&mut lock(&shelf.groups), &seat)).await
    }

    async fn fetch_first(self: &Arc<Self>, wanted: Vec<(Place, Offset)>, max: usize) -> Result<Option<Fetched>> {
        blocking(self, move |shelf| shelf.fetch_first(wanted, max)).await
    }

    async fn commit(self: &Arc<Self>, group: &str, place: &Place, next: Offset) -> Result<()> {
        let (group, place) = (group.to_owned(), place.clone());
        blocking(self, move |shelf| groups::commit(&lock(&shelf.groups), &group, &place, next)).await
    }

    async fn committed(self: &Arc<Self>, group: &str, place: &Place) -> Result<Option<Offset>> {
        let (group, place) = (group.to_owned(), place.clone());
        blocking(self, move |shelf| groups::committed(&lock(&shelf.groups), &group, &place)).await
    }

    fn bell(&self) -> &watch::Sender<()> {
        &self.bell
    }
}
