//! A series' panes: what of it is still needed, and how old panes become few and small.
//!
//! Sums and observations are kept apart, since most series have only the one or the other:
//!
//! | track | keys | added up |
//! | --- | --- | --- |
//! | sums | pane's start | n, num, den; where a metric wants them num2, den2 |
//! | observations | pane's start ([`Shape::Last`]: the time itself), item | how often |
//!
//! The item is the histogram's bucket (percentiles), the value (max, min, last), or the entity (distinct).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    metric::Shape,
    packed::Columns,
    pane::{Agg, PANE_MS},
    track::Track,
};

/// Old panes are merged into ones of this length: the slide of the span `24h`. Days begin on its multiples, too, wherever clocks
/// differ from UTC by a multiple of 5 minutes; where not, the bucket in which one begins is left as it is.
pub(crate) const BUCKET_MS: i64 = 300_000;

/// What comes in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Sums(Agg),
    /// An item seen so often, or taken back.
    Item {
        item: i64,
        count: i64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Panes {
    sums: Track,
    #[serde(default)]
    items: Option<Box<Track>>,
    /// A state's sums in panes that are gone: what it was before the first kept one.
    #[serde(default)]
    floor: Option<Box<Agg>>,
}

impl Default for Panes {
    fn default() -> Self {
        Panes { sums: Track::new(1, 4), items: None, floor: None }
    }
}

impl Panes {
    /// No panes, over a state that is there already.
    pub fn over(floor: Agg) -> Self {
        Panes { floor: Some(Box::new(floor)), ..Panes::default() }
    }

    /// Adds a part at `time` (ms): the pane's start, or for [`Shape::Last`] the time itself.
    pub fn put(&mut self, time: i64, part: &Part) {
        match *part {
            Part::Sums(agg) => self.sums.put(&[time, agg.n, agg.num, agg.den, agg.num2, agg.den2]),
            Part::Item { item, count } => {
                self.items.get_or_insert_with(|| Box::new(Track::new(2, 3))).put(&[time, item, count]);
            }
        }
    }

    /// What a state was before the first kept pane.
    pub fn floor(&self) -> Agg {
        self.floor.as_deref().copied().unwrap_or_default()
    }

    /// Visits the sums of panes from `from` up to `to`: (pane's start, sums).
    pub fn sums(&self, from: i64, to: i64, mut visit: impl FnMut(i64, &Agg)) {
        self.sums.visit(from, to, |row| visit(row[0], &agg(row)));
    }

    /// Visits the observations of panes from `from` up to `to` in the order of (time, item): time, item, count.
    pub fn items(&self, from: i64, to: i64, mut visit: impl FnMut(i64, i64, i64)) {
        if let Some(items) = &self.items {
            items.visit(from, to, |row| visit(row[0], row[1], row[2]));
        }
    }

    /// The times of the oldest and the newest record.
    pub fn times(&self) -> Option<(i64, i64)> {
        let observed = self.items.as_deref().and_then(Track::oldest_time);
        let oldest = self.sums.oldest_time().into_iter().chain(observed).min()?;
        Some((oldest, self.newest_time()?))
    }

    pub fn newest_time(&self) -> Option<i64> {
        self.sums.newest_time().max(self.items.as_ref().and_then(|items| items.newest_time()))
    }

    /// How many records are kept, and how many of them are packed.
    pub fn len(&self) -> (usize, usize) {
        let (sums, items) = (self.sums.len(), self.items.as_ref().map_or((0, 0), |items| items.len()));
        (sums.0 + items.0, sums.1 + items.1)
    }

    /// Forgets panes before `time`; a state lasts.
    pub fn drop_before(&mut self, time: i64, shape: Shape) {
        let floor = &mut self.floor;
        self.sums.drop_before(time, |row| {
            if shape.lasts() {
                // (an area belongs to its time)
                floor.get_or_insert_default().add(&Agg { num2: 0, den2: 0, ..agg(row) }, 1);
            }
        });
        if let Some(items) = &mut self.items {
            let mut waiting = BTreeMap::new();
            items.drop_before(time, |row| {
                if shape == Shape::Oldest {
                    *waiting.entry(row[1]).or_insert(0) += row[2];
                }
            });
            // those who still wait: what nothing is left of stands in no pane
            for (since, number) in waiting {
                items.put(&[time - PANE_MS, since, number]);
            }
            if items.len().0 == 0 {
                self.items = None;
            }
        }
    }

    /// Makes few and small panes of those before `until`, a multiple of [`BUCKET_MS`]: no window can begin or end inside their
    /// buckets any more, and nothing can come into them. `whole`: whether that is so of the bucket that begins here.
    pub fn pack_before(&mut self, until: i64, shape: Shape, mut whole: impl FnMut(i64) -> bool) {
        self.sums.pack_before(until, |rows| {
            merge(rows, &mut whole, |sum: &mut Columns, row, bucket| {
                let (mut part, at) = (agg(row), row[0]);
                if shape == Shape::Integral {
                    // Up to a position p at or behind the bucket's end a pane adds area + level·(p − pane's end) (see
                    // `rolling`). With its pane moved to the bucket's first, area − level·(at − bucket) + level·(p − bucket's
                    // first pane's end) is that same number.
                    part.num2 = part.num2.wrapping_sub(part.num.wrapping_mul(at - bucket));
                    part.den2 = part.den2.wrapping_sub(part.den.wrapping_mul(at - bucket));
                }
                let mut whole = agg(sum);
                whole.add(&part, 1);
                *sum = [bucket, whole.n, whole.num, whole.den, whole.num2, whole.den2];
                true
            })
        });
        let Some(items) = &mut self.items else { return };
        items.pack_before(until, |mut rows| match shape {
            Shape::Max | Shape::Min | Shape::Last => merge(rows, &mut whole, |best: &mut Columns, row, bucket| {
                // what can't be taken back any more can only be beaten; it stands for all that it beat
                let first = best[2] == 0;
                let better = first || shape.beats((row[0], row[1]), (best[0], best[1]));
                let (time, item) = if better { (row[0], row[1]) } else { (best[0], best[1]) };
                let time = if shape == Shape::Last { time } else { bucket };
                *best = [time, item, best[2].wrapping_add(row[2]), 0, 0, 0];
                true
            }),
            _ => {
                // equal items of a bucket become one; their order within it doesn't matter
                rows.sort_by_key(|row| (row[0].div_euclid(BUCKET_MS), row[1], row[0]));
                let mut merged = merge(rows, &mut whole, |sum: &mut Columns, row, bucket| {
                    if sum[2] != 0 && sum[1] != row[1] {
                        return false;
                    }
                    *sum = [bucket, row[1], sum[2].wrapping_add(row[2]), 0, 0, 0];
                    true
                });
                merged.sort_by_key(|row| (row[0], row[1]));
                merged
            }
        });
    }

    /// Takes over all that another has: of the same series, in another partition.
    pub fn absorb(&mut self, other: &Panes) {
        other.sums(i64::MIN, i64::MAX, |time, agg| self.put(time, &Part::Sums(*agg)));
        other.items(i64::MIN, i64::MAX, |time, item, count| self.put(time, &Part::Item { item, count }));
        if let Some(floor) = &other.floor {
            self.floor.get_or_insert_default().add(floor, 1);
        }
    }
}

fn agg(row: &Columns) -> Agg {
    Agg { n: row[1], num: row[2], den: row[3], num2: row[4], den2: row[5] }
}

/// One record for each bucket's worth of them, made by `into(record, next, bucket)`, which says whether `next` went in; rows of a
/// bucket that isn't whole stay.
fn merge(
    rows: Vec<Columns>,
    whole: &mut impl FnMut(i64) -> bool,
    into: impl Fn(&mut Columns, &Columns, i64) -> bool,
) -> Vec<Columns> {
    let mut merged: Vec<Columns> = Vec::new();
    let mut current = None;
    for row in rows {
        let bucket = row[0].div_euclid(BUCKET_MS) * BUCKET_MS;
        if !whole(bucket) {
            current = None;
            merged.push(row);
            continue;
        }
        if current == Some(bucket) && merged.last_mut().is_some_and(|last| into(last, &row, bucket)) {
            continue;
        }
        let mut first = [bucket, 0, 0, 0, 0, 0];
        into(&mut first, &row, bucket);
        merged.push(first);
        current = Some(bucket);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rolling::Rolling;
    use proptest::prelude::*;

    const SHAPES: [Shape; 9] = [
        Shape::Flow,
        Shape::Level,
        Shape::Integral,
        Shape::Max,
        Shape::Min,
        Shape::Last,
        Shape::Distinct,
        Shape::Trend,
        Shape::Oldest,
    ];

    fn part(shape: Shape, time: i64, num: i64) -> (i64, Part) {
        let pane = time.div_euclid(PANE_MS) * PANE_MS;
        match shape {
            Shape::Flow | Shape::Level | Shape::Trend => {
                (pane, Part::Sums(Agg { num, den: num * 3, n: 1, num2: num.wrapping_mul(num), den2: -num }))
            }
            Shape::Integral => {
                let rest = pane + PANE_MS - time;
                (pane, Part::Sums(Agg { num, den: 7 - num, n: 1, num2: num * rest, den2: (7 - num) * rest }))
            }
            Shape::Last => (time, Part::Item { item: num, count: 1 }),
            Shape::Max | Shape::Min | Shape::Distinct | Shape::Oldest => (pane, Part::Item { item: num, count: 1 }),
        }
    }

    proptest! {
        /// The proof of the arithmetic above: windows that begin and end on multiples of 5 minutes don't notice.
        #[test]
        fn packing_changes_no_window_of_a_long_span(
            shape in prop::sample::select(SHAPES.to_vec()),
            parts in prop::collection::vec((0i64..7_200_000, -50i64..50), 1..120),
            until in 0i64..=24,
            window in (0i64..24, 0i64..24),
        ) {
            let mut panes = Panes::default();
            for (time, num) in parts {
                let (time, part) = part(shape, time, num);
                panes.put(time, &part);
            }
            let (start, end) = (window.0.min(window.1) * BUCKET_MS, (window.0.max(window.1) + 1) * BUCKET_MS);
            let value = |panes: &Panes| Rolling::over(panes, shape, (start, end)).value(shape);
            let before = (value(&panes), panes.len().0);
            panes.pack_before(until * BUCKET_MS, shape, |_| true);
            prop_assert_eq!(value(&panes), before.0);
            prop_assert!(panes.len().0 <= before.1);
            if matches!(shape, Shape::Flow | Shape::Max) {
                prop_assert!(panes.len().1 <= until as usize); // one a bucket
            }
        }

        #[test]
        fn a_part_that_comes_for_a_packed_bucket_is_added_all_the_same(
            shape in prop::sample::select(SHAPES.to_vec()),
            parts in prop::collection::vec((0i64..3_600_000, -50i64..50), 1..60),
            after in (0i64..3_600_000, -50i64..50),
        ) {
            let (mut packed, mut plain) = (Panes::default(), Panes::default());
            for (time, num) in parts {
                let (time, part) = part(shape, time, num);
                packed.put(time, &part);
                plain.put(time, &part);
            }
            packed.pack_before(12 * BUCKET_MS, shape, |_| true);
            let (time, part) = part(shape, after.0, after.1);
            packed.put(time, &part);
            plain.put(time, &part);
            let window = (0, 12 * BUCKET_MS);
            let value = |panes: &Panes| Rolling::over(panes, shape, window).value(shape);
            prop_assert_eq!(value(&packed), value(&plain));
        }
    }

    #[test]
    fn a_bucket_in_which_a_day_begins_keeps_its_panes() {
        let mut panes = Panes::default();
        for second in 0..60 {
            panes.put(second * PANE_MS, &Part::Sums(Agg { n: 1, ..Agg::default() }));
        }
        panes.pack_before(2 * BUCKET_MS, Shape::Flow, |bucket| bucket == 0);
        assert_eq!(panes.len(), (31, 31));
    }
}
