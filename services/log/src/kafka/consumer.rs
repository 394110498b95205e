//! A member of a Kafka group: librdkafka's stream consumer, with the assignment handed to the owner step by step.
//!
//! `StreamConsumer` and no thread of our own: librdkafka already fetches in the background into a bounded queue and
//! wakes us. Assignment is cooperative, so partitions that stay are not disturbed. Two things are done later than
//! librdkafka would by itself: a partition that was given to us is fetched only from the owner's first `seek` on, and
//! one that is taken is let go only at the poll after the owner was told.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, StreamConsumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Message, Offset as KafkaOffset, Statistics, TopicPartitionList};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::config::Settings;
use super::reader::kafka_partition;
use super::{ANSWER, record_of};
use crate::group::Place;
use crate::local::lock;
use crate::{Consumer, LogError, Offset, Partition, Poll, Record, Result};

/// What librdkafka told and the owner doesn't know yet.
enum Change {
    Assigned(Vec<Place>),
    Revoked(Vec<Place>),
}

/// librdkafka calls this from within our own polls, and when the consumer is closed.
#[derive(Default)]
struct Context {
    changes: Mutex<VecDeque<Change>>,
    changed: Notify,
    heads: Mutex<HashMap<Place, Offset>>,
    /// Nobody is there to be told any more: revocations are answered at once.
    closing: AtomicBool,
}

impl Context {
    fn tell(&self, change: Change) {
        lock(&self.changes).push_back(change);
        self.changed.notify_one();
    }

    fn note_head(&self, place: Place, head: i64) {
        let head = head.max(0).cast_unsigned();
        let mut heads = lock(&self.heads);
        let known = heads.entry(place).or_default();
        *known = head.max(*known);
    }
}

impl ClientContext for Context {
    fn stats(&self, statistics: Statistics) {
        for (name, topic) in statistics.topics {
            for (partition, figures) in topic.partitions {
                if let Ok(partition) = Partition::try_from(partition) {
                    self.note_head((name.clone(), partition), figures.hi_offset);
                }
            }
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let answered = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                self.tell(Change::Assigned(places(list)));
                // Accepted, but nothing is fetched yet: where from, the owner says.
                consumer.incremental_assign(&TopicPartitionList::new())
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS if self.closing.load(Ordering::Relaxed) => {
                // While closing, librdkafka takes any answer as "all".
                consumer.incremental_unassign(list)
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                self.tell(Change::Revoked(places(list)));
                Ok(())
            }
            other => {
                tracing::error!(error = ?other, "kafka could not rebalance the group");
                Ok(())
            }
        };
        if let Err(error) = answered {
            tracing::error!(%error, "kafka did not take the answer to a rebalance");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::warn!(%error, "an offset commit failed; the next one carries it");
        }
    }
}

fn places(list: &TopicPartitionList) -> Vec<Place> {
    let elements = list.elements();
    elements.iter().map(|e| (e.topic().to_owned(), e.partition().max(0).cast_unsigned())).collect()
}

#[derive(Default)]
struct Held {
    /// Fetching: the owner has said where from.
    started: bool,
    paused: bool,
}

pub(super) struct KafkaConsumer {
    /// Until it leaves. The last handle blocks when it is dropped, so it is never dropped on an async thread.
    consumer: Option<Arc<StreamConsumer<Context>>>,
    context: Arc<Context>,
    held: BTreeMap<Place, Held>,
    /// Taken out of librdkafka and not yet delivered: at most one poll's worth.
    ready: VecDeque<(Place, Vec<Record>)>,
    /// Told as revoked; let go at the next poll. Only those that were started.
    leaving: Option<Vec<Place>>,
}

impl KafkaConsumer {
    pub fn join(settings: &Settings, group: &str, topics: &[&str]) -> Result<Self> {
        let consumer: StreamConsumer<Context> = settings.consumer(group).create_with_context(Context::default())?;
        consumer.subscribe(topics)?;
        Ok(Self {
            context: Arc::clone(consumer.context()),
            consumer: Some(Arc::new(consumer)),
            held: BTreeMap::new(),
            ready: VecDeque::new(),
            leaving: None,
        })
    }

    fn client(&self) -> Result<&Arc<StreamConsumer<Context>>> {
        self.consumer.as_ref().ok_or(LogError::Closed)
    }

