//! Time as data (I2) and clocks that are wrong (I6), over the oracle's domain: what may move a partition's time, and whom it harms.

#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use yiping_clock::Steady;
use yiping_event::{Code, Stream, TimeMs};
use yiping_window::{Core, Counters, EntityId, Input, Machine, OWNER, Output, Settings, Span, dedup::Dedup};

#[path = "oracle/toy.rs"]
#[allow(dead_code, reason = "the oracle takes more of it")]
mod toy;

use toy::{Toy, specs};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// 10:00 in Weihai, on a minute.
const START: i64 = 1_795_140_000_000;

/// A record as the log keeps it.
#[derive(Clone)]
struct Record {
    append: i64,
    payload: Vec<u8>,
}

/// A lot counts its cars at `time` by its own clock; the gateway stamps `received`.
fn count(lot: &str, time: i64, received: i64) -> Record {
    let event = json!({
        "specversion": "1.0", "id": format!("{lot}-{time}"), "source": format!("test/{lot}"), "type": "city.parking.snapshot",
        "time": TimeMs(time).to_string(), "receivedtime": TimeMs(received).to_string(),
        "data": { "lot_id": lot, "capacity": 100, "occupied": (time / SECOND).rem_euclid(97) },
    });
    Record { append: received, payload: event.to_string().into_bytes() }
}

/// A partition's owner says that it is so late by now.
fn tick(time: i64) -> Record {
    let event = json!({
        "specversion": "1.0", "id": format!("tick-{time}"), "source": OWNER, "type": "city.tick",
        "time": TimeMs(time).to_string(), "data": {},
    });
    Record { append: time, payload: event.to_string().into_bytes() }
}

/// A lot heard every ten seconds, two seconds after each count.
fn every_ten_seconds(lot: &str, from: i64, to: i64) -> impl Iterator<Item = Record> {
    (from..to).step_by(10_000).map(move |now| count(lot, now - 2 * SECOND, now))
}

/// A partition that has taken records in.
struct Partition {
    machine: Machine<Toy>,
    out: Output,
    next: u64,
}

/// Windows by metric, level, key, span and end: numerator, denominator, n.
type Figures = BTreeMap<(String, &'static str, String, &'static str, i64), (i64, i64, i64)>;

impl Partition {
    fn new(lateness_ms: i64) -> Self {
        let settings = Settings {
            out_of_order_ms: 5 * SECOND,
            lateness_ms,
            max_skew_ms: 60 * SECOND,
            zone: "Asia/Shanghai".into(),
            profile: String::new(),
        };
        let machine = Machine::new(Stream::Parking, &specs(), settings).unwrap();
        Partition { machine, out: Output::default(), next: 0 }
    }

    fn of(lateness_ms: i64, records: &[Record]) -> Self {
        let mut partition = Self::new(lateness_ms);
        partition.take(records);
        partition
    }

    fn take(&mut self, records: &[Record]) {
        for record in records {
            let input = Input { offset: self.next, append: Some(TimeMs(record.append)), payload: &record.payload };
            self.machine.apply(input, &mut self.out);
            self.next += 1;
        }
    }

    /// Its state, taken up by another process.
    fn taken_over(self) -> Self {
        let (core, seen) = self.machine.state();
        let core: Core<Toy> = postcard::from_bytes(&postcard::to_stdvec(core).unwrap()).unwrap();
        let mut dedup = Dedup::default();
        for (slice, ids) in seen.slices() {
            let ids: Vec<EntityId> = postcard::from_bytes(&postcard::to_stdvec(ids).unwrap()).unwrap();
            dedup.restore(slice, ids);
        }
        Partition { machine: Machine::restore(Stream::Parking, &specs(), core, dedup).unwrap(), ..self }
    }

    fn counters(&self) -> Counters {
        self.machine.counters()
    }

    fn time(&self) -> i64 {
        self.machine.time().unwrap().0
    }

