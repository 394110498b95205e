//! What follows from lots: at every instant that matters, what is known of a lot is worked out from its first event on.

use std::collections::BTreeMap;

use super::{MINUTE, Made, OFFSET, ends, holding, home, places};
use crate::log::{Event, LOTS, What};

const HOLDS: i64 = 60 * MINUTE;

#[derive(Clone)]
struct Unit {
    capacity: i64,
    occupied: i64,
    open: bool,
    heard: i64,
}

/// What is known of a lot.
#[derive(Clone, Default)]
struct Known {
    whole: Option<Unit>,
    floors: BTreeMap<&'static str, Unit>,
    /// Cars that named no floor.
    loose: i64,
    /// Capacities as they were last stated.
    stated: BTreeMap<&'static str, i64>,
    district: Option<&'static str>,
    heard: Option<i64>,
    gated: bool,
}

/// What counts of a lot at an instant.
#[derive(Clone, Default, PartialEq)]
struct View {
    live: bool,
    capacity: i64,
    occupied: i64,
    /// Which units count.
    units: Vec<&'static str>,
    floors: BTreeMap<&'static str, (i64, i64)>,
}

fn is_open(lot: &str, time: i64) -> bool {
    let minute = (time + OFFSET).div_euclid(MINUTE).rem_euclid(24 * 60);
    match lot {
        "P005" | "P245" => (6 * 60..22 * 60).contains(&minute),
        "P038" => !(2 * 60..18 * 60).contains(&minute),
        _ => true,
    }
}

fn listed(lot: &str) -> i64 {
    match lot {
        "P001" | "P005" => 180,
        "P038" => 100,
        "P245" => 570,
        _ => 0,
    }
}

impl Known {
    fn forget(&mut self, time: i64) {
        self.whole = self.whole.take().filter(|unit| time < unit.heard + HOLDS);
        self.floors.retain(|_, unit| time < unit.heard + HOLDS);
        if self.floors.is_empty() {
            self.loose = 0;
        }
    }

    fn take(&mut self, event: &Event) {
        self.forget(event.time);
        self.heard = Some(event.time);
        match event.what {
            What::Snapshot { capacity, occupied, floor, open, district } => {
                self.district = district.or(self.district);
                self.loose = 0;
                let unit = Unit { capacity, occupied, open, heard: event.time };
                if let Some(floor) = floor {
                    self.whole = None;
                    self.floors.insert(floor, unit);
                    self.stated.remove("");
                } else {
                    self.floors.clear();
                    self.stated.clear();
                    self.whole = Some(unit);
                }
                self.stated.insert(floor.unwrap_or(""), capacity);
            }
            What::Entry { floor, .. } => self.moved(floor, 1, event.time),
            What::Exit { .. } => self.moved(None, -1, event.time),
            _ => {}
        }
    }

    fn moved(&mut self, floor: Option<&'static str>, by: i64, time: i64) {
        self.gated = true;
        if let Some(whole) = &mut self.whole {
            whole.occupied += by;
            whole.heard = time;
        } else if let Some(unit) = floor.and_then(|floor| self.floors.get_mut(floor)) {
            unit.occupied += by;
            unit.heard = time;
        } else if !self.floors.is_empty() {
            self.loose += by;
        }
    }

    fn view(&self, lot: &str, time: i64) -> View {
        let mut view = View::default();
        if !is_open(lot, time) {
            return view;
        }
        let whole = self.whole.iter().map(|unit| ("", unit));
        let floors = self.floors.iter().map(|(floor, unit)| (*floor, unit));
        for (name, unit) in whole.chain(floors).filter(|(_, unit)| unit.open) {
            let occupied = unit.occupied.max(0).min(unit.capacity);
            view.live = true;
            view.capacity += unit.capacity;
            view.occupied += occupied;
            view.units.push(name);
            if !name.is_empty() {
                view.floors.insert(name, (unit.capacity - occupied, 1));
            }
        }
        if view.live {
            view.occupied = (view.occupied + self.loose).max(0).min(view.capacity);
        }
        view
    }
}

/// A lot after all its events up to and including `time`.
fn known(events: &[&Event], time: i64) -> Known {
    let mut known = Known::default();
    for event in events.iter().filter(|event| event.time <= time) {
        known.take(event);
    }
    known.forget(time);
    known
}

pub fn add(sorted: &[&Event], from: i64, newest: i64, made: &mut Made) {
    for lot in LOTS {
        let events: Vec<&Event> = sorted.iter().filter(|event| event.lot == lot).copied().collect();
        if !events.is_empty() {
            now(lot, &events, from, newest, made);
            integral(lot, &events, from, newest, made);
            trend(lot, &events, from, newest, made);
            turnover(lot, &events, from, newest, made);
            snapshots(lot, &events, newest, made);
        }
    }
}

fn district(known: &Known, lot: &str) -> &'static str {
    known.district.unwrap_or(home(lot))
}

