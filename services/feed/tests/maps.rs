//! The maps of `deploy/cities/examples`, on small made-up samples of the formats that they read.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic like the test itself")]

use prost::Message;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use yiping_feed::gtfs_rt::{
    FeedEntity, FeedHeader, FeedMessage, StopTimeEvent, StopTimeUpdate, TripDescriptor, TripUpdate, VehicleDescriptor,
};
use yiping_feed::{Feed, Format, Mapping, ReadOptions, Tally, map_file};

fn feed(name: &str) -> Feed {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../deploy/cities/examples/{name}.jq"));
    Feed { name: name.into(), source: "unused".into(), map: Some(Mapping::load(&path).unwrap()) }
}

fn mapped(name: &str, format: Format, file: &Path) -> (Vec<Value>, Tally, Vec<String>) {
    let (mut out, mut faults) = (Vec::new(), Vec::new());
    let tally =
        map_file(feed(name), ReadOptions::new(format), file, &mut out, &mut |f| faults.push(f.message)).unwrap();
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
