//! `deploy/cities/examples/tiny`: a city that shares nothing with Weihai.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use jiff::Timestamp;
use yiping_city::{City, OTHER};

fn tiny() -> City {
    City::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/cities/examples/tiny")).unwrap()
}

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

#[test]
fn the_tiny_city_has_all_parts() {
    let city = tiny();
    assert_eq!((city.districts.len(), city.zones.len(), city.routes.len(), city.lots.len()), (2, 1, 2, 2));
    assert_eq!(city.categories.len(), 3);
    for stream in ["bus", "parking", "hotline", "elder"] {
        assert!(city.sources.iter().any(|s| s.stream == stream), "{stream}");
    }
    let weihai = City::weihai();
    assert!(!city.contains(weihai.core.west, weihai.core.south));
    assert!(city.routes.iter().all(|r| weihai.route(&r.route_id).is_none()));
    assert!(city.lots.iter().all(|l| weihai.lot(&l.lot_id).is_none()));
    assert_eq!(City::from_text(&city.text()).unwrap().text(), city.text());
}

#[test]
fn holes_islands_and_the_border_between_two_districts() {
    let city = tiny();
    assert_eq!(city.district_of(-52.9, 47.55), "Uptiny");
    assert_eq!(city.district_of(-52.82, 47.55), OTHER, "the hole");
    assert_eq!(city.district_of(-52.85, 47.55), "Uptiny", "the hole's edge");
    assert_eq!(city.district_of(-52.97, 47.43), "Downtiny", "the island");
    assert_eq!(city.district_of(-52.93, 47.43), OTHER, "between the island and the land");
    assert_eq!(city.district_of(-52.7, 47.5), "Uptiny", "on the border: the first of the file");
    assert_eq!(city.district_of(-52.7, 47.5 - 1e-6), "Downtiny");
    assert_eq!(city.district_of(-52.6, 47.45), "Downtiny", "the outer edge");
}

#[test]
fn hours_tolerances_and_days_are_the_tiny_citys_own() {
    let city = tiny();
    let quay = city.lot("Q1").unwrap().hours.unwrap();
    // Clocks go forward on 2026-03-08 at 02:00: the night from 18:00 to 02:00 has all its eight hours; the next one too.
    let opens = ms("2026-03-07T18:00:00-03:30");
    assert_eq!(quay.next_change_after(opens, &city.zone), ms("2026-03-08T02:00:00-03:30"));
    assert_eq!(quay.next_change_after(ms("2026-03-08T02:00:00-03:30"), &city.zone), ms("2026-03-08T18:00:00-02:30"));
    assert!(city.lot("U1").unwrap().hours.is_none());
    assert!(city.bus.is_on_time(-180_000) && !city.bus.is_on_time(180_001));
    assert_eq!(city.bus.service_day_start_ms, 3 * 3_600_000);
    // Friday 2026-12-18; then count the Saturday that is worked, 21 to 24, 29 to 31 December, 4 and 5 January.
    let friday = ms("2026-12-18T09:00:00-03:30");
    assert_eq!(city.working_days_after(friday, 1), ms("2026-12-19T09:00:00-03:30"));
    assert_eq!(city.due_ms("hotline", "Lost Hats", friday), Some(ms("2027-01-05T09:00:00-03:30")));
    // Three working days over the change of clocks: the same time of day, so an hour less.
    let before = ms("2026-03-06T09:00:00-03:30");
    assert_eq!(city.due_ms("hotline", "Potholes", before), Some(ms("2026-03-11T09:00:00-02:30")));
    assert_eq!(city.response_limit_ms("hotline", "Lost Hats"), 48 * 3_600_000);
}

#[test]
fn thresholds_and_rates_are_the_tiny_citys_own() {
    let city = tiny();
    let of = |metric: &str| city.thresholds.iter().find(|t| t.metric == metric).unwrap();
    let route = of("bus.on_time_ratio");
    assert_eq!((&route.keys, &route.spans), (&vec!["T2".to_owned()], &vec!["1h".to_owned()]));
    assert_eq!((route.limit, route.clear, route.for_ms), (Some(0.8), Some(0.85), Some(600_000)));
    assert_eq!((route.when.as_deref(), route.owner.as_deref()), (Some("<"), Some("Tinyburg Buses")));
    assert!(of("elder.connect_ratio").off);
    assert_eq!(city.surge_rate("hotline.orders", "Potholes", None), Some(3.2));
    assert_eq!(city.surge_rate("hotline.orders", "Potholes", Some("Uptiny")), Some(1.5), "its own");
    assert_eq!(city.surge_rate("hotline.orders", "Potholes", Some("Downtiny")), Some(0.8), "one street of four");
    assert_eq!(city.surge_rate("hotline.orders", "Lost Hats", None), None);
}