    /// The windows closed so far, each as it was last written.
    fn so_far(&self) -> Figures {
        let row = |row: &yiping_window::Row| {
            let id = (row.metric.to_string(), row.level.as_str(), row.key.to_string(), row.span.as_str(), row.end.0);
            (id, (row.num, row.den, row.n))
        };
        // in log order, so that the last one stays
        self.out.rows.iter().map(row).collect()
    }

    /// All windows up to the last event's. Those with nothing in them may have been written or not.
    fn figures(mut self) -> Figures {
        if let Some(newest) = self.machine.last_event() {
            self.machine.finish(newest, &mut self.out);
        }
        let mut figures = self.so_far();
        figures.retain(|_, figure| *figure != (0, 0, 0));
        figures
    }
}

/// Of the lots alone whose clocks are right.
fn of_the_right(figures: Figures) -> Figures {
    figures.into_iter().filter(|((_, _, key, _, _), _)| ["P001", "P003"].contains(&key.as_str())).collect()
}

/// Fifteen minutes: two lots whose clocks are right, and one whose clock is 50 minutes ahead. `stamp`: real time → log time.
fn a_quarter_of_an_hour(mut stamp: impl FnMut(i64) -> i64) -> Vec<Record> {
    let mut records = Vec::new();
    for now in (START..START + 15 * MINUTE).step_by(10_000) {
        let received = stamp(now);
        records.push(count("P001", now - 2 * SECOND, received));
        records.push(count("P003", now - 4 * SECOND, received));
        if (now - START) % MINUTE == 0 {
            records.push(count("P002", now + 50 * MINUTE, received));
        }
    }
    records
}

/// The wall clock of a machine that is set an hour ahead for three minutes, later an hour back for four.
fn stepping(now: i64) -> i64 {
    match (now - START) / MINUTE {
        2..5 => now + HOUR,
        7..11 => now - HOUR,
        _ => now,
    }
}

#[test]
fn i2_a_clock_that_steps_an_hour_and_back_changes_no_figure_and_makes_nothing_late() {
    let straight = Partition::of(HOUR, &a_quarter_of_an_hour(|now| now));
    // 90 times two lots; the third is quarantined every minute
    let expected = Counters { accepted: 180, quarantined: 15, ..Counters::default() };
    assert_eq!(straight.counters(), expected);

    let ns = |ms: i64| ms * 1_000_000;
    let mut steady = Steady::start(ns(START), ns(START));
    let mut told = 0;
    let slewed = a_quarter_of_an_hour(|now| {
        let reading = steady.read(ns(now), ns(stepping(now)));
        told += usize::from(reading.stepped_ns.is_some());
        reading.time_ns / 1_000_000
    });
    let slewed = Partition::of(HOUR, &slewed);
    assert_eq!((told, slewed.counters()), (4, expected), "four steps");

    // stamped with the wall clock, right counts would be an hour ahead of their log time, and the wrong ones get in
    let raw = Partition::of(HOUR, &a_quarter_of_an_hour(stepping));
    // back for 24 times two lots; ahead for 3 of the third's 15
    assert_eq!(raw.counters(), Counters { accepted: 180 - 48 + 3, quarantined: 15 - 3 + 48, ..Counters::default() });

    let straight = straight.figures();
    assert!(straight.len() > 100, "{}", straight.len());
    assert_eq!(slewed.figures(), straight);
    assert_ne!(raw.figures(), straight);
}

/// Ten minutes of two lots whose clocks are right, and of one that is so far ahead. Its log time is the gateway's, or its own.
fn with_a_fast_one(ahead: i64, trusted: bool) -> Vec<Record> {
    let mut records = Vec::new();
    for now in (START..START + 10 * MINUTE).step_by(10_000) {
        records.push(count("P002", now + ahead, if trusted { now + ahead } else { now }));
        records.push(count("P001", now - 2 * SECOND, now));
        records.push(count("P003", now - 4 * SECOND, now));
    }
    records
}

