//! `bus.online_ratio`: vehicles with a fix in the last three minutes.

use super::*;

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
    let online = |figures: &Figures| {
        let at =
            |minute| figures.get("bus.online_ratio", "route", "1", "now", &format!("10:{minute:02}:00")).unwrap().1;
        (0..=8).map(at).collect::<Vec<f64>>()
    };
    assert_eq!(online(&before), [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(online(&after), [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
}

#[test]
fn a_refused_fix_is_no_sign_of_life() {
    // believed at 10:00:00, an impossible one at 10:02:00: offline at 10:03 all the same
    let log = log().at("10:00:00", "position", fix("V1", "1", north(0.0)));
    let figures = later(log.at("10:02:00", "position", fix("V1", "1", north(130.0))), "10:04:00").figures::<Bus>();
    assert_eq!(figures.get("bus.online_ratio", "route", "1", "now", "10:03:00"), Some((None, 0.0, 1.0, 1)));
}

#[test]
fn a_fix_at_sea_belongs_elsewhere_and_one_at_zero_zero_is_refused() {
    let log = log().at("10:00:00", "position", fix("V1", "1", AT_SEA));
    let figures = log.at("10:00:01", "position", fix("V2", "1", (0.0, 0.0))).figures::<Bus>();
    assert_eq!(figures.get("bus.online_ratio", "district", "其他", "now", "10:00:00"), Some((None, 1.0, 1.0, 1)));
    assert_eq!((figures.rejects, figures.counters.rejected), (vec![("outside_city", 1)], 1));
}
