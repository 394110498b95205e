//! Silent lots.

use serde_json::json;
use yiping_parking::Parking;

use crate::{car, log, session, snapshot};

#[test]
fn a_lot_without_any_event_for_ten_minutes_is_silent() {
    let mut payment = session("P001", "s");
    (payment["channel"], payment["amount_fen"], payment["result"]) = (json!("wechat"), json!(500), json!("ok"));
    let log = log()
        .at("10:00:00", "snapshot", snapshot("P001", 100, 40))
        .at("10:00:00", "snapshot", snapshot("P002", 100, 40))
        .at("10:00:00", "snapshot", snapshot("P003", 100, 40))
        .at("10:00:00", "snapshot", snapshot("P004", 100, 40))
        .at("10:00:00", "entry", car("P006")) // also a lot that nobody has counted is connected
        .at("10:05:00", "entry", car("P002"))
        .at("10:08:00", "payment", payment) // a payment is a sign of life, too
        .at("10:09:00", "snapshot", snapshot("P003", 100, 40))
        .at("10:20:00", "exit", car("P004"))
        .at("10:21:00", "exit", car("P004"));
    let figures = log.clone().figures::<Parking>();
    let ratio = |end| figures.get("parking.silent_lots", "district", "环翠区", "now", end);
    assert_eq!(ratio("10:09:00"), Some((Some(0.0), 0.0, 5.0, 5)));
    assert_eq!(ratio("10:10:00"), Some((Some(0.4), 2.0, 5.0, 5))); // P004, P006
    assert_eq!(ratio("10:15:00"), Some((Some(0.6), 3.0, 5.0, 5))); // and P002
    assert_eq!(ratio("10:18:00"), Some((Some(0.8), 4.0, 5.0, 5))); // and P001
    assert_eq!(ratio("10:19:00"), Some((Some(1.0), 5.0, 5.0, 5))); // and P003
    assert_eq!(ratio("10:20:00"), Some((Some(0.8), 4.0, 5.0, 5))); // P004 is back
    assert_eq!(figures.value("parking.silent_lots", "city", "city", "now", "10:15:00"), Some(0.6));
    // P006 was heard of at 10:05, which is told late: not silent before 10:15
    let figures = log.at("10:05:00", "exit", car("P006")).figures::<Parking>();
    let ratio = |end| figures.value("parking.silent_lots", "city", "city", "now", end);
    assert_eq!((ratio("10:10:00"), ratio("10:14:00"), ratio("10:15:00")), (Some(0.2), Some(0.2), Some(0.6)));
}

#[test]
fn a_lot_is_silent_within_its_hours_only() {
    // P005 is open 06:00-22:00: silent from 21:55 to 22:00, and from 06:00 on. One lot is too few for a ratio.
    let log = log()
        .at("21:45:00", "snapshot", snapshot("P005", 100, 40))
        .at("21T06:10:00", "snapshot", snapshot("P005", 100, 40))
        .at("21T06:12:00", "snapshot", snapshot("P005", 100, 40));
    let figures = log.figures::<Parking>();
    let silent =
        |end| figures.get("parking.silent_lots", "city", "city", "now", end).map(|figure| (figure.1, figure.2));
    assert_eq!((silent("21:54:00"), silent("21:55:00")), (Some((0.0, 1.0)), Some((1.0, 1.0))));
    assert_eq!((silent("21:59:00"), silent("22:00:00")), (Some((1.0, 1.0)), Some((0.0, 1.0))));
    assert_eq!((silent("21T05:59:00"), silent("21T06:00:00")), (Some((0.0, 1.0)), Some((1.0, 1.0))));
    assert_eq!((silent("21T06:09:00"), silent("21T06:10:00")), (Some((1.0, 1.0)), Some((0.0, 1.0))));
    assert_eq!(
        figures.get("parking.silent_lots", "district", "环翠区", "now", "21:55:00"),
        Some((None, 1.0, 1.0, 1)),
        "one of one is no share"
    );
}

#[test]
fn a_lot_that_nothing_was_heard_of_for_seven_days_is_not_connected() {
    let log = log()
        .at("20T09:59:00", "entry", session("P001", "s1"))
        .at("20T10:00:00", "snapshot", snapshot("P001", 100, 40))
        .at("27T10:01:00", "snapshot", snapshot("P003", 100, 40));
    let figures = log.figures::<Parking>();
    let silent =
        |end| figures.get("parking.silent_lots", "city", "city", "now", end).map(|figure| (figure.1, figure.2));
    assert_eq!(silent("27T09:59:00"), Some((1.0, 1.0)));
    assert_eq!((silent("27T10:00:00"), silent("27T10:01:00")), (None, Some((0.0, 1.0))));
    // and so long it has its capacity
    let spaces = |end| figures.get("parking.turnover", "lot", "P001", "1h", end);
    assert_eq!((spaces("27T09:59:00"), spaces("27T10:00:00")), (Some((Some(0.0), 0.0, 100.0, 0)), None));
}
