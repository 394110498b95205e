//! What every log promises, checked on each: memory, embedded, Kafka as librdkafka's mock, and a real Kafka where
//! `KAFKA_BROKERS` names one (`tests/kafka/start`).

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test, with its line")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use yiping_log::{Consumer, Log, LogError, NewRecord, Partition, Poll, Record, partition_for_key};

const PARTITIONS: u32 = 3;
/// Far above what anything here takes; only a fault gets there.
const PATIENCE: Duration = Duration::from_secs(40);

/// A log with one empty topic of [`PARTITIONS`] partitions.
struct Bench {
    log: Arc<dyn Log>,
    topic: String,
    /// The mock ignores timestamps.
    keeps_time: bool,
    mock: Option<MockCluster<'static, DefaultProducerContext>>,
    _folder: Option<tempfile::TempDir>,
}

impl Bench {
    async fn memory() -> Option<Self> {
        let log = yiping_log::open("memory:", &BTreeMap::new()).await.unwrap();
        log.ensure_topic("city.test", PARTITIONS).await.unwrap();
        Some(Self { log, topic: "city.test".to_owned(), keeps_time: true, mock: None, _folder: None })
    }

    async fn embedded() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("embedded:{}", folder.path().display());
        let log = yiping_log::open(&url, &BTreeMap::new()).await.unwrap();
        log.ensure_topic("city.test", PARTITIONS).await.unwrap();
        Some(Self { log, topic: "city.test".to_owned(), keeps_time: true, mock: None, _folder: Some(folder) })
    }

    async fn kafka_mock() -> Option<Self> {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("city.test", PARTITIONS as i32, 1).unwrap();
        let url = format!("kafka://{}", cluster.bootstrap_servers());
        // The mock lets a group wait for almost a whole session before it shares anew.
        let options = BTreeMap::from([
            ("kafka.session.timeout.ms".to_owned(), "3000".to_owned()),
            ("kafka.heartbeat.interval.ms".to_owned(), "300".to_owned()),
        ]);
        let log = yiping_log::open(&url, &options).await.unwrap();
        Some(Self { log, topic: "city.test".to_owned(), keeps_time: false, mock: Some(cluster), _folder: None })
    }

    async fn kafka_real() -> Option<Self> {
        let Ok(brokers) = std::env::var("KAFKA_BROKERS") else {
            eprintln!("skipped: KAFKA_BROKERS is not set, so there is no real Kafka to check (tests/kafka/start)");
            return None;
        };
        let log = yiping_log::open(&format!("kafka://{brokers}"), &BTreeMap::new()).await.unwrap();
        let topic = format!("city.test.{:016x}", rand::random::<u64>());
        log.ensure_topic(&topic, PARTITIONS).await.unwrap();
        Some(Self { log, topic, keeps_time: true, mock: None, _folder: None })
    }

    fn record(&self, partition: Option<Partition>, key: Option<&str>, payload: &str) -> NewRecord {
        NewRecord {
            topic: self.topic.clone(),
            partition,
            key: key.map(|k| Bytes::copy_from_slice(k.as_bytes())),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
        }
    }

    /// Appends `numbers` as payloads to one partition.
    async fn append(&self, partition: Partition, numbers: std::ops::Range<u32>) {
        let records = numbers.map(|n| self.record(Some(partition), None, &n.to_string())).collect();
        self.log.append(records).await.unwrap();
    }

    async fn join(&self, group: &str) -> Member {
        let consumer = self.log.consumer(group, &[&self.topic]).await.unwrap();
        Member { consumer, held: BTreeSet::new(), got: BTreeMap::new(), head: BTreeMap::new() }
    }
}

/// A consumer that reads what it is given from the beginning, and remembers.
struct Member {
    consumer: Box<dyn Consumer>,
    held: BTreeSet<Partition>,
    got: BTreeMap<Partition, Vec<Record>>,
    head: BTreeMap<Partition, u64>,
}

