//! Who connects, how, and who only holds a place: HTTP/1.1, HTTP/2, TLS; silent, slow and endless senders.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Version;
use rcgen::generate_simple_self_signed;
use reqwest::Certificate;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use yiping_event::{Stream, TimeMs};
use yiping_gateway::{Limits, Tls};

use crate::fixture::*;

/// For what must happen; never for what may not.
const PATIENCE: Duration = Duration::from_secs(20);

impl Fixture {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }

    fn address(&self) -> &str {
        self.base.split_once("://").unwrap().1
    }

    fn closed(&self, why: &str) -> u64 {
        self.metrics.gateway.connections_closed.with_label_values(&[why]).get()
    }
}

/// What the gateway says until it closes the connection.
async fn last_words(socket: &mut TcpStream) -> String {
    let mut said = Vec::new();
    match timeout(PATIENCE, socket.read_to_end(&mut said)).await.expect("the connection stays open") {
        Ok(_) => {}
        // closed while we still wrote
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    String::from_utf8(said).unwrap()
}

fn head(token: &str, length: usize) -> String {
    format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: {LINES}\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn http_2_works_without_tls_for_who_knows_it() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let send = |id: usize| {
        let request = gateway.post(&token, ONE, position(&format!("p{id}")).to_string()).build().unwrap();
        client.execute(request)
    };
    let answers = futures::future::join_all((0..20).map(send)).await;
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (202, Version::HTTP_2));
    }
    assert_eq!(gateway.records("city.bus").await.len(), 20);
    assert_eq!(gateway.metrics.gateway.connections.get(), 1, "all of them went over one connection");
}

/// A certificate for localhost and its key, written where the gateway reads them.
fn certificate(dir: &std::path::Path) -> Certificate {
    let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
}

#[tokio::test]
async fn tls_speaks_both_protocols_and_takes_a_new_certificate_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let first = certificate(dir.path());
    let tls = Tls::open(dir.path().join("cert.pem"), dir.path().join("key.pem")).unwrap();
    let now = TimeMs::parse(NOW).unwrap();
    let gateway = Fixture::with_all(limits(), Arc::new(move || now), Some(tls)).await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let url = format!("https://localhost:{}/v1/events", gateway.address().rsplit(':').next().unwrap());
    let send = async |trusted: &Certificate, http1: bool, id: &str| {
        let client = reqwest::Client::builder().tls_certs_only([trusted.clone()]);
        let client = if http1 { client.http1_only() } else { client }.build().unwrap();
        let request = client.post(&url).bearer_auth(&token).header("content-type", ONE).body(position(id).to_string());
        request.send().await.map(|answer| (answer.status().as_u16(), answer.version()))
    };
    assert_eq!(send(&first, false, "a").await.unwrap(), (202, Version::HTTP_2));
    assert_eq!(send(&first, true, "b").await.unwrap(), (202, Version::HTTP_11));

    // half of a change: the certificate is no longer the key's
    let other = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(dir.path().join("cert.pem"), other.cert.pem()).unwrap();
    assert_eq!(send(&first, false, "c").await.unwrap().0, 202, "what was known holds");

    let second = certificate(dir.path());
    assert_eq!(send(&second, false, "d").await.unwrap().0, 202);
    assert!(send(&first, false, "e").await.is_err(), "the old one is gone");

    // whoever doesn't speak TLS gets nothing, and holds no place
    let mut plain = gateway.connect().await;
    plain.write_all(head(&token, 2).as_bytes()).await.unwrap();
    assert!(!last_words(&mut plain).await.contains("HTTP"));
    assert_eq!(gateway.records("city.bus").await.len(), 4);
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    certificate(dir.path());
    let other = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(dir.path().join("key.pem"), other.signing_key.serialize_pem()).unwrap();
    let open =
        |cert: &str, key: &str| Tls::open(dir.path().join(cert), dir.path().join(key)).err().unwrap().to_string();
    assert!(open("cert.pem", "key.pem").contains("is not the key of"));
    assert!(open("key.pem", "key.pem").contains("holds no certificates"));
    assert!(open("cert.pem", "cert.pem").contains("holds no private key"));
    assert!(open("nowhere", "key.pem").contains("gateway.tls.cert"));
}

