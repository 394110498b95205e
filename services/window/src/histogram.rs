//! A mergeable histogram over integers (ms): buckets are powers of two cut into 64, so that a value's representative is off by
//! less than 1/128 of it (0.8 %, under the catalogue's 1 %). No floating point: the same value falls into the same bucket on
//! every machine, and merging is adding counts.

use serde::{Deserialize, Serialize};

const EXACT: i64 = 128;
const PER_OCTAVE: i64 = 64;

/// The bucket of a value in its unit (ms); negative values count as 0 (callers leave them out).
#[must_use]
pub fn bucket(value: i64) -> u16 {
    let value = value.max(0);
    if value < EXACT {
        return value as u16;
    }
    let exponent = i64::from(63 - value.leading_zeros()) - 6;
    (PER_OCTAVE + exponent * PER_OCTAVE + ((value >> exponent) - PER_OCTAVE)) as u16
}

/// The value that stands for a bucket: its middle.
#[must_use]
pub fn representative(bucket: u16) -> i64 {
    let bucket = i64::from(bucket);
    if bucket < EXACT {
        return bucket;
    }
    let exponent = (bucket / PER_OCTAVE - 1).min(56);
    let lower = (PER_OCTAVE + bucket % PER_OCTAVE) << exponent;
    lower + ((1 << exponent) >> 1)
}

/// Counts by bucket, sorted by bucket, without zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram(Vec<(u16, i64)>);

impl Histogram {
    #[must_use]
    pub fn one(value: i64, count: i64) -> Self {
        Histogram(vec![(bucket(value), count)])
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn counts(&self) -> &[(u16, i64)] {
        &self.0
    }

    /// Counts a bucket so often more, or less.
    pub fn count(&mut self, bucket: u16, count: i64) {
        match self.0.binary_search_by_key(&bucket, |entry| entry.0) {
            Ok(at) => {
                self.0[at].1 += count;
                if self.0[at].1 == 0 {
                    self.0.remove(at);
                }
            }
            Err(at) if count != 0 => self.0.insert(at, (bucket, count)),
            Err(_) => {}
        }
    }

    /// Adds `sign` times the other's counts.
    pub fn add(&mut self, other: &Histogram, sign: i64) {
        for &(bucket, count) in &other.0 {
            self.count(bucket, sign * count);
        }
    }
}

/// A histogram whose counts come and go all the time: where there are many, a bucket is found without a search.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets {
    /// As long as there are few, which is so of most series, a list is smaller.
    few: Histogram,
    /// By the bucket's number, [`GROUP`] to a group; without groups of zeros.
    groups: Vec<Option<Box<Group>>>,
    /// How many groups there are.
    used: usize,
}

const GROUP: usize = 16;

/// More than so many counts aren't few.
const FEW: usize = 24;

#[derive(Clone, Debug, Default)]
struct Group {
    counts: [i64; GROUP],
    /// How many of them aren't 0.
    used: usize,
}

impl Buckets {
    /// Counts a bucket so often more, or less.
    pub fn count(&mut self, bucket: u16, count: i64) {
        if count == 0 {
            return;
        }
        if self.used == 0 {
            self.few.count(bucket, count);
            if self.few.0.len() > FEW {
                for (bucket, count) in std::mem::take(&mut self.few).0 {
                    self.count_many(bucket, count);
                }
            }
            return;
        }
        self.count_many(bucket, count);
    }

