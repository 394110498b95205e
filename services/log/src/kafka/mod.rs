//! The log on Apache Kafka, by librdkafka: what a larger city runs on, and departments may already have.
//!
//! The producer is idempotent and waits for all in-sync replicas; keys go where Java's producers send them.

mod config;
mod consumer;
mod reader;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::{Message, Timestamp};

use crate::local::{check_size, lock};
use crate::{Consumer, Log, LogError, NewRecord, Offset, Partition, Record, Result};
use config::Settings;
use consumer::KafkaConsumer;
use reader::{Readers, kafka_partition};

/// How long an answer of the cluster is waited for.
const ANSWER: Duration = Duration::from_secs(10);

/// What every record is (CONTRACT, Events).
const CONTENT_TYPE: Header<'_, &str> = Header { key: "content-type", value: Some("application/cloudevents+json") };

/// A log in a Kafka cluster.
pub struct KafkaLog {
    settings: Settings,
    producer: Mutex<FutureProducer>,
    readers: Arc<Readers>,
    /// Partition counts can only grow; an append beyond what is known asks again.
    counts: Mutex<HashMap<String, u32>>,
}

impl KafkaLog {
    /// `brokers`: `host:port,…`. Asks the cluster nothing yet: a broker that is down now may be up soon.
    pub fn open(brokers: &str, options: &BTreeMap<String, String>) -> Result<Self> {
        let settings = Settings::read(brokers, options)?;
        let producer = Mutex::new(settings.producer().create()?);
        let readers = Arc::new(Readers::new(settings.reader()));
        Ok(Self { settings, producer, readers, counts: Mutex::default() })
    }

    /// An idempotent producer that once could not keep its order refuses everything from then on; a new one goes on.
    /// What the old one held has failed to its callers, who send it again.
    fn producer(&self) -> Result<FutureProducer> {
        let mut producer = lock(&self.producer);
        if let Some((code, reason)) = producer.client().fatal_error() {
            tracing::error!(%code, reason, "the kafka producer failed for good; making a new one");
            *producer = self.settings.producer().create()?;
        }
        Ok(producer.clone())
    }

    fn admin(&self) -> Result<AdminClient<DefaultClientContext>> {
        Ok(self.settings.admin().create()?)
    }

    /// Deletes topics with all that is in them; those that are not there are passed over. Nothing that runs a city asks for it: it is
    /// for who made topics of his own.
    ///
    /// # Errors
    /// When the cluster doesn't answer, or doesn't allow it.
    pub async fn delete_topics(&self, topics: &[&str]) -> Result<()> {
        for result in self.admin()?.delete_topics(topics, &patience()).await? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                Err((_, code)) => return Err(KafkaError::Global(code).into()),
            }
        }
        Ok(())
    }

    async fn count(&self, topic: &str) -> Result<u32> {
        let known = lock(&self.counts).get(topic).copied();
        match known {
            Some(count) => Ok(count),
            None => self.partitions(topic).await,
        }
    }

    /// Fails fast on what librdkafka would only find out, or wait for, later.
    async fn check(&self, record: &NewRecord) -> Result<()> {
        check_size(record)?;
        let mut count = self.count(&record.topic).await?;
        let Some(partition) = record.partition else {
            return Ok(());
        };
        if partition >= count {
            count = self.partitions(&record.topic).await?;
        }
        if partition < count {
            Ok(())
        } else {
            Err(LogError::UnknownPartition { topic: record.topic.clone(), partition })
        }
    }
}

