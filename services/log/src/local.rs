//! The consumer of both local logs: membership kept alive in the background, positions, pauses, waking.
//!
//! It must not know how records are kept: that is the [`Shelf`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::group::{BEAT, Place};
use crate::{
    Consumer, LogError, MAX_RECORD_BYTES, NewRecord, Offset, Partition, Poll, Record, Result, partition_for_key,
};

/// What a consumer asks of the log that it reads.
#[async_trait]
pub(crate) trait Shelf: Send + Sync + 'static {
    /// As [`crate::group::Group::beat`].
    async fn beat(self: &Arc<Self>, seat: &Arc<Seat>, holding: BTreeSet<Place>) -> Result<BTreeSet<Place>>;
    async fn leave(self: &Arc<Self>, seat: &Arc<Seat>) -> Result<()>;
    /// The first of these partitions that has records from its offset (or the first kept) on: one call for all, since
    /// most polls find most partitions empty.
    async fn fetch_first(self: &Arc<Self>, wanted: Vec<(Place, Offset)>, max: usize) -> Result<Option<Fetched>>;
    async fn commit(self: &Arc<Self>, group: &str, place: &Place, next: Offset) -> Result<()>;
    async fn committed(self: &Arc<Self>, group: &str, place: &Place) -> Result<Option<Offset>>;
    /// Rings when records may have come, or the group may have changed.
    fn bell(&self) -> &watch::Sender<()>;
}

/// A member's place at the table: which group, under which name, for which topics.
pub(crate) struct Seat {
    pub group: String,
    pub name: String,
    pub topics: BTreeSet<String>,
}

/// Records of one partition, at least one, and its head.
pub(crate) struct Fetched {
    pub place: Place,
    pub records: Vec<Record>,
    pub head: Offset,
}

/// What the background beat and the polling owner share.
#[derive(Default)]
struct Shared {
    /// Not to be given to others yet: the owner's, and what it was told to let go since its last poll.
    holding: BTreeSet<Place>,
    /// What the group gives us.
    granted: BTreeSet<Place>,
}

pub(crate) struct LocalConsumer<S: Shelf> {
    shelf: Arc<S>,
    seat: Arc<Seat>,
    shared: Arc<Mutex<Shared>>,
    /// What the owner knows to be its own.
    ours: BTreeSet<Place>,
    positions: BTreeMap<Place, Offset>,
    paused: BTreeSet<Place>,
    /// Told as revoked; let go at the next poll.
    leaving: bool,
    /// Served last: the next poll begins behind it, so that no partition starves.
    served: Option<Place>,
    bell: watch::Receiver<()>,
    beating: tokio::task::JoinHandle<()>,
}

impl<S: Shelf> LocalConsumer<S> {
    pub async fn join(shelf: Arc<S>, group: &str, topics: &[&str]) -> Result<Self> {
        let seat = Arc::new(Seat {
            group: group.to_owned(),
            name: format!("{:032x}", rand::random::<u128>()),
            topics: topics.iter().map(|t| (*t).to_owned()).collect(),
        });
        let bell = shelf.bell().subscribe();
        let shared = Arc::new(Mutex::new(Shared::default()));
        beat(&shelf, &seat, &shared).await?;
        let beating = tokio::spawn(keep_beating(Arc::clone(&shelf), Arc::clone(&seat), Arc::clone(&shared)));
        Ok(Self {
            shelf,
            seat,
            shared,
            ours: BTreeSet::new(),
            positions: BTreeMap::new(),
            paused: BTreeSet::new(),
            leaving: false,
            served: None,
            bell,
            beating,
        })
    }

    /// A change of the assignment that the owner doesn't know of yet. Losses first: they free others.
    fn assignment_change(&mut self) -> Option<Poll> {
        let mut shared = lock(&self.shared);
        let lost: Vec<Place> = self.ours.difference(&shared.granted).cloned().collect();
        if !lost.is_empty() {
            for place in &lost {
                self.ours.remove(place);
                self.positions.remove(place);
                self.paused.remove(place);
            }
            self.leaving = true;
            return Some(Poll::Revoked(lost));
        }
        let gained: Vec<Place> = shared.granted.difference(&self.ours).cloned().collect();
        if gained.is_empty() {
            return None;
        }
        self.ours.extend(gained.iter().cloned());
        shared.holding.clone_from(&self.ours);
        Some(Poll::Assigned(gained))
    }

    async fn let_go(&mut self) -> Result<()> {
        lock(&self.shared).holding.clone_from(&self.ours);
        beat(&self.shelf, &self.seat, &self.shared).await?;
        self.leaving = false;
        self.shelf.bell().send_replace(());
        Ok(())
    }