impl Member {
    async fn step(&mut self, max: usize, wait: Duration) -> Poll {
        let poll = self.consumer.poll(max, wait).await.unwrap();
        match &poll {
            Poll::Assigned(places) => {
                for (topic, partition) in places {
                    assert!(self.held.insert(*partition), "{partition} was assigned twice");
                    self.consumer.seek(topic, *partition, 0).await.unwrap();
                }
            }
            Poll::Revoked(places) => {
                for (_, partition) in places {
                    assert!(self.held.remove(partition), "{partition} was taken without being held");
                }
            }
            Poll::Records { partition, records, head, .. } => {
                assert!(self.held.contains(partition), "records of {partition}, which is not held");
                assert!(!records.is_empty() && records.len() <= max);
                assert!(*head > records.last().unwrap().offset, "the head is behind the last record");
                self.got.entry(*partition).or_default().extend(records.iter().cloned());
                self.head.insert(*partition, *head);
            }
            Poll::Idle => {}
        }
        poll
    }

    async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
            self.step(1_000, Duration::from_millis(200)).await;
        }
    }

    fn count(&self) -> usize {
        self.got.values().map(Vec::len).sum()
    }

    fn payloads(&self, partition: Partition) -> Vec<String> {
        let records = self.got.get(&partition).map(Vec::as_slice).unwrap_or_default();
        records.iter().map(|r| String::from_utf8(r.payload.to_vec()).unwrap()).collect()
    }
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

async fn order_within_a_partition_is_kept_and_offsets_have_no_gaps(bench: Bench) {
    for batch in 0..5 {
        bench.append(1, batch * 100..(batch + 1) * 100).await;
        bench.append(2, batch * 10..(batch + 1) * 10).await;
    }
    let mut member = bench.join("order").await;
    member.until("550 records", |m| m.count() == 550).await;
    assert_eq!(member.payloads(1), numbers(0..500));
    assert_eq!(member.payloads(2), numbers(0..50));
    let offsets: Vec<u64> = member.got[&1].iter().map(|r| r.offset).collect();
    assert_eq!(offsets, (0..500).collect::<Vec<u64>>());
}

async fn the_same_key_goes_where_java_would_send_it(bench: Bench) {
    let keys: Vec<String> = (0..40).map(|n| format!("鲁K-{n}")).collect();
    let records = keys.iter().map(|key| bench.record(None, Some(key), key)).collect();
    let places = bench.log.append(records).await.unwrap();
    for (key, (partition, offset)) in keys.iter().zip(&places) {
        assert_eq!(*partition, partition_for_key(key.as_bytes(), PARTITIONS), "{key}");
        let read = bench.log.read(&bench.topic, *partition, *offset, 1).await.unwrap();
        assert_eq!((read[0].key.as_deref(), &*read[0].payload), (Some(key.as_bytes()), key.as_bytes()));
    }
}

async fn records_without_a_key_are_spread(bench: Bench) {
    let mut hit = BTreeSet::new();
    let begun = Instant::now();
    while hit.len() < PARTITIONS as usize && begun.elapsed() < PATIENCE {
        hit.extend(bench.log.append(vec![bench.record(None, None, "x")]).await.unwrap().into_iter().map(|p| p.0));
    }
    assert_eq!(hit.len(), PARTITIONS as usize);
}

async fn nothing_comes_before_the_owner_says_from_where(bench: Bench) {
    bench.append(0, 0..10).await;
    let mut consumer = bench.log.consumer("patient", &[&bench.topic]).await.unwrap();
    let begun = Instant::now();
    let assigned = loop {
        assert!(begun.elapsed() < PATIENCE);
        match consumer.poll(100, Duration::from_millis(200)).await.unwrap() {
            Poll::Assigned(places) => break places,
            Poll::Idle => {}
            other => panic!("{other:?} before an assignment"),
        }
    };
    assert_eq!(assigned.len(), PARTITIONS as usize);
    assert_eq!(consumer.poll(100, Duration::from_millis(700)).await.unwrap(), Poll::Idle);
    consumer.seek(&bench.topic, 0, 7).await.unwrap();
    let records = loop {
        assert!(begun.elapsed() < PATIENCE);
        if let Poll::Records { records, .. } = consumer.poll(100, Duration::from_millis(200)).await.unwrap() {
            break records;
        }
    };
    assert_eq!(records[0].offset, 7);
}

