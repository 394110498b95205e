//! The 12345 hotline by hand: small logs, and the arithmetic that their figures must come to. A family of figures a file.
//!
//! 2026-11-20 is a Friday.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

#[path = "../../../../tests/golden/figures.rs"]
mod figures;

mod callbacks;
mod calls;
mod created;
mod handling;
mod live;
mod on_time;
mod open;
mod response;
mod rework;
mod waiting;

use serde_json::{Value, json};
use yiping_event::Stream;
use yiping_hotline::Hotline;

use figures::{Figure, Figures, Log, assert_catalogued, stamp};

fn log() -> Log {
    Log::of(Stream::Hotline)
}

fn call(id: &str, event: &str) -> Value {
    json!({"call_id": id, "event": event, "district": "环翠区"})
}

fn waited(id: &str, event: &str, wait_s: f64) -> Value {
    json!({"call_id": id, "event": event, "district": "环翠区", "wait_s": wait_s})
}

/// An order of the district 环翠区, of a category that the profile knows no limit for, with the agency 住建.
fn created(id: &str) -> Value {
    json!({"order_id": id, "event": "created", "category": "路灯", "district": "环翠区", "agency": "住建"})
}

/// The same, due at a time.
fn due(id: &str, due: &str) -> Value {
    let mut order = created(id);
    order["due"] = stamp(due).into();
    order
}

fn direct(id: &str) -> Value {
    let mut order = created(id);
    order["direct"] = true.into();
    order
}

fn step(id: &str, event: &str) -> Value {
    json!({"order_id": id, "event": event})
}

fn extended(id: &str, due: &str) -> Value {
    json!({"order_id": id, "event": "extended", "due": stamp(due)})
}

fn city(figures: &Figures, metric: &str, span: &str, end: &str) -> Option<Figure> {
    figures.get(metric, "city", "city", span, end)
}

/// The same figure at the levels that an order of [`created`] counts at.
fn everywhere(figures: &Figures, metric: &str, span: &str, end: &str) -> Option<Figure> {
    let figure = city(figures, metric, span, end);
    for (level, key) in [("district", "环翠区"), ("category", "路灯"), ("agency", "住建")] {
        assert_eq!(figures.get(metric, level, key, span, end), figure, "{metric} {level} {end}");
    }
    figure
}

fn count(n: i64) -> Option<Figure> {
    Some((Some(n as f64), n as f64, 1.0, n))
}

/// A state: so many now, of so many that ever were there.
fn gauge(now: f64, ever: i64) -> Option<Figure> {
    Some((Some(now), now, 1.0, ever))
}

fn ratio(numerator: f64, denominator: f64) -> Option<Figure> {
    Some((Some(numerator / denominator), numerator, denominator, denominator as i64))
}

/// A ratio of fewer than five: published, and NULL.
fn few(numerator: f64, denominator: f64) -> Option<Figure> {
    Some((None, numerator, denominator, denominator as i64))
}

/// Every row's digits but its revision.
fn digits(figures: &Figures) -> Vec<(String, String, String, &'static str, Figure)> {
    let row = |row: &yiping_runner::OfflineRow| {
        let figure = (row.value, row.numerator, row.denominator, row.n);
        (row.metric.to_string(), row.key.to_string(), row.window_end.to_string(), row.span, figure)
    };
    figures.rows.iter().map(row).collect()
}

#[test]
fn every_metric_of_the_catalogue_speaks_at_its_levels_and_spans_and_no_other() {
    let mut order = due("o", "10:30:00");
    order["category"] = "供热供水".into(); // a limit of 2 h until the first contact: within this log's windows
    let log = log()
        .at("10:00:00", "call", call("a", "offered"))
        .at("10:00:20", "call", waited("a", "answered", 20.0))
        .at("10:03:20", "call", json!({"call_id": "a", "event": "ended", "talk_s": 150}))
        .at("10:04:00", "order", order)
        .at("10:05:00", "order", step("o", "dispatched"))
        .at("10:06:00", "order", step("o", "contacted"))
        .at("10:08:00", "order", step("o", "closed"))
        .at("10:09:00", "callback", json!({"order_id": "o", "resolved": true, "satisfied": false}));
    // a surge is found by `watch`, among the rows of weeks
    let mut figures = log.figures::<Hotline>();
    let surges = figures.rows.iter().filter(|row| row.metric == "hotline.orders").cloned();
    let surges: Vec<_> = surges
        .filter(|row| (row.level, row.span) == ("district_category", "30m"))
        .map(|row| yiping_runner::OfflineRow { metric: "hotline.surge".into(), ..row })
        .collect();
    figures.rows.extend(surges);
    assert_catalogued(Stream::Hotline, &figures);
}
