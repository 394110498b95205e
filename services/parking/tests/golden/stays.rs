//! How long cars stay, and exits without entry.

use yiping_parking::Parking;

use crate::{figures::Log, later, log, session, told};

/// Five stays of 600, 1,200, 1,800, 2,400 s, and 3,600 s as the exit tells it; one whose told entry lies after its exit.
fn stays() -> Log {
    let mut log = log();
    for car in ["s1", "s2", "s3", "s4"] {
        log = log.at("10:00:00", "entry", session("P001", car));
    }
    for (minute, car) in [(10, "s1"), (20, "s2"), (30, "s3"), (40, "s4")] {
        log = log.at(&format!("10:{minute}:00"), "exit", session("P001", car));
    }
    log.at("10:50:00", "exit", told("P001", "s5", "09:50:00")).at("10:55:00", "exit", told("P001", "s6", "11:30:00"))
}

#[test]
fn a_stay_is_exit_less_entry_and_counts_at_the_exit() {
    let figures = later(stays(), "12:30:00").figures::<Parking>();
    let get = |metric, level, key, span, end| figures.get(metric, level, key, span, end);
    // 600 + 1,200 + 1,800 + 2,400 + 3,600 = 9,600 s of 5
    for (level, key) in [("lot", "P001"), ("district", "环翠区"), ("city", "city")] {
        let mean = get("parking.dwell_mean_s", level, key, "1h", "11:00:00");
        assert_eq!(mean, Some((Some(1_920.0), 9_600.0, 5.0, 5)), "{level}");
    }
    assert_eq!(get("parking.dwell_mean_s", "lot", "P001", "day", "21T00:00:00").unwrap().0, Some(1_920.0));
    // the 90th percentile of five is the greatest
    let (p90, _, _, n) = get("parking.dwell_p90_s", "lot", "P001", "1h", "11:00:00").unwrap();
    assert!((p90.unwrap() - 3_600.0).abs() <= 36.0, "{p90:?}");
    assert_eq!(n, 5);
    assert_eq!(get("parking.dwell_p90_s", "city", "city", "1h", "11:00:00").unwrap().0, p90);
    // [10:15, 11:15): four are too few to say
    assert_eq!(get("parking.dwell_mean_s", "lot", "P001", "1h", "11:15:00"), Some((None, 9_000.0, 4.0, 4)));
    assert_eq!(get("parking.dwell_p90_s", "lot", "P001", "1h", "11:15:00"), Some((None, 0.0, 4.0, 4)));
}

#[test]
fn entry_without_exit_and_exit_without_entry() {
    // six exits, of two the entry wasn't seen; s7 is still there: it is no exit
    let log = stays().at("10:56:00", "entry", session("P001", "s7"));
    let figures = later(log, "11:00:30").figures::<Parking>();
    let ratio = |level, key| figures.get("parking.unmatched_exit_ratio", level, key, "1h", "11:00:00");
    assert_eq!(ratio("lot", "P001"), Some((Some(2.0 / 6.0), 2.0, 6.0, 6)));
    assert_eq!(ratio("city", "city"), Some((Some(2.0 / 6.0), 2.0, 6.0, 6)));
    // [10:15, 11:15) has five exits, [10:25, 11:25) has four
    let ratio = |end| figures.get("parking.unmatched_exit_ratio", "district", "环翠区", "1h", end);
    assert_eq!(ratio("11:15:00"), Some((Some(0.4), 2.0, 5.0, 5)));
    assert_eq!(ratio("11:25:00"), Some((None, 2.0, 4.0, 4)));
}

