//! The batch job: for every window, loops over all events.

mod lots;
mod sessions;

use std::collections::BTreeMap;

use crate::log::{Event, Log};

pub const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Weihai is 8 hours ahead of UTC, always.
const OFFSET: i64 = 8 * HOUR;

/// Metric, level, key, span, window's end.
pub type Id = (String, &'static str, String, &'static str, i64);
pub type Rows = BTreeMap<Id, Figure>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    pub value: Option<f64>,
    pub num: f64,
    pub den: f64,
    pub n: i64,
}

impl Figure {
    /// The same digits; of a value those of a division, of a percentile 1 %.
    pub fn is_like(&self, other: &Figure, metric: &str) -> bool {
        let near = |one: f64, other: f64, share: f64| (one - other).abs() <= share * other.abs() + 1e-9;
        let share = if metric == "parking.dwell_p90_s" { 0.01 } else { 1e-12 };
        let values = match (self.value, other.value) {
            (Some(one), Some(other)) => near(one, other, share),
            (one, other) => one == other,
        };
        values && near(self.num, other.num, 1e-12) && near(self.den, other.den, 1e-12) && self.n == other.n
    }
}

/// Metrics that publish their value and 1.
pub fn is_count(metric: &str) -> bool {
    let counts = ["free_spaces", "full_lots", "filling_lots", "credit_open_fen", "snapshots", "violations"];
    counts.iter().any(|name| metric == format!("parking.{name}"))
}

/// The district that the profile gives a lot.
pub fn home(lot: &str) -> &'static str {
    match lot {
        "P245" => "荣成市",
        "X1" => "其他",
        _ => "环翠区",
    }
}

/// Level and key, in the order city, district, lot.
pub fn places(lot: &str, district: &str) -> [(&'static str, String); 3] {
    [("city", "city".to_owned()), ("district", district.to_owned()), ("lot", lot.to_owned())]
}

/// Windows of a span, by their ends: all that can hold something between `from` and the newest event.
pub fn ends(span: &str, from: i64, newest: i64) -> Vec<(i64, i64)> {
    let (slide, size) = match span {
        "now" => {
            let first = from.div_euclid(MINUTE) * MINUTE;
            return (0..)
                .map(|at| first + at * MINUTE)
                .take_while(|end| *end <= newest)
                .map(|end| (end, end))
                .collect();
        }
        "day" => {
            let midnight = |time: i64| (time + OFFSET).div_euclid(DAY) * DAY - OFFSET;
            let days = (midnight(newest) - midnight(from)) / DAY;
            return (0..=days).map(|day| midnight(from) + day * DAY).map(|start| (start, start + DAY)).collect();
        }
        "5m" => (MINUTE / 2, 5 * MINUTE),
        "15m" => (MINUTE, 15 * MINUTE),
        _ => (MINUTE, HOUR),
    };
    let (first, last) = (from.div_euclid(slide) * slide, newest.div_euclid(slide) * slide + size);
    (0..).map(|at| first + at * slide).take_while(|end| *end <= last).map(|end| (end - size, end)).collect()
}

/// The ends of the windows [start, end) that hold `time`, up to the last that holds something.
pub fn holding(span: &str, time: i64, newest: i64) -> Vec<i64> {
    let windows = ends(span, time, time.min(newest)); // those that begin at or before it
    windows.into_iter().filter(|(start, end)| *start <= time && time < *end).map(|window| window.1).collect()
}

/// Rows being made.
#[derive(Default)]
pub struct Made {
    sums: BTreeMap<Id, (i64, i64, i64)>,
    pub rows: Rows,
}

impl Made {
    pub fn add(
        &mut self,
        metric: &str,
        place: &(&'static str, String),
        window: (&'static str, i64),
        sums: (i64, i64, i64),
    ) {
        let id = (format!("parking.{metric}"), place.0, place.1.clone(), window.0, window.1);
        let sum = self.sums.entry(id).or_default();
        *sum = (sum.0 + sums.0, sum.1 + sums.1, sum.2 + sums.2);
    }

    /// A row wherever something isn't 0.
    fn publish(mut self) -> Rows {
        for (id, (num, den, n)) in self.sums {
            if (num, den, n) != (0, 0, 0) {
                self.rows.insert(id.clone(), publish(&id.0["parking.".len()..], num, den, n));
            }
        }
        self.rows
    }
}

fn publish(metric: &str, num: i64, den: i64, n: i64) -> Figure {
    let (num, den) = (num as f64, den as f64);
    let quotient = |num: f64, den: f64, n: i64, least: i64| Figure {
        value: (n >= least && den != 0.0).then(|| num / den),
        num,
        den,
        n,
    };
    match metric {
        "snapshots" | "violations" => Figure { value: Some(num), num, den: 1.0, n },
        "free_spaces" | "full_lots" | "credit_open_fen" => Figure { value: Some(num), num, den: 1.0, n: den as i64 },
        "free_ratio" => quotient(num, den, den as i64, 0),
        "occupancy_ratio" => quotient(num, den, n, 0),
        // a change in five minutes, the value in minutes; only what fills will be full
        "minutes_to_full" => {
            let figure = quotient(num, den, n, 0);
            Figure { value: figure.value.map(|value| value * 5.0).filter(|_| den > 0.0), ..figure }
        }
        // what happened in the window over the state at its end
        "turnover" => quotient(den, num, n, 0),
        "dwell_mean_s" => quotient(num / 1_000.0, den, n, 5),
        _ => quotient(num, den, den as i64, 5),
    }
}

pub fn rows(log: &Log) -> Rows {
    let mut sorted: Vec<&Event> = log.events.iter().collect();
    sorted.sort_by_key(|event| (event.time, event.rank(), event.id));
    let (from, newest) = (sorted[0].time - HOUR, sorted[sorted.len() - 1].time);
    let mut made = Made::default();
    lots::add(&sorted, from, newest, &mut made);
    sessions::add(log, &sorted, from, newest, &mut made);
    let mut rows = made.publish();
    filling(&mut rows, newest);
    rows
}

/// At every full minute: lots with less than 15 minutes, of those whose occupancy grows.
fn filling(rows: &mut Rows, newest: i64) {
    let mut made: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for (id, figure) in rows.iter() {
        let of_lots = id.0 == "parking.minutes_to_full" && id.1 == "lot" && id.4 % MINUTE == 0 && id.4 <= newest;
        if let Some(minutes) = figure.value.filter(|_| of_lots) {
            let made = made.entry(id.4).or_default();
            *made = (made.0 + i64::from(minutes < 15.0), made.1 + 1);
        }
    }
    for (end, (few, n)) in made {
        let id = ("parking.filling_lots".to_owned(), "city", "city".to_owned(), "now", end);
        rows.insert(id, Figure { value: Some(few as f64), num: few as f64, den: 1.0, n });
    }
}
