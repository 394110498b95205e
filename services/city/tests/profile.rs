//! The profile as its users meet it: Weihai's built-in one, and a tiny city that a test writes and breaks.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use yiping_city::{BusSettings, Calendar, City, OTHER};

#[test]
fn weihai_has_the_parts_the_wall_and_the_catalogue_speak_of() {
    let city = City::weihai();
    assert_eq!(city.name, "威海");
    assert_eq!(city.zone.iana_name(), Some("Asia/Shanghai"));
    assert_eq!(city.fleet, 1400);
    assert_eq!(city.approval_number, "");
    let names: Vec<_> = city.districts.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["环翠区", "文登区", "荣成市", "乳山市"]);
    let zones: Vec<_> = city.zones.iter().map(|z| z.name.as_str()).collect();
    assert_eq!(zones, ["经开区", "高新区", "临港区"]);
    assert_eq!(city.streets.len(), 73);
    assert_eq!(city.lots.len(), 300);
    assert_eq!(city.routes.len(), 150);
    assert_eq!(city.routes.iter().map(|r| r.vehicles).sum::<u32>(), 1400);
    for stream in ["bus", "parking", "hotline", "elder"] {
        assert!(city.sources.iter().any(|s| s.stream == stream), "{stream}");
    }
    assert_eq!(city.lot("P001").map(|l| l.district.as_str()), Some("环翠区"));
    assert_eq!(city.route("K7").map(|r| r.district.as_str()), Some("高新区"));
    assert!(city.lots.iter().any(|l| l.floors > 1));
    assert!(city.lots.iter().all(|l| (40..=900).contains(&l.capacity)));
    assert!(city.agencies().len() > 8);
    assert_eq!(city.category("hotline", "供热供水").map(|c| c.response_h), Some(2));
    assert_eq!(city.source_of("parking", "临港区").map(|s| s.source.as_str()), Some("weihai/parking/jingkai"));
}

#[test]
fn every_place_of_weihai_lies_in_the_district_that_it_names() {
    let city = City::weihai();
    let outline_of = |district: &str| -> String {
        let zone = city.zones.iter().find(|z| z.name == district);
        zone.map_or(district, |z| &z.inside).to_owned()
    };
    for street in &city.streets {
        assert_eq!(city.district_of(street.lon, street.lat), outline_of(&street.district), "{}", street.street);
    }
    for lot in &city.lots {
        assert_eq!(city.district_of(lot.lon, lot.lat), outline_of(&lot.district), "{}", lot.lot_id);
    }
    for zone in &city.zones {
        assert_eq!(city.district_of(zone.center[0], zone.center[1]), zone.inside, "{}", zone.name);
    }
}

#[test]
fn buses_stay_on_land_between_stops() {
    let city = City::weihai();
    for route in &city.routes {
        for pair in route.stops.windows(2) {
            for step in 0..=10 {
                let t = f64::from(step) / 10.0;
                let lon = pair[0].lon + (pair[1].lon - pair[0].lon) * t;
                let lat = pair[0].lat + (pair[1].lat - pair[0].lat) * t;
                assert_ne!(city.district_of(lon, lat), OTHER, "route {} after {}", route.route_id, pair[0].name);
            }
        }
    }
}

#[test]
fn direction_one_calls_at_the_same_stops_backwards() {
    let city = City::weihai();
    let route = city.route("12").unwrap();
    let there: Vec<_> = route.stops(0).map(|s| &s.stop_id).collect();
    let mut back: Vec<_> = route.stops(1).map(|s| &s.stop_id).collect();
    back.reverse();
    assert_eq!(there, back);
    assert!(route.stops[0].timing_point && route.stops.iter().any(|s| !s.timing_point));
}

