//! What follows from sessions and payments.

use std::collections::BTreeMap;

use super::{Figure, HOUR, Made, ends, holding, home, places};
use crate::log::{CHANNELS, Event, Log, What};

/// Adds to every window of some spans that holds `time`, [start, end).
struct Flows<'a> {
    from: i64,
    newest: i64,
    made: &'a mut Made,
}

impl Flows<'_> {
    fn add(&mut self, metric: &str, spans: &[&'static str], lot: &str, time: i64, sums: (i64, i64, i64)) {
        for place in places(lot, home(lot)) {
            self.at(metric, spans, &place, time, sums);
        }
    }

    fn at(
        &mut self,
        metric: &str,
        spans: &[&'static str],
        place: &(&'static str, String),
        time: i64,
        sums: (i64, i64, i64),
    ) {
        for span in spans {
            for end in holding(span, time, self.newest) {
                self.made.add(metric, place, (span, end), sums);
            }
        }
    }
}

/// Before which time things were too late when each event came, by the event's id: an hour and five seconds behind the newest event
/// so far, itself included.
fn horizons(log: &Log) -> BTreeMap<usize, i64> {
    let mut newest = i64::MIN / 2;
    let mut horizons = BTreeMap::new();
    for event in &log.events {
        newest = newest.max(event.time);
        horizons.insert(event.id, newest - HOUR - 5_000);
    }
    horizons
}

pub fn add(log: &Log, sorted: &[&Event], from: i64, newest: i64, made: &mut Made) {
    let horizons = horizons(log);
    let mut flows = Flows { from, newest, made };
    let mut dwells = Vec::new();
    for session in 0..36 {
        let of = |event: &&&Event| match event.what {
            What::Entry { session: one, .. } | What::Exit { session: one, .. } => one == session,
            What::Left { session: one, .. } | What::Settled { session: one, .. } => one == session,
            _ => false,
        };
        let events: Vec<&Event> = sorted.iter().filter(of).copied().collect();
        stay(&events, &horizons, &mut flows, &mut dwells);
        credit(&events, &mut flows);
    }
    percentiles(&dwells, &mut flows);
    for event in sorted {
        payment(event, &mut flows);
    }
}

fn stay(
    events: &[&Event],
    horizons: &BTreeMap<usize, i64>,
    flows: &mut Flows<'_>,
    dwells: &mut Vec<(&'static str, i64, i64)>,
) {
    let entry = events.iter().find(|event| matches!(event.what, What::Entry { .. })).map(|event| event.time);
    let exits: Vec<&&Event> = events.iter().filter(|event| matches!(event.what, What::Exit { .. })).collect();
    let told = exits.first().and_then(|exit| if let What::Exit { told, .. } = exit.what { told } else { None });
    if let Some(lot) = events.first().map(|event| event.lot) {
        // what an exit tells counts unless it was too late when it was first told
        let first_told = exits.iter().map(|exit| horizons[&exit.id]).min();
        let told = told.filter(|told| first_told.is_some_and(|horizon| *told >= horizon));
        if let Some(began) = entry.or(told) {
            flows.add("turnover", &["1h", "day"], lot, began, (0, 1, 1));
        }
    }
    let Some(exit) = exits.first() else { return };
    let unmatched = entry.is_none_or(|entry| entry > exit.time);
    flows.add("unmatched_exit_ratio", &["1h"], exit.lot, exit.time, (i64::from(unmatched), 1, 1));
    let Some(began) = entry.or(told).filter(|began| *began <= exit.time) else { return };
    let dwell = exit.time - began;
    flows.add("dwell_mean_s", &["1h", "day"], exit.lot, exit.time, (dwell, 1, 1));
    dwells.push((exit.lot, exit.time, dwell));
}

/// The 90th percentile, nearest rank.
fn percentiles(dwells: &[(&'static str, i64, i64)], flows: &mut Flows<'_>) {
    let mut windows: BTreeMap<(&str, String, &'static str, i64), Vec<i64>> = BTreeMap::new();
    for (lot, time, dwell) in dwells {
        for span in ["1h", "day"] {
            for end in holding(span, *time, flows.newest) {
                for (level, key) in places(lot, home(lot)) {
                    windows.entry((level, key, span, end)).or_default().push(*dwell);
                }
            }
        }
    }
    for ((level, key, span, end), mut dwells) in windows {
        dwells.sort_unstable();
        let n = dwells.len();
        let value = (n >= 5).then(|| dwells[(n * 9).div_ceil(10) - 1] as f64 / 1_000.0);
        let level = ["city", "district", "lot"].into_iter().find(|name| *name == level).unwrap();
        let id = ("parking.dwell_p90_s".to_owned(), level, key, span, end);
        flows.made.rows.insert(id, Figure { value, num: 0.0, den: n as f64, n: n as i64 });
    }
}

fn credit(events: &[&Event], flows: &mut Flows<'_>) {
    let left = events.iter().find(|event| matches!(event.what, What::Left { .. }));
    let settled = events.iter().find(|event| matches!(event.what, What::Settled { .. }));
    let Some((lot, since, What::Left { fen: owed, due, .. })) = left.map(|event| (event.lot, event.time, &event.what))
    else {
        return;
    };
    let paid = settled
        .and_then(|event| if let What::Settled { fen, .. } = event.what { Some((event.time, fen)) } else { None });
    for (_, end) in ends("now", flows.from, flows.newest).into_iter().filter(|(_, end)| since <= *end) {
        let paid = paid.filter(|(time, _)| *time <= end).map(|(_, fen)| fen);
        let open = (owed - paid.unwrap_or(0)).max(0);
        let is_open = paid.is_none() || open > 0;
        for place in places(lot, home(lot)) {
            flows.made.add("credit_open_fen", &place, ("now", end), (open, i64::from(is_open), 0));
        }
    }
    if let Some(due) = due {
        let overdue = paid.is_none_or(|(time, _)| time > *due);
        flows.add("credit_overdue_ratio", &["day"], lot, *due, (i64::from(overdue), 1, 1));
    }
}

fn payment(event: &Event, flows: &mut Flows<'_>) {
    let What::Payment { channel, fen, ok } = event.what else { return };
    if CHANNELS[channel] == "waived" {
        return;
    }
    let at = |channel: &str| ("channel", channel.to_owned());
    let failed = (i64::from(!ok), 1, 1);
    flows.add("payment_failure_ratio", &["15m", "1h"], event.lot, event.time, failed);
    flows.at("payment_failure_ratio", &["15m", "1h"], &at(CHANNELS[channel]), event.time, failed);
    if !ok {
        return;
    }
    for other in CHANNELS.iter().filter(|other| **other != "waived") {
        let is_it = i64::from(*other == CHANNELS[channel]);
        flows.at("payment_share", &["1h", "day"], &at(other), event.time, (is_it, 1, 1));
        flows.at("payment_amount_share", &["1h", "day"], &at(other), event.time, (is_it * fen, fen, 0));
    }
    let seamless = i64::from(["etc", "ccb_seamless"].contains(&CHANNELS[channel]));
    flows.add("seamless_ratio", &["1h", "day"], event.lot, event.time, (seamless, 1, 1));
}
