//! Buses by hand: small logs, and the arithmetic that their figures must come to.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

#[path = "../../../tests/golden/figures.rs"]
mod figures;

use serde_json::{Value, json};
use yiping_bus::Bus;
use yiping_city::wgs84_to_gcj02;
use yiping_event::Stream;

use figures::{Log, assert_any_order, assert_catalogued};

/// In 环翠区; 0.001° of latitude further north is 111.195 m.
const HUANCUI: (f64, f64) = (122.10405, 37.47091);
const RONGCHENG: (f64, f64) = (122.44223, 37.16085);
const AT_SEA: (f64, f64) = (122.5, 37.5);

fn log() -> Log {
    Log::of(Stream::Bus)
}

fn fix(vehicle: &str, route: &str, (lon, lat): (f64, f64)) -> Value {
    json!({"vehicle_id": vehicle, "route_id": route, "direction": 0, "lon": lon, "lat": lat})
}

fn north(steps: f64) -> (f64, f64) {
    (HUANCUI.0, HUANCUI.1 + 0.001 * steps)
}

/// A departure of route 1, `scheduled` at that time.
fn departure(vehicle: &str, scheduled: &str) -> Value {
    json!({
        "vehicle_id": vehicle, "route_id": "1", "direction": 0, "stop_id": "0080", "event": "departed",
        "scheduled_time": figures::stamp(scheduled),
    })
}

/// A vehicle far from the others whose only use is that time goes on.
fn later(log: Log, time: &str) -> Log {
    log.at(time, "position", fix("LATER", "99", RONGCHENG))
}

#[test]
fn a_vehicle_is_online_for_three_minutes_after_its_fix() {
    // fix at 10:00:00: online at 10:00, 10:01, 10:02; at 10:03:00 three minutes are over. On duty all day.
    let figures = later(log().at("10:00:00", "position", fix("V1", "1", HUANCUI)), "10:06:00").figures::<Bus>();
    let city = |end| figures.get("bus.online_ratio", "city", "city", "now", end);
    assert_eq!(city("10:00:00"), Some((Some(1.0 / 1400.0), 1.0, 1400.0, 1400)));
    assert_eq!(city("10:02:00"), Some((Some(1.0 / 1400.0), 1.0, 1400.0, 1400)));
    assert_eq!(city("10:03:00"), Some((Some(0.0), 0.0, 1400.0, 1400)));
    // the route has seen one vehicle today: too few for a ratio, yet both its parts are published
    let route = |end| figures.get("bus.online_ratio", "route", "1", "now", end);
    assert_eq!(route("10:02:00"), Some((None, 1.0, 1.0, 1)));
    assert_eq!(route("10:03:00"), Some((None, 0.0, 1.0, 1)));
    assert_eq!(figures.get("bus.online_ratio", "district", "环翠区", "now", "10:05:00"), Some((None, 0.0, 1.0, 1)));
    // before the first fix, and after the last event, nothing is said
    assert_eq!((city("09:59:00"), city("10:07:00")), (None, None));
}

#[test]
fn four_of_five_vehicles_online_are_four_fifths() {
    // five vehicles at 10:00; four of them again at 10:02: at 10:03 four are online, of five seen today
    let mut log = log();
    for vehicle in ["V1", "V2", "V3", "V4", "V5"] {
        log = log.at("10:00:00", "position", fix(vehicle, "1", HUANCUI));
    }
    for vehicle in ["V1", "V2", "V3", "V4"] {
        log = log.at("10:02:00", "position", fix(vehicle, "1", HUANCUI));
    }
    let figures = later(log, "10:03:00").figures::<Bus>();
    assert_eq!(figures.get("bus.online_ratio", "route", "1", "now", "10:03:00"), Some((Some(0.8), 4.0, 5.0, 5)));
    assert_eq!(figures.get("bus.online_ratio", "city", "city", "now", "10:03:00").unwrap().1, 5.0); // and LATER
}

#[test]
fn a_vehicle_counts_in_the_route_and_district_of_its_last_fix() {
    // 环翠区 on route 1, 30 minutes later 荣成市 on route 2 (45 km: 91 km/h): it leaves the old ones entirely
    let log = log().at("10:00:10", "position", fix("V1", "1", HUANCUI));
    let figures = later(log.at("10:30:00", "position", fix("V1", "2", RONGCHENG)), "10:31:00").figures::<Bus>();
    let at = |level, key, end| figures.get("bus.online_ratio", level, key, "now", end);
    assert_eq!(at("district", "环翠区", "10:03:00"), Some((None, 1.0, 1.0, 1)));
    assert_eq!(at("district", "环翠区", "10:29:00"), Some((None, 0.0, 1.0, 1)));
    assert_eq!((at("district", "环翠区", "10:30:00"), at("route", "1", "10:30:00")), (None, None));
    assert_eq!(at("district", "荣成市", "10:30:00"), Some((None, 1.0, 1.0, 1)));
    assert_eq!(at("route", "2", "10:30:00"), Some((None, 1.0, 1.0, 1)));
    assert_eq!(at("district", "荣成市", "10:31:00"), Some((None, 2.0, 2.0, 2))); // with LATER
}

