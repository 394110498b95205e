//! The partitioned log: ordered records in topics and partitions, kept until retention takes them.
//!
//! One small trait, [`Log`], and three ways to keep it: in memory (tests, benches), embedded on SQLite (one machine,
//! durable) and Apache Kafka. The code above doesn't know which it runs on. This crate must not know what a record
//! means: it sees bytes, never an event, a stream or a metric.
//!
//! What all three promise, and `tests/suite.rs` checks on each:
//! - a partition is an ordered sequence; offsets grow; the same key goes to the same partition as it would with a Java
//!   producer (`murmur2_random`);
//! - [`Log::append`] returns when the records are durable (memory: as durable as memory is);
//! - a group's partitions are spread over its living consumers; the owner of a partition says where to read from
//!   ([`Consumer::seek`]); committed offsets are for people and lag monitors, never where work resumes (I4).
//!
//! Two consumers can hold a partition for a moment, when one was thought dead and wasn't: rows don't mind (I3).

mod embedded;
mod error;
mod group;
mod kafka;
mod local;
mod memory;
mod partitioner;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

pub use embedded::{EmbeddedLog, EmbeddedReader, Retention};
pub use error::{LogError, Result};
pub use kafka::KafkaLog;
pub use memory::MemoryLog;
pub use partitioner::{murmur2, partition_for_key};

/// Number of a partition within its topic, from 0.
pub type Partition = u32;
/// Place of a record within its partition. Grows; only Kafka may leave gaps.
pub type Offset = u64;

/// Largest key + payload of one record: Kafka's own default limit, kept by all logs so that what one takes, all take.
pub const MAX_RECORD_BYTES: usize = 1_000_000;

/// A record to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    pub topic: String,
    /// `None`: by the key (murmur2 as Java's producers), any partition without one.
    pub partition: Option<Partition>,
    pub key: Option<Bytes>,
    pub payload: Bytes,
}

/// A record as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub offset: Offset,
    /// The log's own time, milliseconds since 1970 UTC. Never below the record's before, except on a Kafka topic that
    /// somebody else made with producers' times.
    pub append_ms: i64,
    pub key: Option<Bytes>,
    pub payload: Bytes,
}

/// A log of topics and partitions. All calls can be made from many tasks at once.
#[async_trait]
pub trait Log: Send + Sync {
    /// Makes the topic with so many partitions unless it is there; returns how many it really has.
    async fn ensure_topic(&self, topic: &str, partitions: u32) -> Result<u32>;
    /// How many partitions the topic has. [`LogError::UnknownTopic`] where it isn't there.
    async fn partitions(&self, topic: &str) -> Result<u32>;
    /// Appends, and returns when all records are durable, with the place of each in the order given. On an error some
    /// may have been appended (Kafka) or none (local logs): whoever sends again relies on ids to be counted once (I7).
    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<(Partition, Offset)>>;
    /// Joins the group, and consumes the topics with its other members.
    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>>;
    /// The first offset still kept, and the one that the next record will get.
    async fn range(&self, topic: &str, partition: Partition) -> Result<(Offset, Offset)>;
    /// Up to `max` records from `from` on, outside any group; from the first kept where `from` is older. Empty at the end.
    /// May return fewer than `max` before the end: only an empty answer means the end.
    async fn read(&self, topic: &str, partition: Partition, from: Offset, max: usize) -> Result<Vec<Record>>;
    /// Names this life of the topic: another one after it was deleted and made anew.
    async fn fingerprint(&self, topic: &str) -> Result<String>;
}

/// What a poll brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// These are now ours. None of their records come before [`Consumer::seek`] says where to begin.
    Assigned(Vec<(String, Partition)>),
    /// These are no longer ours. The next poll lets them go, so what must be finished is finished before it.
    Revoked(Vec<(String, Partition)>),
    /// Records of one partition, in order.
    Records {
        topic: String,
        partition: Partition,
        records: Vec<Record>,
        /// The offset that the next record at the log's end will get, as far as known.
        head: Offset,
    },
    /// Nothing within the wait.
    Idle,
}

/// One member of a group. Keep polling: Kafka takes the partitions of a member that doesn't poll for 5 minutes.
#[async_trait]
pub trait Consumer: Send {
    /// Waits up to `wait` for something; at most `max` records. Can be dropped half-way without losing anything.
    async fn poll(&mut self, max: usize, wait: Duration) -> Result<Poll>;
    /// The partition's next record is the one at `offset`, or the first kept where that is gone. Beyond the log's end
    /// (it was made anew: compare with [`Log::range`]) the local logs wait, and Kafka begins at the first kept.
    async fn seek(&mut self, topic: &str, partition: Partition, offset: Offset) -> Result<()>;
    /// No records of it until [`Consumer::resume`]; it stays ours.
    async fn pause(&mut self, topic: &str, partition: Partition) -> Result<()>;
    async fn resume(&mut self, topic: &str, partition: Partition) -> Result<()>;
    /// Notes that everything before `next` is done. For people and lag monitors.
    async fn commit(&mut self, topic: &str, partition: Partition, next: Offset) -> Result<()>;
    /// What the group last committed.
    async fn committed(&self, topic: &str, partition: Partition) -> Result<Option<Offset>>;
    /// Leaves the group at once. Merely dropped, its partitions are free when its lease is over, or sooner.
    async fn close(self: Box<Self>) -> Result<()>;
}

/// Opens the log that `url` names: `memory:` (a new, empty one), `embedded:DIR`, or `kafka://host:port,host:port`.
///
/// `options` are the settings under `log.`, without that prefix: `retention.hours`, `retention.bytes` (embedded),
/// `retention.of.TOPIC` (hours; embedded, and Kafka for a topic that we make), `replication.factor` (Kafka, for topics that we make; -1 and unset: the broker's default), `kafka.*` (librdkafka's
/// own). What belongs to another kind of log is ignored, so that one file of settings serves both.
pub async fn open(url: &str, options: &BTreeMap<String, String>) -> Result<Arc<dyn Log>> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Arc::new(MemoryLog::new())),
        Some(("embedded", dir)) if !dir.is_empty() => {
            Ok(Arc::new(EmbeddedLog::open(Path::new(dir), Retention::read(options)?).await?))
        }
        _ => open_kafka(url, options),
    }
}

/// Opens a log that is there, to look at it: also the embedded log of a process that runs. Nothing is made, removed by
/// retention, or written; what would do so fails with [`LogError::ReadOnly`] (embedded), and is left to the caller (Kafka).
pub async fn open_to_read(url: &str, options: &BTreeMap<String, String>) -> Result<Arc<dyn Log>> {
    match url.split_once(':') {
        Some(("embedded", dir)) if !dir.is_empty() => Ok(Arc::new(EmbeddedReader::open(Path::new(dir)).await?)),
        _ => open_kafka(url, options),
    }
}

fn open_kafka(url: &str, options: &BTreeMap<String, String>) -> Result<Arc<dyn Log>> {
    match url.split_once(':') {
        Some(("kafka", rest)) => match rest.strip_prefix("//").map(|brokers| brokers.trim_end_matches('/')) {
            Some(brokers) if !brokers.is_empty() => Ok(Arc::new(KafkaLog::open(brokers, options)?)),
            _ => Err(LogError::BadUrl(url.to_owned())),
        },
        _ => Err(LogError::BadUrl(url.to_owned())),
    }
}
