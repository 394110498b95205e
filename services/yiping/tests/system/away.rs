//! I9: the store is away, and the city goes on. `tests/chaos` has the long form: `YIPING_AWAY_SECONDS` (20).

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::json;
use yiping_event::TimeMs;

use crate::{
    harness::{System, eventually, http, signal, simulated},
    published::{Compared, Export, STREAMS, assert_published_is_computed, load, loaded, stored},
};

const SETTINGS: [(&str, &str); 2] = [("YIPING_STORE__CHECKPOINT", "1s"), ("YIPING_LOG__PARTITIONS", "3")];
/// How long the store is away in the short form.
const SHORT_S: u64 = 20;
const START: &str = "2026-11-20T08:00:00+08:00";
/// Simulated seconds a second: with a fifth of the city about 280 events a second, twice those of the whole city.
const SPEED: u64 = 10;
/// Before the store goes, and for it to come back.
const AROUND_S: u64 = 30;
/// What may wait in memory for the store: in each of the four streams 200,000 rows (`store.run_ahead`) of about 500 bytes with
/// their place in a map, twice, for what is being sent and what comes meanwhile.
const MOST_GROWTH_MB: u64 = 4 * 2 * 200_000 * 500 / 1_000_000;
/// An open SOS case is on the alert rules' page within this time (the promise), also then.
const SOS_WITHIN: Duration = Duration::from_secs(2);
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(30);

