//! `bus.headway_cv`, `bus.bunching_ratio`, `bus.gap_ratio`, `bus.excess_wait_s`, `bus.bunched_routes`: gaps between departures.

use super::*;

/// Departures (actual, scheduled) of route 1 from stop 0080, each by a vehicle of its own, in the order of the list.
fn departures(log: Log, calls: &[(&str, &str)]) -> Log {
    calls.iter().fold(log, |log, (actual, scheduled)| {
        let vehicle = format!("V{}", log.lines().len());
        log.at(actual, "stop", departure(&vehicle, scheduled))
    })
}

/// Of route 1 in the window that ends at 10:30.
fn of_route(log: &Log, metric: &str, span: &str) -> Option<figures::Figure> {
    log.figures::<Bus>().get(metric, "route", "1", span, "10:30:00")
}

/// How many of route 1's headways until 10:30 are bunched, long gaps, headways.
fn kinds(log: &Log) -> Option<(f64, f64, i64)> {
    let bunched = of_route(log, "bus.bunching_ratio", "30m")?;
    let long = of_route(log, "bus.gap_ratio", "30m")?;
    assert_eq!((bunched.2, bunched.3), (long.2, long.3));
    Some((bunched.1, long.1, bunched.3))
}

/// Every 5 minutes by the timetable.
const USUAL: [(&str, &str); 6] = [
    ("10:00:00", "10:00:00"),
    ("10:06:00", "10:05:00"), // h 360 s
    ("10:08:00", "10:10:00"), // h 120 s
    ("10:16:00", "10:15:00"), // h 480 s
    ("10:20:00", "10:20:00"), // h 240 s
    ("10:28:00", "10:25:00"), // h 480 s
];

#[test]
fn five_headways_by_hand() {
    let figures = later(departures(log(), &USUAL), "10:30:00").figures::<Bus>();
    for (level, key) in [("city", "city"), ("route", "1")] {
        let at = |metric, span| rounded(figures.get(metric, level, key, span, "10:30:00"));
        // below 150 s: 120. above 450 s: 480, 480
        assert_eq!(at("bus.bunching_ratio", "30m"), Some((Some(0.2), 1.0, 5.0, 5)));
        assert_eq!(at("bus.gap_ratio", "30m"), Some((Some(0.4), 2.0, 5.0, 5)));
        // h − 300: 60, −180, 180, −60, 180; mean 36; squares 104,400 / 5 − 36² = 19,584; sd 139.942845; / 300
        assert_eq!(at("bus.headway_cv", "1h"), Some((Some(0.466476), 139.942845, 300.0, 5)));
        // Σh 1,680, Σh² 662,400: 662,400 / 3,360 = 197.142857; planned 450,000 / 3,000 = 150
        assert_eq!(at("bus.excess_wait_s", "1h"), Some((Some(47.142857), 197.142857, 150.0, 5)));
    }
    // placed at the later departure: [10:06, 11:06) holds all five, [10:06:00.001 …) not the first: [10:07, 11:07) has four
    assert_eq!(figures.get("bus.headway_cv", "city", "city", "1h", "11:06:00").unwrap().3, 5);
    let (value, .., n) = figures.get("bus.headway_cv", "city", "city", "1h", "11:07:00").unwrap();
    assert_eq!((value, n), (None, 4));
    let (value, .., n) = figures.get("bus.excess_wait_s", "city", "city", "1h", "11:07:00").unwrap();
    assert_eq!((value, n), (None, 4));
}

#[test]
fn i5_a_departure_that_comes_late_divides_a_gap_and_mends_the_plan() {
    // without the one of 10:08: h 360, 600, 240, 480 s against hₛ 300, 600 (10:15 after 10:05), 300, 300: none bunched, one of 480 > 450
    let mut without = USUAL.to_vec();
    without.remove(2);
    let without = later(departures(log(), &without), "10:50:00");
    assert_eq!(kinds(&without), Some((0.0, 1.0, 4)));
    let cv = rounded(of_route(&without, "bus.headway_cv", "1h")).unwrap();
    assert_eq!((cv.0, cv.2, cv.3), (None, 375.0, 4)); // Σhₛ 1,500 s
    let with = departures(without, &USUAL[2..3]);
    assert_eq!(kinds(&with), Some((1.0, 2.0, 5)));
    let cv = rounded(of_route(&with, "bus.headway_cv", "1h"));
    assert_eq!(cv, Some((Some(0.466476), 139.942845, 300.0, 5)));
}

#[test]
fn half_the_plan_is_not_bunched_and_one_and_a_half_is_no_long_gap() {
    let log = departures(log(), &[("10:00:00", "10:00:00"), ("10:05:00", "10:10:00"), ("10:20:00", "10:20:00")]);
    assert_eq!(kinds(&log), Some((0.0, 0.0, 2))); // 300 of 600 s, 900 of 600 s
    let log = departures(log, &[("10:24:59.999", "10:30:00")]);
    assert_eq!(kinds(&log), Some((1.0, 0.0, 3))); // 299.999 of 600 s
}

