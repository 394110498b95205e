//! `bus.fix_age_p95_s`: how old positions are when they are received.

use super::*;

#[test]
fn the_95th_percentile_of_five_ages_is_the_oldest() {
    // 1, 2, 3, 4, 20 s: rank ⌈0.95 · 5⌉ = 5: 20 s (±1 %)
    let mut log = log();
    for (at, got) in [("10:00:10", "10:00:11"), ("10:00:20", "10:00:22"), ("10:00:30", "10:00:33")] {
        log = received(log, at, got, fix("V1", "1", HUANCUI));
    }
    log = received(log, "10:00:40", "10:00:44", fix("V1", "1", HUANCUI));
    log = received(log, "10:00:50", "10:01:10", fix("V2", "2", RONGCHENG));
    let figures = log.figures::<Bus>();
    let (value, num, den, n) = figures.get("bus.fix_age_p95_s", "city", "city", "5m", "10:05:00").unwrap();
    assert!((value.unwrap() - 20.0).abs() <= 0.2, "{value:?}");
    assert_eq!((num, den, n), (0.0, 5.0, 5));
    // the district has four of them: too few to say
    let district = |end| figures.get("bus.fix_age_p95_s", "district", "环翠区", "5m", end);
    assert_eq!(district("10:05:00"), Some((None, 0.0, 4.0, 4)));
    // placed at their own time: [10:00:30, 10:05:30) holds two of them
    assert_eq!(district("10:05:30"), Some((None, 0.0, 2.0, 2)));
}

#[test]
fn a_clock_that_is_fast_makes_the_age_zero_and_not_less() {
    let mut log = log();
    for second in 10..15 {
        let time = format!("10:00:{second}");
        log = received(log, &time, "10:00:05", fix("V1", "1", HUANCUI)); // 5 to 9 s ahead of its log time
    }
    let figures = log.figures::<Bus>();
    let figure = figures.get("bus.fix_age_p95_s", "city", "city", "5m", "10:05:00");
    assert_eq!(figure, Some((Some(0.0), 0.0, 5.0, 5)));
}

#[test]
fn what_was_stored_and_sent_later_says_nothing_of_how_old_the_map_is() {
    let mut log = received(log(), "10:00:00", "10:00:02", fix("V1", "1", HUANCUI));
    let mut stored = fix("V2", "1", HUANCUI);
    stored["backfill"] = true.into();
    log = received(log, "10:01:00", "10:20:00", stored.clone());
    stored["backfill"] = false.into();
    log = received(log, "10:02:00", "10:20:00", stored); // it says that it is no backfill: 18 minutes old
    let figures = log.figures::<Bus>();
    assert_eq!(figures.get("bus.fix_age_p95_s", "city", "city", "5m", "10:05:00"), Some((None, 0.0, 2.0, 2)));
}

#[test]
fn without_received_time_the_time_of_the_log_holds() {
    // offline there is neither: an event's own time is its log time
    let mut log = log();
    for second in 10..15 {
        log = log.at(&format!("10:00:{second}"), "position", fix("V1", "1", HUANCUI));
    }
    let figures = log.figures::<Bus>();
    assert_eq!(figures.value("bus.fix_age_p95_s", "city", "city", "5m", "10:05:00"), Some(0.0));
}
