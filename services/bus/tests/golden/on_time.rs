//! `bus.on_time_ratio`: departures within the tolerance.

use super::*;

#[test]
fn on_time_is_from_60_s_early_to_300_s_late_both_included() {
    let unscheduled =
        json!({"vehicle_id": "V7", "route_id": "1", "direction": 0, "stop_id": "0080", "event": "departed"});
    let mut arrived = departure("V8", "10:00:00");
    arrived["event"] = "arrived".into();
    let (mut no_timing_point, mut timing_point) = (departure("V9", "10:00:00"), departure("V9", "10:00:00"));
    no_timing_point["timing_point"] = false.into();
    timing_point["timing_point"] = true.into();
    let figures = log()
        .at("09:59:00.000", "stop", departure("V1", "10:00:00")) // −60.000 s: on time
        .at("09:58:59.999", "stop", departure("V2", "10:00:00")) // −60.001 s: early
        .at("10:05:00.000", "stop", departure("V3", "10:00:00")) // +300.000 s: on time
        .at("10:05:00.001", "stop", departure("V4", "10:00:00")) // +300.001 s: late
        .at("10:00:00.000", "stop", departure("V5", "10:00:00")) // on the dot
        .at("10:00:01.000", "stop", unscheduled) // nothing to compare with: left out
        .at("10:00:02.000", "stop", arrived) // no departure: left out
        .at("10:00:03.000", "stop", no_timing_point) // left out
        .at("10:00:04.000", "stop", timing_point) // +4 s: on time
        .figures::<Bus>();
    // 4 of 6
    let expected = Some((Some(4.0 / 6.0), 4.0, 6.0, 6));
    assert_eq!(figures.get("bus.on_time_ratio", "city", "city", "1h", "10:30:00"), expected);
    assert_eq!(figures.get("bus.on_time_ratio", "route", "1", "1h", "10:30:00"), expected);
    assert_eq!(figures.get("bus.on_time_ratio", "route", "1", "day", "21T00:00:00"), expected);
    // the window [09:59, 10:59) holds the departure at 09:59:00 and no longer the one at 09:58:59.999: 4 of 5
    assert_eq!(figures.get("bus.on_time_ratio", "city", "city", "1h", "10:59:00"), Some((Some(0.8), 4.0, 5.0, 5)));
    // [10:00, 11:00): 3 of 4, too few to say
    assert_eq!(figures.get("bus.on_time_ratio", "city", "city", "1h", "11:00:00"), Some((None, 3.0, 4.0, 4)));
}
