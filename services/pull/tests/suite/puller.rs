//! One feed's life on a clock that the test moves: what is sent, when, and what is remembered of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use prometheus::Registry;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use yiping_event::Stream;
use yiping_feed::{Feed, Format, Mapping, Origin, ReadOptions, Rejected, Verdict};
use yiping_pull::PullMetrics;
use yiping_pull::door::Door;
use yiping_pull::failure::{Failure, Reason};
use yiping_pull::puller::Puller;
use yiping_pull::seen::Seen;
use yiping_pull::source::{Fetched, Payload, Source};

/// What happened, in its order, and when: seconds from the beginning.
type Story = Arc<Mutex<Vec<(u64, String)>>>;

struct Told {
    story: Story,
    began: Instant,
}

impl Told {
    fn tell(&self, what: impl Into<String>) {
        self.story.lock().unwrap().push((self.began.elapsed().as_secs(), what.into()));
    }
}

struct Script {
    told: Told,
    answers: VecDeque<Result<Fetched, Failure>>,
}

#[async_trait]
impl Source for Script {
    async fn fetch(&mut self) -> Result<Fetched, Failure> {
        self.told.tell("poll");
        self.answers.pop_front().unwrap_or(Ok(Fetched::Nothing))
    }

    async fn taken(&mut self) -> Result<(), Failure> {
        self.told.tell("taken");
        Ok(())
    }

    async fn unreadable(&mut self) -> Result<(), Failure> {
        self.told.tell("set aside");
        Ok(())
    }
}

struct Gateway {
    told: Told,
    failures: VecDeque<Failure>,
    /// Every event that was accepted.
    events: Arc<Mutex<Vec<Value>>>,
}

#[async_trait]
impl Door for Gateway {
    async fn events(&mut self, lines: &str, _: &Origin<'_>) -> Result<Verdict, Failure> {
        let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let is_beat = events[0]["type"] == "city.source.heartbeat";
        if let Some(failure) = self.failures.pop_front() {
            self.told.tell(format!("refused {}", events.len()));
            return Err(failure);
        }
        self.told.tell(if is_beat { "beat".to_owned() } else { format!("events {}", events.len()) });
        let rejected: Vec<Rejected> = events
            .iter()
            .enumerate()
            .filter(|(_, event)| event["data"]["occupied"] == REFUSED)
            .map(|(index, _)| Rejected {
                index,
                code: "bad_data".into(),
                pointer: String::new(),
                message: String::new(),
            })
            .collect();
        let accepted = (events.len() - rejected.len()) as u64;
        self.events.lock().unwrap().extend(events);
        Ok(Verdict { accepted, rejected })
    }

    async fn rows(&mut self, lines: &str, origin: &Origin<'_>) -> Result<Verdict, Failure> {
        let Origin { file, rows, polled } = origin;
        assert_eq!(polled.map(|polled| polled.0), Some(POLLED));
        self.told.tell(format!("rows {rows:?} of {}: {}", file.unwrap_or("nothing"), lines.trim()));
        Ok(Verdict::default())
    }
}

/// So many cars make the gateway refuse the event.
const REFUSED: u32 = 9_999;
const POLLED: i64 = 1_767_225_600_000;

const MAP: &str = r#"{type: "city.parking.snapshot", time: .at, data: {lot_id: .lot, capacity: 10, occupied: .n}}"#;

/// A feed that is pulled every ten seconds.
struct Life {
    story: Story,
    events: Arc<Mutex<Vec<Value>>>,
    metrics: PullMetrics,
    cancel: CancellationToken,
}

fn begin(answers: Vec<Result<Fetched, Failure>>, failures: Vec<Failure>) -> Life {
    let (story, events) = (Story::default(), Arc::default());
    let began = Instant::now();
    let told = || Told { story: Arc::clone(&story), began };
    let metrics = PullMetrics::new(&Registry::new()).unwrap();
    let map = Some(Mapping::compile(MAP).unwrap());
    let puller = Puller {
        feed: Arc::new(Feed { name: "lots".into(), source: "town/lots".into(), map, ..Feed::default() }),
        read: ReadOptions::new(Format::Ndjson),
        stream: Stream::Parking,
        expected_s: 10,
        every: Duration::from_secs(10),
        source: Box::new(Script { told: told(), answers: answers.into() }),
        door: Box::new(Gateway { told: told(), failures: failures.into(), events: Arc::clone(&events) }),
        metrics: metrics.clone(),
        health: yiping_runtime::Health::default().part("pull"),
        seen: Seen::default(),
        clock: || POLLED,
        chance: || 0.0,
    };
    let cancel = CancellationToken::new();
    tokio::spawn(puller.run(cancel.clone()));
    Life { story, events, metrics, cancel }
}

impl Life {
    /// What has happened by then.
    async fn at(&self, second: u64) -> Vec<(u64, String)> {
        tokio::time::sleep(Duration::from_secs(second)).await;
        self.story.lock().unwrap().clone()
    }

