//! `bus.dispatch_ratio`: trips started within the tolerance / trips due.

use super::*;

/// Of route 1 in the hour that ends at 11:00.
fn dispatched(log: &Log) -> Option<figures::Figure> {
    log.figures::<Bus>().get("bus.dispatch_ratio", "route", "1", "1h", "11:00:00")
}

#[test]
fn a_trip_is_dispatched_from_60_s_early_to_300_s_late_and_cancelled_ones_are_not_due() {
    let log = log()
        .at("09:59:00", "trip", trip("started", "T1", "10:00:00")) // −60 s: in time
        .at("10:04:59.999", "trip", trip("started", "T2", "10:06:00")) // −60.001 s: early
        .at("10:15:00", "trip", trip("started", "T3", "10:10:00")) // +300 s: in time
        .at("10:25:00.001", "trip", trip("started", "T4", "10:20:00")) // +300.001 s: late
        .at("10:00:00", "trip", trip("scheduled", "T5", "10:30:00")) // never started
        .at("10:00:00", "trip", trip("scheduled", "T6", "10:30:00"))
        .at("10:20:00", "trip", trip("cancelled", "T6", "10:30:00")) // not due
        .at("10:31:00", "trip", trip("started", "T7", "10:30:00"))
        .at("10:32:00", "trip", trip("started", "T7", "10:30:00")) // the first start holds: in time
        .at("10:50:00", "trip", trip("finished", "T8", "10:20:00")); // finished, and nobody saw it start
    // in time T1 T3 T7 of T1 T2 T3 T4 T5 T7 T8
    let expected = Some((Some(3.0 / 7.0), 3.0, 7.0, 7));
    assert_eq!(dispatched(&log), expected);
    let figures = log.figures::<Bus>();
    assert_eq!(figures.get("bus.dispatch_ratio", "city", "city", "1h", "11:00:00"), expected);
    assert_eq!(figures.get("bus.dispatch_ratio", "route", "1", "day", "21T00:00:00"), expected);
    // placed at the scheduled time: [10:10, 11:10) lacks T1 (10:00) and T2 (10:06)
    assert_eq!(
        figures.get("bus.dispatch_ratio", "city", "city", "1h", "11:10:00"),
        Some((Some(2.0 / 5.0), 2.0, 5.0, 5))
    );
    // [10:20, 11:20): T7 of T4 T5 T7 T8, too few to say
    assert_eq!(figures.get("bus.dispatch_ratio", "city", "city", "1h", "11:20:00"), Some((None, 1.0, 4.0, 4)));
}

#[test]
fn a_trip_is_missed_when_the_watermark_passes_its_latest_start_and_not_before() {
    let known = log().at("09:50:00", "trip", trip("scheduled", "T1", "10:00:00"));
    let counted = |log: &Log| {
        let rows = log.rows_so_far::<Bus>();
        rows.iter().rfind(|row| row.metric == "bus.dispatch_ratio").map(|row| (row.num, row.den))
    };
    // the watermark is 5 s behind: 10:04:59, then 10:05:00
    assert_eq!(counted(&known.clone().tick("10:05:04")), None);
    let missed = known.tick("10:05:05");
    assert_eq!(counted(&missed), Some((0, 1)));
    // a start within the tolerance that becomes known later revises it
    let started = missed.at("10:04:00", "trip", trip("started", "T1", "10:00:00"));
    assert_eq!(counted(&started.tick("10:05:10")), Some((1, 1)));
}

#[test]
fn i5_a_cancellation_that_comes_late_takes_the_trip_out() {
    let missed = later(log().at("09:50:00", "trip", trip("scheduled", "T1", "10:00:00")), "10:20:00");
    assert_eq!(dispatched(&later(missed.clone(), "11:00:00")), Some((None, 0.0, 1.0, 1)));
    let cancelled = missed.at("09:55:00", "trip", trip("cancelled", "T1", "10:00:00"));
    assert_eq!(dispatched(&later(cancelled, "11:00:00")), None); // its window is hidden, not a ratio of nothing
}

#[test]
fn the_newest_event_says_when_a_trip_is_due() {
    // put off from 09:58 to 10:30 while nothing had been decided, then started on the dot
    let log = log()
        .at("09:50:00", "trip", trip("scheduled", "T1", "09:58:00"))
        .at("10:30:00", "trip", trip("started", "T1", "10:30:00"))
        .at("09:55:00", "trip", trip("scheduled", "T1", "10:20:00")); // older than the one before
    let figures = log.figures::<Bus>();
    assert_eq!(dispatched(&log), Some((None, 1.0, 1.0, 1)));
    assert_eq!(figures.get("bus.dispatch_ratio", "route", "1", "1h", "10:20:00"), None);
    assert_eq!(figures.get("bus.dispatch_ratio", "route", "1", "1h", "11:30:00"), Some((None, 1.0, 1.0, 1)));
    assert_eq!(figures.get("bus.dispatch_ratio", "route", "1", "1h", "11:31:00"), None);
}

#[test]
fn a_trip_that_counted_in_a_settled_window_counts_nowhere_else() {
    // missed at 08:00; at 10:00 its windows take nothing back; now it is said to be due at 10:10
    let log = log().at("07:50:00", "trip", trip("scheduled", "T1", "08:00:00")).tick("10:00:00");
    let log = log.at("10:10:00", "trip", trip("started", "T1", "10:10:00"));
    assert_eq!(dispatched(&log), None);
    let figures = log.figures::<Bus>();
    assert_eq!(figures.get("bus.dispatch_ratio", "route", "1", "1h", "08:30:00"), Some((None, 0.0, 1.0, 1)));
    assert_eq!(figures.get("bus.dispatch_ratio", "route", "1", "day", "21T00:00:00"), Some((None, 0.0, 1.0, 1)));
}

#[test]
fn a_trip_has_the_same_id_every_day_and_on_every_route() {
    let mut elsewhere = trip("started", "T1", "10:00:00");
    elsewhere["route_id"] = "2".into();
    let log = log()
        .at("19T10:00:00", "trip", trip("started", "T1", "19T10:00:00"))
        .at("19T20:00:00", "trip", trip("scheduled", "T1", "20T10:00:00"))
        .at("20T10:00:00", "trip", elsewhere);
    let figures = later(log, "20T11:00:00").figures::<Bus>();
    let day = |level, key, end| figures.get("bus.dispatch_ratio", level, key, "day", end);
    assert_eq!(day("route", "1", "20T00:00:00"), Some((None, 1.0, 1.0, 1)));
    assert_eq!(day("route", "1", "21T00:00:00"), Some((None, 0.0, 1.0, 1))); // yesterday's start is not today's
    assert_eq!(day("city", "city", "21T00:00:00"), Some((None, 1.0, 2.0, 2)));
}

#[test]
fn a_trip_of_the_wrong_year_is_left_out() {
    let mut far = trip("scheduled", "T1", "10:00:00");
    far["scheduled_time"] = "2099-11-20T10:00:00+08:00".into();
    let log = log().at("09:50:00", "trip", far).at("10:00:00", "trip", trip("started", "T1", "10:00:00"));
    assert_eq!(dispatched(&log), Some((None, 1.0, 1.0, 1)));
}
