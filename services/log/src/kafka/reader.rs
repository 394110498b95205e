//! Reading by topic, partition and offset, and asking the cluster: outside any group, on threads that may block.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, Offset as KafkaOffset, TopicPartitionList};
use tokio::task::spawn_blocking;

use super::{ANSWER, record_of};
use crate::local::lock;
use crate::{LogError, Offset, Partition, Record, Result};

/// Clients for reading: one for each read at the same time, kept for the next.
pub(super) struct Readers {
    config: ClientConfig,
    idle: Mutex<Vec<Reader>>,
}

/// Says what librdkafka says, but for the end of a partition: a reader comes there all the time.
struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::error!(%error, reason, "Kafka");
        }
    }
}

impl ConsumerContext for Quiet {}

struct Reader {
    consumer: BaseConsumer<Quiet>,
    /// What it is assigned to and would deliver next: who reads on needs no new fetch.
    at: Option<(String, Partition, Offset)>,
}

impl Readers {
    pub fn new(config: ClientConfig) -> Self {
        Self { config, idle: Mutex::default() }
    }

    async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Reader) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let readers = Arc::clone(self);
        spawn_blocking(move || {
            let idle = lock(&readers.idle).pop();
            let mut reader = match idle {
                Some(reader) => reader,
                None => Reader { consumer: readers.config.create_with_context(Quiet)?, at: None },
            };
            let result = work(&mut reader);
            lock(&readers.idle).push(reader);
            result
        })
        .await
        .map_err(|_| LogError::Closed)?
    }

    /// `None` where there is no such topic.
    pub async fn partitions(self: &Arc<Self>, topic: &str) -> Result<Option<u32>> {
        let topic = topic.to_owned();
        self.with(move |reader| {
            let metadata = reader.consumer.fetch_metadata(Some(&topic), ANSWER)?;
            let Some(found) = metadata.topics().iter().find(|t| t.name() == topic) else {
                return Ok(None);
            };
            match found.error().map(RDKafkaErrorCode::from) {
                None => Ok(Some(found.partitions().len() as u32).filter(|count| *count > 0)),
                Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
                Some(error) => Err(KafkaError::MetadataFetch(error).into()),
            }
        })
        .await
    }

    pub async fn cluster_id(self: &Arc<Self>) -> Result<String> {
        self.with(|reader| {
            let id = reader.consumer.client().fetch_cluster_id(ANSWER);
            id.ok_or(LogError::Timeout("asked for its cluster id"))
        })
        .await
    }

    pub async fn range(self: &Arc<Self>, topic: &str, partition: Partition) -> Result<(Offset, Offset)> {
        let topic = topic.to_owned();
        self.with(move |reader| {
            let (first, next) = watermarks(&reader.consumer, &topic, partition)?;
            Ok((first.max(0).cast_unsigned(), next.max(0).cast_unsigned()))
        })
        .await
    }

    pub async fn read(
        self: &Arc<Self>,
        topic: &str,
        partition: Partition,
        from: Offset,
        max: usize,
    ) -> Result<Vec<Record>> {
        let topic = topic.to_owned();
        self.with(move |reader| reader.read(&topic, partition, from, max)).await
    }
}

impl Reader {
    fn read(&mut self, topic: &str, partition: Partition, from: Offset, max: usize) -> Result<Vec<Record>> {
        if self.at.as_ref().is_none_or(|(t, p, next)| t != topic || *p != partition || *next != from) {
            // Beyond the end Kafka would begin again at the first record: that is the end, for us.
            let (first, next) = watermarks(&self.consumer, topic, partition)?;
            if from.cast_signed() >= next {
                return Ok(Vec::new());
            }
            let from = from.cast_signed().max(first);
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(topic, kafka_partition(partition), KafkaOffset::Offset(from))?;
            self.at = None;
            self.consumer.assign(&list)?;
        }
        let mut records: Vec<Record> = Vec::new();
        let deadline = Instant::now() + ANSWER;
        while records.len() < max {
            // What has come already is worth more than a full answer.
            let wait = if records.is_empty() { Duration::from_millis(100) } else { Duration::from_millis(20) };
            match self.consumer.poll(wait) {
                Some(Ok(message)) => records.push(record_of(&message)),
                // Said once each time the end is reached; the next read asks anew.
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.at = None;
                    return Ok(records);
                }
                Some(Err(error)) => {
                    self.at = None;
                    return Err(error.into());
                }
                None if !records.is_empty() => break,
                None if Instant::now() >= deadline => {
                    self.at = None;
                    return Err(LogError::Timeout("asked for records"));
                }
                None => {}
            }
        }
        self.at = records.last().map(|last| (topic.to_owned(), partition, last.offset + 1));
        Ok(records)
    }
}

/// A broker that just became a partition's leader says for a moment that it isn't.
fn watermarks(consumer: &BaseConsumer<Quiet>, topic: &str, partition: Partition) -> Result<(i64, i64)> {
    let deadline = Instant::now() + ANSWER;
    loop {
        match consumer.fetch_watermarks(topic, kafka_partition(partition), ANSWER) {
            Err(KafkaError::MetadataFetch(
                RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::LeaderNotAvailable,
            )) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(50)),
            other => return Ok(other?),
        }
    }
}

/// Kafka counts partitions in i32; ours come from it.
pub(super) fn kafka_partition(partition: Partition) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}
