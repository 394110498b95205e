//! Parking by hand: small logs, and the arithmetic that their figures must come to.

#[path = "../../../tests/golden/figures.rs"]
mod figures;

use serde_json::{Value, json};
use yiping_event::Stream;
use yiping_parking::Parking;

use figures::{Figures, Log, assert_any_order, assert_catalogued};

/// P001 and P003 are lots of 环翠区 in the profile, P245 is one of 荣成市.
fn log() -> Log {
    Log::of(Stream::Parking)
}

fn snapshot(lot: &str, capacity: i64, occupied: i64) -> Value {
    json!({"lot_id": lot, "capacity": capacity, "occupied": occupied})
}

fn floor(lot: &str, floor: &str, capacity: i64, occupied: i64) -> Value {
    json!({"lot_id": lot, "floor": floor, "capacity": capacity, "occupied": occupied})
}

fn car(lot: &str) -> Value {
    json!({"lot_id": lot, "session_id": "s"})
}

/// A lot elsewhere whose only use is that time goes on.
fn later(log: Log, time: &str) -> Log {
    log.at(time, "snapshot", snapshot("P245", 570, 570))
}

fn free(figures: &Figures, lot: &str, end: &str) -> Option<f64> {
    figures.value("parking.free_spaces", "lot", lot, "now", end)
}

#[test]
fn free_spaces_are_the_last_snapshot_and_who_came_and_went_since() {
    let log = log()
        .at("10:00:00", "snapshot", snapshot("P001", 100, 40)) // 60 free
        .at("10:00:30", "entry", car("P001"))
        .at("10:00:40", "entry", car("P001")) // 58
        .at("10:01:30", "exit", car("P001")) // 59
        .at("10:02:30", "snapshot", snapshot("P001", 100, 70)); // 30: the snapshot counts, not the gates
    let figures = later(log, "10:04:00").figures::<Parking>();
    let at = |end| free(&figures, "P001", end);
    assert_eq!(
        (at("10:00:00"), at("10:01:00"), at("10:02:00"), at("10:03:00")),
        (Some(60.0), Some(58.0), Some(59.0), Some(30.0))
    );
    assert_eq!(
        figures.get("parking.free_spaces", "district", "环翠区", "now", "10:03:00"),
        Some((Some(30.0), 30.0, 1.0, 1))
    );
    // two lots in the city by 10:04, the other one full: 30 + 0
    assert_eq!(figures.get("parking.free_spaces", "city", "city", "now", "10:04:00"), Some((Some(30.0), 30.0, 1.0, 2)));
    assert_eq!(at("09:59:00"), None);
}

#[test]
fn a_state_holds_for_sixty_minutes_then_the_lot_is_silent() {
    // last heard at 10:01:30: known until 11:01:30
    let log = log().at("10:00:00", "snapshot", snapshot("P001", 100, 40)).at("10:01:30", "entry", car("P001"));
    let figures = later(log, "11:05:00").figures::<Parking>();
    assert_eq!(free(&figures, "P001", "11:01:00"), Some(59.0));
    assert_eq!((free(&figures, "P001", "11:02:00"), free(&figures, "P001", "11:05:00")), (None, None));
    assert_eq!(figures.get("parking.free_spaces", "district", "环翠区", "now", "11:02:00"), None);
    assert_eq!(figures.get("parking.free_spaces", "city", "city", "now", "11:05:00"), Some((Some(0.0), 0.0, 1.0, 1)));
}

#[test]
fn a_full_lot_is_zero_and_neither_absent_nor_negative() {
    // 98 of 100, five come in (103 by count): 0 free; four leave (99): 1 free
    let mut log = log().at("10:00:00", "snapshot", snapshot("P001", 100, 98));
    for second in 10..15 {
        log = log.at(&format!("10:00:{second}"), "entry", car("P001"));
    }
    for second in 10..14 {
        log = log.at(&format!("10:01:{second}"), "exit", car("P001"));
    }
    let figures = later(log, "10:03:00").figures::<Parking>();
    assert_eq!(figures.get("parking.free_spaces", "lot", "P001", "now", "10:01:00"), Some((Some(0.0), 0.0, 1.0, 1)));
    assert_eq!(free(&figures, "P001", "10:02:00"), Some(1.0));
}

#[test]
fn more_exits_than_cars_leave_the_lot_empty_not_emptier() {
    // 1 of 100, three go out (−2 by count): 100 free, one comes in (−1): still 100
    let mut log = log().at("10:00:00", "snapshot", snapshot("P001", 100, 1));
    for second in 10..13 {
        log = log.at(&format!("10:00:{second}"), "exit", car("P001"));
    }
    let figures = later(log.at("10:01:10", "entry", car("P001")), "10:03:00").figures::<Parking>();
    assert_eq!((free(&figures, "P001", "10:01:00"), free(&figures, "P001", "10:02:00")), (Some(100.0), Some(100.0)));
}

