//! The maps of `deploy/cities/examples`, on small made-up samples of the formats that they read.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic like the test itself")]

use prost::Message;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use yiping_event::Datum;
use yiping_feed::gtfs_rt::{
    FeedEntity, FeedHeader, FeedMessage, Position, StopTimeEvent, StopTimeUpdate, TripDescriptor, TripUpdate,
    VehicleDescriptor, VehiclePosition,
};
use yiping_feed::{Feed, Format, Mapping, Means, ReadOptions, Tally, Timetable, map_file};

fn feed(name: &str) -> Feed {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../deploy/cities/examples/{name}.jq"));
    Feed { name: name.into(), source: "unused".into(), map: Some(Mapping::load(&path).unwrap()), ..Feed::default() }
}

fn mapped(name: &str, format: Format, file: &Path) -> (Vec<Value>, Tally, Vec<String>) {
    let (mut out, mut faults) = (Vec::new(), Vec::new());
    let tally = map_file(feed(name), ReadOptions::new(format), file, yiping_event::TimeMs(0), &mut out, &mut |f| {
        faults.push(f.message)
    })
    .unwrap();
    let lines = String::from_utf8(out).unwrap();
    for line in lines.lines() {
        yiping_event::decode(line.as_bytes()).unwrap();
    }
    (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), tally, faults)
}

fn file(folder: &tempfile::TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_car_parks_row_becomes_a_snapshot_in_order_of_time_and_impossible_occupancy_passes() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "SystemCodeNumber,Capacity,Occupancy,LastUpdated\n\
                East,100,7,2020-11-02 08:30:00\nEast,100,7,2020-11-02 08:30:00\nWest,50,-3,2020-07-01 09:00:00\nWest,50,,2020-07-01 09:30:00\n";
    let path = file(&folder, "lots.csv", rows.as_bytes());
    let (events, tally, faults) = mapped("birmingham-parking", Format::Csv, &path);
    assert_eq!((tally.rows, tally.failed_rows, events.len()), (4, 1, 3));
    assert!(faults[0].contains("no number"), "{faults:?}");
    assert_eq!(events[0]["time"], "2020-07-01T09:00:00+01:00");
    assert_eq!(events[0]["data"], json!({"lot_id": "West", "capacity": 50, "occupied": -3}));
    assert_eq!(events[0]["source"], "birmingham/parking");
    assert_eq!(events[1]["time"], "2020-11-02T08:30:00+00:00");
    assert_eq!(events[1]["id"], events[2]["id"], "an exact repeat is one event (I7)");
    assert_ne!(events[0]["id"], events[1]["id"]);
}

/// Seconds since 1970, and seconds of delay.
type At = Option<(i64, i32)>;

/// A poll at a time (seconds since 1970) that tells, of one bus, for each stop's number its arrival and departure.
fn poll(at: u64, updates: &[(u32, At, At)]) -> FeedMessage {
    let event = |given: At| {
        given.map(|(time, delay)| StopTimeEvent { time: Some(time), delay: Some(delay), uncertainty: None })
    };
    let entity = updates.iter().map(|(sequence, arrival, departure)| FeedEntity {
        id: format!("entity-{at}-{sequence}"),
        is_deleted: Some(false),
        trip_update: Some(TripUpdate {
            trip: TripDescriptor {
                trip_id: Some("77-20200101000000_v1.5".into()),
                route_id: Some("12-20200101000000_v1.5".into()),
                schedule_relationship: Some(0),
                ..Default::default()
            },
            vehicle: Some(VehicleDescriptor { id: Some("bus 1".into()), ..Default::default() }),
            stop_time_update: vec![StopTimeUpdate {
                stop_sequence: Some(*sequence),
                stop_id: Some(format!("S{sequence}")),
                arrival: event(*arrival),
                departure: event(*departure),
                schedule_relationship: Some(0),
            }],
            timestamp: Some(at),
            delay: None,
        }),
        vehicle: None,
    });
    FeedMessage {
        header: FeedHeader { gtfs_realtime_version: "1.0".into(), incrementality: Some(0), timestamp: Some(at) },
        entity: entity.collect(),
    }
}

