//! Appending: one thread, and one transaction for everything that came while the one before was being synced.
//!
//! An fsync costs milliseconds and a row microseconds, so the more tasks append at once, the more share a commit, with
//! no timer and no waiting when there is only one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::{mpsc, oneshot, watch};

use super::database::{Slot, open_log};
use crate::{LogError, Offset, Result};

/// Appends waiting for the thread; whoever comes then waits for room.
const WAITING_JOBS: usize = 256;
/// A transaction takes no further job from here on: bounds its memory, and how long other processes wait.
const ROWS_PER_TRANSACTION: usize = 50_000;
const BYTES_PER_TRANSACTION: usize = 32 << 20;
/// What a row costs besides key and payload, for retention by size.
pub(super) const ROW_OVERHEAD_BYTES: i64 = 24;

pub(super) struct Row {
    pub slot: Slot,
    pub key: Option<Bytes>,
    pub payload: Bytes,
}

impl Row {
    fn bytes(&self) -> usize {
        self.payload.len() + self.key.as_ref().map_or(0, Bytes::len)
    }
}

struct Job {
    rows: Vec<Row>,
    done: oneshot::Sender<Result<Vec<Offset>>>,
}

/// Hands rows to the writing thread, which ends when this is dropped.
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    pub fn start(dir: &Path, bell: watch::Sender<()>) -> Result<Self> {
        let connection = open_log(dir)?;
        let (jobs, queue) = mpsc::channel(WAITING_JOBS);
        std::thread::Builder::new().name("log-writer".to_owned()).spawn(move || write_all(connection, queue, &bell))?;
        Ok(Self { jobs })
    }

    /// Appends all rows or none; their offsets when they are on the disk.
    pub async fn append(&self, rows: Vec<Row>) -> Result<Vec<Offset>> {
        let (done, outcome) = oneshot::channel();
        self.jobs.send(Job { rows, done }).await.map_err(|_| LogError::Closed)?;
        outcome.await.map_err(|_| LogError::Closed)?
    }
}

fn write_all(mut connection: Connection, mut queue: mpsc::Receiver<Job>, bell: &watch::Sender<()>) {
    while let Some(first) = queue.blocking_recv() {
        let mut rows = first.rows.len();
        let mut bytes: usize = first.rows.iter().map(Row::bytes).sum();
        let mut jobs = vec![first];
        while rows < ROWS_PER_TRANSACTION
            && bytes < BYTES_PER_TRANSACTION
            && let Ok(job) = queue.try_recv()
        {
            rows += job.rows.len();
            bytes += job.rows.iter().map(Row::bytes).sum::<usize>();
            jobs.push(job);
        }
        match write(&mut connection, &jobs) {
            Ok(offsets) => {
                bell.send_replace(());
                for (job, offsets) in jobs.into_iter().zip(offsets) {
                    // Whoever asked may have gone; the records are in the log all the same.
                    let _ = job.done.send(Ok(offsets));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for job in jobs {
                    let _ = job.done.send(Err(LogError::Database(Arc::clone(&error))));
                }
            }
        }
    }
}

/// Where a partition's next record goes.
struct Tail {
    next: Offset,
    last_ms: i64,
    added_bytes: i64,
}

fn write(connection: &mut Connection, jobs: &[Job]) -> rusqlite::Result<Vec<Vec<Offset>>> {
    // Immediate: offsets are read and given out under the write lock, so other processes can't give out the same.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let now_ms = yiping_clock::unix_ms();
    let mut tails: BTreeMap<Slot, Tail> = BTreeMap::new();
    let mut offsets = Vec::with_capacity(jobs.len());
    {
        let mut read_tail = transaction.prepare_cached("SELECT next, last_ms FROM partitions WHERE id = ?1")?;
        let mut insert = transaction
            .prepare_cached("INSERT INTO records (place, append_ms, key, payload) VALUES (?1, ?2, ?3, ?4)")?;
        for job in jobs {
            let mut of_job = Vec::with_capacity(job.rows.len());
            for row in &job.rows {
                let tail = match tails.entry(row.slot) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => {
                        let (next, last_ms) =
                            read_tail.query_row([row.slot.0], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)))?;
                        // Another process, or this one before a restart, may have had a clock ahead of ours; a partition's time
                        // can't go back (I2).
                        let last_ms = last_ms.max(now_ms);
                        entry.insert(Tail { next: next.cast_unsigned(), last_ms, added_bytes: 0 })
                    }
                };
                insert.execute(params![row.slot.place(tail.next), tail.last_ms, row.key.as_deref(), &*row.payload])?;
                of_job.push(tail.next);
                tail.next += 1;
                tail.added_bytes += row.bytes() as i64 + ROW_OVERHEAD_BYTES;
            }
            offsets.push(of_job);
        }
        let mut write_tail = transaction
            .prepare_cached("UPDATE partitions SET next = ?2, last_ms = ?3, bytes = bytes + ?4 WHERE id = ?1")?;
        for (slot, tail) in &tails {
            write_tail.execute(params![slot.0, tail.next.cast_signed(), tail.last_ms, tail.added_bytes])?;
        }
    }
    transaction.commit()?;
    Ok(offsets)
}