#[test]
fn a_closed_lot_adds_nothing_and_opens_again() {
    let mut closed = snapshot("P001", 100, 40);
    closed["open"] = false.into();
    let log = log().at("10:00:00", "snapshot", snapshot("P001", 100, 40)).at("10:05:00", "snapshot", closed);
    let figures = later(log.at("10:10:00", "snapshot", snapshot("P001", 100, 30)), "10:15:00").figures::<Parking>();
    let at = |end| free(&figures, "P001", end);
    assert_eq!((at("10:04:00"), at("10:05:00"), at("10:09:00"), at("10:10:00")), (Some(60.0), None, None, Some(70.0)));
    // over open time only: (40 × 5 + 30 × 5) / (100 × 10) = 0.35
    let ratio = figures.get("parking.occupancy_ratio", "lot", "P001", "15m", "10:15:00");
    assert_eq!(ratio, Some((Some(0.35), 350.0 * 60_000.0, 1_000.0 * 60_000.0, 3)));
}

#[test]
fn an_entry_to_a_lot_that_nobody_has_counted_says_nothing() {
    let figures = later(log().at("10:00:00", "entry", car("P001")), "10:01:00").figures::<Parking>();
    assert_eq!(free(&figures, "P001", "10:00:00"), None);
}

#[test]
fn a_lot_is_the_sum_of_its_floors() {
    let mut to_f1 = car("P001");
    to_f1["floor"] = "F1".into();
    let log = log()
        .at("10:00:00", "snapshot", floor("P001", "F1", 50, 10)) // 40 free
        .at("10:00:00", "snapshot", floor("P001", "F2", 30, 30)) // 0 free: 40 in all
        .at("10:00:30", "entry", car("P001")) // no floor said: the total moves, 39
        .at("10:01:30", "entry", to_f1) // F1 39, in all 39 + 0 − 1 = 38
        .at("10:02:30", "snapshot", floor("P001", "F2", 30, 29)); // F2 1; a snapshot ends the guess: 39 + 1 = 40
    let figures = later(log, "10:04:00").figures::<Parking>();
    let row = |end| {
        let at = |name| figures.value("parking.free_spaces", "floor", name, "now", end).unwrap();
        (at("P001/F1"), at("P001/F2"), free(&figures, "P001", end).unwrap())
    };
    assert_eq!(row("10:00:00"), (40.0, 0.0, 40.0));
    assert_eq!(row("10:01:00"), (40.0, 0.0, 39.0));
    assert_eq!(row("10:02:00"), (39.0, 0.0, 38.0));
    assert_eq!(row("10:03:00"), (39.0, 1.0, 40.0));
}

#[test]
fn a_floor_falls_silent_by_itself_and_the_lot_keeps_the_others() {
    let log = log()
        .at("10:00:00", "snapshot", floor("P001", "F1", 50, 10)) // until 11:00
        .at("10:30:00", "snapshot", floor("P001", "F2", 30, 20)); // until 11:30
    let figures = later(log, "11:40:00").figures::<Parking>();
    let at = |end| free(&figures, "P001", end);
    assert_eq!(
        (at("10:59:00"), at("11:00:00"), at("11:29:00"), at("11:30:00")),
        (Some(50.0), Some(10.0), Some(10.0), None)
    );
    assert_eq!(figures.value("parking.free_spaces", "floor", "P001/F1", "now", "11:00:00"), None);
}

#[test]
fn a_gate_that_names_a_floor_moves_a_lot_that_is_counted_as_a_whole() {
    let mut to_f1 = car("P001");
    to_f1["floor"] = "F1".into();
    let log = log().at("10:00:00", "snapshot", snapshot("P001", 100, 40)).at("10:00:30", "entry", to_f1);
    let figures = later(log, "10:02:00").figures::<Parking>();
    assert_eq!((free(&figures, "P001", "10:00:00"), free(&figures, "P001", "10:01:00")), (Some(60.0), Some(59.0)));
}

#[test]
fn occupancy_is_the_integral_over_time_whatever_order_snapshots_come_in() {
    // 40 from 10:00, 50 from 10:05 (comes last), 60 from 10:10, of 100
    let log = log()
        .at("10:00:00", "snapshot", snapshot("P001", 100, 40))
        .at("10:10:00", "snapshot", snapshot("P001", 100, 60))
        .at("10:05:00", "snapshot", snapshot("P001", 100, 50));
    let figures = later(log, "11:30:00").figures::<Parking>();
    let ratio = |span, end| figures.get("parking.occupancy_ratio", "lot", "P001", span, end);
    // [10:00, 10:15): 40 × 5 + 50 × 5 + 60 × 5 = 750 space-minutes of 1,500
    assert_eq!(ratio("15m", "10:15:00"), Some((Some(0.5), 750.0 * 60_000.0, 1_500.0 * 60_000.0, 3)));
    // [09:50, 10:05): 40 × 5 of 100 × 5, as it is
    assert_eq!(ratio("15m", "10:05:00"), Some((Some(0.4), 200.0 * 60_000.0, 500.0 * 60_000.0, 1)));
    // [10:00, 11:00): 200 + 250 + 60 × 50 = 3,450 of 6,000
    assert_eq!(ratio("1h", "11:00:00"), Some((Some(0.575), 3_450.0 * 60_000.0, 6_000.0 * 60_000.0, 3)));
    // [11:00, 12:00): silent from 11:10 on: 60 × 10 of 100 × 10, no step in it
    assert_eq!(ratio("1h", "12:00:00"), Some((Some(0.6), 600.0 * 60_000.0, 1_000.0 * 60_000.0, 0)));
    // [11:10, 11:25): nothing
    assert_eq!(ratio("15m", "11:25:00"), None);
    // the day: 200 + 250 + 60 × 60 = 4,050 of 7,000
    assert_eq!(ratio("day", "21T00:00:00"), Some((Some(4_050.0 / 7_000.0), 4_050.0 * 60_000.0, 7_000.0 * 60_000.0, 3)));
}

