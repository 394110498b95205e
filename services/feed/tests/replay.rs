//! A replay against a gateway's stand-in, over real HTTP: what arrives, in which order, and what it does when the
//! gateway puts it off.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic like the test itself")]

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use yiping_event::Stream;
use yiping_feed::{Feed, Format, Input, Order, ReadOptions, ReplayOptions, Speed, replay};

#[derive(Default)]
struct Gateway {
    /// Answers to give before it begins to work: status and Retry-After.
    excuses: Vec<(StatusCode, &'static str)>,
    bodies: Vec<Vec<Value>>,
    tokens: Vec<String>,
}

type Shared = Arc<Mutex<Gateway>>;

/// Takes batches like the gateway does; events of the vehicle "bad" are refused, lines that are no JSON too.
async fn take(State(gateway): State<Shared>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    let mut gateway = gateway.lock().unwrap();
    if let Some((status, retry_after)) = gateway.excuses.pop() {
        return (status, [("retry-after", retry_after)], "not now").into_response();
    }
    assert_eq!(headers["content-type"], "application/x-ndjson");
    gateway.tokens.push(headers["authorization"].to_str().unwrap().to_owned());
    let mut text = String::new();
    match headers.get("content-encoding") {
        Some(_) => GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap(),
        None => (&body[..]).read_to_string(&mut text).unwrap(),
    };
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap_or(Value::Null)).collect();
    let bad = |line: &Value| line.is_null() || line["data"]["vehicle_id"] == "bad";
    let rejected: Vec<_> = lines.iter().enumerate().filter(|(_, line)| bad(line)).map(|(index, _)| {
        json!({"index": index, "id": null, "code": "bad_data", "pointer": "/data/vehicle_id", "message": "refused"})
    }).collect();
    let accepted = lines.len() - rejected.len();
    gateway.bodies.push(lines);
    let status = if accepted == 0 { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::ACCEPTED };
    (status, Json(json!({"accepted": accepted, "rejected": rejected}))).into_response()
}

async fn start(gateway: Gateway) -> (String, Shared) {
    let shared = Arc::new(Mutex::new(gateway));
    let app = Router::new().route("/v1/events", post(take)).with_state(shared.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, shared)
}

fn line(vehicle: &str, time: &str) -> String {
    json!({"type": "city.bus.position", "time": time, "data": {"vehicle_id": vehicle}}).to_string()
}

fn options(folder: &tempfile::TempDir, lines: &[String], to: &str) -> ReplayOptions {
    let path = folder.path().join("events.ndjson");
    std::fs::write(&path, lines.join("\n")).unwrap();
    let feed = Feed { name: "f".into(), source: "town/bus".into(), map: None, ..Feed::default() };
    let read = ReadOptions::new(Format::Ndjson);
    let input = Input {
        files: vec![path],
        read,
        feed,
        stream: Some(Stream::Bus),
        order: Order::AsRead,
        polled: None,
        decode: false,
    };
    ReplayOptions { quiet: true, ..ReplayOptions::new(input, to, "secret") }
}

fn times_and_kinds(gateway: &Shared) -> Vec<(String, bool)> {
    let gateway = gateway.lock().unwrap();
    let lines = gateway.bodies.iter().flatten();
    lines.map(|line| (line["time"].as_str().unwrap_or_default().to_owned(), line["type"] == "city.tick")).collect()
}

#[tokio::test]
async fn ticks_go_along_with_the_datas_time_and_the_last_one_closes_its_windows() {
    let folder = tempfile::tempdir().unwrap();
    let (to, gateway) = start(Gateway::default()).await;
    let lines = ["2016-05-19T08:00:00Z", "2016-05-19T08:00:30Z", "2016-05-19T09:30:00Z"].map(|time| line("1", time));
    let summary = replay(options(&folder, &lines, &to)).await.unwrap();
    let expected = [
        ("2016-05-19T08:00:00.000Z", true),
        ("2016-05-19T08:00:00Z", false),
        ("2016-05-19T08:00:30Z", false),
        ("2016-05-19T09:30:00.000Z", true),
        ("2016-05-19T09:30:00Z", false),
        // 24 h and the watermark's 5 s after the newest event.
        ("2016-05-20T09:30:05.000Z", true),
    ];
    assert_eq!(times_and_kinds(&gateway), expected.map(|(time, tick)| (time.to_owned(), tick)));
    assert_eq!((summary.accepted, summary.rejected, summary.ticks, summary.rejected_ticks), (3, 0, 3, 0));
    let gateway = gateway.lock().unwrap();
    assert_eq!(gateway.tokens, ["Bearer secret"]);
    for line in gateway.bodies.iter().flatten() {
        assert_eq!(line["receivedtime"], line["time"], "i2: the log's time follows the data's");
    }
}