#[test]
fn one_map_serves_both_forms_of_a_poll() {
    let folder = tempfile::tempdir().unwrap();
    let message = poll(1_600_000_100, &[(4, Some((1_600_000_040, -30)), Some((1_600_000_060, 45)))]);
    let json_file = file(&folder, "poll.json", serde_json::to_string(&message).unwrap().as_bytes());
    let protobuf_file = file(&folder, "poll.pb", &message.encode_to_vec());
    let (events, ..) = mapped("auckland-trip-updates", Format::GtfsRtJson, &json_file);
    assert_eq!(events, mapped("auckland-trip-updates", Format::GtfsRt, &protobuf_file).0);
    assert_eq!(events.len(), 2);
    let departure = &events[1];
    assert_eq!(departure["time"], "2020-09-13T12:27:40Z");
    assert_eq!(departure["receivedtime"], "2020-09-13T12:28:20Z");
    let data = json!({"vehicle_id": "bus 1", "route_id": "12", "direction": 0, "stop_id": "S4", "event": "departed",
        "trip_id": "77-20200101000000_v1.5", "stop_seq": 4, "scheduled_time": "2020-09-13T12:26:55Z"});
    assert_eq!(departure["data"], data);
    assert_eq!(events[0]["data"]["event"], "arrived");
    assert_eq!(events[0]["data"]["scheduled_time"], "2020-09-13T12:27:50Z");
}

#[test]
fn i7_a_poll_that_repeats_an_update_repeats_its_id_and_a_correction_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let ids = |at: u64, departure: (i64, i32)| {
        let path = file(&folder, "poll.pb", &poll(at, &[(4, None, Some(departure))]).encode_to_vec());
        mapped("auckland-trip-updates", Format::GtfsRt, &path).0[0]["id"].clone()
    };
    let first = ids(1_600_000_100, (1_600_000_060, 45));
    assert_eq!(first, ids(1_600_000_160, (1_600_000_060, 45)));
    assert_ne!(first, ids(1_600_000_160, (1_600_000_090, 75)));
}

#[test]
fn a_forecast_is_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let message = poll(1_600_000_100, &[(4, None, Some((1_600_000_101, 45))), (5, None, Some((1_600_000_100, 45)))]);
    let (events, tally, _) =
        mapped("auckland-trip-updates", Format::GtfsRt, &file(&folder, "poll.pb", &message.encode_to_vec()));
    assert_eq!((events.len(), tally.rows, tally.empty_rows), (1, 2, 1));
    assert_eq!(events[0]["data"]["stop_id"], "S5");
}

#[test]
fn the_example_profiles_load_and_state_their_zone() {
    for (name, zone, lon, lat) in
        [("birmingham", "Europe/London", -1.9, 52.48), ("auckland", "Pacific/Auckland", 174.76, -36.85)]
    {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/cities/examples").join(name);
        let city = yiping_city::City::load(&folder).unwrap();
        assert_eq!(city.zone.iana_name(), Some(zone));
        assert!(city.contains(lon, lat));
    }
}

/// The example map for any GTFS-Realtime feed, with a timetable of its own.
fn with_timetable(folder: &tempfile::TempDir) -> Feed {
    file(folder, "agency.txt", b"agency_timezone\nAsia/Shanghai\n");
    file(folder, "trips.txt", b"route_id,service_id,trip_id,direction_id\n12,w,T1,1\n");
    let times = b"trip_id,arrival_time,departure_time,stop_id,stop_sequence\nT1,07:59:00,08:00:00,S1,1\nT1,24:10:00,24:10:00,S2,2\n";
    file(folder, "stop_times.txt", times);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/cities/examples/gtfs-rt.jq");
    let means = Means { timetable: Some(Timetable::load(folder.path()).unwrap()), ..Means::default() };
    let map = Some(Mapping::load_with(&path, means).unwrap());
    Feed { name: "buses".into(), source: "town/buses".into(), map, datum: Some(Datum::Gcj02), ..Feed::default() }
}

