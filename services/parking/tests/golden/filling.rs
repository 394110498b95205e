//! Minutes until full, and the lots that are about to be.

use yiping_parking::Parking;

use crate::{car, floor, later, log, snapshot};

#[test]
fn minutes_to_full_is_what_is_free_over_what_came_in_more_than_went_out() {
    // 40 of 100 at 10:00; three in, one out: 42, 2 more in 5 minutes, 0.4 a minute; 58 / 0.4 = 145 minutes
    let log = log()
        .at("10:00:00", "snapshot", snapshot("P001", 100, 40))
        .at("10:01:00", "entry", car("P001"))
        .at("10:02:00", "entry", car("P001"))
        .at("10:03:00", "entry", car("P001"))
        .at("10:04:00", "exit", car("P001"))
        // a floor that becomes known is no car that came: F1 10 of 50, F2 30 of 30 from 10:02, one more on F1: 39 free, 1 in 5
        // minutes: 195 minutes
        .at("10:00:00", "snapshot", floor("P003", "F1", 50, 10))
        .at("10:02:00", "snapshot", floor("P003", "F2", 30, 30))
        .at("10:03:00", "entry", {
            let mut car = car("P003");
            car["floor"] = "F1".into();
            car
        });
    let figures = later(log.clone(), "11:10:00").figures::<Parking>();
    let get = |level, key, end| figures.get("parking.minutes_to_full", level, key, "5m", end);
    // (10:00, 10:05]: four steps, the snapshot at 10:00 is what it starts from
    assert_eq!(get("lot", "P001", "10:05:00"), Some((Some(145.0), 58.0, 2.0, 4)));
    assert_eq!(get("lot", "P003", "10:05:00"), Some((Some(195.0), 39.0, 1.0, 2)));
    // 97 free, 3 in 5 minutes: 97 / 0.6
    let (value, free, change, n) = get("district", "环翠区", "10:05:00").unwrap();
    assert!((value.unwrap() - 97.0 / 0.6).abs() < 1e-9);
    assert_eq!((free, change, n), (97.0, 3.0, 6));
    assert_eq!(get("city", "city", "10:05:00"), get("district", "环翠区", "10:05:00"));
    // (10:03, 10:08]: only the exit: it empties, so it will never be full
    assert_eq!(get("lot", "P001", "10:08:00"), Some((None, 58.0, -1.0, 1)));
    // (10:55, 11:00]: nothing moves; at 11:04 it falls silent
    assert_eq!(get("lot", "P001", "11:00:00"), Some((None, 58.0, 0.0, 0)));
    assert_eq!(get("lot", "P001", "11:05:00"), None);
    // an entry that comes late: 43 taken, 3 in 5 minutes: 57 / 0.6 = 95 minutes
    let figures = later(log, "10:10:00").at("10:03:30", "entry", car("P001")).figures::<Parking>();
    let (value, free, _, n) = figures.get("parking.minutes_to_full", "lot", "P001", "5m", "10:05:00").unwrap();
    assert!((value.unwrap() - 95.0).abs() < 1e-9);
    assert_eq!((free, n), (57.0, 5));
}

#[test]
fn filling_lots_are_those_with_less_than_fifteen_minutes() {
    // P002: 4 of 10, five more by 10:04: 1 free, one a minute: 1 minute. P001: 60 of 100, one more: 39 / 0.2 = 195. P004 stands still.
    let mut log = log()
        .at("10:00:00", "snapshot", snapshot("P001", 100, 60))
        .at("10:00:00", "snapshot", snapshot("P002", 10, 4))
        .at("10:00:00", "snapshot", snapshot("P004", 10, 9))
        .at("10:02:00", "entry", car("P001"));
    for second in 0..5 {
        log = log.at(&format!("10:03:{second:02}"), "entry", car("P002"));
    }
    let figures = later(log, "10:20:00").figures::<Parking>();
    assert_eq!(figures.value("parking.minutes_to_full", "lot", "P002", "5m", "10:05:00"), Some(1.0));
    // of two lots whose occupancy grows
    assert_eq!(figures.get("parking.filling_lots", "city", "city", "now", "10:05:00"), Some((Some(1.0), 1.0, 1.0, 2)));
    assert_eq!(figures.value("parking.filling_lots", "city", "city", "now", "10:10:00"), Some(0.0));
}
