//! The log under topics and groups of the run's own, so that on a Kafka that a city runs on nothing of the city's is touched. To the
//! service they have their usual names. Where somebody watches, what the service has read is told.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{sync::Mutex, time::Instant};
use yiping_log::{Consumer, Log, NewRecord, Offset, Partition, Poll, Record, Result};

use super::watch::Watch;

#[derive(Clone)]
pub struct OwnTopics {
    log: Arc<dyn Log>,
    prefix: Arc<str>,
    watch: Option<Arc<Watch>>,
}

impl OwnTopics {
    pub fn new(log: Arc<dyn Log>, prefix: String) -> Self {
        OwnTopics { log, prefix: prefix.into(), watch: None }
    }

    /// The same log for whom somebody watches.
    pub fn watched(&self, watch: Arc<Watch>) -> Self {
        OwnTopics { watch: Some(watch), ..self.clone() }
    }

    fn own(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

#[async_trait]
impl Log for OwnTopics {
    async fn ensure_topic(&self, topic: &str, partitions: u32) -> Result<u32> {
        self.log.ensure_topic(&self.own(topic), partitions).await
    }

    async fn partitions(&self, topic: &str) -> Result<u32> {
        self.log.partitions(&self.own(topic)).await
    }

    async fn append(&self, mut records: Vec<NewRecord>) -> Result<Vec<(Partition, Offset)>> {
        for record in &mut records {
            record.topic = self.own(&record.topic);
        }
        self.log.append(records).await
    }

    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>> {
        let topics: Vec<String> = topics.iter().map(|topic| self.own(topic)).collect();
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        let consumer = self.log.consumer(&self.own(group), &topics).await?;
        Ok(Box::new(OwnConsumer { consumer: Mutex::new(consumer), names: self.clone(), next: BTreeMap::new() }))
    }

    async fn range(&self, topic: &str, partition: Partition) -> Result<(Offset, Offset)> {
        self.log.range(&self.own(topic), partition).await
    }

    async fn read(&self, topic: &str, partition: Partition, from: Offset, max: usize) -> Result<Vec<Record>> {
        self.log.read(&self.own(topic), partition, from, max).await
    }

    async fn fingerprint(&self, topic: &str) -> Result<String> {
        self.log.fingerprint(&self.own(topic)).await
    }
}

struct OwnConsumer {
    /// (a lock only because `committed` asks a consumer that isn't its alone)
    consumer: Mutex<Box<dyn Consumer>>,
    names: OwnTopics,
    /// What comes next of each partition.
    next: BTreeMap<Partition, Offset>,
}

impl OwnConsumer {
    fn usual(&self, topic: &mut String) {
        if let Some(usual) = topic.strip_prefix(&*self.names.prefix) {
            *topic = usual.to_owned();
        }
    }
}

#[async_trait]
impl Consumer for OwnConsumer {
    async fn poll(&mut self, max: usize, wait: Duration) -> Result<Poll> {
        let began = Instant::now();
        if let Some(watch) = &self.names.watch {
            // whoever asks for more has applied what came before
            watch.read(&self.next);
        }
        let mut poll = self.consumer.get_mut().poll(max, wait).await?;
        match &mut poll {
            Poll::Records { topic, partition, records, .. } => {
                self.usual(topic);
                if let Some(last) = records.last() {
                    self.next.insert(*partition, last.offset + 1);
                }
            }
            Poll::Assigned(places) | Poll::Revoked(places) => {
                for (topic, _) in places {
                    self.usual(topic);
                }
            }
            Poll::Idle => {}
        }
        if let Some(watch) = &self.names.watch {
            match &poll {
                Poll::Assigned(_) => watch.begin(),
                Poll::Idle => watch.idled(began),
                _ => {}
            }
        }
        Ok(poll)
    }

    async fn seek(&mut self, topic: &str, partition: Partition, offset: Offset) -> Result<()> {
        self.next.insert(partition, offset);
        self.consumer.get_mut().seek(&self.names.own(topic), partition, offset).await
    }

    async fn pause(&mut self, topic: &str, partition: Partition) -> Result<()> {
        self.consumer.get_mut().pause(&self.names.own(topic), partition).await
    }

    async fn resume(&mut self, topic: &str, partition: Partition) -> Result<()> {
        self.consumer.get_mut().resume(&self.names.own(topic), partition).await
    }

    async fn commit(&mut self, topic: &str, partition: Partition, next: Offset) -> Result<()> {
        self.consumer.get_mut().commit(&self.names.own(topic), partition, next).await
    }

    async fn committed(&self, topic: &str, partition: Partition) -> Result<Option<Offset>> {
        self.consumer.lock().await.committed(&self.names.own(topic), partition).await
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.consumer.into_inner().close().await
    }
}
