//! `POST /v1/events` as a department meets it.

use std::io::{Read, Write};
use std::time::Duration;

use crate::fixture::*;
use serde_json::{Value, json};
use yiping_event::Stream;
use yiping_gateway::{Limits, Right};
use yiping_log::Log;

#[tokio::test]
async fn one_event_an_array_and_lines_all_get_into_the_log() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let one = position("a").to_string();
    let array = json!([position("b"), position("c")]).to_string();
    let lines = format!("{}\r\n\n{}\n", position("d"), position("e"));
    for (kind, body, count) in [(ONE, one, 1), (ARRAY, array, 2), (LINES, lines, 2)] {
        let answer = gateway.send(&token, &format!("{kind}; charset=utf-8"), body).await;
        assert_eq!(answer, (202, json!({ "accepted": count, "rejected": [] })), "{kind}");
    }
    let records = gateway.records("city.bus").await;
    let ids: Vec<_> = records.iter().map(|(_, _, event)| event["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "b", "c", "d", "e"], "one vehicle's events stay in order");
    assert!(records.iter().all(|(_, key, _)| key == "WH1"));
    assert_eq!(gateway.metrics.gateway.accepted.with_label_values(&["bus"]).get(), 5);
}

#[tokio::test]
async fn one_malformed_line_of_ten_thousand_costs_only_itself() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let mut body = String::new();
    for n in 0..10_000 {
        let line = if n == 4_711 { "{\"id\": \"broken".to_owned() } else { position(&format!("p{n}")).to_string() };
        body.push_str(&line);
        body.push('\n');
    }
    let (status, answer) = gateway.send(&token, LINES, body).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(9_999)));
    let rejected = answer["rejected"].as_array().unwrap();
    assert_eq!(rejected.len(), 1);
    assert_eq!((&rejected[0]["index"], &rejected[0]["code"]), (&json!(4_711), &json!("bad_json")));
    assert_eq!(gateway.records("city.bus").await.len(), 9_999);
    assert_eq!(gateway.records("city.rejects").await.len(), 1);
}

#[tokio::test]
async fn every_example_of_the_schemas_is_taken_but_settings() {
    let gateway = Fixture::start().await;
    let token = gateway.token_for("all", &Stream::ALL, &["*"], &[Right::SetReceived]);
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/events/examples");
    let mut seen = 0;
    for kind in std::fs::read_dir(examples).unwrap() {
        for file in std::fs::read_dir(kind.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let body = std::fs::read_to_string(&path).unwrap();
            let mut event: Value = serde_json::from_str(&body).unwrap();
            if event["type"] == "city.source.heartbeat" {
                event["data"]["stream"] = json!("bus");
            }
            let wanted = if event["type"] == "city.config" { 403 } else { 202 };
            let answer = gateway.send(&token, ONE, event.to_string()).await;
            assert_eq!(answer.0, wanted, "{}: {}", path.display(), answer.1);
            seen += 1;
        }
    }
    assert!(seen >= 19, "{seen} examples");
}

#[tokio::test]
async fn every_refusal_has_its_status_and_says_why() {
    let gateway = Fixture::with(Limits { max_body_bytes: 2_000, ..limits() }).await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let cases = [
        (400, ONE, "{\"id\": ".to_owned()),
        (400, ARRAY, position("a").to_string()),
        (400, ARRAY, "[{\"id\": \"a\"}, {".to_owned()),
        (400, ARRAY, "[]".to_owned()),
        (400, LINES, "\n \n".to_owned()),
        (400, LINES, "x\ny\n".to_owned()),
        (403, ONE, call("c").to_string()),
        (413, ONE, " ".repeat(2_001)),
        (415, "application/json", position("a").to_string()),
        (415, "text/plain", String::new()),
        (422, ONE, "{}".to_owned()),
        (422, ARRAY, "[1, \"x\", null]".to_owned()),
        (422, LINES, format!("{}\nnothing\n", call("c"))),
    ];
    for (status, kind, body) in cases {
        let answer = gateway.send(&token, kind, body.clone()).await;
        assert_eq!(answer.0, status, "{kind} {body}: {}", answer.1);
        assert_eq!(answer.1["status"], json!(status));
        assert!(answer.1["title"].is_string() && answer.1["detail"].is_string() && answer.1["type"].is_string());
    }
    let packed = gateway.post(&token, ONE, "x").header("content-encoding", "br").send().await.unwrap();
    assert_eq!(answer(packed).await.0, 415);
    assert_eq!(gateway.get(&token, "/v2/events").await.0, 404);
    assert_eq!(gateway.get(&token, "/v1/events").await.0, 405);
    assert!(gateway.records("city.bus").await.is_empty());
}

