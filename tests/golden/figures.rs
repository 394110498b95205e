//! What the domains' goldens have in common: a log written by hand, and the figures that `compute` makes of it. Included by the
//! tests of each domain.
//!
//! Times are those of Weihai (+08:00): `10:41:07.250` is on 2026-11-20, `21T03:59:00` on the 21st, `12-01T03:59:00` on 1 December.
#![allow(dead_code, reason = "each domain's tests take what they need of this file")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on may panic")]

use std::{collections::BTreeMap, io};

use serde_json::{Value, json};
use yiping_catalogue::{Catalogue, Entry};
use yiping_city::City;
use yiping_event::{Stream, TimeMs};
use yiping_runner::{Computed, OfflineRow, compute};
use yiping_window::{Core, Counters, Domain, EntityId, Input, Machine, Output, Row, Settings, dedup::Dedup};

/// A log: one CloudEvent a line. Without `receivedtime`, an event's own time is its log time.
#[derive(Clone)]
pub struct Log {
    stream: Stream,
    lines: Vec<String>,
}

/// What is published of a window: value, numerator, denominator, n.
pub type Figure = (Option<f64>, f64, f64, i64);

pub struct Figures {
    pub rows: Vec<OfflineRow>,
    pub counters: Counters,
    pub rejects: Vec<(&'static str, u64)>,
}

/// A time of Weihai as RFC 3339.
pub fn stamp(time: &str) -> String {
    match time.split_once('T') {
        Some((day, time)) if day.contains('-') => format!("2026-{day}T{time}+08:00"),
        Some((day, time)) => format!("2026-11-{day}T{time}+08:00"),
        None => format!("2026-11-20T{time}+08:00"),
    }
}

impl Log {
    pub fn of(stream: Stream) -> Self {
        Log { stream, lines: Vec::new() }
    }

    /// An event of `city.STREAM.KIND`.
    pub fn at(mut self, time: &str, kind: &str, data: Value) -> Self {
        let id = format!("e{:04}", self.lines.len());
        let kind = format!("city.{}.{kind}", self.stream.as_str());
        let event =
            json!({"specversion": "1.0", "id": id, "source": "test", "type": kind, "time": stamp(time), "data": data});
        self.lines.push(event.to_string());
        self
    }

    /// Time goes on, and nothing happens.
    pub fn tick(mut self, time: &str) -> Self {
        let id = format!("t{:04}", self.lines.len());
        let tick = json!({"specversion": "1.0", "id": id, "source": "yiping", "type": "city.tick", "time": stamp(time), "data": {}});
        self.lines.push(tick.to_string());
        self
    }

    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// A line once more.
    pub fn again(mut self, line: String) -> Self {
        self.lines.push(line);
        self
    }

    fn computed<D: Domain>(&self, partitions: u32) -> Computed {
        let (catalogue, city) = (Catalogue::builtin().unwrap(), City::weihai());
        let lines = self.lines.iter().map(|line| Ok::<_, io::Error>(line.clone().into_bytes()));
        compute::<D>(self.stream, &catalogue, &city, &settings(self.stream), partitions, None, lines).unwrap()
    }

    /// One partition's rows, in order; the machine taken down to bytes and restored after every `every`-th record.
    fn rows<D: Domain>(&self, every: usize, ended: bool) -> Vec<Row> {
        let specs = Catalogue::builtin().unwrap().specs(self.stream, None);
        let mut machine = Machine::<D>::new(self.stream, &specs, settings(self.stream)).unwrap();
        let mut out = Output::default();
        for (offset, line) in self.lines.iter().enumerate() {
            machine.apply(Input { offset: offset as u64, append: None, payload: line.as_bytes() }, &mut out);
            if (offset + 1) % every == 0 {
                let (core, seen) = machine.state();
                let core: Core<D> = postcard::from_bytes(&postcard::to_stdvec(core).unwrap()).unwrap();
                let mut dedup = Dedup::default();
                for (slice, ids) in seen.slices() {
                    let ids: Vec<EntityId> = postcard::from_bytes(&postcard::to_stdvec(ids).unwrap()).unwrap();
                    dedup.restore(slice, ids);
                }
                machine = Machine::restore(self.stream, &specs, core, dedup).unwrap();
            }
        }
        if let Some(newest) = machine.last_event().filter(|_| ended) {
            machine.finish(newest, &mut out);
        }
        out.rows
    }

    /// The rows written so far: the file has no end yet.
    pub fn rows_so_far<D: Domain>(&self) -> Vec<Row> {
        self.rows::<D>(usize::MAX, false)
    }