#[test]
fn vehicle_positions_get_route_and_direction_from_the_timetable_in_protobuf_and_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let feed = with_timetable(&folder);
    let vehicle = |id: &str, trip: Option<&str>| FeedEntity {
        id: id.into(),
        vehicle: Some(VehiclePosition {
            trip: trip.map(|trip| TripDescriptor { trip_id: Some(trip.into()), ..Default::default() }),
            position: Some(Position { latitude: 37.5, longitude: 122.125, speed: Some(10.0), ..Default::default() }),
            timestamp: Some(1_600_000_090),
            vehicle: Some(VehicleDescriptor { id: Some(format!("bus {id}")), ..Default::default() }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let entity = vec![vehicle("1", Some("T1")), vehicle("2", None), vehicle("3", Some("T9"))];
    let header =
        FeedHeader { gtfs_realtime_version: "2.0".into(), incrementality: None, timestamp: Some(1_600_000_100) };
    let message = FeedMessage { header, entity }.encode_to_vec();
    let json = yiping_feed::gtfs_rt::to_json(&message).unwrap().to_string().into_bytes();
    for (format, bytes) in [(Format::GtfsRt, message), (Format::GtfsRtJson, json)] {
        let rows = yiping_feed::rows_of(bytes, &ReadOptions::new(format)).unwrap();
        let mut outcomes: Vec<_> = rows.map(|row| feed.events(row.unwrap().value)).collect();
        let unknown = outcomes.remove(2).unwrap_err().to_string();
        assert_eq!(unknown, "the table \"timetable\" has no code \"T9\"");
        assert!(outcomes.remove(1).unwrap().is_empty(), "on no duty");
        let event = outcomes.remove(0).unwrap().remove(0).event;
        let data = json!({"vehicle_id": "bus 1", "route_id": "12", "direction": 1, "trip_id": "T1", "lon": 122.125,
                          "lat": 37.5, "speed_kmh": 36.0, "datum": "gcj02"});
        assert_eq!((&event["data"], &event["time"]), (&data, &json!("2020-09-13T12:28:10Z")));
        yiping_event::decode(Value::Object(event).to_string().as_bytes()).unwrap();
    }
}

#[test]
fn a_delay_without_a_time_is_that_much_after_the_timetable_and_a_forecast_is_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let feed = with_timetable(&folder);
    let poll = |at: &str, seconds: i64| {
        let stop = |n: u32, delay: i32| json!({"stop_sequence": n, "departure": {"delay": delay}});
        let update = json!({
            "trip": {"trip_id": "T1", "start_date": "20200913"}, "vehicle": {"id": "bus 1"},
            "stop_time_update": [stop(1, -30), stop(2, 90)],
        });
        let at = at.parse::<jiff::Timestamp>().unwrap().as_second() + seconds;
        let poll = json!({"header": {"timestamp": at}, "entity": [{"id": "e", "trip_update": update}]});
        let rows = yiping_feed::rows_of(poll.to_string().into_bytes(), &ReadOptions::new(Format::GtfsRtJson)).unwrap();
        rows.flat_map(|row| feed.events(row.unwrap().value).unwrap()).map(|made| made.event).collect::<Vec<_>>()
    };
    let first = poll("2020-09-13T08:30:00+08:00", 0).remove(0);
    assert_eq!(
        (&first["time"], &first["data"]["scheduled_time"]),
        (&json!("2020-09-12T23:59:30Z"), &json!("2020-09-13T08:00:00+08:00"))
    );
    assert_eq!((&first["data"]["stop_id"], &first["data"]["event"]), (&json!("S1"), &json!("departed")));
    // ten past midnight, of the same service day; the first one is told again, and is the same event
    let later = poll("2020-09-14T00:11:30+08:00", 0);
    assert_eq!((later.len(), &later[0]["id"]), (2, &first["id"]));
    assert_eq!(later[1]["time"], "2020-09-13T16:11:30Z");
    assert_eq!(poll("2020-09-14T00:11:30+08:00", -1).len(), 1, "a second before, it is a forecast");
}