#[test]
fn the_sea_is_other_and_beijing_is_outside() {
    let city = City::weihai();
    assert_eq!(city.district_of(122.5, 37.5), OTHER);
    assert_eq!(city.district_of(0.0, 0.0), OTHER);
    assert!(city.contains(122.5, 37.5));
    // 20 km of sea to the east still count, 60 km do not; nor do 0,0 and swapped coordinates.
    assert!(city.contains(122.703 + 0.2, 37.2));
    assert!(!city.contains(122.703 + 0.7, 37.2));
    assert!(!city.contains(116.4, 39.9));
    assert!(!city.contains(0.0, 0.0));
    assert!(!city.contains(37.2, 122.1));
}

#[test]
fn the_text_that_travels_in_the_log_judges_like_the_profile_it_came_from() {
    let city = City::weihai();
    let text = city.text();
    let copy = City::from_text(&text).unwrap();
    assert_eq!(copy.text(), text);
    assert_eq!(copy.hash(), city.hash());
    assert_eq!(copy.fleet, city.fleet);
    assert_eq!(copy.zone, city.zone);
    for lot in &city.lots {
        let same = copy.lot(&lot.lot_id).unwrap();
        assert_eq!((same.capacity, same.floors, &same.district), (lot.capacity, lot.floors, &lot.district));
        assert_eq!(copy.district_of(lot.lon, lot.lat), city.district_of(lot.lon, lot.lat));
    }
    assert_eq!(copy.contains(121.0, 36.6), city.contains(121.0, 36.6));
    assert_eq!(copy.route("12").unwrap().district, city.route("12").unwrap().district);
    assert_eq!(copy.category("hotline", "教育"), city.category("hotline", "教育"));
}

#[test]
fn a_new_wording_keeps_the_hash_and_a_new_capacity_changes_it() {
    let dir = tiny();
    let before = City::load(dir.path()).unwrap();
    edit(dir.path(), "city.toml", "title = \"A\"", "title = \"B\"");
    let renamed = City::load(dir.path()).unwrap();
    assert_eq!(renamed.title, "B");
    assert_eq!(renamed.hash(), before.hash());
    edit(dir.path(), "lots.csv", "200", "201");
    assert_ne!(City::load(dir.path()).unwrap().hash(), before.hash());
}

#[test]
fn a_second_city_is_another_folder() {
    let city = City::load(tiny().path()).unwrap();
    assert_eq!(city.zone.iana_name(), Some("Europe/Berlin"));
    assert_eq!(city.district_of(13.25, 52.5), "West");
    assert_eq!(city.district_of(13.45, 52.5), "East");
    assert_eq!(city.district_of(13.6, 52.5), OTHER);
    assert_eq!(city.route("M1").unwrap().stops.len(), 2);
    assert_eq!(City::from_text(&city.text()).unwrap().text(), city.text());
}

#[test]
fn faults_name_the_file_and_the_line_or_field() {
    let cases = [
        ("lots.csv", "200", "many", "lots.csv, line 2: ", "capacity"),
        ("lots.csv", "West", "North", "lots.csv, lot L1: ", "`North`"),
        ("lots.csv", "13.25,52.5", "52.5,13.25", "lots.csv, lot L1: ", "longitude comes first"),
        ("routes.csv", "A* B*", "A* C*", "routes.csv, route M1, stops: ", "`C`"),
        ("city.toml", "fleet = 7", "fleet = \"seven\"", "city.toml, line 6: ", "seven"),
        ("city.toml", "fleet = 7", "flete = 7", "city.toml, line 6: ", "flete"),
        ("city.toml", "Europe/Berlin", "Europe/Bielefeld", "city.toml, zone: ", "Bielefeld"),
        ("city.toml", "[13.2, 52.4, 13.6, 52.6]", "[13.6, 52.4, 13.2, 52.6]", "city.toml, bounds: ", "no box"),
        ("city.toml", "stream = \"bus\"", "stream = \"tram\"", "city.toml, sources[0].stream: ", "none of"),
        (
            "districts.geojson",
            ",[13.2,52.4]]]}}",
            "]]}}",
            "districts.geojson, features[0] (West) geometry: ",
            "not closed",
        ),
        ("stops.csv", "B,b,13.45,52.5", "B,b,13.45", "stops.csv, line 3: ", "field"),
        ("streets.csv", "High", "Low", "streets.csv, street Low: ", "is there twice"),
    ];
    for (file, old, new, place, word) in cases {
        let dir = tiny();
        edit(dir.path(), file, old, new);
        let message = City::load(dir.path()).unwrap_err().to_string();
        assert!(message.starts_with(place) && message.contains(word), "{file}: {new}: {message}");
    }
    let dir = tiny();
    fs::remove_file(dir.path().join("stops.csv")).unwrap();
    assert!(City::load(dir.path()).unwrap_err().to_string().contains("stops.csv"));
}