    fn let_go(&mut self) -> Result<()> {
        if let Some(places) = self.leaving.take() {
            self.client()?.incremental_unassign(&list_of(&places))?;
        }
        Ok(())
    }

    fn assignment_change(&mut self) -> Option<Poll> {
        match lock(&self.context.changes).pop_front()? {
            Change::Assigned(gained) => {
                self.held.extend(gained.iter().map(|place| (place.clone(), Held::default())));
                Some(Poll::Assigned(gained))
            }
            Change::Revoked(lost) => {
                self.ready.retain(|(place, _)| !lost.contains(place));
                let removed = lost.iter().filter_map(|place| Some((place, self.held.remove(place)?)));
                let started = removed.filter(|(_, held)| held.started).map(|(place, _)| place.clone()).collect();
                self.leaving = Some(started);
                Some(Poll::Revoked(lost))
            }
        }
    }

    fn next_ready(&mut self) -> Option<Poll> {
        let free = self.ready.iter().position(|(place, _)| self.held.get(place).is_some_and(|held| !held.paused))?;
        let (place, records) = self.ready.remove(free)?;
        let behind = records.last().map_or(0, |last| last.offset + 1);
        let known = lock(&self.context.heads).get(&place).copied().unwrap_or(0);
        let (topic, partition) = place;
        Some(Poll::Records { topic, partition, records, head: known.max(behind) })
    }

    /// Waits for a first message, or a change of the assignment, and takes what else is there.
    async fn take(&mut self, max: usize, deadline: Instant) -> Result<Waited> {
        let consumer = Arc::clone(self.client()?);
        let mut messages = consumer.stream();
        let first = tokio::select! {
            biased;
            () = consumer.context().changed.notified() => return Ok(Waited::Something),
            message = messages.next() => message,
            () = tokio::time::sleep_until(deadline) => return Ok(Waited::Nothing),
        };
        let mut next = first;
        let mut taken = 0;
        while let Some(message) = next {
            taken += 1;
            // Passed on for the owner to know; librdkafka itself goes on unless it is fatal.
            self.sort_in(&message?);
            if taken >= max {
                break;
            }
            next = messages.next().now_or_never().flatten();
        }
        Ok(Waited::Something)
    }

    fn sort_in(&mut self, message: &BorrowedMessage<'_>) {
        let partition = message.partition().max(0).cast_unsigned();
        let same = |(place, _): &&mut (Place, Vec<Record>)| place.1 == partition && place.0 == message.topic();
        // From the back: messages come in runs of one partition.
        match self.ready.iter_mut().rev().find(same) {
            Some((_, records)) => records.push(record_of(message)),
            None => {
                let place = (message.topic().to_owned(), partition);
                // Between a revocation and our answer, librdkafka may still deliver what we no longer hold.
                if self.held.contains_key(&place) {
                    self.ready.push_back((place, vec![record_of(message)]));
                }
            }
        }
    }

    fn held(&mut self, topic: &str, partition: Partition) -> Result<(Place, &mut Held)> {
        let place = (topic.to_owned(), partition);
        match self.held.get_mut(&place) {
            Some(held) => Ok((place, held)),
            None => Err(LogError::NotAssigned { topic: place.0, partition }),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&StreamConsumer<Context>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let consumer = Arc::clone(self.client()?);
        spawn_blocking(move || work(&consumer)).await.map_err(|_| LogError::Closed)?
    }

    /// From here on the client only ends: what the group still asks of it is granted without an owner.
    fn leave(&mut self) -> Option<Arc<StreamConsumer<Context>>> {
        let consumer = self.consumer.take()?;
        self.context.closing.store(true, Ordering::Relaxed);
        let unanswered = lock(&self.context.changes).drain(..).any(|change| matches!(change, Change::Revoked(_)));
        if (unanswered || self.leaving.take().is_some())
            && let Err(error) = consumer.incremental_unassign(&TopicPartitionList::new())
        {
            tracing::warn!(%error, "kafka did not take the answer to a revocation while closing");
        }
        Some(consumer)
    }
}

enum Waited {
    Something,
    Nothing,
}

fn list_of(places: &[Place]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for (topic, partition) in places {
        list.add_partition(topic, kafka_partition(*partition));
    }
    list
}

fn list_at(place: &Place, offset: Offset) -> Result<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition_offset(&place.0, kafka_partition(place.1), KafkaOffset::Offset(offset.cast_signed()))?;
    Ok(list)
}