#[tokio::test]
async fn a_gateway_that_puts_it_off_is_asked_again_when_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let excuses = vec![(StatusCode::TOO_MANY_REQUESTS, "1"), (StatusCode::SERVICE_UNAVAILABLE, "0")];
    let (to, gateway) = start(Gateway { excuses, ..Gateway::default() }).await;
    let begun = Instant::now();
    let summary = replay(ReplayOptions { gzip: true, ..options(&folder, &[line("1", "2016-05-19T08:00:00Z")], &to) })
        .await
        .unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(summary.answers.into_iter().collect::<Vec<_>>(), [(202, 1), (429, 1), (503, 1)]);
    assert_eq!(gateway.lock().unwrap().bodies.len(), 1);
}

#[tokio::test]
async fn refusals_are_counted_by_code_and_quoted_and_batches_are_of_the_size_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (to, gateway) = start(Gateway::default()).await;
    let lines = [
        line("1", "2016-05-19T08:00:00Z"),
        line("bad", "2016-05-19T08:00:01Z"),
        "{broken".into(),
        line("2", "2016-05-19T08:00:02Z"),
    ];
    let summary = replay(ReplayOptions { batch: 2, own_time: false, ..options(&folder, &lines, &to) }).await.unwrap();
    assert_eq!((summary.accepted, summary.rejected, summary.ticks), (2, 2, 0));
    assert_eq!(summary.rejected_by_code["bad_data"], 2);
    assert!(summary.quoted[0].contains("refused"));
    assert_eq!(summary.tally.raw_lines, 1);
    let gateway = gateway.lock().unwrap();
    assert_eq!(gateway.bodies.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    assert!(gateway.bodies.iter().flatten().all(|line| line.get("receivedtime").is_none()), "the gateway stamps them");
}

#[tokio::test]
async fn at_a_pace_events_wait_for_their_time_and_ticks_fill_the_silence() {
    let folder = tempfile::tempdir().unwrap();
    let (to, gateway) = start(Gateway::default()).await;
    let lines = ["2016-05-19T08:00:00Z", "2016-05-19T08:25:00Z"].map(|time| line("1", time));
    let begun = Instant::now();
    let speed: Speed = "1000x".parse().unwrap();
    replay(ReplayOptions { speed, settle_ms: None, ..options(&folder, &lines, &to) }).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(1_500));
    let seen = times_and_kinds(&gateway);
    assert_eq!(seen.iter().filter(|(_, tick)| !tick).count(), 2);
    let (between, tick) = &seen[2];
    assert!(*tick && between.as_str() > "2016-05-19T08:16:00" && between.as_str() < "2016-05-19T08:25:00", "{seen:?}");
    assert!("0".parse::<Speed>().is_err() && "fast".parse::<Speed>().is_err());
}

#[tokio::test]
async fn a_refusal_of_the_token_ends_the_replay_with_the_gateways_words() {
    let folder = tempfile::tempdir().unwrap();
    let (to, _) = start(Gateway { excuses: vec![(StatusCode::FORBIDDEN, "0")], ..Gateway::default() }).await;
    let fault = replay(options(&folder, &[line("1", "2016-05-19T08:00:00Z")], &to)).await.unwrap_err();
    assert!(format!("{fault:#}").contains("403") && format!("{fault:#}").contains("not now"), "{fault:#}");
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_given_up_when_patience_ends() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let options =
        ReplayOptions { patience: Duration::ZERO, ..options(&folder, &[line("1", "2016-05-19T08:00:00Z")], &to) };
    assert!(replay(options).await.unwrap_err().to_string().contains("takes nothing"));
}