#[test]
fn faults_of_hours_calendar_tolerances_thresholds_and_rates_name_their_place() {
    let lots = (
        "lots.csv",
        "capacity,floors\nL1,One,West,13.25,52.5,200,2",
        "capacity,floors,hours\nL1,One,West,13.25,52.5,200,2,",
    );
    let (file, old, with_hours) = lots;
    for (hours, word) in [("6-22", "6-22"), ("06:00-25:00", "25:00"), ("08:00-08:00", "always open")] {
        let message = fault(file, old, &format!("{with_hours}{hours}"));
        assert!(message.starts_with("lots.csv, line 2: hours ") && message.contains(word), "{message}");
    }
    // Written before `[wall]`, which is on line 8, so its own lines count from there.
    let cases = [
        ("[calendar]\nholidays = [\"2026-02-30\"]", "city.toml, line 9: ", "2026-02-30"),
        ("[calendar]\nholidays = [\"20261001\"]", "city.toml, line 9: ", "20261001"),
        ("[calendar]\nworkdays = [\"soon\"]", "city.toml, line 9: ", "soon"),
        ("[calendar]\nholiday = []", "city.toml, line 9: ", "holiday"),
        ("[calendar]\nworkdays = [\"2026-11-20\"]", "city.toml, calendar.workdays: ", "2026-11-20"),
        (
            "[calendar]\nworkdays = [\"2026-11-21\"]\nholidays = [\"2026-11-21\"]",
            "city.toml, calendar.workdays: ",
            "holidays too",
        ),
        ("[bus]\nearly_s = -60", "city.toml, line 9: ", "-60"),
        ("[bus]\nlate_s = 3601", "city.toml, bus.late_s: ", "3601"),
        ("[bus]\nservice_day_starts = \"4\"", "city.toml, bus.service_day_starts: ", "`4`"),
        ("[bus]\nservice_day_starts = \"13:00\"", "city.toml, bus.service_day_starts: ", "noon"),
        ("[[thresholds]]\nmetric = \"bus.a\"\nseverity = \"w\"", "city.toml, thresholds[0].limit: ", "off = true"),
        (
            "[[thresholds]]\nmetric = \"bus.a\"\nseverity = \"x\"\nlimit = 1",
            "city.toml, thresholds[0].severity: ",
            "`x`",
        ),
        (
            "[[thresholds]]\nmetric = \"tram.a\"\nseverity = \"w\"\nlimit = 1",
            "city.toml, thresholds[0].metric: ",
            "tram.a",
        ),
        (
            "[[thresholds]]\nmetric = \"bus.a\"\nseverity = \"w\"\nlimit = 1\nwhen = \"=\"",
            "city.toml, thresholds[0].when: ",
            "`=`",
        ),
        (
            "[[thresholds]]\nmetric = \"bus.a\"\nseverity = \"w\"\nlimit = 1\nfor = \"5 min\"",
            "city.toml, line 12: ",
            "5 min",
        ),
        (
            "[[thresholds]]\nmetric = \"bus.a\"\nseverity = \"w\"\nlimit = nan",
            "city.toml, thresholds[0].limit: ",
            "NaN",
        ),
        (
            "[[thresholds]]\nmetric = \"bus.a\"\nseverity = \"w\"\nlimit = 2\nwhen = \">\"\nclear = 3",
            "city.toml, thresholds[0].clear: ",
            "good side",
        ),
        (
            "[[surge]]\nmetric = \"bus.a\"\ncategory = \"Roads\"\nper_half_hour = 1",
            "city.toml, surge[0].metric: ",
            "bus.a",
        ),
        (&surge("Hats", "1", ""), "city.toml, surge[0].category: ", "Hats"),
        (&surge("Roads", "0", ""), "city.toml, surge[0].per_half_hour: ", "above 0"),
        (&surge("Roads", "1", "district = \"North\""), "city.toml, surge[0].district: ", "`North`"),
        (&format!("{}\n{}", surge("Roads", "1", ""), surge("Roads", "2", "")), "city.toml, surge[1]: ", "twice"),
    ];
    for (text, place, word) in cases {
        let message = fault("city.toml", "[wall]", &format!("{text}\n\n[wall]"));
        assert!(message.starts_with(place) && message.contains(word), "{text}: {message}");
    }
    let message = fault("city.toml", "close_days = 5", "close_days = 367");
    assert!(message.starts_with("city.toml, categories[0].close_days: "), "{message}");
    // The same places without a fault.
    let dir = tiny();
    edit(dir.path(), file, old, &format!("{with_hours}06:00-22:00"));
    let well = "[calendar]\nworkdays = [\"2026-11-21\"]\n[bus]\nlate_s = 3600\n\
                [[thresholds]]\nmetric = \"bus.a\"\nseverity = \"w\"\nlimit = 2\nwhen = \">\"\nclear = 1\nfor = \"5m\"\n";
    edit(dir.path(), "city.toml", "[wall]", &format!("{well}{}\n\n[wall]", surge("Roads", "1", "district = \"East\"")));
    City::load(dir.path()).unwrap();
}

