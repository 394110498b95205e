//! What a batch job over the whole log says: plain loops, no panes, no running sums, no state kept. Shares no code with the engine;
//! days come from jiff's calendar, quantiles from sorted values.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    log::{LATE_ALLOWANCE_MS, Record, SKEW_MS, What},
    toy::{HOLDS_MS, HUGE, KINDS},
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// (window start, window end, key, metric, span, level): times first, so that two are soon told apart.
pub type Id = (i64, i64, &'static str, &'static str, &'static str, &'static str);

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figure {
    pub num: i64,
    pub den: i64,
    pub n: i64,
    pub num2: i64,
    pub den2: i64,
    /// Percentiles: every observation.
    pub values: Vec<i64>,
    /// Distinct: everything seen.
    pub kinds: BTreeSet<(&'static str, i64)>,
}

#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
pub struct Counts {
    pub accepted: u64,
    pub duplicates: u64,
    pub late: u64,
    pub quarantined: u64,
    pub rejected: u64,
}

#[derive(Debug, Default)]
pub struct Batch {
    pub rows: BTreeMap<Id, Figure>,
    pub counts: Counts,
}

/// A span: its name, size and slide in ms; `day` and `now` have no size.
type Spanned = (&'static str, i64, i64);
const M1: Spanned = ("1m", MINUTE, 10_000);
const M5: Spanned = ("5m", 5 * MINUTE, 30_000);
const H1: Spanned = ("1h", HOUR, MINUTE);
const H24: Spanned = ("24h", 24 * HOUR, 5 * MINUTE);
const DAY: Spanned = ("day", 0, 0);

/// A snapshot that counts for its lot's state, from `from` on (its own time, or the horizon where it came too late).
struct Set {
    order: (i64, String),
    from: i64,
    until: i64,
    num: i64,
    den: i64,
    late: bool,
}

#[derive(Default)]
struct Partition {
    counts: Counts,
    time: Option<i64>,
    flows: Vec<(i64, &'static str, i64, i64)>,
    moves: Vec<(i64, &'static str, i64)>,
    sets: BTreeMap<&'static str, Vec<Set>>,
    seen: HashSet<String>,
    newest: Option<i64>,
}

impl Partition {
    fn watermark(&self) -> Option<i64> {
        self.time.map(|time| time - LATE_ALLOWANCE_MS)
    }

    fn take(&mut self, record: &Record, lateness: i64) {
        let (id, lot, time, what) = match record {
            Record::Tick { time } => {
                self.time = self.time.map(|now| now.max(*time));
                return;
            }
            Record::Junk => {
                self.counts.rejected += 1;
                return;
            }
            Record::Event { id, lot, time, what, .. } => (id, lot, *time, what),
        };
        let log_time = record.log_time();
        if time > log_time + SKEW_MS {
            self.counts.quarantined += 1;
            return;
        }
        let lot = LOTS.iter().find(|known| *known == lot).unwrap();
        let horizon = self.watermark().map(|watermark| watermark - lateness);
        let late = horizon.is_some_and(|horizon| time < horizon);
        if late {
            self.counts.late += 1;
        } else if self.seen.insert(id.clone()) {
            self.counts.accepted += 1;
        } else {
            self.counts.duplicates += 1;
            return;
        }
        self.newest = self.newest.max(Some(time));
        // what changed before the horizon holds from the horizon on (I5)
        let from = horizon.map_or(time, |horizon| time.max(horizon));
        match *what {
            What::Entry => self.moves.push((from, lot, 1)),
            What::Exit => self.moves.push((from, lot, -1)),
            What::Snapshot { num, den } => {
                if !late {
                    self.flows.push((time, lot, num, den));
                }
                let watermark = self.watermark();
                let sets = self.sets.entry(lot).or_default();
                let order = (time, id.clone());
                // too late, it moves the lot only where nothing newer is known, its state's own end included
                let older = sets.last().is_some_and(|last| {
                    let end = last.order.0 + HOLDS_MS;
                    let ended = watermark.is_some_and(|watermark| end <= watermark);
                    order <= last.order || (ended && time <= end)
                });
                if !(late && older) {
                    let until = (time + HOLDS_MS).max(from);
                    sets.push(Set { order, from, until, num, den, late });
                    sets.sort_by(|a, b| a.order.cmp(&b.order));
                }
            }
        }
        if !late {
            self.time = self.time.max(Some(time.min(log_time)));
        }
    }
}

/// The day that holds `t`, in the zone's calendar.
fn day_of(t: i64, zone: &TimeZone) -> (i64, i64) {
    let date = Timestamp::from_millisecond(t).unwrap().to_zoned(zone.clone()).date();
    let midnight = |date: jiff::civil::Date| date.to_zoned(zone.clone()).unwrap().timestamp().as_millisecond();
    (midnight(date), midnight(date.tomorrow().unwrap()))
}

/// Every window of the span that holds `t`.
fn windows_holding(t: i64, span: Spanned, zone: &TimeZone) -> Vec<(i64, i64)> {
    let (_, size, slide) = span;
    if size == 0 {
        return vec![day_of(t, zone)];
    }
    let first = (t.div_euclid(slide) + 1) * slide;
    (0..size / slide).map(|k| first + k * slide).map(|end| (end - size, end)).collect()
}

/// The last window of the span that time closes: the last one that holds `newest`, or that ends by `watermark`.
fn last_end(newest: i64, watermark: i64, span: Spanned, zone: &TimeZone) -> i64 {
    let (_, size, slide) = span;
    if size == 0 {
        return day_of(newest, zone).1.max(day_of(watermark, zone).0);
    }
    (newest.div_euclid(slide) * slide + size).max(watermark.div_euclid(slide) * slide)
}

/// The rows over all partitions, each partition's log in its own order.
pub fn batch(partitions: &[Vec<Record>], lateness: i64, zone: &TimeZone) -> Batch {
    let mut states = Vec::new();
    for log in partitions {
        let mut partition = Partition::default();
        for record in log {
            partition.take(record, lateness);
        }
        states.push(partition);
    }
    let mut out = Batch::default();
    let newest = states.iter().filter_map(|partition| partition.newest).max();
    for partition in &states {
        let counts = partition.counts;
        out.counts.accepted += counts.accepted;
        out.counts.duplicates += counts.duplicates;
        out.counts.late += counts.late;
        out.counts.quarantined += counts.quarantined;
        out.counts.rejected += counts.rejected;
        flows(partition, zone, &mut out.rows);
        jumps(partition, zone, &mut out.rows);
        if let (Some(newest), Some(watermark)) = (newest, partition.watermark()) {
            instants(partition, newest, watermark, &mut out.rows);
            areas(partition, newest, watermark, zone, &mut out.rows);
            trends(partition, newest, watermark, zone, &mut out.rows);
        }
    }
    out.rows.retain(|_, figure| *figure != Figure::default());
    out
}

/// The lots there are.
pub const LOTS: [&str; 4] = ["lot-0", "lot-1", "lot-2", "lot-3"];

fn places(lot: &'static str) -> [(&'static str, &'static str); 2] {
    [("city", "city"), ("lot", lot)]
}

fn flows(partition: &Partition, zone: &TimeZone, rows: &mut BTreeMap<Id, Figure>) {
    for &(time, lot, num, den) in &partition.flows {
        for span in [M1, M5, H1, H24, DAY] {
            for (start, end) in windows_holding(time, span, zone) {
                for (level, key) in places(lot) {
                    let row = rows.entry((start, end, key, "parking.sum", span.0, level)).or_default();
                    row.num += num;
                    row.den += den;
                    row.n += 1;
                    if [M5, H1, DAY].contains(&span) {
                        let row = rows.entry((start, end, key, "parking.size", span.0, level)).or_default();
                        row.n += 1;
                        row.values.push(den);
                    }
                }
            }
        }
    }
}

/// What a lot's state changed by at each snapshot that was in time.
fn jumps(partition: &Partition, zone: &TimeZone, rows: &mut BTreeMap<Id, Figure>) {
    for (&lot, sets) in &partition.sets {
        for (at, set) in sets.iter().enumerate().filter(|(_, set)| !set.late) {
            let time = set.order.0;
            let before = at.checked_sub(1).map(|before| &sets[before]).filter(|set| set.order.0 + HOLDS_MS > time);
            let jump = set.num - before.map_or(0, |before| before.num);
            let mut each = |metric: &'static str, spans: &[Spanned], count: &dyn Fn(&mut Figure)| {
                for &span in spans {
                    for (start, end) in windows_holding(time, span, zone) {
                        for (level, key) in places(lot) {
                            let row = rows.entry((start, end, key, metric, span.0, level)).or_default();
                            count(row);
                            row.n += 1;
                        }
                    }
                }
            };
            each("parking.four", &[H24, DAY], &|row| {
                row.num += jump * HUGE;
                row.den += jump;
                row.num2 += jump * jump;
                row.den2 -= jump * HUGE;
            });
            each("parking.most", &[M1, H1, H24], &|row| row.num = if row.n == 0 { jump } else { row.num.max(jump) });
            each("parking.least", &[H24], &|row| row.num = if row.n == 0 { jump } else { row.num.min(jump) });
            each("parking.newest", &[M5, H24], &|row| {
                if row.n == 0 || (row.den, row.num) < (time, jump) {
                    (row.num, row.den) = (jump, time);
                }
            });
            each("parking.kinds", &[H1, DAY], &|row| {
                row.kinds.insert((lot, jump.rem_euclid(KINDS)));
                row.num = row.kinds.len() as i64;
            });
        }
    }
}

/// From when to when each snapshot's state held.
fn segments(sets: &[Set]) -> impl Iterator<Item = (i64, i64, &Set)> {
    sets.iter().enumerate().map(|(at, set)| {
        let next = sets.get(at + 1).map_or(i64::MAX, |next| next.from);
        (set.from, set.until.min(next), set)
    })
}

fn instants(partition: &Partition, newest: i64, watermark: i64, rows: &mut BTreeMap<Id, Figure>) {
    let last = newest.div_euclid(MINUTE).max(watermark.div_euclid(MINUTE)) * MINUTE;
    let minutes = |from: i64, until: i64| {
        let first = -(-from).div_euclid(MINUTE) * MINUTE; // at the instant itself counts
        (first..until.min(last + 1)).step_by(MINUTE as usize)
    };
    for &(time, lot, by) in &partition.moves {
        for (level, key) in places(lot) {
            for now in minutes(time, i64::MAX) {
                rows.entry((now, now, key, "parking.inside", "now", level)).or_default().num += by;
            }
        }
    }
    for (&lot, sets) in &partition.sets {
        for (from, until, set) in segments(sets) {
            for (level, key) in places(lot) {
                for now in minutes(from, until) {
                    let row = rows.entry((now, now, key, "parking.state", "now", level)).or_default();
                    row.num += set.num;
                    row.den += set.den;
                    let row = rows.entry((now, now, key, "parking.waiting", "now", level)).or_default();
                    row.num = if row.n == 0 { set.order.0 } else { row.num.min(set.order.0) };
                    row.n += 1;
                }
            }
        }
    }
}

/// The state at a window's end, and what its second part changed by since the window's start.
fn trends(partition: &Partition, newest: i64, watermark: i64, zone: &TimeZone, rows: &mut BTreeMap<Id, Figure>) {
    for (&lot, sets) in &partition.sets {
        let (Some(first), Some(end)) = (sets.iter().map(|set| set.from).min(), sets.iter().map(|set| set.until).max())
        else {
            continue;
        };
        let state_at =
            |t: i64| segments(sets).find(|(from, until, _)| (*from..*until).contains(&t)).map(|(_, _, set)| set);
        for span in [M5, H1] {
            let last = last_end(newest, watermark, span, zone).min(end + span.1 + span.2);
            let ends = (first.div_euclid(span.2) * span.2..=last).step_by(span.2 as usize);
            for (start, end) in ends.map(|end| (end - span.1, end)) {
                let (before, now) = (state_at(start), state_at(end));
                for (level, key) in places(lot) {
                    let row = rows.entry((start, end, key, "parking.trend", span.0, level)).or_default();
                    row.num += now.map_or(0, |set| set.num);
                    row.den += now.map_or(0, |set| set.den) - before.map_or(0, |set| set.den);
                }
            }
        }
    }
}

fn areas(partition: &Partition, newest: i64, watermark: i64, zone: &TimeZone, rows: &mut BTreeMap<Id, Figure>) {
    for (&lot, sets) in &partition.sets {
        for (from, until, set) in segments(sets) {
            for span in [M5, H1, H24, DAY] {
                let last = last_end(newest, watermark, span, zone);
                let mut touched: Vec<(i64, i64)> = windows_holding(from, span, zone);
                if span == DAY {
                    touched.push(day_of((until - 1).max(from), zone)); // a state holds for less than a day
                } else {
                    let mut end = touched.last().map_or(0, |last| last.1) + span.2;
                    while end - span.1 < until {
                        touched.push((end - span.1, end));
                        end += span.2;
                    }
                }
                touched.dedup();
                for (start, end) in touched.into_iter().filter(|window| window.1 <= last) {
                    let held = (until.min(end) - from.max(start)).max(0);
                    let begun = i64::from((start..end).contains(&from));
                    for (level, key) in places(lot) {
                        let row = rows.entry((start, end, key, "parking.use", span.0, level)).or_default();
                        row.num += set.num * held;
                        row.den += set.den * held;
                        row.n += begun;
                    }
                }
            }
        }
    }
}