#[test]
fn i9_while_the_store_is_away_events_are_taken_an_sos_is_seen_and_memory_is_bounded_and_nothing_is_lost() {
    let away_s: u64 = std::env::var("YIPING_AWAY_SECONDS").map_or(SHORT_S, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let duration = format!("{}s", (away_s + AROUND_S) * SPEED);
    let arguments = ["--seed", "3", "--start", START, "--duration", &duration, "--scale", "0.2", "--faults", "usual"];
    let story = simulated(dir.path(), &arguments);
    let mut system = System::start(dir.path(), &SETTINGS);
    let token = system.token();
    let sender = Sender { url: format!("{}/v1/events", system.gateway()), token: format!("Bearer {token}") };
    let admin = system.endpoints["admin"].as_str().unwrap().to_owned();
    let replays = load(&system, &token, &story, SPEED);
    let begun = Instant::now();
    // the city's clock, about: what we send ourselves has to fit into the story
    let now = || TimeMs(TimeMs::parse(START).unwrap().0 + (begun.elapsed().as_millis() as i64) * SPEED as i64);
    eventually(Duration::from_secs(60), "the first rows", || {
        let rows = system.try_query("SELECT count() AS n FROM city.stream_status WHERE accepted > 100").ok()?;
        (rows[0]["n"].as_u64()? > 0).then_some(())
    });

    let clickhouse = system.clickhouse_pid().unwrap();
    let before_mb = rss_mb(system.pid());
    signal(clickhouse, "STOP");
    let stopped = Instant::now();
    let (mut most_mb, mut sent, mut seen_after) = (before_mb, 0, None);
    let mut raised: Option<Instant> = None;
    while stopped.elapsed() < Duration::from_secs(away_s) {
        let asked = Instant::now();
        sender.send(&format!("heart-{sent}"), "city.elder.heartbeat", now(), json!({"device_id": "probe"}));
        assert!(asked.elapsed() < Duration::from_secs(5), "the gateway took {:?}", asked.elapsed());
        sent += 1;
        // three seconds on: every insert that was on its way hangs by now
        if raised.is_none() && stopped.elapsed() > Duration::from_secs(3) {
            let sos = json!({"case_id": "away", "event": "raised", "district": DISTRICT});
            sender.send("sos", "city.elder.sos", now(), sos);
            raised = Some(Instant::now());
            // more of them, so that every partition has one
            for other in 0..OTHERS {
                let sos = json!({"case_id": format!("away-{other}"), "event": "raised", "district": "试验二区"});
                sender.send(&format!("sos-{other}"), "city.elder.sos", now(), sos);
            }
        }
        if let Some(raised) = raised.filter(|_| seen_after.is_none()) {
            seen_after = sos_open(&admin).then(|| raised.elapsed());
            assert!(
                seen_after.is_some() || raised.elapsed() < SOS_WITHIN,
                "an SOS raised while the store is away is not among elder's own gauges after {:?}",
                raised.elapsed()
            );
        }
        most_mb = most_mb.max(rss_mb(system.pid()));
        std::thread::sleep(Duration::from_millis(200)); // the pace of our own sender
    }
    let heads: Vec<Export> = STREAMS.iter().map(|stream| Export::of(&system, stream)).collect();
    signal(clickhouse, "CONT");
    let back = Instant::now();
    for (stream, export) in STREAMS.iter().zip(&heads) {
        stored(&system, stream, export, CAUGHT_UP_WITHIN.saturating_sub(back.elapsed()));
    }
    eprintln!(
        "away for {away_s} s: {before_mb} MB before, {most_mb} MB at the most; {sent} requests, all 202; the SOS seen after {:?}; caught up {:?} after its return",
        seen_after.unwrap(),
        back.elapsed()
    );
    assert!(most_mb - before_mb < MOST_GROWTH_MB, "from {before_mb} to {most_mb} MB");
    assert_eq!(system.clickhouse_pid(), Some(clickhouse), "it was to be away, not to be replaced");

    loaded(&system, replays, Duration::from_secs(300));
    // (all of them in the long form, and in `crash.rs`)
    let compared = if away_s <= SHORT_S { Compared::Whole } else { Compared::All };
    let exports = assert_published_is_computed(&system, &SETTINGS, compared);
    for stream in STREAMS {
        exports[stream].assert_has_all_of(&story, stream);
    }

    // a service that starts knows its open cases from its state, and keeps them while the other services find their partitions
    system.interrupt();
    system.start_again();
    let admin = system.endpoints["admin"].as_str().unwrap().to_owned();
    let open = open_cases(&system);
    assert!(open.len() > OTHERS, "{open:?}");
    eventually(Duration::from_secs(30), "every partition at work, and the cases that the store knows", || {
        (open_cases(&system) == listed_cases(&admin) && at_work(&admin) == 4 * 3).then_some(())
    });
    assert_eq!(listed_cases(&admin), open);
}

/// The open cases by the store's word.
fn open_cases(system: &System) -> BTreeSet<String> {
    let rows = system.query("SELECT case_id FROM city.sos_open");
    rows.iter().map(|row| row["case_id"].as_str().unwrap().to_owned()).collect()
}

/// The open cases by the service's own.
fn listed_cases(admin: &str) -> BTreeSet<String> {
    let (_, body) = http("GET", &format!("{admin}/live/sos"), &[], b"");
    let live: serde_json::Value = serde_json::from_slice(&body).unwrap();
    live["sos"].as_array().unwrap().iter().map(|case| case["key"].as_str().unwrap().to_owned()).collect()
}

/// How many partitions say a time.
fn at_work(admin: &str) -> usize {
    let (_, body) = http("GET", &format!("{admin}/metrics"), &[], b"");
    let said = String::from_utf8_lossy(&body);
    said.lines().filter(|line| line.starts_with("yiping_watermark_timestamp_seconds{")).count()
}

/// Open cases beside the one that is timed.
const OTHERS: usize = 8;

/// One that no story has.
const DISTRICT: &str = "试验区";

/// Whether the service itself says that our case is open: to alert rules, and to who asks for the cases.
fn sos_open(admin: &str) -> bool {
    let (_, body) = http("GET", &format!("{admin}/metrics"), &[], b"");
    let line = format!("yiping_elder_sos_open{{district=\"{DISTRICT}\"}} 1");
    let counted = String::from_utf8_lossy(&body).lines().any(|said| said == line);
    let (_, body) = http("GET", &format!("{admin}/live/sos"), &[], b"");
    let live: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let listed =
        live["sos"].as_array().unwrap().iter().any(|case| case["district"] == DISTRICT && case["state"] == "raised");
    counted && listed
}

struct Sender {
    url: String,
    token: String,
}

impl Sender {
    fn send(&self, id: &str, kind: &str, time: TimeMs, data: serde_json::Value) {
        let event = json!({
            "specversion": "1.0", "id": id, "source": "test/away", "type": kind,
            "time": time.to_string(), "receivedtime": time.to_string(), "data": data,
        });
        let headers = [("Authorization", &*self.token), ("Content-Type", "application/cloudevents+json")];
        let (status, body) = http("POST", &self.url, &headers, event.to_string().as_bytes());
        assert_eq!(status, 202, "{}", String::from_utf8_lossy(&body));
    }
}

/// Memory that a process holds, without its children.
fn rss_mb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_000
}
