//! The profile as its users meet it: Weihai's built-in one, and a tiny city that a test writes and breaks.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use yiping_city::{City, OTHER};

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
fn a_newer_or_broken_settings_text_is_refused() {
    assert!(City::from_text("{").unwrap_err().to_string().contains("line 1"));
    let newer = City::weihai().text().replacen("\"format\":1", "\"format\":2", 1);
    assert!(City::from_text(&newer).unwrap_err().to_string().contains("newer"));
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