#[tokio::test]
async fn a_422_lists_each_event_with_index_id_code_pointer_and_message() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let mut wrong = position("w");
    wrong["data"]["direction"] = json!(7);
    let (status, answer) = gateway.send(&token, ARRAY, json!([wrong]).to_string()).await;
    assert_eq!((status, &answer["accepted"]), (422, &json!(0)));
    let first = &answer["rejected"][0];
    assert_eq!(first["index"], 0);
    assert_eq!(first["id"], "w");
    assert_eq!(first["code"], "bad_data");
    assert_eq!(first["pointer"], "/data/direction");
    assert!(!first["message"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_read_and_only_counted() {
    let gateway = Fixture::start().await;
    gateway.token("bus", &[Stream::Bus]);
    let url = format!("{}/v1/events", gateway.base);
    let body = position("a").to_string();
    let requests = [
        gateway.client.post(&url).header("content-type", ONE).body(body.clone()),
        gateway.client.post(&url).basic_auth("bus", Some("x")).header("content-type", ONE).body(body.clone()),
        gateway.post("yp_0000", ONE, body.clone()),
        gateway.post("", ONE, body),
    ];
    for request in requests {
        let refused = request.send().await.unwrap();
        assert_eq!(refused.headers()["www-authenticate"], "Bearer");
        assert_eq!(answer(refused).await.0, 401);
    }
    assert_eq!(gateway.metrics.gateway.requests.with_label_values(&["401"]).get(), 4);
    assert!(gateway.records("city.rejects").await.is_empty());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn gzip_and_zstd_bodies_are_unpacked() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let body = position("a").to_string();
    for (encoding, packed) in [("gzip", gzip(body.as_bytes())), ("zstd", zstd::encode_all(body.as_bytes(), 0).unwrap())]
    {
        let sent = gateway.post(&token, ONE, packed).header("content-encoding", encoding).send().await.unwrap();
        assert_eq!(answer(sent).await.0, 202, "{encoding}");
        let broken = gateway.post(&token, ONE, "not packed").header("content-encoding", encoding).send().await.unwrap();
        assert_eq!(answer(broken).await.0, 400, "{encoding}");
    }
    assert_eq!(gateway.records("city.bus").await.len(), 2);
}

#[tokio::test]
async fn a_small_body_that_unpacks_to_a_huge_one_is_refused() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let zeros = vec![b' '; 64 << 20];
    for (encoding, bomb) in [("gzip", gzip(&zeros)), ("zstd", zstd::encode_all(&*zeros, 3).unwrap())] {
        assert!(bomb.len() < 200_000);
        let sent = gateway.post(&token, ONE, bomb).header("content-encoding", encoding).send().await.unwrap();
        assert_eq!(answer(sent).await.0, 413, "{encoding}");
    }
}

#[tokio::test]
async fn a_sender_that_writes_all_before_it_reads_still_gets_the_answer() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let address = gateway.base.trim_start_matches("http://").to_owned();
    for (status, token) in [("413", token.as_str()), ("401", "yp_nobody")] {
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-type: {ONE}\r\ncontent-length: {}\r\n\r\n",
            30 << 20
        );
        let address = address.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let mut socket = std::net::TcpStream::connect(address).unwrap();
            socket.write_all(head.as_bytes()).unwrap();
            socket.write_all(&vec![b' '; 30 << 20]).unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).unwrap();
            answer
        });
        let answer = answer.await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn a_body_of_nothing_but_tiny_faults_is_bounded() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let (status, answer) = gateway.send(&token, LINES, "1\n".repeat(1_000_000)).await;
    assert_eq!(status, 400, "{answer}");
    assert_eq!(gateway.records("city.rejects").await.len(), 1);
}

#[tokio::test]
async fn the_answer_comes_only_after_the_log_has_everything() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    gateway.log.shut();
    let body = format!("{}\nbroken\n", position("a"));
    let mut sent = tokio::spawn(gateway.post(&token, LINES, body).send());
    gateway.log.arrivals(1).await;
    // The append is under way and held. An answer now would be a lie; one that doesn't wait would be here in no time.
    let early = tokio::time::timeout(Duration::from_millis(200), &mut sent).await;
    assert!(early.is_err(), "answered before the log had the events");
    assert!(gateway.records("city.bus").await.is_empty());
    gateway.log.open();
    let answer = sent.await.unwrap().unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(gateway.records("city.bus").await.len(), 1);
    assert_eq!(gateway.records("city.rejects").await.len(), 1);
}

#[tokio::test]
async fn a_log_that_takes_too_long_gives_503_and_the_process_says_that_it_is_cut_off() {
    let gateway = Fixture::with(Limits { append_timeout: Duration::from_millis(50), ..limits() }).await;
    let token = gateway.token("bus", &[Stream::Bus]);
    gateway.log.shut();
    let refused = gateway.post(&token, ONE, position("a").to_string()).send().await.unwrap();
    assert_eq!(refused.headers()["retry-after"], "5");
    assert_eq!(answer(refused).await.0, 503);
    assert!(gateway.health.wanting()["gateway"].starts_with("cut off from the log"));
    gateway.log.open();
    assert_eq!(gateway.send(&token, ONE, position("a").to_string()).await.0, 202);
    assert!(gateway.health.wanting().is_empty());
    assert_eq!(gateway.metrics.gateway.accepted.with_label_values(&["bus"]).get(), 1);
}

