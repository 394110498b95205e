//! The occupancy integral.

use yiping_parking::Parking;

use crate::{car, later, log, snapshot};

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
fn occupancy_is_of_opening_hours_alone() {
    // P005 is open 06:00-22:00; 40 of 100 from 21:50, heard again at 22:10 and at 05:30 (10 of 100)
    let log = log()
        .at("21:50:00", "snapshot", snapshot("P005", 100, 40))
        .at("22:10:00", "snapshot", snapshot("P005", 100, 30))
        .at("21T05:30:00", "snapshot", snapshot("P005", 100, 10))
        .at("21T06:20:00", "snapshot", snapshot("P003", 100, 50));
    let figures = log.figures::<Parking>();
    let ratio = |end| figures.get("parking.occupancy_ratio", "lot", "P005", "15m", end);
    // [21:55, 22:10): 40 × 5 of 100 × 5
    assert_eq!(ratio("22:10:00"), Some((Some(0.4), 200.0 * 60_000.0, 500.0 * 60_000.0, 0)));
    // [22:05, 22:20): a step, and no open time
    assert_eq!(ratio("22:20:00"), Some((None, 0.0, 0.0, 1)));
    // [06:00, 06:15): 10 × 15 of 100 × 15
    assert_eq!(ratio("21T06:15:00"), Some((Some(0.1), 150.0 * 60_000.0, 1_500.0 * 60_000.0, 0)));
    // the day: 40 × 10 of 100 × 10
    let day = figures.get("parking.occupancy_ratio", "lot", "P005", "day", "21T00:00:00");
    assert_eq!(day, Some((Some(0.4), 400.0 * 60_000.0, 1_000.0 * 60_000.0, 2)));
}
