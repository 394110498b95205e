//! Parking by hand: small logs, and the arithmetic that their figures must come to. One file a family of figures.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

#[path = "../../../../tests/golden/figures.rs"]
mod figures;

mod credits;
mod filling;
mod live;
mod occupancy;
mod payments;
mod silence;
mod snapshots;
mod space;
mod state;
mod stays;
mod turnover;

use serde_json::{Value, json};
use yiping_event::Stream;
use yiping_parking::Parking;

use figures::{Figures, Log, assert_any_order, assert_catalogued, stamp};

/// P001 (180 spaces), P003 (420), P004 (90) and P005 (180, open 06:00-22:00) are lots of 环翠区 in the profile, P245 (570, open
/// 06:00-22:00) is one of 荣成市.
fn log() -> Log {
    Log::of(Stream::Parking)
}

fn snapshot(lot: &str, capacity: i64, occupied: i64) -> Value {
    json!({"lot_id": lot, "capacity": capacity, "occupied": occupied})
}

fn floor(lot: &str, floor: &str, capacity: i64, occupied: i64) -> Value {
    json!({"lot_id": lot, "floor": floor, "capacity": capacity, "occupied": occupied})
}

/// An entry or exit of nobody in particular.
fn car(lot: &str) -> Value {
    session(lot, "s")
}

fn session(lot: &str, session: &str) -> Value {
    json!({"lot_id": lot, "session_id": session})
}

/// An exit whose gate knows when the car came.
fn told(lot: &str, session: &str, entry_time: &str) -> Value {
    json!({"lot_id": lot, "session_id": session, "entry_time": stamp(entry_time)})
}

/// A lot elsewhere whose only use is that time goes on.
fn later(log: Log, time: &str) -> Log {
    log.at(time, "snapshot", snapshot("P245", 570, 570))
}

fn free(figures: &Figures, lot: &str, end: &str) -> Option<f64> {
    figures.value("parking.free_spaces", "lot", lot, "now", end)
}

#[test]
fn i7_a_snapshot_received_twice_counts_once() {
    let log = log().at("10:00:00", "snapshot", snapshot("P001", 100, 101));
    let twice = log.lines()[0].clone();
    let figures = log.again(twice).figures::<Parking>();
    assert_eq!((figures.counters.accepted, figures.counters.duplicates), (1, 1));
    assert_eq!(figures.value("parking.violations", "lot", "P001", "1h", "11:00:00"), Some(1.0));
}

#[test]
fn i8_the_order_in_which_events_come_changes_no_digit() {
    let mut log = log();
    for at in 0..40 {
        let time = format!("10:{:02}:{:02}", at * 80 / 60, at * 80 % 60);
        log = match at % 8 {
            0 => log.at(&time, "snapshot", snapshot("P001", 100, at * 3 - 10)),
            1 | 5 => log.at(&time, "entry", car("P001")),
            2 => log.at(&time, "exit", car("P003")),
            3 => log.at(&time, "snapshot", floor("P003", "F1", 50, at + 15)),
            4 => log.at(&time, "snapshot", floor("P003", "F2", 30, 40 - at)),
            6 => log.at(&time, "entry", car("P003")),
            _ => log.at(&time, "exit", car("P001")),
        };
    }
    assert_any_order::<Parking>(&log);
}

#[test]
fn i8_sessions_paid_owed_and_left_in_any_order() {
    let mut log = log();
    for at in 0..12 {
        let (id, minute) = (format!("s{at}"), at * 3);
        let time = |second: i32| format!("10:{:02}:{second:02}", minute + at % 3);
        log = match at % 4 {
            0 => log.at(&time(1), "entry", session("P001", &id)).at(&time(50), "exit", session("P001", &id)),
            1 => log.at(&time(2), "exit", told("P005", &id, "09:40:00")).at(
                &time(40),
                "payment",
                paid("P005", &id, "cash", 300, "ok"),
            ),
            2 => log.at(&time(3), "credit", owed("P001", &id, 900, "10:36:00")).at(
                &format!("10:{:02}:00", minute + 6),
                "credit",
                json!({"lot_id": "P001", "session_id": id, "event": "settled", "amount_fen": 900}),
            ),
            _ => log.at(&time(4), "exit", session("P003", &id)).at(&time(9), "entry", session("P003", &id)).at(
                &time(8),
                "payment",
                paid("P003", &id, "app", 300, "failed"),
            ),
        };
    }
    assert_any_order::<Parking>(&log);
}

fn paid(lot: &str, session: &str, channel: &str, amount_fen: i64, result: &str) -> Value {
    json!({"lot_id": lot, "session_id": session, "channel": channel, "amount_fen": amount_fen, "result": result})
}

fn owed(lot: &str, session: &str, amount_fen: i64, due: &str) -> Value {
    json!({"lot_id": lot, "session_id": session, "event": "left_unpaid", "amount_fen": amount_fen, "due": stamp(due)})
}

#[test]
fn every_metric_of_the_catalogue_speaks_at_its_levels_and_spans_and_no_other() {
    let log = log()
        .at("10:00:00", "snapshot", floor("P001", "F1", 50, 51))
        .at("10:00:30", "entry", car("P001"))
        .at("10:00:40", "payment", paid("P001", "s", "app", 300, "ok"))
        .at("10:00:50", "exit", car("P001"))
        .at("10:01:00", "credit", owed("P001", "s", 300, "10:01:30"))
        .at("10:02:00", "snapshot", snapshot("P003", 100, 40));
    assert_catalogued(Stream::Parking, &log.figures::<Parking>());
}