fn without_it() -> Vec<Record> {
    let records = with_a_fast_one(0, false);
    records.into_iter().enumerate().filter(|(at, _)| at % 3 != 0).map(|(_, record)| record).collect()
}

/// So short that a minute matters.
const STRICT: i64 = 10 * SECOND;

#[test]
fn i6_a_device_59_s_fast_moves_no_time_past_its_log_time_and_makes_nothing_late() {
    let mut with = Partition::new(STRICT);
    for record in with_a_fast_one(59 * SECOND, false) {
        with.take(std::slice::from_ref(&record));
        assert!(with.time() <= record.append, "{} at {}", with.time(), record.append);
    }
    assert_eq!(with.counters(), Counters { accepted: 180, ..Counters::default() });
    let with = of_the_right(with.figures());
    let without = of_the_right(Partition::of(STRICT, &without_it()).figures());
    assert!(without.len() > 50, "{}", without.len());
    // its last count is a minute after theirs, and the instants and integrals of all go on until then
    let last = START + 9 * MINUTE + 48 * SECOND;
    let (same, more): (Figures, Figures) = with.into_iter().partition(|(id, _)| without.contains_key(id));
    assert_eq!(same, without);
    assert!(more.keys().all(|id| id.4 > last), "{more:?}");

    // were its own clock taken for the log's, time would run 59 s ahead, and who is right would be late
    let trusted = Partition::of(STRICT, &with_a_fast_one(59 * SECOND, true));
    assert_eq!(trusted.counters(), Counters { accepted: 60, late: 120, ..Counters::default() });
}

#[test]
fn i6_a_device_61_s_fast_is_quarantined_counted_and_changes_nothing() {
    let with = Partition::of(STRICT, &with_a_fast_one(61 * SECOND, false));
    assert_eq!(with.counters(), Counters { accepted: 120, quarantined: 60, ..Counters::default() });
    let codes: BTreeSet<_> =
        with.out.rejects.iter().map(|(_, reject)| (reject.code.as_str(), reject.pointer.as_str())).collect();
    assert_eq!(codes, BTreeSet::from([(Code::ClockAhead.as_str(), "/time")]));
    let offsets: Vec<u64> = with.out.rejects.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, (0..180).step_by(3).collect::<Vec<u64>>(), "each can be found in the log");
    assert_eq!(with.figures(), Partition::of(STRICT, &without_it()).figures());

    // 60 s are borne with
    let at_the_limit = Partition::of(STRICT, &with_a_fast_one(60 * SECOND, false));
    assert_eq!(at_the_limit.counters(), Counters { accepted: 180, ..Counters::default() });
}

/// What `city.metrics` takes for the stream's watermark: the least of the partitions that have time.
fn merged(partitions: &[&Partition]) -> i64 {
    partitions.iter().filter_map(|partition| partition.machine.watermark()).map(|watermark| watermark.0).min().unwrap()
}

/// The minutes of which the state is final.
fn final_minutes(partition: &Partition, watermark: i64) -> BTreeSet<i64> {
    let figures = partition.so_far();
    figures.keys().filter(|id| id.3 == Span::Now.as_str() && id.4 <= watermark).map(|id| id.4).collect()
}

#[test]
fn i2_an_idle_partition_ticks_and_one_never_heard_has_no_time_so_neither_holds_others_back() {
    let end = START + 10 * MINUTE;
    let busy: Vec<_> = every_ten_seconds("P001", START, end).collect();
    let ticks = || (START + SECOND..end).step_by(1_000).map(tick);
    let idle: Vec<_> = [count("P003", START - 2 * SECOND, START)].into_iter().chain(ticks()).collect();
    let never: Vec<_> = ticks().collect();
    let (busy, idle, never) = (Partition::of(HOUR, &busy), Partition::of(HOUR, &idle), Partition::of(HOUR, &never));
    assert_eq!((never.machine.time(), never.machine.watermark()), (None, None));
    let watermark = merged(&[&busy, &idle, &never]);
    // the busy one's last count was at 9:48, and the watermark stays 5 s behind
    assert_eq!(watermark, START + 10 * MINUTE - 12 * SECOND - 5 * SECOND);
    let minutes: BTreeSet<i64> = (0..10).map(|minute| START + minute * MINUTE).collect();
    assert_eq!(final_minutes(&busy, watermark), minutes);

    // without ticks nothing would be final after the idle one's only count
    let silent = Partition::of(HOUR, &[count("P003", START - 2 * SECOND, START)]);
    assert_eq!(final_minutes(&busy, merged(&[&busy, &silent, &never])), BTreeSet::new());
}