fn now(lot: &'static str, events: &[&Event], from: i64, newest: i64, made: &mut Made) {
    for (_, end) in ends("now", from, newest) {
        let known = known(events, end);
        let Some(heard) = known.heard else { continue };
        let (view, window) = (known.view(lot, end), ("now", end));
        let free = view.capacity - view.occupied;
        let full = view.capacity > 0 && view.occupied as f64 >= 0.98 * view.capacity as f64 - 1e-6;
        let silent = end - heard >= 10 * MINUTE && is_open(lot, end);
        for (at, place) in places(lot, district(&known, lot)).iter().enumerate() {
            made.add("free_spaces", place, window, (free, i64::from(view.live), 0));
            made.add("free_ratio", place, window, (free, view.capacity, 0));
            if at < 2 {
                made.add("full_lots", place, window, (i64::from(view.live && full), i64::from(view.live), 0));
                made.add("silent_lots", place, window, (i64::from(silent), 1, 0));
            }
        }
        for (floor, (free, known)) in view.floors {
            made.add("free_spaces", &("floor", format!("{lot}/{floor}")), window, (free, known, 0));
        }
    }
}

/// Between two instants at which anything changes, nothing does.
fn integral(lot: &'static str, events: &[&Event], from: i64, newest: i64, made: &mut Made) {
    let mut instants: Vec<i64> = events.iter().flat_map(|event| [event.time, event.time + HOLDS]).collect();
    let hour = 60 * MINUTE;
    instants.extend((from / hour..=newest / hour + 25).map(|at| at * hour)); // lots open and close on the hour
    instants.sort_unstable();
    instants.dedup();
    let pieces: Vec<(i64, i64, View, &str)> = instants
        .windows(2)
        .map(|two| (two, known(events, two[0])))
        .filter(|(_, known)| known.heard.is_some())
        .map(|(two, known)| (two[0], two[1], known.view(lot, two[0]), district(&known, lot)))
        .collect();
    for span in ["15m", "1h", "day"] {
        for (start, end) in ends(span, from, newest) {
            for (begins, until, view, district) in &pieces {
                let ms = (*until.min(&end) - *begins.max(&start)).max(0);
                if ms * view.capacity == 0 {
                    continue;
                }
                for place in places(lot, district) {
                    made.add("occupancy_ratio", &place, (span, end), (view.occupied * ms, view.capacity * ms, 0));
                }
            }
        }
    }
    for (event, _, after, _) in steps(lot, events) {
        for span in ["15m", "1h", "day"] {
            for end in holding(span, event.time, newest) {
                for place in places(lot, district(&after, lot)) {
                    made.add("occupancy_ratio", &place, (span, end), (0, 0, 1));
                }
            }
        }
    }
}

/// Snapshots, entries and exits, with the lot before and after each, and whether units that count are the same.
fn steps<'a>(lot: &str, events: &[&'a Event]) -> Vec<(&'a Event, i64, Known, bool)> {
    let (mut known, mut steps) = (Known::default(), Vec::new());
    for event in events {
        known.forget(event.time);
        let before = known.view(lot, event.time);
        known.take(event);
        let after = known.view(lot, event.time);
        if !matches!(event.what, What::Payment { .. } | What::Left { .. } | What::Settled { .. }) {
            let same = before.units == after.units;
            steps.push((*event, after.occupied - before.occupied, known.clone(), same));
        }
    }
    steps.into_iter().map(|(event, change, known, same)| (event, if same { change } else { 0 }, known, same)).collect()
}

fn trend(lot: &'static str, events: &[&Event], from: i64, newest: i64, made: &mut Made) {
    let steps = steps(lot, events);
    for (start, end) in ends("5m", from, newest) {
        let known = known(events, end);
        let view = known.view(lot, end);
        for place in places(lot, district(&known, lot)) {
            made.add("minutes_to_full", &place, ("5m", end), (view.capacity - view.occupied, 0, 0));
        }
        for (_, change, after, _) in steps.iter().filter(|step| start < step.0.time && step.0.time <= end) {
            for place in places(lot, district(after, lot)) {
                made.add("minutes_to_full", &place, ("5m", end), (0, *change, 1));
            }
        }
    }
}

fn turnover(lot: &'static str, events: &[&Event], from: i64, newest: i64, made: &mut Made) {
    for span in ["1h", "day"] {
        for (_, end) in ends(span, from, newest) {
            let known = known(events, end);
            if known.heard.is_some() && known.gated {
                let stated = !known.stated.is_empty();
                let capacity = if stated { known.stated.values().sum() } else { listed(lot) };
                for place in places(lot, home(lot)) {
                    made.add("turnover", &place, (span, end), (capacity, 0, 0));
                }
            }
        }
    }
}

fn snapshots(lot: &'static str, events: &[&Event], newest: i64, made: &mut Made) {
    for event in events {
        let What::Snapshot { capacity, occupied, district, .. } = event.what else { continue };
        let wrong = occupied < 0 || occupied > capacity;
        for end in holding("1h", event.time, newest) {
            for place in places(lot, district.unwrap_or(home(lot))) {
                made.add("snapshots", &place, ("1h", end), (1, 1, 1));
                if wrong {
                    made.add("violations", &place, ("1h", end), (1, 1, 1));
                }
            }
        }
    }
}
