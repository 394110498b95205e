//! Free spaces, free ratio, full lots.

use serde_json::json;
use yiping_parking::Parking;

use crate::{car, floor, free, later, log, snapshot};

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
fn free_ratio_and_full_lots_are_of_lots_that_are_known() {
    // free 60 of 100, 2 of 100 (98 %: full), 5 of 200 (97.5 %: not full), 0 of 0 (no space: not full); P002 was never counted
    let log = log()
        .at("10:00:00", "snapshot", snapshot("P001", 100, 40))
        .at("10:00:00", "snapshot", snapshot("P003", 100, 98))
        .at("10:00:00", "snapshot", snapshot("P004", 200, 195))
        .at("10:00:00", "entry", car("P002"))
        .at("10:00:00", "snapshot", snapshot("P245", 0, 0))
        .at("10:05:00", "snapshot", snapshot("P245", 0, 0));
    let figures = log.clone().figures::<Parking>();
    let get = |metric, level, key| figures.get(metric, level, key, "now", "10:01:00");
    // 67 of 400 = 0.1675
    assert_eq!(get("parking.free_ratio", "district", "环翠区"), Some((Some(0.1675), 67.0, 400.0, 400)));
    assert_eq!(get("parking.free_ratio", "city", "city"), Some((Some(0.1675), 67.0, 400.0, 400)));
    assert_eq!(get("parking.free_ratio", "lot", "P001"), Some((Some(0.6), 60.0, 100.0, 100)));
    assert_eq!(get("parking.free_ratio", "lot", "P002"), None);
    assert_eq!(get("parking.full_lots", "district", "环翠区"), Some((Some(1.0), 1.0, 1.0, 3)));
    assert_eq!(get("parking.full_lots", "city", "city"), Some((Some(1.0), 1.0, 1.0, 4)));
    // a car that came in at 10:00:30, and of which is told late: 196 of 200 = 98 %, so two are full; 66 of 400 free
    let figures = log.at("10:00:30", "entry", car("P004")).figures::<Parking>();
    assert_eq!(
        figures.get("parking.full_lots", "district", "环翠区", "now", "10:01:00"),
        Some((Some(2.0), 2.0, 1.0, 3))
    );
    assert_eq!(figures.value("parking.free_ratio", "district", "环翠区", "now", "10:01:00"), Some(0.165));
    assert_eq!(figures.value("parking.full_lots", "district", "环翠区", "now", "10:00:00"), Some(1.0));
}

#[test]
fn outside_its_hours_a_lot_has_no_free_spaces_whatever_it_says() {
    // P005 is open 06:00-22:00
    let log = log()
        .at("21:50:00", "snapshot", snapshot("P005", 100, 40))
        .at("22:10:00", "snapshot", snapshot("P005", 100, 30))
        .at("21T05:30:00", "snapshot", snapshot("P005", 100, 10))
        .at("21T06:20:00", "snapshot", snapshot("P003", 100, 50));
    let figures = log.figures::<Parking>();
    let at = |end| free(&figures, "P005", end);
    assert_eq!((at("21:59:00"), at("22:00:00"), at("22:11:00")), (Some(60.0), None, None));
    // what was said before it opened holds when it does
    assert_eq!((at("21T05:59:00"), at("21T06:00:00"), at("21T06:20:00")), (None, Some(90.0), Some(90.0)));
    for metric in ["parking.free_ratio", "parking.full_lots"] {
        assert_eq!(figures.get(metric, "district", "环翠区", "now", "22:11:00"), None, "{metric}");
        assert!(figures.get(metric, "district", "环翠区", "now", "21T06:00:00").is_some(), "{metric}");
    }
}

#[test]
fn blank_is_not_zero() {
    // a counter that has nothing to say has not said 0: refused, and the lot stays unknown
    let mut blank = snapshot("P001", 100, 0);
    blank["occupied"] = json!(null);
    let mut empty = snapshot("P003", 100, 0);
    empty["occupied"] = json!("");
    let log = log().at("10:00:00", "snapshot", blank).at("10:00:00", "snapshot", empty);
    let figures = later(log, "10:01:00").figures::<Parking>();
    assert_eq!(figures.counters.rejected, 2);
    assert_eq!((free(&figures, "P001", "10:01:00"), free(&figures, "P003", "10:01:00")), (None, None));
}

#[test]
fn polls_that_repeat_the_same_update_move_nothing() {
    let log = log()
        .at("10:00:00", "snapshot", snapshot("P001", 100, 40))
        .at("10:01:00", "entry", car("P001"))
        .at("10:01:00", "snapshot", snapshot("P001", 100, 41))
        .at("10:02:00", "snapshot", snapshot("P001", 100, 41));
    let again = log.lines()[1].clone(); // the very same entry
    let figures = later(log.again(again), "10:04:00").figures::<Parking>();
    assert_eq!(figures.counters.duplicates, 1);
    // the snapshot of 10:01 comes before the entry of the same millisecond: 41 and one more, until the next snapshot says 41
    assert_eq!((free(&figures, "P001", "10:01:00"), free(&figures, "P001", "10:03:00")), (Some(58.0), Some(59.0)));
    assert_eq!(figures.value("parking.snapshots", "lot", "P001", "1h", "11:00:00"), Some(3.0));
}
