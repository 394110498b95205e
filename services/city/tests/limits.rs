//! Working days and limits of orders, tolerances of buses, thresholds and surge rates, as the profile of Weihai states
//! them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use jiff::Timestamp;
use yiping_city::{BusSettings, City};

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

#[test]
fn working_days_leave_out_weekends_and_keep_the_time_of_day() {
    let city = City::weihai();
    // Thursday, Friday, then Monday.
    let thursday = ms("2026-11-19T15:30:00.250+08:00");
    assert_eq!(city.working_days_after(thursday, 1), ms("2026-11-20T15:30:00.250+08:00"));
    assert_eq!(city.working_days_after(thursday, 2), ms("2026-11-23T15:30:00.250+08:00"));
    assert_eq!(city.working_days_after(thursday, 7), ms("2026-11-30T15:30:00.250+08:00"));
    assert_eq!(city.working_days_after(thursday, 0), thursday);
    // Created on a Saturday: the first day counted is Monday.
    assert_eq!(city.working_days_after(ms("2026-11-21T09:00:00+08:00"), 1), ms("2026-11-23T09:00:00+08:00"));
    // A day is the city's: 23:30 UTC on Thursday is Friday morning in Weihai.
    assert_eq!(city.working_days_after(ms("2026-11-19T23:30:00Z"), 1), ms("2026-11-22T23:30:00Z"));
}

#[test]
fn the_spring_festival_of_2026_is_nine_days_and_a_saturday_is_worked_before_and_after() {
    let city = City::weihai();
    // The notice: 15 to 23 February off; Saturday the 14th and Saturday the 28th are worked.
    let friday = ms("2026-02-13T10:00:00+08:00");
    assert_eq!(city.working_days_after(friday, 1), ms("2026-02-14T10:00:00+08:00"));
    assert_eq!(city.working_days_after(friday, 2), ms("2026-02-24T10:00:00+08:00"));
    assert_eq!(city.working_days_after(friday, 5), ms("2026-02-27T10:00:00+08:00"));
    assert_eq!(city.working_days_after(friday, 6), ms("2026-02-28T10:00:00+08:00"));
    assert_eq!(city.working_days_after(friday, 7), ms("2026-03-02T10:00:00+08:00"));
}

#[test]
fn the_notices_of_2025_and_2026_are_in_the_calendar_day_by_day() {
    let city = City::weihai();
    // As the notices say it: days off in all, of which on weekdays; weekend days that are worked.
    for (year, off, worked) in [(2025, 1 + 8 + 3 + 5 + 3 + 8, 5), (2026, 3 + 9 + 3 + 5 + 3 + 3 + 7, 6)] {
        assert_eq!(city.calendar.holidays.iter().filter(|d| d.year() == year).count(), off, "{year}");
        assert_eq!(city.calendar.workdays.iter().filter(|d| d.year() == year).count(), worked, "{year}");
    }
    let is_working = |date: &str| city.calendar.is_working_day(date.parse().unwrap());
    for date in ["2025-01-26", "2025-10-11", "2026-01-04", "2026-09-20", "2026-10-10", "2026-10-08", "2025-10-09"] {
        assert!(is_working(date), "{date}");
    }
    for date in ["2025-10-08", "2025-06-02", "2026-01-02", "2026-05-05", "2026-06-19", "2026-09-25", "2026-10-07"] {
        assert!(!is_working(date), "{date}");
    }
    // 2027: no notice yet, weekends alone.
    assert!(is_working("2027-02-08") && !is_working("2027-02-06"));
}

#[test]
fn an_order_without_due_gets_its_categorys_working_days() {
    let city = City::weihai();
    let created = ms("2026-09-30T16:00:00+08:00"); // the day before the National Day holidays
    // 供热供水: three working days. 8, 9, 10 October; the 10th is a Saturday that is worked.
    assert_eq!(city.due_ms("hotline", "供热供水", created), Some(ms("2026-10-10T16:00:00+08:00")));
    assert_eq!(city.due_ms("hotline", "no such category", created), None);
    assert_eq!(city.due_ms("elder", "供热供水", created), None);
}