#[test]
fn what_changes_rows_changes_the_hash_and_what_does_not_keeps_it() {
    let dir = tiny();
    let before = City::load(dir.path()).unwrap();
    assert!(before.lot("L1").unwrap().hours.is_none());
    edit(dir.path(), "city.toml", "[wall]", &format!("{}\n[wall]", surge("Roads", "1", "")));
    edit(dir.path(), "city.toml", "[wall]", "[[thresholds]]\nmetric = \"bus.a\"\nseverity = \"w\"\nlimit = 2\n[wall]");
    assert_eq!(City::load(dir.path()).unwrap().hash(), before.hash());
    // The defaults, written out, are the same settings.
    edit(
        dir.path(),
        "city.toml",
        "[wall]",
        "[bus]\nearly_s = 60\nlate_s = 300\nservice_day_starts = \"04:00\"\n[wall]",
    );
    assert_eq!(City::load(dir.path()).unwrap().hash(), before.hash());
    let mut hashes = vec![before.hash()];
    for (file, old, new) in [
        ("city.toml", "late_s = 300", "late_s = 180"),
        ("city.toml", "\"04:00\"", "\"03:00\""),
        ("city.toml", "[wall]", "[calendar]\nholidays = [\"2026-11-20\"]\n[wall]"),
        ("city.toml", "holidays =", "workdays = [\"2026-11-21\"]\nholidays ="),
        ("city.toml", "close_days = 5", "close_days = 6"),
        ("lots.csv", "floors\nL1,One,West,13.25,52.5,200,2", "floors,hours\nL1,One,West,13.25,52.5,200,2,06:00-22:00"),
        ("lots.csv", "06:00-22:00", "06:00-02:00"),
    ] {
        edit(dir.path(), file, old, new);
        let city = City::load(dir.path()).unwrap();
        assert!(!hashes.contains(&city.hash()), "{new}");
        hashes.push(city.hash());
        let copy = City::from_text(&city.text()).unwrap();
        assert_eq!(copy.text(), city.text());
        assert_eq!((&copy.calendar, copy.bus), (&city.calendar, city.bus));
        assert_eq!(copy.lot("L1").unwrap().hours, city.lot("L1").unwrap().hours);
    }
}