/// A partition that was just assigned can't be sought until its fetcher runs: a moment later it can.
fn seek_until_it_takes(consumer: &StreamConsumer<Context>, place: &Place, offset: Offset) -> Result<()> {
    let deadline = std::time::Instant::now() + ANSWER;
    loop {
        let result = consumer.seek_partitions(list_at(place, offset)?, ANSWER)?;
        match result.elements().iter().find_map(|element| element.error().err()) {
            None => return Ok(()),
            Some(error) if std::time::Instant::now() >= deadline => return Err(error.into()),
            Some(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

#[async_trait]
impl Consumer for KafkaConsumer {
    async fn poll(&mut self, max: usize, wait: Duration) -> Result<Poll> {
        let deadline = Instant::now() + wait;
        self.let_go()?;
        loop {
            if let Some(change) = self.assignment_change() {
                return Ok(change);
            }
            if let Some(records) = self.next_ready() {
                return Ok(records);
            }
            match self.take(max.max(1), deadline).await? {
                Waited::Something => {}
                Waited::Nothing => return Ok(Poll::Idle),
            }
        }
    }

    async fn seek(&mut self, topic: &str, partition: Partition, offset: Offset) -> Result<()> {
        let (place, held) = self.held(topic, partition)?;
        let (started, paused) = (held.started, held.paused);
        self.ready.retain(|(waiting, _)| *waiting != place);
        if started {
            let sought = place.clone();
            return self.blocking(move |consumer| seek_until_it_takes(consumer, &sought, offset)).await;
        }
        self.client()?.incremental_assign(&list_at(&place, offset)?)?;
        if let Some(held) = self.held.get_mut(&place) {
            held.started = true;
        }
        if paused {
            self.client()?.pause(&list_of(std::slice::from_ref(&place)))?;
        }
        // Only so that the first answers know the head; the statistics tell it from then on.
        self.blocking(move |consumer| {
            match consumer.fetch_watermarks(&place.0, kafka_partition(place.1), ANSWER) {
                Ok((_, head)) => consumer.context().note_head(place, head),
                Err(error) => tracing::warn!(%error, topic = place.0, partition = place.1, "head not known yet"),
            }
            Ok(())
        })
        .await
    }

    async fn pause(&mut self, topic: &str, partition: Partition) -> Result<()> {
        let (place, held) = self.held(topic, partition)?;
        held.paused = true;
        if held.started {
            self.client()?.pause(&list_of(&[place]))?;
        }
        Ok(())
    }

    async fn resume(&mut self, topic: &str, partition: Partition) -> Result<()> {
        let (place, held) = self.held(topic, partition)?;
        held.paused = false;
        if held.started {
            self.client()?.resume(&list_of(&[place]))?;
        }
        Ok(())
    }

    async fn commit(&mut self, topic: &str, partition: Partition, next: Offset) -> Result<()> {
        Ok(self.client()?.commit(&list_at(&(topic.to_owned(), partition), next)?, CommitMode::Async)?)
    }

    async fn committed(&self, topic: &str, partition: Partition) -> Result<Option<Offset>> {
        let place = (topic.to_owned(), partition);
        self.blocking(move |consumer| {
            let answer = consumer.committed_offsets(list_of(std::slice::from_ref(&place)), ANSWER)?;
            let offset = answer.elements().first().map(|element| element.offset());
            Ok(match offset {
                Some(KafkaOffset::Offset(next)) => Some(next.max(0).cast_unsigned()),
                _ => None,
            })
        })
        .await
    }

    async fn close(mut self: Box<Self>) -> Result<()> {
        let Some(consumer) = self.leave() else {
            return Ok(());
        };
        spawn_blocking(move || drop(consumer)).await.map_err(|_| LogError::Closed)
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        let Some(consumer) = self.leave() else { return };
        // Leaving the group waits for answers of the broker.
        let leaving = std::thread::Builder::new().name("log-leave".to_owned()).spawn(move || drop(consumer));
        if let Err(error) = leaving {
            tracing::warn!(%error, "left the kafka group on an async thread");
        }
    }
}