    fn count_many(&mut self, bucket: u16, count: i64) {
        let (at, place) = (usize::from(bucket) / GROUP, usize::from(bucket) % GROUP);
        if self.groups.len() <= at {
            self.groups.resize(at + 1, None);
        }
        let group = self.groups[at].get_or_insert_with(|| {
            self.used += 1;
            Box::default()
        });
        let before = group.counts[place];
        let after = before + count;
        group.counts[place] = after;
        group.used = group.used + usize::from(before == 0) - usize::from(after == 0);
        if group.used == 0 {
            self.groups[at] = None;
            self.used -= 1;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.used == 0 && self.few.is_empty()
    }

    /// Counts by bucket, sorted by bucket, without zeros.
    pub fn counts(&self) -> Vec<(u16, i64)> {
        if self.used == 0 {
            return self.few.0.clone();
        }
        let groups = || self.groups.iter().zip(0u16..).filter_map(|(group, at)| Some((group.as_deref()?, at)));
        let mut counts = Vec::with_capacity(groups().map(|(group, _)| group.used).sum());
        for (group, at) in groups() {
            let of_group = group.counts.iter().zip(at * GROUP as u16..);
            counts.extend(of_group.filter(|(count, _)| **count != 0).map(|(count, bucket)| (bucket, *count)));
        }
        counts
    }
}

impl From<Vec<(u16, i64)>> for Histogram {
    fn from(counts: Vec<(u16, i64)>) -> Self {
        let mut histogram = Histogram::default();
        histogram.add(&Histogram(counts), 1);
        histogram
    }
}

/// The `q`-quantile (nearest rank: the smallest value with at least ⌈q·n⌉ values at or below it); `None` when empty.
/// `per_mille` keeps the rank in integers: 950 is the 95th percentile.
#[must_use]
pub fn quantile(counts: &[(u16, i64)], per_mille: i64) -> Option<i64> {
    let n: i64 = counts.iter().map(|entry| entry.1).sum();
    if n <= 0 {
        return None;
    }
    let rank = (per_mille * n + 999).div_euclid(1000).max(1);
    let mut below = 0;
    for &(bucket, count) in counts {
        below += count;
        if below >= rank {
            return Some(representative(bucket));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_values_are_exact() {
        for value in 0..128 {
            assert_eq!(representative(bucket(value)), value);
        }
    }

    #[test]
    fn buckets_grow_with_their_values_and_never_overlap() {
        let mut last = 0;
        for value in 0..200_000 {
            let b = bucket(value);
            assert!(b == last || b == last + 1, "{value}");
            last = b;
        }
    }

    proptest! {
        #[test]
        fn a_representative_is_within_one_percent(value in 1i64..i64::MAX / 4) {
            let got = representative(bucket(value));
            prop_assert!((got - value).abs() as f64 <= 0.01 * value as f64);
        }

        #[test]
        fn a_quantile_is_the_nearest_rank_within_one_percent(mut values in prop::collection::vec(0i64..5_000_000, 1..300), q in 1i64..1000) {
            let mut histogram = Histogram::default();
            for &value in &values {
                histogram.add(&Histogram::one(value, 1), 1);
            }
            values.sort_unstable();
            let rank = ((q as usize * values.len()).div_ceil(1000)).max(1);
            let expected = values[rank - 1];
            let got = quantile(histogram.counts(), q).unwrap();
            prop_assert!((got - expected).abs() as f64 <= 0.01 * expected as f64);
        }

        #[test]
        fn buckets_hold_what_a_histogram_holds(counts in prop::collection::vec((0u16..2_000, -3i64..4), 0..200)) {
            let (mut histogram, mut buckets) = (Histogram::default(), Buckets::default());
            for (bucket, count) in counts {
                histogram.count(bucket, count);
                buckets.count(bucket, count);
                prop_assert_eq!(histogram.counts(), buckets.counts());
                prop_assert_eq!(histogram.is_empty(), buckets.is_empty());
            }
        }

        #[test]
        fn taking_away_what_was_added_leaves_nothing(values in prop::collection::vec(0i64..100_000, 0..50)) {
            let mut histogram = Histogram::default();
            for &value in &values { histogram.add(&Histogram::one(value, 1), 1); }
            for &value in &values { histogram.add(&Histogram::one(value, 1), -1); }
            prop_assert!(histogram.is_empty());
        }
    }
}