    /// The published figures; the same digits on one partition and on three (I8), and wherever checkpoints are taken (I4).
    pub fn figures<D: Domain>(&self) -> Figures {
        let straight = self.rows::<D>(usize::MAX, true);
        for every in [1, 2, 3] {
            assert_eq!(self.rows::<D>(every, true), straight, "restored after every {every}. record");
        }
        let one = self.computed::<D>(1);
        for partitions in [2, 3] {
            let more = self.computed::<D>(partitions);
            assert_eq!(more.counters, one.counters, "{partitions} partitions");
            let digits = |computed: &Computed| -> BTreeMap<String, Figure> {
                computed.published.rows().iter().map(named).collect()
            };
            assert_eq!(digits(&more), digits(&one), "{partitions} partitions");
        }
        Figures { rows: one.published.rows(), counters: one.counters, rejects: one.rejects }
    }
}

/// Within the lateness the order in which events come changes no digit: backwards, from the middle, every other one first. (Only a
/// window that was published and then emptied leaves its zero behind.)
pub fn assert_any_order<D: Domain>(log: &Log) {
    let said = |log: &Log| -> BTreeMap<String, Figure> {
        let computed = log.computed::<D>(1);
        assert_eq!(computed.counters.late, 0, "the log is longer than the lateness");
        computed.published.rows().iter().filter(|row| row.numerator != 0.0 || row.n != 0).map(named).collect()
    };
    let straight = said(log);
    let lines = || log.lines.iter().cloned();
    let backwards: Vec<String> = lines().rev().collect();
    let from_the_middle: Vec<String> =
        lines().skip(log.lines.len() / 2).chain(lines().take(log.lines.len() / 2)).collect();
    let every_other: Vec<String> = lines().step_by(2).chain(lines().skip(1).step_by(2)).collect();
    for lines in [backwards, from_the_middle, every_other] {
        assert_eq!(said(&Log { stream: log.stream, lines }), straight);
    }
}

fn named(row: &OfflineRow) -> (String, Figure) {
    let name = format!("{} {} {} {} {}…{}", row.metric, row.level, row.key, row.span, row.window_start, row.window_end);
    (name, (row.value, row.numerator, row.denominator, row.n))
}

/// The settings of a stream as METRICS states them.
pub fn settings(stream: Stream) -> Settings {
    let hours = match stream {
        Stream::Bus | Stream::Parking => 1,
        Stream::Hotline | Stream::Elder => 24,
    };
    Settings {
        out_of_order_ms: 5_000,
        lateness_ms: hours * 60 * 60 * 1_000,
        max_skew_ms: 60_000,
        zone: "Asia/Shanghai".into(),
        profile: City::weihai().text(),
    }
}

impl Figures {
    /// The figure of the window that ends at `end`; `None` when there is no row.
    pub fn get(&self, metric: &str, level: &str, key: &str, span: &str, end: &str) -> Option<Figure> {
        let end = TimeMs::parse(&stamp(end)).unwrap().to_string();
        let same = |row: &&OfflineRow| {
            (row.metric.as_str(), row.level, row.key.as_str(), row.span) == (metric, level, key, span)
                && row.window_end == end
        };
        let mut rows = self.rows.iter().filter(same);
        let figure = rows.next().map(|row| (row.value, row.numerator, row.denominator, row.n));
        assert!(rows.next().is_none(), "two rows of one window: {metric} {level} {key} {span} {end}");
        figure
    }

    pub fn value(&self, metric: &str, level: &str, key: &str, span: &str, end: &str) -> Option<f64> {
        self.get(metric, level, key, span, end).and_then(|figure| figure.0)
    }
}

/// Every metric of the stream makes rows at every level and span of its entry, and no row is without entry, level or span.
pub fn assert_catalogued(stream: Stream, figures: &Figures) {
    let catalogue = Catalogue::builtin().unwrap();
    for row in &figures.rows {
        let entry = catalogue.entry(&row.metric).unwrap_or_else(|| panic!("{} has no entry", row.metric));
        assert_eq!(entry.stream, stream, "{}", row.metric);
        assert!(entry.levels.iter().any(|level| level == row.level), "{} at level {}", row.metric, row.level);
        assert!(entry.spans.iter().any(|span| span == row.span), "{} over {}", row.metric, row.span);
    }
    // (surges are `watch`'s to find)
    let made = |entry: &&Entry| entry.stream == stream && !entry.derived.as_ref().is_some_and(|derived| derived.surge);
    for entry in catalogue.entries.iter().filter(made) {
        for level in &entry.levels {
            for span in &entry.spans {
                let said =
                    figures.rows.iter().any(|row| row.metric == entry.id && row.level == level && row.span == span);
                assert!(said, "{} says nothing at level {level} over {span}", entry.id);
            }
        }
    }
}