    async fn fetch_next(&mut self, max: usize) -> Result<Option<Poll>> {
        let ready = self.positions.iter().filter(|(place, _)| !self.paused.contains(*place));
        let mut wanted: Vec<(Place, Offset)> = ready.map(|(place, from)| (place.clone(), *from)).collect();
        if let Some(served) = &self.served {
            let behind = wanted.partition_point(|(place, _)| place <= served);
            wanted.rotate_left(behind);
        }
        if wanted.is_empty() {
            return Ok(None);
        }
        let Some(Fetched { place, records, head }) = self.shelf.fetch_first(wanted, max).await? else {
            return Ok(None);
        };
        if let Some(last) = records.last() {
            self.positions.insert(place.clone(), last.offset + 1);
        }
        self.served = Some(place.clone());
        let (topic, partition) = place;
        Ok(Some(Poll::Records { topic, partition, records, head }))
    }

    fn held(&self, topic: &str, partition: Partition) -> Result<Place> {
        let place = (topic.to_owned(), partition);
        if self.ours.contains(&place) { Ok(place) } else { Err(LogError::NotAssigned { topic: place.0, partition }) }
    }
}

#[async_trait]
impl<S: Shelf> Consumer for LocalConsumer<S> {
    async fn poll(&mut self, max: usize, wait: Duration) -> Result<Poll> {
        let deadline = Instant::now() + wait;
        if self.leaving {
            self.let_go().await?;
        }
        loop {
            // Before looking, so that what comes while we look rings for the wait below.
            self.bell.mark_unchanged();
            if let Some(change) = self.assignment_change() {
                return Ok(change);
            }
            if let Some(records) = self.fetch_next(max.max(1)).await? {
                return Ok(records);
            }
            match tokio::time::timeout_at(deadline, self.bell.changed()).await {
                Err(_elapsed) => return Ok(Poll::Idle),
                Ok(Err(_gone)) => return Err(LogError::Closed),
                Ok(Ok(())) => {}
            }
        }
    }

    async fn seek(&mut self, topic: &str, partition: Partition, offset: Offset) -> Result<()> {
        let place = self.held(topic, partition)?;
        self.positions.insert(place, offset);
        Ok(())
    }

    async fn pause(&mut self, topic: &str, partition: Partition) -> Result<()> {
        let place = self.held(topic, partition)?;
        self.paused.insert(place);
        Ok(())
    }

    async fn resume(&mut self, topic: &str, partition: Partition) -> Result<()> {
        let place = self.held(topic, partition)?;
        self.paused.remove(&place);
        Ok(())
    }

    async fn commit(&mut self, topic: &str, partition: Partition, next: Offset) -> Result<()> {
        self.shelf.commit(&self.seat.group, &(topic.to_owned(), partition), next).await
    }

    async fn committed(&self, topic: &str, partition: Partition) -> Result<Option<Offset>> {
        self.shelf.committed(&self.seat.group, &(topic.to_owned(), partition)).await
    }

    async fn close(self: Box<Self>) -> Result<()> {
        self.beating.abort();
        self.shelf.leave(&self.seat).await?;
        self.shelf.bell().send_replace(());
        Ok(())
    }
}

impl<S: Shelf> Drop for LocalConsumer<S> {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

async fn beat<S: Shelf>(shelf: &Arc<S>, seat: &Arc<Seat>, shared: &Mutex<Shared>) -> Result<()> {
    let holding = lock(shared).holding.clone();
    let granted = shelf.beat(seat, holding).await?;
    lock(shared).granted = granted;
    Ok(())
}

async fn keep_beating<S: Shelf>(shelf: Arc<S>, seat: Arc<Seat>, shared: Arc<Mutex<Shared>>) {
    let mut ticks = tokio::time::interval(BEAT);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let before = lock(&shared).granted.clone();
        match beat(&shelf, &seat, &shared).await {
            Ok(()) if lock(&shared).granted != before => {
                shelf.bell().send_replace(());
            }
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(%error, group = seat.group, "heartbeat of a consumer failed")
            }
        }
    }
}

/// Nothing that holds one of our locks can panic half-way through a change, so a poisoned lock is still good.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The machine's own clock, for leases alone: processes compare them, and only this clock is the same for all. What goes
/// into the log is stamped with [`yiping_clock::unix_ms`], which no step of the machine's clock moves (I2).
pub(crate) fn wall_clock_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Where a record goes in a topic of `partitions`.
pub(crate) fn choose_partition(record: &NewRecord, partitions: u32) -> Result<Partition> {
    check_size(record)?;
    match (record.partition, &record.key) {
        (Some(partition), _) if partition < partitions => Ok(partition),
        (Some(partition), _) => Err(LogError::UnknownPartition { topic: record.topic.clone(), partition }),
        (None, Some(key)) => Ok(partition_for_key(key, partitions)),
        (None, None) => Ok(rand::random_range(0..partitions)),
    }
}

pub(crate) fn check_size(record: &NewRecord) -> Result<()> {
    let bytes = record.payload.len() + record.key.as_ref().map_or(0, Bytes::len);
    if bytes > MAX_RECORD_BYTES { Err(LogError::TooLarge { bytes }) } else { Ok(()) }
}
