//! `yiping bench` on a log of its own: what it says of itself is right, and it would see a wrong figure.

use std::process::Command;

use serde_json::{Value, json};
use yiping::counting::{Counts, Expected, Figure, Found, Times, differences};
use yiping_event::Stream;

const MINUTE: i64 = 60_000;
/// 2026-11-20T06:00+08:00.
const START: i64 = 1_795_125_600_000;

fn bench(arguments: &[&str]) -> Value {
    let out = Command::new(env!("CARGO_BIN_EXE_yiping")).arg("bench").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{arguments:?}: {said}");
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "one line: {text}");
    serde_json::from_str(&text).unwrap()
}

fn counts(report: &Value) -> Vec<u64> {
    let outcomes = ["accepted", "duplicates", "late", "quarantined", "rejected"];
    outcomes.iter().map(|outcome| report[outcome].as_u64().unwrap()).collect()
}

#[test]
fn every_stream_is_drained_and_verified() {
    for stream in Stream::ALL {
        let report = bench(&["--stream", stream.as_str(), "--events", "20000"]);
        assert_eq!(report["verified"], true);
        assert_eq!(
            (&report["stream"], &report["events"], &report["partitions"], &report["log"], &report["store"]),
            (&json!(stream), &json!(20_000), &json!(1), &json!("memory"), &json!("none"))
        );
        assert_eq!(counts(&report).iter().sum::<u64>(), 20_000);
        let positive = [
            "events_per_s",
            "wall_s",
            "cpu_s",
            "cpu_s_per_million",
            "peak_rss_mb",
            "rss_before_mb",
            "rows_written",
            "metric_rows_written",
            "bytes",
            "windows_verified",
            "decode_only_events_per_s",
            "decode_events_per_s",
            "read_only_events_per_s",
            "ratio_to_decode",
        ];
        for member in positive {
            assert!(report[member].as_f64().unwrap() > 0.0, "{member} in {report}");
        }
        assert!(report["ratio_to_read"].is_number() && report["store_cpu_s"].is_null(), "{report}");
    }
}

#[test]
fn neither_partitions_nor_the_log_change_what_becomes_of_events() {
    let one = bench(&["--events", "20000"]);
    let three = bench(&["--events", "20000", "--partitions", "3"]);
    let embedded = bench(&["--events", "20000", "--log", "embedded"]);
    assert_eq!(three["partitions"], 3);
    assert_eq!(embedded["log"], "embedded");
    for other in [&three, &embedded] {
        assert_eq!(counts(other), counts(&one));
    }
    assert_eq!(embedded["bytes"], one["bytes"]);
}

#[test]
fn what_can_not_be_benched_is_said() {
    for (arguments, word) in [
        (&["bench", "--log", "kafka"][..], "log.url"),
        (&["--log", "info", "bench"], "RUST_LOG"),
        (&["bench", "--log", "tape"], "memory"),
        (&["bench", "--events", "0"], "--events"),
        (&["bench", "--stream", "tram"], "--stream"),
    ] {
        let out =
            Command::new(env!("CARGO_BIN_EXE_yiping")).args(arguments).env_remove("YIPING_LOG__URL").output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(!out.status.success() && out.stdout.is_empty() && said.contains(word), "{arguments:?}: {said}");
    }
}

fn position(id: &str, time: i64, received: i64) -> Value {
    let [time, received] = [time, received].map(|ms| jiff::Timestamp::from_millisecond(ms).unwrap().to_string());
    json!({
        "id": id, "source": "weihai/bus", "type": "city.bus.position", "time": time, "receivedtime": received,
        "data": { "vehicle_id": "B1" },
    })
}

#[test]
fn a_wrong_count_is_seen() {
    let times = Times { out_of_order_ms: 5_000, lateness_ms: 60 * MINUTE, max_skew_ms: MINUTE };
    let mut expected = Expected::new(Stream::Bus, times);
    let now = START + 10 * MINUTE;
    let events = [
        position("a", START, START),
        position("b", START + MINUTE, START + MINUTE),
        position("b", START + MINUTE, START + MINUTE), // once more
        position("early", now + 2 * MINUTE, now),      // a clock that is ahead
        position("c", now, now),                       // time moves
        position("d", now - 61 * MINUTE, now),         // too late
        position("e", now - MINUTE, now),              // late, but not too late
    ];
    for event in &events {
        expected.take(0, event).unwrap();
    }
    let count = expected.count();
    assert_eq!(count.counts, Counts { accepted: 4, duplicates: 1, late: 1, quarantined: 1, rejected: 0 });
    assert_eq!((count.records, count.distinct, count.figure), (7, 6, Figure::of(Stream::Bus).metric));
    assert_eq!(count.windows[&(START + 5 * MINUTE)], 2);
    assert_eq!(count.windows.len(), 20); // of 10 minutes less 5 s, every 30 s, the one that ends at the start among them

    let right = Found { counts: count.counts, windows: count.windows.clone() };
    assert_eq!(differences(&count, &right), [""; 0]);

    let mut one_more = right.clone();
    one_more.counts.accepted += 1;
    assert_eq!(differences(&count, &one_more).len(), 2); // the outcome, and the sum of them
    let mut moved = right.clone();
    (moved.counts.accepted, moved.counts.late) = (3, 2);
    assert_eq!(differences(&count, &moved).len(), 2);
    let mut window = right.clone();
    window.windows.insert(START + 5 * MINUTE, 3);
    assert_eq!(differences(&count, &window).len(), 1);
    let mut missing = right;
    missing.windows.remove(&(START + 5 * MINUTE));
    assert_eq!(differences(&count, &missing).len(), 1);
}
