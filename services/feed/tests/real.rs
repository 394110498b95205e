//! The real files that the example maps were made for, mapped in full. The counts asserted are facts about the files,
//! established by `tests/real/*.py` without this code.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic like the test itself")]

use prost::Message;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use yiping_feed::gtfs_rt::FeedMessage;
use yiping_feed::{Feed, Format, Input, Mapping, ReadOptions, Tally, write_events};

/// The folder of real data, or None with a word about it.
fn real_data() -> Option<PathBuf> {
    let folder = std::env::var_os("YIPING_REAL_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: YIPING_REAL_DATA is not set");
    }
    folder
}

fn mapped(name: &str, format: Format, files: Vec<PathBuf>) -> (Vec<Value>, Tally) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../deploy/cities/examples/{name}.jq"));
    let feed = Feed {
        name: name.into(),
        source: "unused".into(),
        map: Some(Mapping::load(&path).unwrap()),
        ..Feed::default()
    };
    let input = Input {
        files,
        read: ReadOptions::new(format),
        feed,
        stream: None,
        order: format.usual_order(),
        polled: None,
        decode: false,
    };
    let (mut out, mut faults) = (Vec::new(), Vec::new());
    let tally = write_events(&input, &mut out, &mut |fault| faults.push(fault)).unwrap();
    assert!(faults.is_empty(), "{faults:?}");
    let lines = String::from_utf8(out).unwrap();
    for line in lines.lines() {
        yiping_event::decode(line.as_bytes()).unwrap();
    }
    (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), tally)
}

fn distinct_ids(events: &[Value]) -> HashSet<&str> {
    events.iter().map(|event| event["id"].as_str().unwrap()).collect()
}

#[test]
fn birminghams_car_parks_are_mapped_without_loss() {
    let Some(folder) = real_data() else { return };
    let (events, tally) = mapped("birmingham-parking", Format::Csv, vec![folder.join("parking-birmingham-2016.csv")]);
    assert_eq!((tally.rows, events.len()), (35_717, 35_717));
    let occupied = |event: &Value| event["data"]["occupied"].as_i64().unwrap();
    let above = events.iter().filter(|e| occupied(e) > e["data"]["capacity"].as_i64().unwrap()).count();
    let negative = events.iter().filter(|e| occupied(e) < 0).count();
    assert_eq!((above, negative), (373, 12));
    assert_eq!(events.len() - distinct_ids(&events).len(), 216);
    assert_eq!(events.iter().map(|e| e["data"]["lot_id"].as_str().unwrap()).collect::<HashSet<_>>().len(), 30);
    assert_eq!(events[0]["time"], "2016-10-04T07:46:28+01:00");
    assert_eq!(events.last().unwrap()["time"], "2016-12-19T16:30:35+00:00");
    let offsets = |month: &str| -> HashSet<String> {
        let times = events.iter().map(|e| e["time"].as_str().unwrap());
        times.filter(|time| time.starts_with(month)).map(|time| time[19..].to_owned()).collect()
    };
    assert_eq!(offsets("2016-10-29"), HashSet::from(["+01:00".to_owned()]));
    assert_eq!(offsets("2016-10-30"), HashSet::from(["+00:00".to_owned()]), "the clock went back that night");
}

#[test]
fn aucklands_polls_become_stop_events_and_29_percent_of_them_repeat() {
    let Some(folder) = real_data() else { return };
    let entries = std::fs::read_dir(folder.join("bus-auckland-2016")).unwrap();
    let mut polls: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    polls.sort();
    let (events, tally) = mapped("auckland-trip-updates", Format::GtfsRtJson, polls);
    assert_eq!((tally.rows, events.len(), tally.empty_rows), (6_501, 6_501, 0));
    assert_eq!(events.len() - distinct_ids(&events).len(), 1_891, "29 % repeat");
    let once: HashMap<&str, &Value> = events.iter().map(|event| (event["id"].as_str().unwrap(), event)).collect();
    let departures: Vec<&Value> = once.into_values().filter(|e| e["data"]["event"] == "departed").collect();
    assert_eq!(departures.len(), 2_896);
    let second = |text: &Value| text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    let delay = |event: &Value| second(&event["time"]) - second(&event["data"]["scheduled_time"]);
    assert_eq!(departures.iter().filter(|e| (-60..=300).contains(&delay(e))).count(), 1_528);
    let delays: Vec<i64> = events.iter().map(delay).collect();
    assert_eq!((delays.iter().min(), delays.iter().max()), (Some(&-7_836), Some(&5_719)));
    let ages: HashSet<bool> = events.iter().map(|e| second(&e["receivedtime"]) > second(&e["time"])).collect();
    assert_eq!(ages, HashSet::from([true]), "a poll is received after what it tells");
    assert!(events.iter().all(|e| !e["data"]["route_id"].as_str().unwrap().contains("_v")));
}

#[test]
fn the_protobuf_feed_is_read_in_full_and_its_forecasts_name_no_vehicle() {
    let Some(folder) = real_data() else { return };
    let path = folder.join("bus-auckland-2016/trip-updates.pb");
    let message = FeedMessage::decode(&std::fs::read(&path).unwrap()[..]).unwrap();
    assert_eq!(message.header.timestamp, Some(1_417_387_583));
    assert_eq!(message.entity.len(), 2_847);
    let updates = message.entity.iter().map(|e| e.trip_update.as_ref().unwrap().stop_time_update.len());
    assert_eq!(updates.sum::<usize>(), 60_074);
    let (events, tally) = mapped("auckland-trip-updates", Format::GtfsRt, vec![path]);
    assert_eq!((tally.rows, tally.empty_rows, events.len()), (2_847, 2_847, 0));
}