#[tokio::test]
async fn a_sender_that_dawdles_over_its_head_is_sent_away_and_one_that_speaks_is_not() {
    let gateway = Fixture::with(Limits { idle_timeout: Duration::from_millis(400), ..limits() }).await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let mut silent = gateway.connect().await;
    let slow = gateway.connect().await;
    let (mut slow_reads, mut slow_writes) = slow.into_split();
    // a byte now and then doesn't help it
    let dripping = tokio::spawn(async move {
        for byte in head("yp_x", 10).bytes() {
            if slow_writes.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(last_words(&mut silent).await, "");
    let mut said = Vec::new();
    let _ = timeout(PATIENCE, slow_reads.read_to_end(&mut said)).await.expect("the slow one is sent away");
    assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
    dripping.await.unwrap();
    assert_eq!(gateway.closed("idle"), 2);
    // a request that is being worked on is no rest, however long it takes
    gateway.log.shut();
    let sent = tokio::spawn(gateway.post(&token, ONE, position("a").to_string()).send());
    gateway.log.arrivals(1).await;
    // meanwhile others have come, rested and been sent away, one after the other
    for _ in 0..3 {
        assert_eq!(last_words(&mut gateway.connect().await).await, "");
    }
    assert_eq!(gateway.closed("idle"), 5);
    gateway.log.open();
    assert_eq!(sent.await.unwrap().unwrap().status(), 202);
}

#[tokio::test]
async fn when_all_places_are_taken_the_one_that_rested_longest_goes() {
    let gateway = Fixture::with(Limits { max_connections: 3, ..limits() }).await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let mut first = gateway.connect().await;
    let connections = &gateway.metrics.gateway.connections;
    wait_for("the first", || connections.get() == 1).await;
    let mut others = [gateway.connect().await, gateway.connect().await];
    wait_for("all three", || connections.get() == 3).await;
    assert_eq!(gateway.closed("full"), 0);
    assert_eq!(gateway.send(&token, ONE, position("a").to_string()).await.0, 202, "an honest client gets a place");
    assert_eq!(last_words(&mut first).await, "");
    assert_eq!(gateway.closed("full"), 1);
    for other in &mut others {
        let mut byte = [0];
        let read = timeout(Duration::from_millis(50), other.read(&mut byte)).await;
        assert!(read.is_err(), "the others keep theirs");
    }
}

#[tokio::test]
async fn where_all_connections_work_a_newcomer_finds_the_door_closed_and_may_come_again() {
    let gateway = Fixture::with(Limits { max_connections: 2, ..limits() }).await;
    let token = gateway.token("bus", &[Stream::Bus]);
    gateway.log.shut();
    let sent: Vec<_> = ["a", "b"]
        .map(|id| {
            let request = gateway.post(&token, ONE, position(id).to_string());
            tokio::spawn(request.send())
        })
        .into();
    gateway.log.arrivals(2).await;
    assert_eq!(last_words(&mut gateway.connect().await).await, "");
    gateway.log.open();
    for sent in sent {
        assert_eq!(sent.await.unwrap().unwrap().status(), 202, "what was being worked on is not disturbed");
    }
    assert_eq!(gateway.send(&token, ONE, position("c").to_string()).await.0, 202);
}

#[tokio::test]
async fn a_body_that_dawdles_gives_408_and_holds_no_room_that_others_need() {
    let limits = Limits {
        body_timeout: Duration::from_millis(600),
        max_body_bytes: 1 << 20,
        max_in_flight_bytes: 1 << 20,
        ..limits()
    };
    let gateway = Fixture::with(limits).await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut socket = gateway.connect().await;
        // says that it will take all the room there is
        socket.write_all(head(&token, 1 << 20).as_bytes()).await.unwrap();
        socket.write_all(b"{").await.unwrap();
        slow.push(socket);
    }
    wait_for("the slow ones", || gateway.metrics.gateway.in_flight_bytes.get() == 20).await;
    let body = position("a").to_string() + &" ".repeat(900 << 10);
    assert_eq!(gateway.send(&token, ONE, body).await.0, 202);
    for mut socket in slow {
        let said = last_words(&mut socket).await;
        assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("connection: close"), "{said}");
    }
    assert_eq!(gateway.metrics.gateway.in_flight_bytes.get(), 0);
}

#[tokio::test]
async fn one_token_never_holds_all_the_room() {
    let limits = Limits { max_body_bytes: 1 << 20, max_in_flight_bytes: 4 << 20, ..limits() };
    let gateway = Fixture::with(limits).await;
    let (greedy, other) = (gateway.token("greedy", &[Stream::Bus]), gateway.token("other", &[Stream::Bus]));
    gateway.log.shut();
    let large = || position("a").to_string() + &" ".repeat(900 << 10);
    let held: Vec<_> = (0..2).map(|_| tokio::spawn(gateway.post(&greedy, ONE, large()).send())).collect();
    gateway.log.arrivals(2).await;
    assert_eq!(gateway.send(&greedy, ONE, large()).await.0, 429, "its half is full");
    let others = tokio::spawn(gateway.post(&other, ONE, large()).send());
    gateway.log.arrivals(3).await;
    gateway.log.open();
    for sent in held.into_iter().chain([others]) {
        assert_eq!(sent.await.unwrap().unwrap().status(), 202);
    }
}

#[tokio::test]
async fn a_small_body_of_many_faults_takes_the_room_that_its_answer_does_and_leaves_others_theirs() {
    let limits = Limits { max_body_bytes: 1 << 20, max_in_flight_bytes: 8 << 20, ..limits() };
    let gateway = Fixture::with(limits).await;
    let (careless, other) = (gateway.token("careless", &[Stream::Bus]), gateway.token("other", &[Stream::Bus]));
    gateway.log.shut();
    // far more than a token's half: it is alone, and would never fit better
    let faults = || "x\n".repeat(10_000);
    let held = tokio::spawn(gateway.post(&careless, LINES, faults()).send());
    gateway.log.arrivals(1).await;
    assert_eq!(gateway.metrics.gateway.in_flight_bytes.get(), 4 << 20);
    assert_eq!(gateway.send(&careless, LINES, faults()).await.0, 429, "its half is full");
    let others = tokio::spawn(gateway.post(&other, ONE, position("a").to_string()).send());
    gateway.log.arrivals(2).await;
    gateway.log.open();
    let (status, told) = answer(held.await.unwrap().unwrap()).await;
    assert_eq!((status, told["rejected"].as_array().unwrap().len()), (400, 10_000));
    assert_eq!(others.await.unwrap().unwrap().status(), 202);
    assert_eq!(gateway.metrics.gateway.in_flight_bytes.get(), 0);
}

#[tokio::test]
async fn an_endless_body_is_refused_and_cut_off() {
    let gateway = Fixture::with(Limits { max_body_bytes: 64 << 10, ..limits() }).await;
    for (status, token) in [("413", gateway.token("bus", &[Stream::Bus])), ("401", "yp_nobody".to_owned())] {
        let mut socket = gateway.connect().await;
        let head = head(&token, 0).replace("content-length: 0", "transfer-encoding: chunked");
        socket.write_all(head.as_bytes()).await.unwrap();
        let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
        let (mut reads, mut writes) = socket.into_split();
        let writing = async {
            let mut written = 0_u64;
            while writes.write_all(&chunk).await.is_ok() {
                written += chunk.len() as u64;
                assert!(written < 1 << 30, "it is never cut off");
            }
            written
        };
        let mut said = Vec::new();
        let reading = async {
            let _ = reads.read_to_end(&mut said).await;
        };
        let (written, ()) = timeout(PATIENCE, async { tokio::join!(writing, reading) }).await.unwrap();
        let said = String::from_utf8(said).unwrap();
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "after {written} bytes: {said}");
    }
    assert_eq!(gateway.metrics.gateway.in_flight_bytes.get(), 0);
}

