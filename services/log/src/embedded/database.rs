//! The log's two SQLite files, how they are opened, and a few connections kept for reading.
//!
//! One file for all topics: what many tasks append to many topics then shares one transaction and one fsync, and the
//! load of a city is far below what one writer takes. Groups have a file of their own with `synchronous=NORMAL`: leases
//! and committed offsets come every second, may be lost in a power cut, and must not cost the log an fsync or wake
//! its readers.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::local::lock;
use crate::{LogError, Offset, Result};

/// Bits of a record's rowid that hold its offset; the partition's row id is above. 2^40 records a partition, 2^22
/// partitions.
const OFFSET_BITS: u32 = 40;

/// Raise when the tables change, and migrate in [`open`].
const FORMAT: i64 = 1;

/// How long a write waits for another process's.
const BUSY: Duration = Duration::from_secs(10);

/// `place` is partition and offset in one integer key, so that a partition's records lie side by side in one B-tree
/// and reading them in order is a scan. `first`, `next`: offsets; `next` stays when retention has emptied a partition.
const LOG_TABLES: &str = "
    CREATE TABLE IF NOT EXISTS topics (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS partitions (
        id INTEGER PRIMARY KEY, topic INTEGER NOT NULL REFERENCES topics, partition INTEGER NOT NULL,
        first INTEGER NOT NULL DEFAULT 0, next INTEGER NOT NULL DEFAULT 0,
        last_ms INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0, UNIQUE (topic, partition)) STRICT;
    CREATE TABLE IF NOT EXISTS records (
        place INTEGER PRIMARY KEY, append_ms INTEGER NOT NULL, key BLOB, payload BLOB NOT NULL) STRICT;";

const GROUP_TABLES: &str = "
    CREATE TABLE IF NOT EXISTS members (
        grp TEXT NOT NULL, name TEXT NOT NULL, topics TEXT NOT NULL, lease_end_ms INTEGER NOT NULL,
        PRIMARY KEY (grp, name)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS claims (
        grp TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, name TEXT NOT NULL,
        PRIMARY KEY (grp, topic, partition)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS committed (
        grp TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
        PRIMARY KEY (grp, topic, partition)) STRICT, WITHOUT ROWID;";

/// A partition's row in `partitions`: the upper part of its records' keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(pub i64);

impl Slot {
    pub fn place(self, offset: Offset) -> i64 {
        (self.0 << OFFSET_BITS) | offset.cast_signed().min((1 << OFFSET_BITS) - 1)
    }

    /// The key behind the last that this partition can have.
    pub fn end(self) -> i64 {
        (self.0 + 1) << OFFSET_BITS
    }
}

pub(super) fn offset_of(place: i64) -> Offset {
    (place & ((1 << OFFSET_BITS) - 1)).cast_unsigned()
}

pub(super) fn open_log(dir: &Path) -> Result<Connection> {
    open(&dir.join("log.db"), "FULL", LOG_TABLES)
}

pub(super) fn open_groups(dir: &Path) -> Result<Connection> {
    open(&dir.join("groups.db"), "NORMAL", GROUP_TABLES)
}

/// The log as it is there: nothing is made, changed or cleaned, and whoever writes to it doesn't notice (WAL).
pub(super) fn open_log_to_read(dir: &Path) -> Result<Connection> {
    let path = dir.join("log.db");
    if !path.is_file() {
        return Err(LogError::NoLog(dir.to_owned()));
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(BUSY)?;
    match connection.pragma_query_value(None, "user_version", |row| row.get(0))? {
        0 => Err(LogError::NoLog(dir.to_owned())),
        found if found > FORMAT => Err(LogError::Format { found, known: FORMAT }),
        _ => Ok(connection),
    }
}

fn open(path: &Path, synchronous: &str, tables: &str) -> Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "page_size", 8192)?;
    turn_wal_on(&connection)?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    // 32 MiB before the log is folded into the file: fewer, longer writes. Cut to the same size afterwards.
    connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
    connection.pragma_update(None, "journal_size_limit", 32 << 20)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format > FORMAT {
        return Err(LogError::Format { found: format, known: FORMAT });
    }
    if format < FORMAT {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(tables)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.commit()?;
    }
    Ok(connection)
}

/// Two processes that open a new file at once meet here, and SQLite doesn't apply its busy timeout to this change.
fn turn_wal_on(connection: &Connection) -> Result<()> {
    let mut left = 100;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if left > 0 && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                left -= 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            other => return Ok(other?),
        }
    }
}

/// Connections for reading: one for each read at the same time, kept for the next.
pub(super) struct Readers {
    dir: PathBuf,
    open: fn(&Path) -> Result<Connection>,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// `open`: [`open_log`], or [`open_log_to_read`].
    pub fn new(dir: PathBuf, open: fn(&Path) -> Result<Connection>) -> Self {
        Self { dir, open, idle: Mutex::default() }
    }

    /// Runs a read. Blocks on the disk: for a thread that may.
    pub fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = lock(&self.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => (self.open)(&self.dir)?,
        };
        let result = read(&connection);
        lock(&self.idle).push(connection);
        result
    }
}