#[test]
fn a_move_while_online_takes_the_vehicle_along() {
    // the route changes at the terminus, a minute after the last fix
    let log = log().at("10:00:00", "position", fix("V1", "1", HUANCUI));
    let figures = later(log.at("10:01:00", "position", fix("V1", "2", HUANCUI)), "10:05:00").figures::<Bus>();
    let at = |route, end| figures.get("bus.online_ratio", "route", route, "now", end);
    assert_eq!((at("1", "10:00:00"), at("1", "10:01:00")), (Some((None, 1.0, 1.0, 1)), None));
    assert_eq!(at("2", "10:01:00"), Some((None, 1.0, 1.0, 1)));
    assert_eq!((at("2", "10:03:00"), at("2", "10:04:00")), (Some((None, 1.0, 1.0, 1)), Some((None, 0.0, 1.0, 1))));
    assert_eq!(figures.get("bus.online_ratio", "district", "环翠区", "now", "10:03:00"), Some((None, 1.0, 1.0, 1)));
}

#[test]
fn the_service_day_ends_at_four_for_who_is_on_duty() {
    // seen at 03:58:30 on the 21st: on duty until 04:00, online until 04:01:30
    let figures = later(log().at("21T03:58:30", "position", fix("N1", "1", HUANCUI)), "21T04:03:00").figures::<Bus>();
    let route = |end| figures.get("bus.online_ratio", "route", "1", "now", end);
    assert_eq!(route("21T03:59:00"), Some((None, 1.0, 1.0, 1)));
    assert_eq!(route("21T04:00:00"), Some((None, 1.0, 0.0, 0)));
    assert_eq!(route("21T04:01:00"), Some((None, 1.0, 0.0, 0)));
    assert_eq!(route("21T04:02:00"), None);
}

#[test]
fn a_night_bus_of_two_oclock_belongs_to_the_evening_before() {
    // seen at 02:00 on the 21st, then again at 05:00: one vehicle of the 20th's service day, one of the 21st's; never two
    let log = log().at("21T02:00:00", "position", fix("N1", "1", HUANCUI));
    let figures = later(log.at("21T05:00:00", "position", fix("N1", "1", HUANCUI)), "21T05:01:00").figures::<Bus>();
    let duty = |end| figures.get("bus.online_ratio", "route", "1", "now", end).map(|figure| figure.2);
    assert_eq!((duty("21T03:59:00"), duty("21T04:00:00"), duty("21T05:00:00")), (Some(1.0), None, Some(1.0)));
}

#[test]
fn i5_a_late_fix_revises_the_instants_that_have_passed() {
    // fix at 10:00; time goes on to 10:10; then the fix of 10:04:00 arrives: online again at 10:04, 10:05, 10:06
    let known = later(log().at("10:00:00", "position", fix("V1", "1", HUANCUI)), "10:10:00");
    let before = known.figures::<Bus>();
    let after = known.at("10:04:00", "position", fix("V1", "1", HUANCUI)).figures::<Bus>();
    let online = |figures: &figures::Figures| {
        let at =
            |minute| figures.get("bus.online_ratio", "route", "1", "now", &format!("10:{minute:02}:00")).unwrap().1;
        (0..=8).map(at).collect::<Vec<f64>>()
    };
    assert_eq!(online(&before), [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(online(&after), [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
}

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
fn a_refused_fix_is_no_sign_of_life() {
    // believed at 10:00:00, an impossible one at 10:02:00: offline at 10:03 all the same
    let log = log().at("10:00:00", "position", fix("V1", "1", north(0.0)));
    let figures = later(log.at("10:02:00", "position", fix("V1", "1", north(130.0))), "10:04:00").figures::<Bus>();
    assert_eq!(figures.get("bus.online_ratio", "route", "1", "now", "10:03:00"), Some((None, 0.0, 1.0, 1)));
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
fn a_fix_at_sea_belongs_elsewhere_and_one_at_zero_zero_is_refused() {
    let log = log().at("10:00:00", "position", fix("V1", "1", AT_SEA));
    let figures = log.at("10:00:01", "position", fix("V2", "1", (0.0, 0.0))).figures::<Bus>();
    assert_eq!(figures.get("bus.online_ratio", "district", "其他", "now", "10:00:00"), Some((None, 1.0, 1.0, 1)));
    assert_eq!((figures.rejects, figures.counters.rejected), (vec![("outside_city", 1)], 1));
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
    let digits = |figures: &figures::Figures| -> Vec<_> {
        figures
            .rows
            .iter()
            .map(|row| (row.metric.clone(), row.key.clone(), row.window_end.clone(), row.numerator))
            .collect()
    };
    assert_eq!(digits(&before), digits(&after));
}

#[test]
fn i8_the_order_in_which_fixes_come_changes_no_digit() {
    let mut log = log();
    for at in 0..30 {
        let jump = if at % 11 == 7 { 130.0 } else { 0.0 }; // some are impossible
        let time = format!("10:{:02}:{:02}", at * 25 / 60, at * 25 % 60);
        let route = if at < 20 { "1" } else { "2" };
        log = log.at(&time, "position", fix("V1", route, north(f64::from(at) + jump)));
        log = log.at(&time, "position", fix("V2", "1", north(f64::from(at) * 2.0)));
        log = log.at(&time, "stop", departure("V1", "10:04:00"));
    }
    assert_any_order::<Bus>(&log);
}

#[test]
fn every_metric_of_the_catalogue_speaks_at_its_levels_and_spans_and_no_other() {
    let log = log()
        .at("10:00:00", "position", fix("V1", "1", north(0.0)))
        .at("10:00:10", "position", fix("V1", "1", north(1.0)))
        .at("10:01:00", "stop", departure("V1", "10:00:00"));
    assert_catalogued(Stream::Bus, &log.figures::<Bus>());
}