    fn failures(&self, reason: Reason) -> u64 {
        self.metrics.failures.with_label_values(&["lots", reason.as_str()]).get()
    }

    fn events(&self, outcome: &str) -> u64 {
        self.metrics.events.with_label_values(&["lots", outcome]).get()
    }
}

fn payload(rows: &[&str]) -> Result<Fetched, Failure> {
    Ok(Fetched::Something { payload: Payload::Bytes(rows.join("\n").into_bytes()), more: false })
}

fn row(lot: &str, n: u32) -> String {
    json!({"lot": lot, "n": n, "at": "2026-01-01T08:00:00+08:00"}).to_string()
}

fn story(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|(second, what)| (*second, (*what).to_owned())).collect()
}

fn status(retry_after: Option<u64>) -> Result<Fetched, Failure> {
    let failure = Failure::new(Reason::Status, "the source answers 500");
    Err(Failure { retry_after: retry_after.map(Duration::from_secs), ..failure })
}

#[tokio::test(start_paused = true)]
async fn a_failing_source_is_asked_ever_more_rarely_and_no_sooner_than_it_says() {
    let life =
        begin(vec![status(None), status(None), status(Some(100)), status(None), payload(&[&row("A", 1)])], vec![]);
    let expected = [
        (0, "poll"),
        (1, "poll"),
        (3, "poll"),
        (103, "poll"),
        (111, "poll"),
        (111, "events 1"),
        (111, "taken"),
        (111, "beat"),
        // all is well again
        (121, "poll"),
        (121, "beat"),
    ];
    assert_eq!(life.at(125).await, story(&expected));
    assert_eq!(life.failures(Reason::Status), 4);
    assert_eq!(life.metrics.attempts.with_label_values(&["lots"]).get(), 6);
    assert_eq!(life.metrics.last_success.with_label_values(&["lots"]).get(), 1_767_225_600.0);
    assert_eq!(life.metrics.backoff.with_label_values(&["lots"]).get(), 0.0);
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_is_offered_until_it_is_taken_and_the_source_waits() {
    let away = || Failure::new(Reason::GatewayAway, "nobody answers");
    let later = Failure { retry_after: Some(Duration::from_secs(30)), ..away() };
    let refused = Failure::new(Reason::GatewayRefused, "401");
    let life = begin(vec![payload(&[&row("A", 1), &row("B", 2)])], vec![away(), later, refused]);
    let expected = [
        (0, "poll"),
        (0, "refused 2"),
        (1, "refused 2"),
        (31, "refused 2"),
        (35, "events 2"),
        (35, "taken"),
        (35, "beat"),
        (35, "poll"),
        (35, "beat"),
    ];
    assert_eq!(life.at(40).await, story(&expected));
    assert_eq!((life.failures(Reason::GatewayAway), life.failures(Reason::GatewayRefused)), (2, 1));
    assert_eq!(life.events("accepted"), 2);
}

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_is_not_sent_again_and_every_poll_is_a_sign_of_life() {
    let (same, other) = (row("A", 1), row("B", 2));
    let life = begin(
        vec![payload(&[&same]), payload(&[&same, &other]), Ok(Fetched::Nothing), payload(&[&same, &other])],
        vec![],
    );
    let expected = [
        (0, "poll"),
        (0, "events 1"),
        (0, "taken"),
        (0, "beat"),
        (10, "poll"),
        (10, "events 1"),
        (10, "taken"),
        (10, "beat"),
        (20, "poll"),
        (20, "beat"),
        (30, "poll"),
        (30, "taken"),
        (30, "beat"),
    ];
    assert_eq!(life.at(35).await, story(&expected));
    assert_eq!((life.events("accepted"), life.events("repeated")), (2, 3));
    let events = life.events.lock().unwrap();
    let beat = events.iter().find(|event| event["type"] == "city.source.heartbeat").unwrap();
    assert_eq!(beat["data"], json!({"source_name": "town/lots", "expected_s": 10, "stream": "parking"}));
    assert_eq!((beat["source"].as_str(), beat["time"].as_str()), (Some("town/lots"), Some("2026-01-01T00:00:00.000Z")));
}

#[tokio::test(start_paused = true)]
async fn a_row_that_the_map_cant_read_goes_to_the_rejects_once_and_the_others_are_taken() {
    let bad = r#"{"lot":"C","n":3}"#;
    let life = begin(vec![payload(&[&row("A", 1), bad, "{broken"]), payload(&[bad])], vec![]);
    let story = life.at(15).await;
    let rows: Vec<_> = story.iter().filter(|(_, what)| what.starts_with("rows")).collect();
    assert_eq!(rows, [&(0, format!("rows [2, 3] of nothing: {bad}\n{{broken"))]);
    assert_eq!((life.events("accepted"), life.metrics.rejected.with_label_values(&["lots", "bad_feed"]).get()), (1, 2));
    assert_eq!(life.metrics.rows.with_label_values(&["lots"]).get(), 4);
}

#[tokio::test(start_paused = true)]
async fn of_an_event_that_is_refused_the_row_goes_to_the_rejects_once() {
    let (good, bad) = (row("A", 1), row("B", REFUSED));
    let life = begin(vec![payload(&[&good, &bad]), payload(&[&good, &bad])], vec![]);
    let story = life.at(15).await;
    let sent: Vec<_> =
        story.iter().map(|(_, what)| what.as_str()).filter(|what| what.starts_with(['e', 'r'])).collect();
    let kept: Value = serde_json::from_str(sent[1].split_once(": ").unwrap().1).unwrap();
    assert_eq!((sent.len(), sent[0], kept), (2, "events 2", serde_json::from_str::<Value>(&bad).unwrap()));
    assert!(sent[1].starts_with("rows [2] of nothing"), "{sent:?}");
    assert_eq!((life.events("accepted"), life.events("rejected"), life.events("repeated")), (1, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_an_earlier_file_had_too_is_a_reject_of_each_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, format!("{}\n{}\n{{}}\n", row("A", 1), row("B", REFUSED))).unwrap();
        Ok(Fetched::Something { payload: Payload::File(path), more: true })
    };
    let life = begin(vec![file("1"), file("2")], vec![]);
    let story = life.at(15).await;
    let of = |rows: &str| story.iter().filter(|(_, what)| what.starts_with(rows)).count();
    assert_eq!(
        [of("rows [2] of 1"), of("rows [3] of 1"), of("rows [2] of 2"), of("rows [3] of 2")],
        [1; 4],
        "{story:?}"
    );
    assert_eq!(life.events("repeated"), 1, "what was accepted isn't sent again");
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_refused_go_in_requests_that_a_gateway_takes() {
    let long = |lot: &str| {
        json!({"lot": lot, "n": REFUSED, "at": "2026-01-01T08:00:00+08:00", "x": "x".repeat(700 << 10)}).to_string()
    };
    let life = begin(vec![payload(&[&long("A"), &long("B"), &long("C")])], vec![]);
    let story = life.at(5).await;
    let lengths: Vec<_> =
        story.iter().filter(|(_, what)| what.starts_with("rows")).map(|(_, what)| what.len() >> 20).collect();
    assert_eq!(lengths, [0; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_none_is_set_aside_and_the_next_one_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let gone = Payload::File(folder.path().join("gone.csv"));
    let life = begin(vec![Ok(Fetched::Something { payload: gone, more: true }), payload(&[&row("A", 1)])], vec![]);
    let story = life.at(5).await;
    let what: Vec<&str> = story.iter().map(|(_, what)| what.as_str()).collect();
    assert_eq!(what, ["poll", "set aside", "poll", "events 1", "taken", "beat"]);
    assert_eq!(life.failures(Reason::Unreadable), 1);
}

#[tokio::test(start_paused = true)]
async fn a_large_payload_goes_in_pieces_and_a_source_that_has_more_is_asked_at_once() {
    let rows: Vec<String> = (0..2_500).map(|n| row("A", n)).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let more = |fetched| match fetched {
        Ok(Fetched::Something { payload, .. }) => Ok(Fetched::Something { payload, more: true }),
        other => other,
    };
    let life = begin(vec![more(payload(&rows)), payload(&[&row("B", 1)])], vec![]);
    let story = life.at(5).await;
    let what: Vec<&str> = story.iter().map(|(_, what)| what.as_str()).collect();
    let first = ["poll", "events 1000", "events 1000", "events 500", "taken", "beat"];
    assert_eq!(what, [&first[..], &["poll", "events 1", "taken", "beat"]].concat());
    assert!(story.iter().all(|(second, _)| *second == 0));
    // and it ends when it is told to
    life.cancel.cancel();
    let before = life.at(1).await.len();
    assert_eq!(life.at(60).await.len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_empty_or_of_which_nothing_is_an_event_is_set_aside_and_one_with_a_bad_row_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        Ok(Fetched::Something { payload: Payload::File(path), more: false })
    };
    let row = r#"{"at": "2026-01-01T00:00:00Z", "lot": "P1", "n": 1}"#;
    let life = begin(vec![file("1", "1,2\n3,4\n"), file("2", &format!("{row}\n5,6\n")), file("3", "")], vec![]);
    let story = life.at(60).await;
    let ends: Vec<&str> =
        story.iter().map(|(_, what)| what.as_str()).filter(|what| ["taken", "set aside"].contains(what)).collect();
    assert_eq!(ends, ["set aside", "taken", "set aside"], "{story:?}");
    let kept = |rows: &str| story.iter().any(|(_, what)| what == rows);
    assert!(
        kept("rows [1, 2] of 1: 1,2\n3,4") && kept("rows [2] of 2: 5,6"),
        "rows are kept, and where they stood: {story:?}"
    );
    assert_eq!((life.failures(Reason::Unreadable), life.events("accepted")), (2, 1));
}