#[test]
fn i2_a_partition_that_wakes_after_hours_is_judged_by_its_own_time_and_makes_nobody_late() {
    let (slept, woke) = (START + 10 * MINUTE, START + 3 * HOUR);
    // nobody owned it for three hours, so it had no ticks; half an hour of its counts waits in the log
    let before: Vec<_> = every_ten_seconds("P003", START, slept).collect();
    let waited: Vec<_> = every_ten_seconds("P003", slept, slept + 30 * MINUTE).collect();
    let now: Vec<_> = every_ten_seconds("P003", woke, woke + 10 * MINUTE).collect();
    let others: Vec<_> = every_ten_seconds("P001", START, woke).collect();
    let others_after: Vec<_> = every_ten_seconds("P001", woke, woke + 10 * MINUTE).collect();

    let (mut other, mut sleeper) = (Partition::of(HOUR, &others), Partition::of(HOUR, &before));
    assert_eq!(merged(&[&other, &sleeper]), sleeper.time() - 5 * SECOND, "it holds finality back while it is behind");
    sleeper.take(&waited);
    sleeper.take(&now);
    other.take(&others_after);
    let accepted = |n: usize| Counters { accepted: n as u64, ..Counters::default() };
    assert_eq!(sleeper.counters(), accepted(before.len() + waited.len() + now.len()));
    assert_eq!(other.counters(), accepted(others.len() + others_after.len()));
    assert_eq!(merged(&[&other, &sleeper]), woke + 10 * MINUTE - 12 * SECOND - 5 * SECOND);

    // had the partitions one time between them, what waited would be late
    let shared = Partition::of(HOUR, &[before, others, waited].concat());
    assert_eq!(shared.counters().late, 30 * 6);
}

#[test]
fn i2_what_waited_out_an_outage_is_not_late_for_the_owner_that_takes_over() {
    let (gone, back) = (START + 10 * MINUTE, START + 130 * MINUTE);
    // the gateway went on taking events in, also a late one, so the log has two hours that no owner has seen
    let before: Vec<_> = every_ten_seconds("P001", START, gone).collect();
    let mut waited: Vec<_> = every_ten_seconds("P001", gone, back).collect();
    waited.insert(300, count("P003", gone + 10 * MINUTE, gone + 50 * MINUTE));
    let ticks: Vec<_> = (back..back + MINUTE).step_by(1_000).map(tick).collect();

    let mut owner = Partition::of(HOUR, &before).taken_over();
    owner.take(&waited);
    assert_eq!(owner.counters(), Counters { accepted: (before.len() + waited.len()) as u64, ..Counters::default() });
    // only then it ticks, and time goes on from where the records left it
    assert_eq!(owner.time(), back - 12 * SECOND);
    owner.take(&ticks);
    assert!((back - 12 * SECOND..back + MINUTE).contains(&owner.time()), "{}", owner.time());
    assert_eq!(owner.figures(), Partition::of(HOUR, &[&before[..], &waited, &ticks].concat()).figures());

    // a tick that is applied before what waited makes it late: all but the last hour and five seconds
    let mut hasty = Partition::of(HOUR, &before).taken_over();
    hasty.take(&[tick(back)]);
    hasty.take(&waited);
    assert!(hasty.counters().late > 300, "{:?}", hasty.counters());
}