#[test]
fn the_first_contact_has_its_categorys_hours_or_a_day() {
    let city = City::weihai();
    assert_eq!(city.response_limit_ms("hotline", "供热供水"), 2 * 3_600_000);
    assert_eq!(city.response_limit_ms("hotline", "no such category"), 24 * 3_600_000);
}

#[test]
fn no_instant_panics_in_the_calendar() {
    let city = City::weihai();
    for t in [i64::MIN, 0, i64::MAX] {
        let _ = city.working_days_after(t, 366);
        let _ = city.due_ms("hotline", "教育", t);
    }
}

#[test]
fn both_ends_of_the_tolerance_are_on_time() {
    let bus = City::weihai().bus;
    assert_eq!(bus, BusSettings::default());
    assert!(bus.is_on_time(-60_000) && bus.is_on_time(300_000) && bus.is_on_time(0));
    assert!(!bus.is_on_time(-60_001) && !bus.is_on_time(300_001));
    assert_eq!(bus.service_day_start_ms, 4 * 3_600_000);
}

#[test]
fn every_zone_has_streets_routes_and_lots() {
    let city = City::weihai();
    for zone in &city.zones {
        assert!(city.streets.iter().any(|s| s.district == zone.name), "{}", zone.name);
        assert!(city.routes.iter().any(|r| r.district == zone.name), "{}", zone.name);
        assert!(city.lots.iter().any(|l| l.district == zone.name), "{}", zone.name);
    }
    assert_eq!(city.district_of_street("皇冠街道"), Some("经开区"));
    assert_eq!(city.district_of_street("初村镇"), Some("高新区"));
    assert_eq!(city.district_of_street("苘山镇"), Some("临港区"));
    assert_eq!(city.district_of_street("no such street"), None);
    assert_eq!(city.district_of_route("K7"), Some("高新区"));
    assert_eq!(city.district_of_route("no such route"), None);
}

#[test]
fn about_one_lot_in_seven_has_hours() {
    let city = City::weihai();
    let with_hours = city.lots.iter().filter(|l| l.hours.is_some()).count();
    assert!((40..=50).contains(&with_hours), "{with_hours} of {}", city.lots.len());
    // Some pass midnight, which is where mistakes live.
    assert!(city.lots.iter().any(|l| l.hours.is_some_and(|h| h.to_string() == "18:00-02:00")));
}

#[test]
fn a_category_without_history_has_a_rate_and_districts_share_it() {
    let city = City::weihai();
    for category in &city.categories {
        let metric = if category.stream == "hotline" { "hotline.orders" } else { "elder.calls" };
        let whole = city.surge_rate(metric, &category.name, None).unwrap();
        let places = city.districts.iter().map(|d| d.name.as_str()).chain(city.zones.iter().map(|z| z.name.as_str()));
        // where no district has a rate of its own, they share the city's
        let has_own =
            city.surges.iter().any(|s| s.metric == metric && s.category == category.name && s.district.is_some());
        let parts: f64 = places.map(|d| city.surge_rate(metric, &category.name, Some(d)).unwrap()).sum();
        assert!(has_own || (parts - whole).abs() < 1e-9, "{}: {parts} of {whole}", category.name);
    }
    // 3 of the 73 streets are in 高新区, which states its own for life_care
    let share = city.surge_rate("elder.calls", "emergency", Some("高新区")).unwrap();
    assert!((share - 6.0 * 3.0 / 73.0).abs() < 1e-9, "{share}");
    assert_eq!(city.surge_rate("elder.calls", "life_care", Some("高新区")), Some(7.0));
    assert_eq!(city.surge_rate("elder.calls", "no such category", None), None);
    assert_eq!(city.surge_rate("elder.calls", "life_care", Some("no such district")), None);
    assert_eq!(city.surge_rate("bus.trips", "life_care", None), None);
}
