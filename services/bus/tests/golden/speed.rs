//! `bus.speed_kmh`: distance over time of believed steps.

use super::*;

/// Speed of route 1 in the window that ends at 10:15, its metres rounded to centimetres.
fn speed(log: &Log) -> (Option<f64>, f64, f64, i64) {
    let (value, metres, seconds, n) =
        log.figures::<Bus>().get("bus.speed_kmh", "route", "1", "15m", "10:15:00").unwrap();
    (value.map(|value| (value * 100.0).round() / 100.0), (metres * 100.0).round() / 100.0, seconds, n)
}

#[test]
fn speed_leaves_out_long_gaps_and_impossible_jumps() {
    let log = log()
        .at("10:00:00", "position", fix("V1", "1", north(0.0)))
        .at("10:00:10", "position", fix("V1", "1", north(1.0))) // 111.195 m in 10 s
        .at("10:02:20", "position", fix("V1", "1", north(5.0))) // 130 s later: nobody knows the way
        .at("10:02:30", "position", fix("V1", "1", north(105.0))) // 11 km in 10 s: refused, the anchor stays
        .at("10:02:40", "position", fix("V1", "1", north(6.0))) // 111.195 m in 20 s from the anchor
        .at("10:02:50", "position", fix("V1", "1", north(7.0))) // and three times 111.195 m in 10 s
        .at("10:03:00", "position", fix("V1", "1", north(8.0)))
        .at("10:03:10", "position", fix("V1", "1", north(9.0)));
    // 5 × 111.195 m = 555.98 m in 60 s: 9.266 m/s = 33.36 km/h
    assert_eq!(speed(&log), (Some(33.36), 555.98, 60.0, 5));
}

#[test]
fn a_gap_of_exactly_120_s_still_counts() {
    // 10 × 111.195 m in 120 s
    let log = log().at("10:00:00", "position", fix("V1", "1", north(0.0)));
    assert_eq!(speed(&log.at("10:02:00", "position", fix("V1", "1", north(10.0)))), (None, 1111.95, 120.0, 1));
}

#[test]
fn three_refused_fixes_that_agree_become_the_anchor() {
    let log = log()
        .at("10:00:00", "position", fix("V1", "1", north(0.0)))
        .at("10:00:10", "position", fix("V1", "1", north(130.0))) // 14 km: refused
        .at("10:00:20", "position", fix("V1", "1", north(131.0))) // refused, agrees with the one before
        .at("10:00:30", "position", fix("V1", "1", north(132.0))) // the third: the new anchor, no distance driven
        .at("10:00:40", "position", fix("V1", "1", north(133.0))); // 111.195 m in 10 s
    assert_eq!(speed(&log), (None, 111.2, 10.0, 1));
}

#[test]
fn two_refused_fixes_and_a_third_elsewhere_change_nothing() {
    let log = log()
        .at("10:00:00", "position", fix("V1", "1", north(0.0)))
        .at("10:00:10", "position", fix("V1", "1", north(130.0))) // refused
        .at("10:00:20", "position", fix("V1", "1", north(131.0))) // refused, agrees
        .at("10:00:30", "position", fix("V1", "1", north(300.0))) // refused, agrees with none
        .at("10:00:40", "position", fix("V1", "1", north(2.0))); // 222.39 m in 40 s from the old anchor
    assert_eq!(speed(&log), (None, 222.39, 40.0, 1));
}

#[test]
fn a_shifted_datum_is_no_movement() {
    // the same place once in WGS-84, once in GCJ-02 (450 m east of it as it stands): 0 m in 60 s
    let (lon, lat) = wgs84_to_gcj02(HUANCUI.0, HUANCUI.1);
    let mut shifted = fix("V1", "1", (lon, lat));
    shifted["datum"] = "gcj02".into();
    let log = log().at("10:00:00", "position", fix("V1", "1", HUANCUI)).at("10:01:00", "position", shifted);
    let (value, metres, seconds, n) = speed(&log);
    assert!(metres < 0.5, "{metres} m");
    assert_eq!((value, seconds, n), (None, 60.0, 1));
}

#[test]
fn i5_a_fix_of_hours_ago_raises_nothing_now_and_changes_no_speed() {
    // backfill of 08:00 at 10:10: behind the horizon (09:09:55), older than what is known of the vehicle
    let log = log().at("10:00:00", "position", fix("V1", "1", north(0.0)));
    let log = log.at("10:00:10", "position", fix("V1", "1", north(1.0))).at(
        "10:10:00",
        "position",
        fix("V1", "1", north(1.0)),
    );
    let (before, late) = (log.figures::<Bus>(), log.at("08:00:00", "position", fix("V1", "1", north(40.0))));
    let after = late.figures::<Bus>();
    assert_eq!(after.counters.late, 1);
    let digits = |figures: &Figures| -> Vec<_> {
        figures
            .rows
            .iter()
            .map(|row| (row.metric.clone(), row.key.clone(), row.window_end.clone(), row.numerator))
            .collect()
    };
    assert_eq!(digits(&before), digits(&after));
}