async fn two_consumers_share_and_one_takes_over_when_the_other_closes(bench: Bench) {
    let mut first = bench.join("shared").await;
    first.until("all partitions", |m| m.held.len() == PARTITIONS as usize).await;
    let mut second = bench.join("shared").await;
    let begun = Instant::now();
    while second.held.is_empty() || first.held.len() + second.held.len() != PARTITIONS as usize {
        assert!(begun.elapsed() < PATIENCE, "not shared: {:?} {:?}", first.held, second.held);
        first.step(100, Duration::from_millis(50)).await;
        second.step(100, Duration::from_millis(50)).await;
    }
    assert!(first.held.is_disjoint(&second.held));
    for partition in 0..PARTITIONS {
        bench.append(partition, 0..20).await;
    }
    let begun = Instant::now();
    while first.count() + second.count() < 60 {
        assert!(begun.elapsed() < PATIENCE);
        first.step(100, Duration::from_millis(50)).await;
        second.step(100, Duration::from_millis(50)).await;
    }
    assert!(first.count() >= 20 && second.count() >= 20, "each read its own");
    second.consumer.close().await.unwrap();
    first.until("everything again", |m| m.held.len() == PARTITIONS as usize).await;
    first.until("what the other had read, too", |m| (0..PARTITIONS).all(|p| m.got.contains_key(&p))).await;
}

async fn seek_goes_back_and_forth(bench: Bench) {
    bench.append(0, 0..50).await;
    let mut member = bench.join("seeker").await;
    member.until("50 records", |m| m.count() == 50).await;
    for (from, rest) in [(40, 40..50), (10, 10..50), (49, 49..50)] {
        member.got.clear();
        member.consumer.seek(&bench.topic, 0, from).await.unwrap();
        member.until("the rest", |m| m.count() >= rest.len()).await;
        assert_eq!(member.payloads(0), numbers(rest));
    }
}

async fn seek_and_pause_hold_amid_what_was_fetched_ahead(bench: Bench) {
    bench.append(0, 0..3_000).await;
    let mut member = bench.join("amid").await;
    let begun = Instant::now();
    while member.count() < 10 {
        assert!(begun.elapsed() < PATIENCE);
        member.step(10, Duration::from_millis(200)).await;
    }
    let before = member.count() as u32;
    member.consumer.pause(&bench.topic, 0).await.unwrap();
    assert_eq!(member.step(10, Duration::from_millis(300)).await, Poll::Idle, "it is paused");
    member.consumer.resume(&bench.topic, 0).await.unwrap();
    member.until("some more", |m| m.count() as u32 > before).await;
    assert_eq!(member.payloads(0), numbers(0..member.count() as u32), "goes on where it was");
    member.got.clear();
    member.consumer.seek(&bench.topic, 0, 2_500).await.unwrap();
    member.until("the rest", |m| m.count() >= 500).await;
    assert_eq!(member.payloads(0), numbers(2_500..3_000));
}

async fn a_paused_partition_is_silent_and_stays_ours(bench: Bench) {
    let mut member = bench.join("pauser").await;
    member.until("all partitions", |m| m.held.len() == PARTITIONS as usize).await;
    bench.append(0, 0..5).await;
    member.until("5 records", |m| m.count() == 5).await;
    member.consumer.pause(&bench.topic, 0).await.unwrap();
    bench.append(0, 5..10).await;
    bench.append(1, 0..5).await;
    member.until("the other partition's", |m| m.payloads(1).len() == 5).await;
    assert_eq!(member.step(100, Duration::from_millis(700)).await, Poll::Idle, "it is paused");
    assert_eq!(member.payloads(0), numbers(0..5));
    member.consumer.resume(&bench.topic, 0).await.unwrap();
    member.until("what came meanwhile", |m| m.payloads(0).len() == 10).await;
    assert_eq!(member.payloads(0), numbers(0..10), "nothing twice, nothing lost");
    assert_eq!(member.held.len(), PARTITIONS as usize);
}

