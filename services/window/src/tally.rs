//! What a window that moves forward must remember of its observations, beside their number.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::BuildHasherDefault,
};

use crate::{dedup::AsIs, histogram::Buckets, metric::Shape};

/// Every observation enters once and leaves once, so a step costs O(1) on average, however long the window is.
#[derive(Clone, Debug)]
pub(crate) enum Tally {
    /// Percentiles: how often each bucket is in the window.
    Histogram(Buckets),
    /// Max, min, last: the observations (time, value) that are not beaten by a later one of the window, oldest first: a monotonic
    /// queue. Its front is the extreme.
    Extreme(VecDeque<(i64, i64)>),
    /// Distinct: how often each entity is in the window.
    Distinct(Counts),
    /// Oldest: since when how many wait; less than 0 where one was taken back that another partition saw begin.
    Waiting(BTreeMap<i64, i64>),
}

/// How often entities were seen; those with 0 aren't there. Less than 0 is how often one is taken back that was seen elsewhere (by
/// another partition, before a stream was given another number of them). An entity is a hash already.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    counts: HashMap<i64, i64, BuildHasherDefault<AsIs>>,
    /// How many have been seen more often than taken back.
    present: i64,
}

impl Counts {
    fn get(&self, entity: i64) -> i64 {
        self.counts.get(&entity).copied().unwrap_or(0)
    }

    fn add(&mut self, entity: i64, count: i64) {
        let seen = self.counts.entry(entity).or_default();
        let before = *seen;
        *seen += count;
        self.present += i64::from(*seen > 0) - i64::from(before > 0);
        if *seen == 0 {
            self.counts.remove(&entity);
        }
    }
}

impl Tally {
    pub fn of(shape: Shape) -> Self {
        match shape {
            Shape::Max | Shape::Min | Shape::Last => Tally::Extreme(VecDeque::new()),
            Shape::Distinct => Tally::Distinct(Counts::default()),
            Shape::Oldest => Tally::Waiting(BTreeMap::new()),
            Shape::Flow | Shape::Level | Shape::Integral | Shape::Trend => Tally::Histogram(Buckets::default()),
        }
    }

    /// An observation enters at the window's end; they come in the order of (time, item).
    pub fn enter(&mut self, shape: Shape, time: i64, item: i64, count: i64) {
        if let Tally::Extreme(best) = self {
            if count <= 0 {
                return;
            }
            while best.pop_back_if(|last| !shape.beats(*last, (time, item))).is_some() {}
            best.push_back((time, item));
        } else {
            self.count(item, count);
        }
    }

    /// An observation leaves at the window's start.
    pub fn leave(&mut self, item: i64, count: i64) {
        self.count(item, -count);
    }

    /// Nothing before `start` is left in the window. (Packed panes stand at another time than they came in with, so the queue goes
    /// by the window's start and not by what leaves.)
    pub fn begin(&mut self, start: i64) {
        if let Tally::Extreme(best) = self {
            while best.pop_front_if(|first| first.0 < start).is_some() {}
        }
    }

    /// An observation inside the window is added or taken back. False where only the panes can say what that leads to.
    #[must_use]
    pub fn revise(&mut self, shape: Shape, time: i64, item: i64, count: i64) -> bool {
        let Tally::Extreme(best) = self else {
            self.count(item, count);
            return true;
        };
        let (new, mut at) = ((time, item), best.partition_point(|other| other.0 <= time));
        if count <= 0 {
            return !best.contains(&new);
        }
        // beaten by one that leaves no sooner, it never shows
        let stays =
            |other: Option<&(i64, i64)>| other.is_some_and(|other| other.0 >= time && !shape.beats(new, *other));
        if stays(best.get(at)) || stays(at.checked_sub(1).and_then(|before| best.get(before))) {
            return true;
        }
        while at > 0 && !shape.beats(best[at - 1], new) {
            at -= 1;
            best.remove(at);
        }
        best.insert(at, new);
        true
    }

    fn count(&mut self, item: i64, count: i64) {
        match self {
            Tally::Histogram(buckets) => buckets.count(u16::try_from(item).unwrap_or(u16::MAX), count),
            Tally::Distinct(counts) => counts.add(item, count),
            Tally::Waiting(waiting) => {
                let number = waiting.entry(item).or_default();
                *number += count;
                if *number == 0 {
                    waiting.remove(&item);
                }
            }
            Tally::Extreme(_) => {}
        }
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Tally::Histogram(buckets) => buckets.is_empty(),
            Tally::Extreme(best) => best.is_empty(),
            Tally::Distinct(counts) => counts.counts.is_empty(),
            Tally::Waiting(waiting) => waiting.is_empty(),
        }
    }

    /// Max, min, last: the observation (time, value) that wins.
    pub fn extreme(&self) -> Option<(i64, i64)> {
        match self {
            Tally::Extreme(best) => best.front().copied(),
            _ => None,
        }
    }

    /// Oldest: since when the oldest waits.
    pub fn oldest(&self) -> Option<i64> {
        match self {
            Tally::Waiting(waiting) => waiting.iter().find(|(_, number)| **number > 0).map(|(since, _)| *since),
            _ => None,
        }
    }

    /// Distinct: how many entities there are.
    pub fn entities(&self) -> i64 {
        match self {
            Tally::Distinct(counts) => counts.present,
            _ => 0,
        }
    }

    /// Distinct: how many there would be after some changes.
    pub fn entities_after(&self, changes: impl Iterator<Item = (i64, i64)>) -> i64 {
        let Tally::Distinct(counts) = self else { return 0 };
        let mut changed = Counts::default();
        changes.for_each(|(entity, count)| changed.add(entity, count));
        let becomes = |(entity, change): (&i64, &i64)| {
            let before = counts.get(*entity);
            i64::from(before + change > 0) - i64::from(before > 0)
        };
        counts.present + changed.counts.iter().map(becomes).sum::<i64>()
    }

    /// Percentiles: counts by bucket, sorted by bucket.
    pub fn histogram(&self) -> Vec<(u16, i64)> {
        match self {
            Tally::Histogram(buckets) => buckets.counts(),
            _ => Vec::new(),
        }
    }
}