#[test]
fn who_overtakes_is_measured_against_the_plan_of_who_is_overtaken() {
    // 10:10 is overtaken and leaves at 10:21, after 10:20: h 1,200 of 600 s, then 60 of 600 s
    let log = departures(log(), &[("10:00:00", "10:00:00"), ("10:20:00", "10:20:00"), ("10:21:00", "10:10:00")]);
    assert_eq!(kinds(&log), Some((1.0, 1.0, 2)));
    assert_eq!(of_route(&log, "bus.excess_wait_s", "1h").map(|figure| figure.2), Some(300.0)); // hₛ 600, 600
}

#[test]
fn two_at_once_have_a_headway_of_nothing() {
    let log = departures(log(), &[("10:00:00", "10:00:00"), ("10:10:00", "10:10:00"), ("10:10:00", "10:20:00")]);
    // h 600, 0 of 600, 600 s
    assert_eq!(kinds(&log), Some((1.0, 0.0, 2)));
    // twice the same scheduled time: both have the one before it as theirs; there is no gap of nothing in a plan
    let log = departures(log, &[("10:25:00", "10:20:00")]);
    let cv = rounded(of_route(&log, "bus.headway_cv", "1h")).unwrap();
    assert_eq!((cv.2, cv.3), (600.0, 3));
}

#[test]
fn a_departure_without_scheduled_time_is_the_one_before_and_no_headway() {
    let log =
        departures(log(), &[("10:00:00", "10:00:00")]).at("10:04:00", "stop", call("departed", "X", "0080", None));
    let log = departures(log, &[("10:10:00", "10:10:00")]);
    // h 360 of 600 s
    let excess = rounded(of_route(&log, "bus.excess_wait_s", "1h"));
    assert_eq!(excess, Some((None, 180.0, 300.0, 1)));
}

#[test]
fn over_two_hours_service_had_a_break() {
    let to_the_dot = departures(log(), &[("08:10:00", "08:10:00"), ("10:10:00", "10:10:00")]);
    assert_eq!(kinds(&to_the_dot), Some((0.0, 0.0, 1)));
    let actual = departures(log(), &[("08:09:59.999", "08:10:00"), ("10:10:00", "10:10:00")]);
    let planned = departures(log(), &[("08:10:00", "08:09:59.999"), ("10:10:00", "10:10:00")]);
    assert_eq!((kinds(&actual), kinds(&planned)), (None, None));
}

#[test]
fn a_stop_of_one_direction_knows_nothing_of_others() {
    let mut back = departure("V9", "10:05:00");
    back["direction"] = 1.into();
    let mut elsewhere = departure("V8", "10:05:00");
    elsewhere["stop_id"] = "0081".into();
    let mut other_route = departure("V7", "10:05:00");
    other_route["route_id"] = "2".into();
    let mut no_timing_point = departure("V6", "10:10:00");
    no_timing_point["timing_point"] = false.into(); // of no matter here
    let log = departures(log(), &[("10:00:00", "10:00:00")])
        .at("10:05:00", "stop", back)
        .at("10:05:00", "stop", elsewhere)
        .at("10:05:00", "stop", other_route)
        .at("10:10:00", "stop", no_timing_point);
    assert_eq!(kinds(&log), Some((0.0, 0.0, 1))); // 600 of 600 s
}

#[test]
fn the_departure_before_may_lie_behind_the_horizon() {
    // the horizon is at 09:24:55 when the second departs, 50 minutes after the first
    let log = departures(log(), &[("09:20:00", "09:20:00")]);
    let log = departures(later(log, "10:30:00"), &[("10:10:00", "10:10:00")]);
    assert_eq!(kinds(&log), Some((0.0, 0.0, 1)));
    assert_eq!(of_route(&log, "bus.excess_wait_s", "1h").map(|figure| figure.1), Some(1_500.0)); // 50 min / 2
}

#[test]
fn i5_a_departure_behind_the_horizon_is_not_put_in() {
    let log = departures(departures(log(), &[("09:00:00", "09:00:00")]).tick("10:30:00"), &[("10:10:00", "10:10:00")]);
    let before = of_route(&log, "bus.excess_wait_s", "1h");
    let late = departures(log, &[("09:10:00", "09:10:00")]);
    assert_eq!(late.figures::<Bus>().counters.late, 1);
    assert_eq!(of_route(&late, "bus.excess_wait_s", "1h"), before);
    assert_eq!(before.map(|figure| figure.1), Some(2_100.0)); // 70 min / 2
}

#[test]
fn routes_over_their_bunching_limit_are_counted_at_each_minute() {
    let figures = later(departures(log(), &USUAL), "10:30:00").figures::<Bus>();
    let at = |end| figures.get("bus.bunched_routes", "city", "city", "now", end);
    // at 10:28 only four headways are in [09:58, 10:28): no route has enough to say. at 10:30 route 1 has 0.2 of five
    assert_eq!(at("10:28:00"), Some((Some(0.0), 0.0, 1.0, 0)));
    assert_eq!(at("10:30:00"), Some((Some(1.0), 1.0, 1.0, 1)));
}