#[test]
fn an_entry_that_comes_after_its_exit_revises_it() {
    // s5 came at 10:01, which is told after 11:00: 49 minutes = 2,940 s instead of 3,600: 8,940 s of 5; one exit in six unmatched
    let figures = later(stays(), "11:00:30").at("10:01:00", "entry", session("P001", "s5")).figures::<Parking>();
    assert_eq!(
        figures.get("parking.dwell_mean_s", "lot", "P001", "1h", "11:00:00"),
        Some((Some(1_788.0), 8_940.0, 5.0, 5))
    );
    assert_eq!(figures.value("parking.unmatched_exit_ratio", "lot", "P001", "1h", "11:00:00"), Some(1.0 / 6.0));
    let p90 = figures.value("parking.dwell_p90_s", "lot", "P001", "1h", "11:00:00").unwrap();
    assert!((p90 - 2_940.0).abs() <= 29.4, "{p90}");
}

#[test]
fn negative_durations_are_left_out_and_counted_as_unmatched() {
    // by the clocks of the gates it left before it came, told one way (an entry event) or the other (by the exit)
    let log = log()
        .at("10:20:00", "exit", session("P001", "s1"))
        .at("10:25:00", "entry", session("P001", "s1"))
        .at("10:30:00", "exit", told("P001", "s2", "10:30:00.001"))
        .at("10:40:00", "entry", session("P001", "s3"))
        .at("10:40:00", "exit", session("P001", "s3")); // 0 s is a stay
    let figures = later(log, "11:00:30").figures::<Parking>();
    assert_eq!(figures.get("parking.dwell_mean_s", "lot", "P001", "1h", "11:00:00"), Some((None, 0.0, 1.0, 1)));
    assert_eq!(figures.get("parking.unmatched_exit_ratio", "lot", "P001", "1h", "11:00:00"), Some((None, 2.0, 3.0, 3)));
}

#[test]
fn polls_that_repeat_an_exit_count_one_stay() {
    let log = log()
        .at("10:00:00", "entry", session("P001", "s1"))
        .at("10:21:00", "exit", session("P001", "s1")) // repeated a minute later, and the repetition comes first
        .at("10:20:00", "exit", session("P001", "s1"));
    let figures = later(log, "11:00:30").figures::<Parking>();
    assert_eq!(figures.get("parking.dwell_mean_s", "lot", "P001", "1h", "11:00:00"), Some((None, 1_200.0, 1.0, 1)));
    assert_eq!(figures.get("parking.unmatched_exit_ratio", "lot", "P001", "1h", "11:00:00").unwrap().2, 1.0);
}

#[test]
fn a_car_that_stays_for_days_is_matched_up_to_a_week() {
    let log = log()
        .at("20T10:00:00", "entry", session("P001", "s1"))
        .at("20T10:00:00", "entry", session("P001", "s2"))
        .at("27T10:00:00", "exit", session("P001", "s1")) // exactly 7 days
        .at("27T10:01:00", "exit", session("P001", "s2"));
    let figures = log.figures::<Parking>();
    assert_eq!(
        figures.get("parking.dwell_mean_s", "lot", "P001", "1h", "27T11:00:00"),
        Some((None, 604_800.0, 1.0, 1))
    );
    assert_eq!(
        figures.get("parking.unmatched_exit_ratio", "lot", "P001", "1h", "27T11:00:00"),
        Some((None, 1.0, 2.0, 2))
    );
}

#[test]
fn i5_an_entry_too_late_for_its_windows_is_still_its_exits_entry() {
    // told at 13:00, more than an hour late: no session of the hour from 10:00, but the car's exit is matched
    let log = log().at("13:00:00", "entry", session("P001", "s2")).at("10:30:00", "entry", session("P001", "s1")).at(
        "13:30:00",
        "exit",
        session("P001", "s1"),
    );
    let figures = log.figures::<Parking>();
    assert_eq!(figures.counters.late, 1);
    assert_eq!(figures.get("parking.dwell_mean_s", "lot", "P001", "1h", "14:00:00"), Some((None, 10_800.0, 1.0, 1)));
    assert_eq!(figures.get("parking.unmatched_exit_ratio", "lot", "P001", "1h", "14:00:00").unwrap().1, 0.0);
    assert_eq!(figures.get("parking.turnover", "lot", "P001", "day", "21T00:00:00").unwrap().1, 1.0);
}
