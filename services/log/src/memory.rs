//! The log in memory: for tests and for measuring what everything but the log costs. Keeps all, forgets all at exit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::group::{Group, Place};
use crate::local::{Fetched, LocalConsumer, Seat, Shelf, choose_partition, lock, wall_clock_ms};
use crate::{Consumer, Log, LogError, NewRecord, Offset, Partition, Record, Result};

/// A log that lives as long as the process.
pub struct MemoryLog {
    shelf: Arc<MemoryShelf>,
}

struct MemoryShelf {
    inner: Mutex<Inner>,
    bell: watch::Sender<()>,
}

#[derive(Default)]
struct Inner {
    topics: BTreeMap<String, Topic>,
    groups: BTreeMap<String, Group>,
    committed: BTreeMap<(String, Place), Offset>,
}

struct Topic {
    fingerprint: String,
    partitions: Vec<Vec<Record>>,
}

impl MemoryLog {
    pub fn new() -> Self {
        Self { shelf: Arc::new(MemoryShelf { inner: Mutex::default(), bell: watch::Sender::new(()) }) }
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    fn topic(&self, topic: &str) -> Result<&Topic> {
        self.topics.get(topic).ok_or_else(|| LogError::UnknownTopic(topic.to_owned()))
    }

    fn records(&self, topic: &str, partition: Partition) -> Result<&Vec<Record>> {
        let records = self.topic(topic)?.partitions.get(partition as usize);
        records.ok_or_else(|| LogError::UnknownPartition { topic: topic.to_owned(), partition })
    }
}

#[async_trait]
impl Log for MemoryLog {
    async fn ensure_topic(&self, topic: &str, partitions: u32) -> Result<u32> {
        let mut inner = lock(&self.shelf.inner);
        let topic = inner.topics.entry(topic.to_owned()).or_insert_with(|| Topic {
            fingerprint: format!("memory:{:032x}", rand::random::<u128>()),
            partitions: vec![Vec::new(); partitions.max(1) as usize],
        });
        Ok(topic.partitions.len() as u32)
    }

    async fn partitions(&self, topic: &str) -> Result<u32> {
        Ok(lock(&self.shelf.inner).topic(topic)?.partitions.len() as u32)
    }

    async fn append(&self, records: Vec<NewRecord>) -> Result<Vec<(Partition, Offset)>> {
        let mut places = Vec::with_capacity(records.len());
        {
            let mut inner = lock(&self.shelf.inner);
            let mut chosen = Vec::with_capacity(records.len());
            for record in &records {
                let partitions = inner.topic(&record.topic)?.partitions.len() as u32;
                chosen.push(choose_partition(record, partitions)?);
            }
            let now_ms = yiping_clock::unix_ms();
            for (record, partition) in records.into_iter().zip(chosen) {
                let Some(kept) =
                    inner.topics.get_mut(&record.topic).and_then(|t| t.partitions.get_mut(partition as usize))
                else {
                    return Err(LogError::UnknownPartition { topic: record.topic, partition });
                };
                let offset = kept.len() as Offset;
                let append_ms = kept.last().map_or(now_ms, |last| last.append_ms.max(now_ms));
                kept.push(Record { offset, append_ms, key: record.key, payload: record.payload });
                places.push((partition, offset));
            }
        }
        self.shelf.bell.send_replace(());
        Ok(places)
    }

    async fn consumer(&self, group: &str, topics: &[&str]) -> Result<Box<dyn Consumer>> {
        for topic in topics {
            lock(&self.shelf.inner).topic(topic)?;
        }
        Ok(Box::new(LocalConsumer::join(Arc::clone(&self.shelf), group, topics).await?))
    }

    async fn range(&self, topic: &str, partition: Partition) -> Result<(Offset, Offset)> {
        Ok((0, lock(&self.shelf.inner).records(topic, partition)?.len() as Offset))
    }

    async fn read(&self, topic: &str, partition: Partition, from: Offset, max: usize) -> Result<Vec<Record>> {
        let wanted = vec![((topic.to_owned(), partition), from)];
        Ok(self.shelf.fetch_first(wanted, max).await?.map_or_else(Vec::new, |fetched| fetched.records))
    }

    async fn fingerprint(&self, topic: &str) -> Result<String> {
        Ok(lock(&self.shelf.inner).topic(topic)?.fingerprint.clone())
    }
}

#[async_trait]
impl Shelf for MemoryShelf {
    async fn beat(self: &Arc<Self>, seat: &Arc<Seat>, holding: BTreeSet<Place>) -> Result<BTreeSet<Place>> {
        let mut inner = lock(&self.inner);
        let Inner { topics, groups, .. } = &mut *inner;
        let partitions_of = |topic: &str| topics.get(topic).map_or(0, |t| t.partitions.len() as u32);
        let group = groups.entry(seat.group.clone()).or_default();
        Ok(group.beat(wall_clock_ms(), &seat.name, &seat.topics, &holding, partitions_of))
    }

    async fn leave(self: &Arc<Self>, seat: &Arc<Seat>) -> Result<()> {
        if let Some(group) = lock(&self.inner).groups.get_mut(&seat.group) {
            group.leave(&seat.name);
        }
        Ok(())
    }

    async fn fetch_first(self: &Arc<Self>, wanted: Vec<(Place, Offset)>, max: usize) -> Result<Option<Fetched>> {
        let inner = lock(&self.inner);
        for (place, from) in wanted {
            let kept = inner.records(&place.0, place.1)?;
            let from = usize::try_from(from).unwrap_or(usize::MAX);
            if from < kept.len() {
                let records = kept[from..].iter().take(max).cloned().collect();
                return Ok(Some(Fetched { place, records, head: kept.len() as Offset }));
            }
        }
        Ok(None)
    }

    async fn commit(self: &Arc<Self>, group: &str, place: &Place, next: Offset) -> Result<()> {
        lock(&self.inner).committed.insert((group.to_owned(), place.clone()), next);
        Ok(())
    }

    async fn committed(self: &Arc<Self>, group: &str, place: &Place) -> Result<Option<Offset>> {
        Ok(lock(&self.inner).committed.get(&(group.to_owned(), place.clone())).copied())
    }

    fn bell(&self) -> &watch::Sender<()> {
        &self.bell
    }
}
