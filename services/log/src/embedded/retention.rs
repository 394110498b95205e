//! What the embedded log lets go of: records older than its age, and the oldest where it is larger than its size.
//!
//! In small transactions, so that nobody who appends waits long. Offsets go on growing; the file keeps its size, and
//! new records fill the room.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::database::{Slot, offset_of};
use super::writer::ROW_OVERHEAD_BYTES;
use crate::{LogError, Offset, Result};

/// Before a topic's name: the option that says how long it is kept.
pub(crate) const TOPIC_OPTION: &str = "retention.of.";

/// How long and how much the embedded log keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    pub age: Duration,
    /// Of topics that are kept for another time.
    pub age_of: BTreeMap<String, Duration>,
    /// Keys, payloads and a little for each record, over all topics.
    pub bytes: u64,
}

impl Default for Retention {
    /// Two weeks: longer than a fault can stay unseen over a holiday. 20 GiB: a week of a city's buses every ten seconds.
    fn default() -> Self {
        Self { age: Duration::from_secs(14 * 24 * 3600), age_of: BTreeMap::new(), bytes: 20 << 30 }
    }
}

impl Retention {
    /// From the options `retention.hours`, `retention.of.TOPIC` (hours, too) and `retention.bytes`.
    pub fn read(options: &BTreeMap<String, String>) -> Result<Self> {
        let mut retention = Self::default();
        if let Some(hours) = number(options, "retention.hours")? {
            retention.age = Duration::from_secs(hours.saturating_mul(3600));
        }
        for option in options.keys() {
            let Some(topic) = option.strip_prefix(TOPIC_OPTION) else { continue };
            if let Some(hours) = number(options, option)? {
                retention.age_of.insert(topic.to_owned(), Duration::from_secs(hours.saturating_mul(3600)));
            }
        }
        if let Some(bytes) = number(options, "retention.bytes")? {
            retention.bytes = bytes;
        }
        Ok(retention)
    }
}

fn number(options: &BTreeMap<String, String>, option: &str) -> Result<Option<u64>> {
    let Some(text) = options.get(option) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) if number > 0 => Ok(Some(number)),
        _ => {
            Err(LogError::BadOption { option: option.to_owned(), reason: format!("{text:?} is not a number above 0") })
        }
    }
}

/// Records in one transaction.
const CHUNK: i64 = 2_000;

/// Removes what is too old, then the oldest while there is too much. Returns how many records went.
pub(super) fn apply(connection: &mut Connection, retention: &Retention, now_ms: i64) -> Result<u64> {
    let mut removed = 0;
    for (slot, topic) in slots(connection)? {
        let age = retention.age_of.get(&topic).unwrap_or(&retention.age);
        let oldest_ms = now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        loop {
            let went = remove_chunk(connection, slot, oldest_ms)?;
            removed += went;
            if went < CHUNK.cast_unsigned() {
                break;
            }
        }
    }
    while total_bytes(connection)? > i64::try_from(retention.bytes).unwrap_or(i64::MAX) {
        let Some(slot) = oldest(connection)? else {
            break;
        };
        let went = remove_chunk(connection, slot, i64::MAX)?;
        if went == 0 {
            break;
        }
        removed += went;
    }
    Ok(removed)
}

/// The partitions that hold something, each with its topic's name.
fn slots(connection: &Connection) -> Result<Vec<(Slot, String)>> {
    let mut statement = connection.prepare_cached(
        "SELECT partitions.id, topics.name FROM partitions JOIN topics ON topics.id = partitions.topic WHERE first < next",
    )?;
    let rows = statement.query_map([], |row| Ok((Slot(row.get(0)?), row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn total_bytes(connection: &Connection) -> Result<i64> {
    let mut statement = connection.prepare_cached("SELECT coalesce(sum(bytes), 0) FROM partitions")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// The partition whose first record is the oldest.
fn oldest(connection: &Connection) -> Result<Option<Slot>> {
    let mut found: Option<(i64, Slot)> = None;
    let mut first = connection
        .prepare_cached("SELECT append_ms FROM records WHERE place >= ?1 AND place < ?2 ORDER BY place LIMIT 1")?;
    for (slot, _) in slots(connection)? {
        let append_ms: Option<i64> = first.query_row([slot.place(0), slot.end()], |row| row.get(0)).optional()?;
        if let Some(append_ms) = append_ms
            && found.is_none_or(|(oldest_ms, _)| append_ms < oldest_ms)
        {
            found = Some((append_ms, slot));
        }
    }
    Ok(found.map(|(_, slot)| slot))
}

/// Removes up to [`CHUNK`] records from a partition's beginning that are older than `before_ms`.
fn remove_chunk(connection: &mut Connection, slot: Slot, before_ms: i64) -> Result<u64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (count, bytes, last): (i64, i64, Option<i64>) = transaction
        .prepare_cached(
            "SELECT count(*), coalesce(sum(coalesce(length(key), 0) + length(payload) + ?5), 0), max(place)
             FROM (SELECT place, append_ms, key, payload FROM records
                   WHERE place >= ?1 AND place < ?2 ORDER BY place LIMIT ?3)
             WHERE append_ms < ?4",
        )?
        .query_row(params![slot.place(0), slot.end(), CHUNK, before_ms, ROW_OVERHEAD_BYTES], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let Some(last) = last else { return Ok(0) };
    let first: Offset = offset_of(last) + 1;
    transaction
        .prepare_cached("DELETE FROM records WHERE place >= ?1 AND place <= ?2")?
        .execute([slot.place(0), last])?;
    transaction
        .prepare_cached("UPDATE partitions SET first = ?2, bytes = bytes - ?3 WHERE id = ?1")?
        .execute(params![slot.0, first.cast_signed(), bytes])?;
    transaction.commit()?;
    Ok(count.cast_unsigned())
}