#[test]
fn occupancy_of_impossible_counts_is_clamped() {
    // 130 of 100 for five minutes counts as 100, −20 as 0, and lost exits fill the lot no further than full
    let mut log = log()
        .at("10:00:00", "snapshot", snapshot("P001", 100, 130))
        .at("10:05:00", "snapshot", snapshot("P001", 100, -20))
        .at("10:10:00", "snapshot", snapshot("P001", 100, 99));
    for second in 0..10 {
        log = log.at(&format!("10:10:00.0{second}0"), "entry", car("P001"));
    }
    let figures = later(log, "10:15:00").figures::<Parking>();
    // 100 × 5 + 0 × 5, then 99 for 0 ms (the first car comes at once) and 100 × 5: 1,000 of 1,500 space-minutes
    let (value, occupied, capacity, n) =
        figures.get("parking.occupancy_ratio", "lot", "P001", "15m", "10:15:00").unwrap();
    assert_eq!((occupied, capacity, n), (1_000.0 * 60_000.0, 1_500.0 * 60_000.0, 13));
    assert!((value.unwrap() - 2.0 / 3.0).abs() < 1e-12);
}

#[test]
fn occupancy_of_city_and_district_adds_lots_up() {
    // 40 of 100 and 10 of 300 in 环翠区: 50 of 400; 570 of 570 in 荣成市: 620 of 970 in the city; for 15 minutes each
    let log = log()
        .at("10:00:00", "snapshot", snapshot("P001", 100, 40))
        .at("10:00:00", "snapshot", snapshot("P003", 300, 10))
        .at("10:00:00", "snapshot", snapshot("P245", 570, 570));
    let figures = log.figures::<Parking>();
    let ratio = |level, key| figures.value("parking.occupancy_ratio", level, key, "15m", "10:15:00");
    assert_eq!(ratio("district", "环翠区"), Some(50.0 / 400.0));
    assert_eq!(ratio("city", "city"), Some(620.0 / 970.0));
}

#[test]
fn violations_count_what_cannot_be() {
    let mut unknown = snapshot("X9", 10, 11);
    unknown["district"] = "经开区".into();
    let figures = log()
        .at("10:00:00", "snapshot", snapshot("P001", 100, 101)) // too many
        .at("10:01:00", "snapshot", snapshot("P001", 100, -1)) // too few
        .at("10:02:00", "snapshot", snapshot("P001", 100, 100)) // full
        .at("10:03:00", "snapshot", snapshot("P001", 100, 0)) // empty
        .at("10:04:00", "snapshot", unknown)
        .at("10:05:00", "snapshot", snapshot("X8", 10, 11))
        .figures::<Parking>();
    let count = |level, key| figures.get("parking.violations", level, key, "1h", "11:00:00");
    assert_eq!(count("lot", "P001"), Some((Some(2.0), 2.0, 1.0, 2)));
    assert_eq!(count("district", "环翠区"), Some((Some(2.0), 2.0, 1.0, 2)));
    // a lot that the profile doesn't know is where its snapshot says, else elsewhere
    assert_eq!(
        (count("district", "经开区"), count("district", "其他")),
        (Some((Some(1.0), 1.0, 1.0, 1)), Some((Some(1.0), 1.0, 1.0, 1)))
    );
    assert_eq!(count("city", "city"), Some((Some(4.0), 4.0, 1.0, 4)));
    // [10:01, 11:01) has lost the first one
    assert_eq!(figures.value("parking.violations", "lot", "P001", "1h", "11:01:00"), Some(1.0));
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
fn every_metric_of_the_catalogue_speaks_at_its_levels_and_spans_and_no_other() {
    let log = log().at("10:00:00", "snapshot", floor("P001", "F1", 50, 51)).at("10:00:30", "entry", car("P001")).at(
        "10:02:00",
        "snapshot",
        snapshot("P003", 100, 40),
    );
    assert_catalogued(Stream::Parking, &log.figures::<Parking>());
}