#[tokio::test]
async fn more_in_flight_than_there_is_room_for_gives_429() {
    let gateway = Fixture::with(Limits { max_body_bytes: 1 << 20, max_in_flight_bytes: 1 << 20, ..limits() }).await;
    let token = gateway.token("bus", &[Stream::Bus]);
    gateway.log.shut();
    // Packed it is small: what counts is what it unpacks to, too.
    let packed = gzip((position("a").to_string() + &" ".repeat(900 << 10)).as_bytes());
    let request = || gateway.post(&token, ONE, packed.clone()).header("content-encoding", "gzip");
    let first = tokio::spawn(request().send());
    gateway.log.arrivals(1).await;
    let second = request().send().await.unwrap();
    assert_eq!(second.headers()["retry-after"], "1");
    assert_eq!(answer(second).await.0, 429);
    gateway.log.open();
    assert_eq!(first.await.unwrap().unwrap().status(), 202);
    assert_eq!(request().send().await.unwrap().status(), 202, "the room is given back");
    assert_eq!(gateway.metrics.gateway.in_flight_bytes.get(), 0);
}

#[tokio::test]
async fn a_dry_run_judges_and_stores_nothing() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let body = format!("{}\nbroken\n", position("a"));
    let mut request = gateway.post(&token, LINES, body).build().unwrap();
    request.url_mut().set_query(Some("dry_run=true"));
    let (status, judged) = answer(gateway.client.execute(request).await.unwrap()).await;
    assert_eq!((status, &judged["accepted"], &judged["rejected"][0]["index"]), (200, &json!(1), &json!(1)));
    assert!(gateway.records("city.bus").await.is_empty());
    assert!(gateway.records("city.rejects").await.is_empty());
    assert_eq!(*gateway.log.arrived.borrow(), 0);
    // a slip of the pen must not store what was meant as a trial
    for query in ["dry_run=True", "dry_run=1", "dry_run=", "dry_run=false&dry_run=true"] {
        let mut request = gateway.post(&token, ONE, position("a").to_string()).build().unwrap();
        request.url_mut().set_query(Some(query));
        assert_eq!(answer(gateway.client.execute(request).await.unwrap()).await.0, 400, "{query}");
    }
    assert_eq!(*gateway.log.arrived.borrow(), 0);
    assert_eq!(gateway.log.partitions("city.bus").await.unwrap(), PARTITIONS);
}

mod any_body {
    use super::*;
    use proptest::prelude::*;

    /// Pieces of real bodies, cut and glued, get further than noise.
    fn bodies() -> impl Strategy<Value = Vec<u8>> {
        let text = position("a").to_string();
        let piece = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            (0..text.len(), 0..text.len()).prop_map(move |(a, b)| text.as_bytes()[a.min(b)..a.max(b)].to_vec()),
            Just(b"\n".to_vec()),
            Just(b"[".to_vec()),
            Just(gzip(b"[[[[")),
        ];
        proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    #[test]
    fn gets_a_status_that_the_contract_knows_and_never_500() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let gateway = runtime.block_on(Fixture::start());
        let token = gateway.token("all", &Stream::ALL);
        let kinds = proptest::sample::select(vec![ONE, ARRAY, LINES]);
        let encodings = proptest::sample::select(vec!["identity", "gzip", "zstd"]);
        proptest!(ProptestConfig::with_cases(200), |(body in bodies(), kind in kinds, encoding in encodings)| {
            let sent = runtime.block_on(gateway.post(&token, kind, body).header("content-encoding", encoding).send()).unwrap();
            prop_assert!([202, 400, 403, 422].contains(&sent.status().as_u16()), "{}", sent.status());
        });
    }
}

#[tokio::test]
async fn what_comes_too_late_or_from_the_future_is_taken_and_the_answer_says_so() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    // received at 10:41:09, an hour is the limit
    let at = |id: &str, time: &str| {
        let mut event = position(id);
        event["time"] = json!(time);
        event.to_string()
    };
    let in_time = at("a", "2026-11-20T09:41:09.000Z") + "\n" + &at("b", "2026-11-20T10:42:09.000Z");
    let (status, answer) = gateway.send(&token, LINES, in_time.clone()).await;
    assert_eq!((status, answer), (202, json!({ "accepted": 2, "rejected": [] })));
    let outside =
        [at("c", "2026-11-20T09:41:08.999Z"), at("d", "2026-11-20T10:42:09.001Z"), at("e", "2026-11-20T18:41:09Z")];
    let (status, answer) = gateway.send(&token, LINES, outside.join("\n")).await;
    assert_eq!((status, answer), (202, json!({ "accepted": 3, "rejected": [], "late": 1, "ahead": 2 })));
    assert_eq!(gateway.records("city.bus").await.len(), 5, "all of them are in the log");
}
