//! What a batch job over the complete log says: plain loops over the sorted events. Shares no code with the crate or the engine: days
//! come from jiff's calendar, distances from the standard library's sines, percentiles from sorted values.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, tz::TimeZone};

use crate::log::{Event, HOUR, MINUTE, ROUTES, SECOND, Spot, What};

/// Metric, level, key, span, window's end.
pub type Id = (&'static str, &'static str, String, &'static str, i64);

/// What is published.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub value: Option<f64>,
    pub numerator: f64,
    pub denominator: f64,
    pub n: i64,
}

/// Everything that a window holds: each observation as one or two numbers.
#[derive(Clone, Debug, Default)]
struct Window(Vec<(i64, i64)>);

struct Rows {
    windows: BTreeMap<Id, Window>,
    newest: i64,
    zone: TimeZone,
}

/// Vehicles of the profile.
const FLEET: f64 = 1400.0;
const FEWEST: i64 = 5;

pub fn batch(log: &[Event]) -> BTreeMap<Id, Figure> {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let mut seen = BTreeSet::new();
    let mut events: Vec<&Event> = log.iter().filter(|event| seen.insert(&event.id)).collect();
    // outside the city
    events.retain(|event| !matches!(&event.what, What::Position { spot, .. } if spot.0 == 0.0));
    let rank = |event: &Event| match &event.what {
        What::Stop { departed: true, .. } => 2,
        What::Stop { .. } => 1,
        _ => 0,
    };
    events.sort_by_key(|event| (event.time, rank(event), event.id.clone()));
    let Some(newest) = events.iter().map(|event| event.time).max() else {
        return BTreeMap::new();
    };
    let mut rows = Rows { windows: BTreeMap::new(), newest, zone };
    positions(&events, &mut rows);
    vehicles(&events, &mut rows);
    departures(&events, &mut rows);
    stays(&events, &mut rows);
    trips(&events, &mut rows);
    let mut figures: BTreeMap<Id, Figure> =
        rows.windows.iter().map(|(id, window)| (id.clone(), published(id.0, id.1, &window.0))).collect();
    bunched(&rows, &mut figures);
    figures
}