#[async_trait]
impl Log for KafkaLog {
    async fn ensure_topic(&self, topic: &str, partitions: u32) -> Result<u32> {
        if let Some(count) = self.readers.partitions(topic).await? {
            lock(&self.counts).insert(topic.to_owned(), count);
            return Ok(count);
        }
        let admin = self.admin()?;
        let replication = TopicReplication::Fixed(self.settings.replication_factor);
        // The log's own time is the broker's, as it is ours where we are the log.
        let mut wanted = NewTopic::new(topic, kafka_partition(partitions.max(1)), replication)
            .set("message.timestamp.type", "LogAppendTime");
        let retention_ms = self.settings.retention_ms.get(topic).map(u64::to_string);
        if let Some(retention_ms) = &retention_ms {
            wanted = wanted.set("retention.ms", retention_ms);
        }
        for result in admin.create_topics([&wanted], &patience()).await? {
            match result {
                // Somebody else was faster: theirs is as good.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(KafkaError::Global(code).into()),
            }
        }
        // The controller has it; the brokers hear of it a moment later.
        let deadline = tokio::time::Instant::now() + ANSWER;
        while tokio::time::Instant::now() < deadline {
            if let Some(count) = self.readers.partitions(topic).await? {
                lock(&self.counts).insert(topic.to_owned(), count);
                return Ok(count);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(LogError::Timeout("asked to make a topic"))
    }

    async fn partitions(&self, topic: &str) -> Result<u32> {
        let count = self.readers.partitions(topic).await?;
        let count = count.ok_or_else(|| LogError::UnknownTopic(topic.to_owned()))?;
        lock(&self.counts).insert(topic.to_owned(), count);
        Ok(count)
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<(Partition, Offset)>> {
        for record in &records {
            self.check(record).await?;
        }
        let producer = self.producer()?;
        let mut deliveries = Vec::with_capacity(records.len());
        for record in &records {
            deliveries.push(enqueue(&producer, record).await?);
        }
        let mut places = Vec::with_capacity(records.len());
        for delivery in deliveries {
            let delivered = delivery.await.map_err(|_| LogError::Closed)?.map_err(|(error, _)| error)?;
            places.push((delivered.partition.max(0).cast_unsigned(), delivered.offset.max(0).cast_unsigned()));
        }
        Ok(places)
    }

    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>> {
        for topic in topics {
            self.partitions(topic).await?;
        }
        Ok(Box::new(KafkaConsumer::join(&self.settings, group, topics)?))
    }

    async fn range(&self, topic: &str, partition: Partition) -> Result<(Offset, Offset)> {
        self.known(topic, partition).await?;
        self.readers.range(topic, partition).await
    }

    async fn read(&self, topic: &str, partition: Partition, from: Offset, max: usize) -> Result<Vec<Record>> {
        self.known(topic, partition).await?;
        self.readers.read(topic, partition, from, max).await
    }

    /// The cluster's id and the topic's name. Kafka has an id for each life of a topic, but neither the client library
    /// (rdkafka 0.39) nor anything stable within the topic tells it: the first kept record and its offset move with
    /// retention. So a topic that was deleted and made anew *in the same cluster* shows itself by its range instead: the
    /// owner's frontier lies beyond [`Log::range`]'s next offset, and whoever resumes has to compare the two.
    async fn fingerprint(&self, topic: &str) -> Result<String> {
        self.count(topic).await?;
        Ok(format!("kafka:{}/{topic}", self.readers.cluster_id().await?))
    }
}

impl KafkaLog {
    async fn known(&self, topic: &str, partition: Partition) -> Result<()> {
        if partition < self.count(topic).await? || partition < self.partitions(topic).await? {
            return Ok(());
        }
        Err(LogError::UnknownPartition { topic: topic.to_owned(), partition })
    }
}

fn patience() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER))
}

async fn enqueue(producer: &FutureProducer, record: &NewRecord) -> Result<DeliveryFuture> {
    loop {
        let mut sent = FutureRecord::<[u8], [u8]>::to(&record.topic)
            .payload(&record.payload)
            .headers(OwnedHeaders::new_with_capacity(1).insert(CONTENT_TYPE));
        if let Some(key) = &record.key {
            sent = sent.key(key);
        }
        if let Some(partition) = record.partition {
            sent = sent.partition(kafka_partition(partition));
        }
        match producer.send_result(sent) {
            Ok(delivery) => return Ok(delivery),
            // librdkafka's own buffer is full: it empties by sending, or by giving up after delivery.timeout.ms.
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// Copies a message out of librdkafka's buffers.
fn record_of(message: &BorrowedMessage<'_>) -> Record {
    let append_ms = match message.timestamp() {
        Timestamp::CreateTime(ms) | Timestamp::LogAppendTime(ms) => ms,
        Timestamp::NotAvailable => 0,
    };
    Record {
        offset: message.offset().max(0).cast_unsigned(),
        append_ms,
        key: message.key().map(Bytes::copy_from_slice),
        payload: message.payload().map_or_else(Bytes::new, Bytes::copy_from_slice),
    }
}