#[tokio::test]
async fn a_million_bytes_of_headers_give_431() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let long = format!("GET /v1/streams HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(1_000_000));
    let many = format!("GET /v1/streams HTTP/1.1\r\nhost: x\r\n{}\r\n", "x-many: a\r\n".repeat(1_000));
    for request in [long, many] {
        let (mut reads, mut writes) = gateway.connect().await.into_split();
        // (the gateway may hang up before all is written)
        let writing = tokio::spawn(async move { writes.write_all(request.as_bytes()).await });
        let mut said = Vec::new();
        let _ = timeout(PATIENCE, reads.read_to_end(&mut said)).await.unwrap();
        let said = String::from_utf8(said).unwrap();
        assert!(said.starts_with("HTTP/1.1 431 "), "{said}");
        let _ = writing.await.unwrap();
    }
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let request = client.get(format!("{}/v1/streams", gateway.base)).header("x-long", "a".repeat(1_000_000));
    assert!(request.send().await.map_or(true, |answer| answer.status() == 431));
    assert_eq!(gateway.send(&token, ONE, position("a").to_string()).await.0, 202);
}

#[tokio::test]
async fn what_is_nested_ten_thousand_deep_is_refused_wherever_it_stands() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let unknown = position("deep").to_string().replacen('{', &format!("{{\"unknown\":{deep},"), 1);
    let in_data = position("deep").to_string().replacen("\"data\":{", &format!("\"data\":{{\"unknown\":{deep},"), 1);
    for body in [&deep, &unknown, &in_data, &"{\"a\":".repeat(10_000), &"[".repeat(1_000_000)] {
        for (kind, body) in [(ONE, body.clone()), (LINES, body.clone()), (ARRAY, format!("[{body}]"))] {
            let (status, answer) = gateway.send(&token, kind, body).await;
            assert_eq!((status, &answer["accepted"]), (400, &json!(0)), "{answer}");
        }
    }
    let mixed = format!("{}\n{unknown}\n{}\n", position("a"), position("b"));
    let (status, answer) = gateway.send(&token, LINES, mixed).await;
    assert_eq!((status, &answer["accepted"], &answer["rejected"][0]["code"]), (202, &json!(2), &json!("bad_json")));
}