impl Rows {
    /// An observation in every window of the span that holds `time`.
    fn count(
        &mut self,
        metric: &'static str,
        at: &[(&'static str, &str)],
        span: &'static str,
        time: i64,
        what: (i64, i64),
    ) {
        let (size, slide) = match span {
            "5m" => (5 * MINUTE, 30 * SECOND),
            "15m" => (15 * MINUTE, MINUTE),
            "30m" => (30 * MINUTE, MINUTE),
            "1h" => (HOUR, MINUTE),
            _ => (0, 0),
        };
        let mut ends = Vec::new();
        if span == "day" {
            ends.push(self.day(time, 0).1);
        } else {
            // the last window that the end of the file closes is the last one that holds the newest event
            let last = self.newest.div_euclid(slide) * slide + size;
            let mut end = time.div_euclid(slide) * slide + slide;
            while end - size <= time && end <= last {
                ends.push(end);
                end += slide;
            }
        }
        let day_of_newest = self.day(self.newest, 0).1;
        for end in ends.into_iter().filter(|end| span != "day" || *end <= day_of_newest) {
            for &(level, key) in at {
                let id = (metric, level, key.to_owned(), span, end);
                self.windows.entry(id).or_default().0.push(what);
            }
        }
    }

    /// The day that holds `time`, where days begin so many ms after midnight.
    fn day(&self, time: i64, begins: i64) -> (i64, i64) {
        let date = Timestamp::from_millisecond(time - begins).unwrap().to_zoned(self.zone.clone()).date();
        let midnight = |date: jiff::civil::Date| date.to_zoned(self.zone.clone()).unwrap().timestamp().as_millisecond();
        (midnight(date) + begins, midnight(date.tomorrow().unwrap()) + begins)
    }
}

fn on_route(route: usize) -> [(&'static str, &'static str); 2] {
    [("city", "city"), ("route", ROUTES[route])]
}

fn positions(events: &[&Event], rows: &mut Rows) {
    for event in events {
        let What::Position { route, spot, people, backfill, .. } = &event.what else {
            continue;
        };
        if *backfill != Some(true) {
            let age = event.received.map_or(0, |received| (received - event.time).max(0));
            let at = [("city", "city"), ("district", spot.2)];
            rows.count("bus.fix_age_p95_s", &at, "5m", event.time, (age, 0));
        }
        if let (Some(passengers), Some(capacity @ 1..)) = *people {
            rows.count(
                "bus.load_p90",
                &on_route(*route),
                "30m",
                event.time,
                (i64::from(passengers), i64::from(capacity)),
            );
        }
    }
}

#[derive(Clone, Copy)]
struct Fix {
    time: i64,
    route: usize,
    spot: Spot,
}

/// Whether a bus gets from one to the other at 120 km/h.
fn possible(from: Fix, to: Fix) -> bool {
    metres(from.spot, to.spot) * 3_600.0 <= 120_000.0 * (to.time - from.time) as f64 / 1_000.0
}

fn metres(from: Spot, to: Spot) -> f64 {
    let (lat1, lat2) = (from.1.to_radians(), to.1.to_radians());
    let a = ((lat2 - lat1) / 2.0).sin().powi(2)
        + lat1.cos() * lat2.cos() * ((to.0 - from.0).to_radians() / 2.0).sin().powi(2);
    2.0 * 6_371_008.8 * a.sqrt().asin()
}

fn vehicles(events: &[&Event], rows: &mut Rows) {
    let mut fixes: BTreeMap<u8, Vec<Fix>> = BTreeMap::new();
    for event in events {
        if let What::Position { vehicle, route, spot, .. } = &event.what {
            fixes.entry(*vehicle).or_default().push(Fix { time: event.time, route: *route, spot: *spot });
        }
    }
    let last = rows.newest.div_euclid(MINUTE) * MINUTE;
    for fixes in fixes.values() {
        let believed = believed(fixes, rows);
        let Some(first) = believed.first() else { continue };
        for now in (first.time.div_euclid(MINUTE) * MINUTE..=last).step_by(MINUTE as usize) {
            let Some(fix) = believed.iter().rev().find(|fix| fix.time <= now) else {
                continue;
            };
            let online = i64::from(now - fix.time < 3 * MINUTE);
            let on_duty = i64::from(now < rows.day(fix.time, 4 * HOUR).1);
            if online + on_duty > 0 {
                for (level, key) in [("city", "city"), ("route", ROUTES[fix.route]), ("district", fix.spot.2)] {
                    let id = ("bus.online_ratio", level, key.to_owned(), "now", now);
                    rows.windows.entry(id).or_default().0.push((online, on_duty));
                }
            }
        }
    }
}

/// The fixes that are believed; counts the steps between them.
fn believed(fixes: &[Fix], rows: &mut Rows) -> Vec<Fix> {
    let mut believed: Vec<Fix> = Vec::new();
    let mut refused: Vec<Fix> = Vec::new();
    for &fix in fixes {
        let Some(&anchor) = believed.last() else {
            believed.push(fix);
            continue;
        };
        if possible(anchor, fix) {
            refused.clear();
            believed.push(fix);
            let gap = fix.time - anchor.time;
            if (1..=120 * SECOND).contains(&gap) {
                let way = (metres(anchor.spot, fix.spot) * 1_000.0).round() as i64;
                let at = [("city", "city"), ("route", ROUTES[fix.route]), ("district", fix.spot.2)];
                rows.count("bus.speed_kmh", &at, "15m", fix.time, (way, gap));
            }
            continue;
        }
        if refused.last().is_some_and(|earlier| !possible(*earlier, fix)) {
            refused.clear();
        }
        refused.push(fix);
        if refused.len() == 3 {
            refused.clear();
            believed.push(fix);
        }
    }
    believed
}

struct Departure {
    time: i64,
    scheduled: Option<i64>,
}

fn departures(events: &[&Event], rows: &mut Rows) {
    let mut stops: BTreeMap<(usize, u8, u8), Vec<Departure>> = BTreeMap::new();
    for event in events {
        let What::Stop { route, direction, stop, departed: true, scheduled, timing_point, .. } = &event.what else {
            continue;
        };
        stops
            .entry((*route, *direction, *stop))
            .or_default()
            .push(Departure { time: event.time, scheduled: *scheduled });
        if let (Some(scheduled), None | Some(true)) = (scheduled, timing_point) {
            let on_time = i64::from((-60_000..=300_000).contains(&(event.time - scheduled)));
            for span in ["1h", "day"] {
                rows.count("bus.on_time_ratio", &on_route(*route), span, event.time, (on_time, 1));
            }
        }
    }
    for ((route, ..), departures) in &stops {
        for pair in departures.windows(2) {
            let (h, Some(scheduled)) = (pair[1].time - pair[0].time, pair[1].scheduled) else {
                continue;
            };
            let known = departures.iter().filter_map(|other| other.scheduled).filter(|other| *other < scheduled);
            let Some(hs) = known.max().map(|before| scheduled - before) else {
                continue;
            };
            if h > 2 * HOUR || hs > 2 * HOUR {
                continue;
            }
            for (metric, span) in [
                ("bus.headway_cv", "1h"),
                ("bus.excess_wait_s", "1h"),
                ("bus.bunching_ratio", "30m"),
                ("bus.gap_ratio", "30m"),
            ] {
                rows.count(metric, &on_route(*route), span, pair[1].time, (h, hs));
            }
        }
    }
}

fn stays(events: &[&Event], rows: &mut Rows) {
    let mut used: BTreeSet<usize> = BTreeSet::new();
    for (at, event) in events.iter().enumerate() {
        let What::Stop { vehicle, route, stop, departed: true, trip, .. } = &event.what else {
            continue;
        };
        let arrival = events[..at].iter().rposition(|other| {
            matches!(&other.what, What::Stop { vehicle: v, route: r, stop: s, departed: false, trip: t, .. }
                if (v, r, s, t) == (vehicle, route, stop, trip))
        });
        let longest = if trip.is_some() { 12 * HOUR } else { HOUR };
        if let Some(arrival) = arrival
            && used.insert(arrival)
        {
            let stay = event.time - events[arrival].time;
            if stay <= longest {
                for metric in ["bus.dwell_p50_s", "bus.dwell_p95_s"] {
                    rows.count(metric, &on_route(*route), "30m", event.time, (stay, 0));
                }
            }
        }
    }
}

#[derive(Default)]
struct Trip {
    due: i64,
    /// The first time.
    started: Option<i64>,
    cancelled: bool,
}

fn trips(events: &[&Event], rows: &mut Rows) {
    let mut trips: BTreeMap<(i64, usize, i64), Trip> = BTreeMap::new();
    let turn = |kind: &str| ["scheduled", "started", "finished", "cancelled"].iter().position(|other| *other == kind);
    let mut said: Vec<&&Event> = events.iter().filter(|event| matches!(event.what, What::Trip { .. })).collect();
    said.sort_by_key(|event| match &event.what {
        What::Trip { kind, .. } => (event.time, turn(kind), event.id.clone()),
        _ => (event.time, None, event.id.clone()),
    });
    for event in said {
        let What::Trip { trip, route, kind, scheduled } = &event.what else {
            continue;
        };
        let service_day = rows.day(*scheduled, 4 * HOUR).0;
        let known = trips.entry((service_day, *route, *trip)).or_default();
        known.due = *scheduled;
        match *kind {
            "started" => known.started = known.started.or(Some(event.time)),
            "cancelled" => known.cancelled = true,
            _ => {}
        }
    }
    for ((_, route, _), Trip { due, started, cancelled }) in &trips {
        if !cancelled {
            let in_time = started.is_some_and(|started| (-60_000..=300_000).contains(&(started - due)));
            for span in ["1h", "day"] {
                rows.count("bus.dispatch_ratio", &on_route(*route), span, *due, (i64::from(in_time), 1));
            }
        }
    }
}

/// Routes of which more than a tenth of the headways is bunched, at every full minute of which anything is said.
fn bunched(rows: &Rows, figures: &mut BTreeMap<Id, Figure>) {
    let last = rows.windows.keys().filter(|id| id.3 == "now").map(|id| id.4).max();
    let mut minutes: BTreeMap<i64, (f64, i64)> = BTreeMap::new();
    for (id, figure) in figures.iter().filter(|(id, _)| id.0 == "bus.bunching_ratio" && id.1 == "route") {
        if last.is_some_and(|last| id.4 <= last) {
            let routes = minutes.entry(id.4).or_default();
            if let Some(value) = figure.value {
                routes.0 += f64::from(u8::from(value > 0.1));
                routes.1 += 1;
            }
        }
    }
    for (now, (over, n)) in minutes {
        let figure = Figure { value: Some(over), numerator: over, denominator: 1.0, n };
        figures.insert(("bus.bunched_routes", "city", "city".to_owned(), "now", now), figure);
    }
}

/// The catalogue's formulas, over observations.
fn published(metric: &str, level: &str, seen: &[(i64, i64)]) -> Figure {
    let n = seen.len() as i64;
    let sum = |of: &dyn Fn(&(i64, i64)) -> f64| seen.iter().map(of).sum::<f64>();
    let (first, second) = (sum(&|one| one.0 as f64), sum(&|one| one.1 as f64));
    let share = |numerator: f64, denominator: f64, n: i64, scale: f64| Figure {
        value: (n >= FEWEST && denominator != 0.0).then(|| numerator / denominator * scale),
        numerator,
        denominator,
        n,
    };
    let percentile = |per_cent: usize, scale: f64, of: &dyn Fn(&(i64, i64)) -> i64| {
        let mut values: Vec<i64> = seen.iter().map(of).collect();
        values.sort_unstable();
        let rank = (values.len() * per_cent).div_ceil(100);
        let value = (n >= FEWEST).then(|| values[rank - 1] as f64 * scale);
        Figure { value, numerator: 0.0, denominator: n as f64, n }
    };
    match metric {
        "bus.online_ratio" if level == "city" => share(first, FLEET, FLEET as i64, 1.0),
        "bus.online_ratio" => share(first, second, second as i64, 1.0),
        "bus.on_time_ratio" | "bus.dispatch_ratio" => share(first, second, n, 1.0),
        "bus.bunching_ratio" => share(sum(&|(h, hs)| f64::from(u8::from(2 * h < *hs))), n as f64, n, 1.0),
        "bus.gap_ratio" => share(sum(&|(h, hs)| f64::from(u8::from(2 * h > 3 * hs))), n as f64, n, 1.0),
        "bus.speed_kmh" => share(first / 1_000.0, second / 1_000.0, n, 3.6),
        "bus.fix_age_p95_s" => percentile(95, 0.001, &|one| one.0),
        "bus.dwell_p50_s" => percentile(50, 0.001, &|one| one.0),
        "bus.dwell_p95_s" => percentile(95, 0.001, &|one| one.0),
        "bus.load_p90" => percentile(90, 0.000_001, &|(passengers, capacity)| passengers * 1_000_000 / capacity),
        "bus.headway_cv" => {
            // in seconds, in two passes
            let mean = sum(&|(h, hs)| (h - hs) as f64 / 1_000.0) / n as f64;
            let variance = sum(&|(h, hs)| ((h - hs) as f64 / 1_000.0 - mean).powi(2)) / n as f64;
            share(variance.sqrt(), second / 1_000.0 / n as f64, n, 1.0)
        }
        "bus.excess_wait_s" => {
            let wait = |of: &dyn Fn(&(i64, i64)) -> i64| {
                let (squares, all) =
                    (sum(&|one| (of(one) as f64 / 1_000.0).powi(2)), sum(&|one| of(one) as f64 / 1_000.0));
                if all == 0.0 { 0.0 } else { squares / (2.0 * all) }
            };
            let (numerator, denominator) = (wait(&|one| one.0), wait(&|one| one.1));
            let enough = n >= FEWEST && first != 0.0;
            Figure { value: enough.then_some(numerator - denominator), numerator, denominator, n }
        }
        other => panic!("{other} is no figure of buses"),
    }
}