async fn committed_offsets_are_there_for_the_next_to_see(bench: Bench) {
    bench.append(0, 0..10).await;
    let mut member = bench.join("committer").await;
    member.until("10 records", |m| m.count() == 10).await;
    assert_eq!(member.consumer.committed(&bench.topic, 0).await.unwrap(), None);
    member.consumer.commit(&bench.topic, 0, 8).await.unwrap();
    assert_eq!(member.consumer.committed(&bench.topic, 0).await.unwrap(), Some(8));
    member.consumer.commit(&bench.topic, 0, 10).await.unwrap();
    member.consumer.close().await.unwrap();
    let next = bench.join("committer").await;
    assert_eq!(next.consumer.committed(&bench.topic, 0).await.unwrap(), Some(10));
    assert_eq!(next.consumer.committed(&bench.topic, 1).await.unwrap(), None);
}

async fn the_head_is_known_while_reading(bench: Bench) {
    bench.append(2, 0..50).await;
    let mut member = bench.join("head").await;
    let begun = Instant::now();
    while member.count() == 0 {
        assert!(begun.elapsed() < PATIENCE);
        member.step(10, Duration::from_millis(200)).await;
    }
    assert_eq!(member.head[&2], 50);
}

async fn a_waiting_poll_is_woken_by_an_append(bench: Bench) {
    let mut member = bench.join("waiter").await;
    member.until("all partitions", |m| m.held.len() == PARTITIONS as usize).await;
    bench.append(0, 0..1).await;
    member.until("a first record", |m| m.count() == 1).await;
    let waiting = tokio::spawn(async move {
        let poll = member.step(10, PATIENCE).await;
        (poll, Instant::now())
    });
    tokio::task::yield_now().await;
    let appended = Instant::now();
    bench.append(0, 1..2).await;
    let (poll, woken) = waiting.await.unwrap();
    assert!(matches!(poll, Poll::Records { .. }), "{poll:?}");
    assert!(woken.duration_since(appended) < Duration::from_secs(2));
}

async fn range_and_read_see_what_is_kept(bench: Bench) {
    assert_eq!(bench.log.range(&bench.topic, 0).await.unwrap(), (0, 0));
    assert_eq!(bench.log.read(&bench.topic, 0, 0, 10).await.unwrap(), Vec::new());
    bench.append(0, 0..25).await;
    assert_eq!(bench.log.range(&bench.topic, 0).await.unwrap(), (0, 25));
    assert_eq!(bench.log.range(&bench.topic, 1).await.unwrap(), (0, 0));
    let mut from = 0;
    let mut all = Vec::new();
    loop {
        let records = bench.log.read(&bench.topic, 0, from, 10).await.unwrap();
        assert!(records.len() <= 10);
        let Some(last) = records.last() else { break };
        from = last.offset + 1;
        all.extend(records.iter().map(|r| String::from_utf8(r.payload.to_vec()).unwrap()));
    }
    assert_eq!(all, numbers(0..25));
    assert_eq!(bench.log.read(&bench.topic, 0, 24, 10).await.unwrap().len(), 1);
    assert_eq!(bench.log.read(&bench.topic, 0, 1_000, 10).await.unwrap(), Vec::new(), "beyond the end");
}

async fn the_logs_own_time_never_steps_back(bench: Bench) {
    for n in 0..20 {
        bench.append(0, n..n + 1).await;
    }
    let times: Vec<i64> = bench.log.read(&bench.topic, 0, 0, 100).await.unwrap().iter().map(|r| r.append_ms).collect();
    assert!(times.is_sorted(), "{times:?}");
    if bench.keeps_time {
        let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        assert!((now_ms - times[0]).abs() < 60_000, "{} is not about {now_ms}", times[0]);
    }
}