#[tokio::test]
async fn a_line_as_long_as_a_body_may_be_is_one_reject() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let long = "a".repeat((8 << 20) - 1_000);
    let (status, answer) = gateway.send(&token, LINES, long.clone()).await;
    assert_eq!((status, answer["rejected"].as_array().unwrap().len()), (400, 1));
    let mut unknown = position("a");
    unknown["data"]["unknown"] = json!(long);
    assert_eq!(gateway.send(&token, LINES, unknown.to_string()).await.0, 202, "what is unknown is left behind");
    let record = gateway.only("city.bus").await;
    assert!(record.to_string().len() < 500, "{record}");
}

#[tokio::test]
async fn an_end_answers_what_is_being_worked_on_and_waits_for_nobody_else() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let mut silent = gateway.connect().await;
    let mut half = gateway.connect().await;
    half.write_all(b"POST /v1/ev").await.unwrap();
    gateway.log.shut();
    let sent = tokio::spawn(gateway.post(&token, ONE, position("a").to_string()).send());
    gateway.log.arrivals(1).await;
    gateway.stop();
    assert_eq!(last_words(&mut silent).await, "");
    assert_eq!(last_words(&mut half).await, "");
    gateway.log.open();
    assert_eq!(sent.await.unwrap().unwrap().status(), 202);
    wait_for("the door to close", || std::net::TcpStream::connect(gateway.address()).is_err()).await;
}

async fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "waited for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
