//! `compute` over a log's export: ticks, settings, partitions and append times fall as they did live.

use std::io;

use bytes::Bytes;
use serde_json::{Value, json};
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_event::{Stream, TimeMs};
use yiping_hotline::Hotline;
use yiping_log::Record;
use yiping_runner::{Computed, compute, export_line, log_time, settings};
use yiping_window::Settings;

fn config() -> Settings {
    settings(&yiping_runtime::Config::default().streams.hotline, &City::weihai())
}

fn computed(lines: &[String]) -> anyhow::Result<Computed> {
    let (catalogue, city) = (Catalogue::builtin().unwrap(), City::weihai());
    let lines = lines.iter().map(|line| Ok::<_, io::Error>(line.clone().into_bytes()));
    compute::<Hotline>(Stream::Hotline, &catalogue, &city, &config(), 1, None, lines)
}

fn event(id: &str, kind: &str, time: &str, data: &Value) -> String {
    json!({"specversion": "1.0", "id": id, "source": "test", "type": kind, "time": time, "data": data}).to_string()
}

fn offered(id: &str, time: &str) -> String {
    event(id, "city.hotline.call", time, &json!({"call_id": id, "event": "offered"}))
}

/// A line of an export; the record was appended at `append`.
fn line(partition: u32, offset: u64, append: &str, payload: &str) -> String {
    let append_ms = TimeMs::parse(append).unwrap().0;
    let record = Record { offset, append_ms, key: None, payload: Bytes::from(payload.to_owned()) };
    String::from_utf8(export_line(partition, &record, log_time(&record)).unwrap()).unwrap()
}

/// (value, revision) of the city's calls of the hour from nine to ten.
fn calls_at_nine(computed: &Computed) -> Option<(f64, u64)> {
    let wanted = |row: &&yiping_runner::OfflineRow| {
        row.metric == "hotline.calls"
            && row.level == "city"
            && row.span == "1h"
            && row.window_start == "2026-11-20T09:00:00.000Z"
    };
    computed.published.rows().iter().find(wanted).map(|row| (row.numerator, row.revision))
}

#[test]
fn what_a_tick_made_late_live_is_late_offline() {
    let tick = |time| event("t", "city.tick", time, &json!({}));
    let lines = [
        line(0, 3, "2026-11-20T09:10:00Z", &offered("a", "2026-11-20T09:10:00Z")),
        line(0, 4, "2026-11-21T15:00:00Z", &tick("2026-11-21T15:00:00Z")),
        line(0, 9, "2026-11-21T15:00:01Z", &offered("b", "2026-11-20T09:20:00Z")),
    ];
    let live = computed(&lines).unwrap();
    assert_eq!((live.counters.accepted, live.counters.late), (1, 1));
    // the tick at offset 4 closed the hour, and nothing revised it
    assert_eq!(calls_at_nine(&live), Some((1.0, 1 << 48 | 4)));

    let events = [offered("a", "2026-11-20T09:10:00Z"), offered("b", "2026-11-20T09:20:00Z")];
    let without = computed(&events).unwrap();
    assert_eq!((without.counters.accepted, without.counters.late), (2, 0), "without the tick both are in time");
}

#[test]
fn a_partition_has_its_own_time_and_an_event_without_a_log_time_the_logs() {
    let lines = [
        // a day and a half ahead of the other partition, whose events it must not make late
        line(1, 0, "2026-11-21T21:00:00Z", &offered("ahead", "2026-11-21T21:00:00Z")),
        line(0, 0, "2026-11-20T09:10:00Z", &offered("a", "2026-11-20T09:10:00Z")),
        // an hour ahead of its append time: quarantined (I6)
        line(0, 1, "2026-11-20T09:11:00Z", &offered("fast", "2026-11-20T10:11:00Z")),
    ];
    let live = computed(&lines).unwrap();
    assert_eq!((live.counters.accepted, live.counters.late, live.counters.quarantined), (2, 0, 1));
    assert_eq!(calls_at_nine(&live).unwrap().0, 1.0);
}

