//! `bus.dwell_p50_s`, `bus.dwell_p95_s`: departed − arrived at the same stop and trip.

use super::*;

/// The stays in the half-hour that ends at 10:30: value, numerator, denominator, n.
fn dwell(log: &Log, percentile: &str) -> Option<figures::Figure> {
    log.figures::<Bus>().get(&format!("bus.dwell_{percentile}_s"), "route", "1", "30m", "10:30:00")
}

fn stays(log: &Log) -> i64 {
    dwell(log, "p50").map_or(0, |figure| figure.3)
}

/// A trip that arrives at stops in this minute and departs so many seconds later.
fn stay(log: Log, minute: u32, seconds: u32) -> Log {
    let stop = format!("S{minute}");
    log.at(&format!("10:{minute:02}:00"), "stop", call("arrived", "V1", &stop, Some("T1"))).at(
        &format!("10:{minute:02}:{seconds:02}"),
        "stop",
        call("departed", "V1", &stop, Some("T1")),
    )
}

#[test]
fn the_middle_and_nearly_the_longest_of_five_stays() {
    // 10, 20, 30, 40, 50 s: rank ⌈0.5 · 5⌉ = 3: 30 s; rank ⌈0.95 · 5⌉ = 5: 50 s (±1 %)
    let log =
        [30, 10, 50, 20, 40].into_iter().zip(1..).fold(log(), |log, (seconds, minute)| stay(log, minute, seconds));
    for (percentile, expected) in [("p50", 30.0), ("p95", 50.0)] {
        let (value, num, den, n) = dwell(&log, percentile).unwrap();
        assert!((value.unwrap() - expected).abs() <= 0.01 * expected, "{percentile}: {value:?}");
        assert_eq!((num, den, n), (0.0, 5.0, 5));
        let city = log.figures::<Bus>().get(&format!("bus.dwell_{percentile}_s"), "city", "city", "30m", "10:30:00");
        assert_eq!(city, dwell(&log, percentile));
    }
}

#[test]
fn four_stays_are_too_few_to_say() {
    let log = (1..=4).fold(log(), |log, minute| stay(log, minute, 20));
    assert_eq!(dwell(&log, "p95"), Some((None, 0.0, 4.0, 4)));
}

#[test]
fn i5_an_arrival_that_comes_late_makes_its_stay() {
    let without = log().at("10:10:30", "stop", call("departed", "V1", "S1", Some("T1")));
    assert_eq!(stays(&later(without.clone(), "10:40:00")), 0);
    let late = later(without, "10:40:00").at("10:10:00", "stop", call("arrived", "V1", "S1", Some("T1")));
    assert_eq!(stays(&late), 1);
    // a departure in between takes the arrival: 20 s instead of 30 s, and still one stay
    let between = late.at("10:10:20", "stop", call("departed", "V1", "S1", Some("T1")));
    assert_eq!(stays(&between), 1);
}

#[test]
fn an_arrival_has_one_departure_and_a_departure_the_newest_arrival() {
    let log = log()
        .at("10:10:00", "stop", call("arrived", "V1", "S1", Some("T1")))
        .at("10:10:05", "stop", call("arrived", "V1", "S1", Some("T1"))) // the one that counts
        .at("10:10:20", "stop", call("departed", "V1", "S1", Some("T1"))) // 15 s
        .at("10:10:40", "stop", call("departed", "V1", "S1", Some("T1"))) // nobody is there any more
        .at("10:11:00", "stop", call("arrived", "V2", "S1", Some("T1"))) // never leaves
        .at("10:11:10", "stop", call("departed", "V1", "S2", Some("T1"))) // never came
        .at("10:11:20", "stop", call("arrived", "V1", "S3", Some("T1")))
        .at("10:11:30", "stop", call("departed", "V1", "S3", Some("T2"))) // another trip
        .at("10:11:40", "stop", call("departed", "V1", "S3", None)); // of no trip that is known
    assert_eq!(stays(&log), 1);
}

#[test]
fn a_stay_of_no_time_counts_and_a_departure_before_its_arrival_does_not() {
    let log = log()
        .at("10:10:00", "stop", call("departed", "V1", "S1", Some("T1"))) // the same instant: it comes first, then leaves
        .at("10:10:00", "stop", call("arrived", "V1", "S1", Some("T1")))
        .at("10:11:00", "stop", call("departed", "V1", "S2", Some("T1"))) // wrong order of facts
        .at("10:11:05", "stop", call("arrived", "V1", "S2", Some("T1")));
    assert_eq!(stays(&log), 1);
}

#[test]
fn without_trip_the_arrival_is_at_most_an_hour_before() {
    let to_the_dot = log().at("09:20:00", "stop", call("arrived", "V1", "S1", None)).at(
        "10:20:00",
        "stop",
        call("departed", "V1", "S1", None),
    );
    assert_eq!(stays(&to_the_dot), 1);
    let too_long = log().at("09:20:00", "stop", call("arrived", "V1", "S1", None)).at(
        "10:20:00.001",
        "stop",
        call("departed", "V1", "S1", None),
    );
    assert_eq!(stays(&too_long), 0);
    // a trip that is held is one trip, also when the arrival lies behind the horizon (09:24:55)
    let held = log().at("08:20:00", "stop", call("arrived", "V1", "S1", Some("T1")));
    let held =
        later(later(held, "09:30:00"), "10:29:00").at("10:20:00", "stop", call("departed", "V1", "S1", Some("T1")));
    assert_eq!(stays(&held), 1);
}

#[test]
fn a_trip_has_the_same_id_every_day() {
    // yesterday's departure was lost, and today's arrival
    let log = later(log().at("19T10:20:00", "stop", call("arrived", "V1", "S1", Some("T1"))), "19T23:00:00");
    let log = log.at("20T10:20:00", "stop", call("departed", "V1", "S1", Some("T1")));
    assert_eq!(stays(&log), 0);
}