async fn what_is_not_there_is_named(bench: Bench) {
    let unknown = NewRecord { topic: "city.nowhere".to_owned(), ..bench.record(None, None, "x") };
    assert!(matches!(bench.log.append(vec![unknown]).await, Err(LogError::UnknownTopic(t)) if t == "city.nowhere"));
    assert!(matches!(bench.log.partitions("city.nowhere").await, Err(LogError::UnknownTopic(_))));
    assert!(matches!(bench.log.consumer("g", &["city.nowhere"]).await, Err(LogError::UnknownTopic(_))));
    let beyond = bench.log.append(vec![bench.record(Some(PARTITIONS), None, "x")]).await.unwrap_err();
    assert!(matches!(beyond, LogError::UnknownPartition { partition: PARTITIONS, .. }), "{beyond}");
    assert!(!beyond.is_retriable());
    let mut consumer = bench.log.consumer("g", &[&bench.topic]).await.unwrap();
    assert!(matches!(consumer.seek(&bench.topic, 77, 0).await, Err(LogError::NotAssigned { partition: 77, .. })));
}

async fn the_largest_record_fits_and_a_larger_one_is_refused(bench: Bench) {
    let largest = "x".repeat(yiping_log::MAX_RECORD_BYTES);
    let places = bench.log.append(vec![bench.record(Some(0), None, &largest)]).await.unwrap();
    assert_eq!(bench.log.read(&bench.topic, 0, places[0].1, 1).await.unwrap()[0].payload.len(), largest.len());
    let refused = bench.log.append(vec![bench.record(Some(0), None, &(largest + "x"))]).await.unwrap_err();
    assert!(matches!(refused, LogError::TooLarge { .. }) && !refused.is_retriable());
}

async fn a_topic_keeps_its_partitions_and_its_fingerprint(bench: Bench) {
    assert_eq!(bench.log.ensure_topic(&bench.topic, 7).await.unwrap(), PARTITIONS, "it is there with three");
    assert_eq!(bench.log.partitions(&bench.topic).await.unwrap(), PARTITIONS);
    let fingerprint = bench.log.fingerprint(&bench.topic).await.unwrap();
    bench.append(0, 0..1).await;
    assert_eq!(bench.log.fingerprint(&bench.topic).await.unwrap(), fingerprint);
    if bench.mock.is_none() {
        let other = format!("{}.other", bench.topic);
        bench.log.ensure_topic(&other, 1).await.unwrap();
        assert_ne!(bench.log.fingerprint(&other).await.unwrap(), fingerprint);
    }
}

macro_rules! on {
    ($log:ident: $($check:ident)*) => {
        mod $log {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $check() {
                    if let Some(bench) = super::Bench::$log().await {
                        super::$check(bench).await;
                    }
                }
            )*
        }
    };
}

macro_rules! on_every_log {
    ($($check:ident)*) => {
        on!(memory: $($check)*);
        on!(embedded: $($check)*);
        on!(kafka_mock: $($check)*);
        on!(kafka_real: $($check)*);
    };
}

on_every_log! {
    order_within_a_partition_is_kept_and_offsets_have_no_gaps
    the_same_key_goes_where_java_would_send_it
    records_without_a_key_are_spread
    nothing_comes_before_the_owner_says_from_where
    two_consumers_share_and_one_takes_over_when_the_other_closes
    seek_goes_back_and_forth
    seek_and_pause_hold_amid_what_was_fetched_ahead
    a_paused_partition_is_silent_and_stays_ours
    committed_offsets_are_there_for_the_next_to_see
    the_head_is_known_while_reading
    a_waiting_poll_is_woken_by_an_append
    range_and_read_see_what_is_kept
    the_logs_own_time_never_steps_back
    what_is_not_there_is_named
    the_largest_record_fits_and_a_larger_one_is_refused
    a_topic_keeps_its_partitions_and_its_fingerprint
}