#[test]
fn settings_in_the_log_hold_from_their_record_on() {
    let mut strict = config();
    strict.max_skew_ms = 1_000;
    let text = serde_json::to_string(&strict).unwrap();
    let stated = event("c", "city.config", "2026-11-20T09:12:00Z", &json!({"hash": "1", "text": text}));
    let lines = [
        line(0, 0, "2026-11-20T09:10:00Z", &offered("a", "2026-11-20T09:10:30Z")),
        line(0, 1, "2026-11-20T09:12:00Z", &stated),
        line(0, 2, "2026-11-20T09:13:00Z", &offered("b", "2026-11-20T09:13:30Z")),
    ];
    let live = computed(&lines).unwrap();
    assert_eq!((live.counters.accepted, live.counters.quarantined), (1, 1));
}

#[test]
fn what_could_not_be_an_event_is_counted_as_it_was_live() {
    let entry = json!({"lot_id": "1", "session_id": "1"});
    let lines = [
        line(0, 0, "2026-11-20T09:10:00Z", "{\"id\":"),
        line(0, 1, "2026-11-20T09:10:00Z", &event("p", "city.parking.entry", "2026-11-20T09:10:00Z", &entry)),
    ];
    let live = computed(&lines).unwrap();
    assert_eq!((live.counters.rejected, live.others), (2, 0));
    assert_eq!(live.rejects, [("bad_json", 1), ("wrong_stream", 1)]);
}

#[test]
fn events_and_an_export_are_not_mixed() {
    let exported = line(0, 0, "2026-11-20T09:10:00Z", &offered("a", "2026-11-20T09:10:00Z"));
    let plain = offered("b", "2026-11-20T09:10:00Z");
    for lines in [[exported.clone(), plain.clone()], [plain, exported]] {
        let error = computed(&lines).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("can't be mixed"), "{error}");
    }
}

#[test]
fn the_exports_of_two_streams_in_one_input_are_told() {
    let lines = [0, 1, 0].map(|offset| line(2, offset, "2026-11-20T09:10:00Z", &offered("a", "2026-11-20T09:10:00Z")));
    let error = computed(&lines).unwrap_err().to_string();
    assert!(error.contains("line 3") && error.contains("offset 0 of partition 2"), "{error}");
    let broken = line(0, 0, "2026-11-20T09:10:00Z", "{}").replace("\"offset\":0,", "");
    assert!(computed(&[broken]).unwrap_err().to_string().contains("line 1 of an export"));
}

/// A source's sign of life is in one partition; it moves the time of all that a file of events says.
#[test]
fn all_partitions_end_at_the_same_time() {
    let mut lines: Vec<String> =
        (0..20).map(|n| offered(&format!("call-{n}"), &format!("2026-11-20T09:10:{n:02}Z"))).collect();
    let alive = json!({"source_name": "test", "stream": "hotline"});
    lines.push(event("alive", "city.source.heartbeat", "2026-11-20T09:14:30Z", &alive));
    let (catalogue, city) = (Catalogue::builtin().unwrap(), City::weihai());
    let waiting = |partitions: u32| -> Vec<(String, f64, i64)> {
        let lines = lines.iter().map(|line| Ok::<_, io::Error>(line.clone().into_bytes()));
        let computed =
            compute::<Hotline>(Stream::Hotline, &catalogue, &city, &config(), partitions, None, lines).unwrap();
        let wanted =
            computed.published.rows().into_iter().filter(|row| row.metric == "hotline.waiting" && row.level == "city");
        wanted.map(|row| (row.window_end.to_string(), row.numerator, row.n)).collect()
    };
    let one = waiting(1);
    assert_eq!(one.last().unwrap(), &("2026-11-20T09:14:00.000Z".to_owned(), 20.0, 20));
    assert_eq!(waiting(4), one);
}