#[test]
fn a_text_from_before_hours_and_calendar_reads_as_it_did() {
    let old = include_str!("texts/format1.json").trim_end();
    let city = City::from_text(old).unwrap();
    assert_eq!(city.text(), old);
    assert!(city.lots.len() == 2 && city.lots.iter().all(|l| l.hours.is_none()));
    assert_eq!(city.bus, BusSettings::default());
    assert_eq!(city.calendar, Calendar::default());
    // Weekends alone: from Friday, five working days later is Friday.
    let friday =
        "2026-11-20T09:00:00+01:00[Europe/Berlin]".parse::<jiff::Zoned>().unwrap().timestamp().as_millisecond();
    assert_eq!(city.due_ms("hotline", "Roads", friday), Some(friday + 7 * 86_400_000));
    assert_eq!(city.district_of_street("High"), Some("West"));
}

#[test]
fn a_newer_or_broken_settings_text_is_refused() {
    assert!(City::from_text("{").unwrap_err().to_string().contains("line 1"));
    let newer = City::weihai().text().replacen("\"format\":1", "\"format\":2", 1);
    assert!(City::from_text(&newer).unwrap_err().to_string().contains("newer"));
}

fn surge(category: &str, rate: &str, more: &str) -> String {
    format!("[[surge]]\nmetric = \"hotline.orders\"\ncategory = \"{category}\"\nper_half_hour = {rate}\n{more}")
}

/// What loading says after an edit.
fn fault(file: &str, old: &str, new: &str) -> String {
    let dir = tiny();
    edit(dir.path(), file, old, new);
    City::load(dir.path()).unwrap_err().to_string()
}

fn edit(dir: &Path, file: &str, old: &str, new: &str) {
    let path = dir.join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{file} has no {old}");
    fs::write(path, text.replacen(old, new, 1)).unwrap();
}

fn tiny() -> TempDir {
    let dir = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write(
        "city.toml",
        r#"name = "Tiny"
title = "A"
zone = "Europe/Berlin"
bounds = [13.2, 52.4, 13.6, 52.6]
core = [13.2, 52.4, 13.4, 52.6]
fleet = 7

[wall]
mm_per_px = 0.5
distance_m = 3.0

[[sources]]
source = "tiny/bus"
stream = "bus"
name = "Buses"
serves = ["West", "East"]
expected_s = 30

[[categories]]
stream = "hotline"
name = "Roads"
agency = "Works"
response_h = 12
close_days = 5
"#,
    );
    write(
        "districts.geojson",
        r#"{"type":"FeatureCollection","features":[
{"type":"Feature","properties":{"name":"West"},"geometry":{"type":"Polygon","coordinates":[[[13.2,52.4],[13.4,52.4],[13.4,52.6],[13.2,52.6],[13.2,52.4]]]}},
{"type":"Feature","properties":{"name":"East"},"geometry":{"type":"MultiPolygon","coordinates":[[[[13.4,52.4],[13.5,52.4],[13.5,52.6],[13.4,52.6],[13.4,52.4]]]]}}
]}"#,
    );
    write("streets.csv", "street,district,lon,lat\nHigh,West,13.3,52.5\nLow,East,13.45,52.5\n");
    write("lots.csv", "lot_id,name,district,lon,lat,capacity,floors\nL1,One,West,13.25,52.5,200,2\n");
    write("stops.csv", "stop_id,name,lon,lat\nA,a,13.25,52.5\nB,b,13.45,52.5\n");
    write("routes.csv", "route_id,name,district,vehicles,stops\nM1,M1,West,2,A* B*\n");
    dir
}
