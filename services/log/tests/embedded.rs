//! What only the embedded log promises: it outlives its process, is shared by processes, and forgets by age and size.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test, with its line")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use yiping_log::{EmbeddedLog, EmbeddedReader, Log, LogError, NewRecord, Poll, Retention, open_to_read};

const FOLDER: &str = "YIPING_LOG_TEST_FOLDER";

async fn open(folder: &Path) -> EmbeddedLog {
    EmbeddedLog::open(folder, Retention::default()).await.unwrap()
}

fn record(partition: u32, payload: String) -> NewRecord {
    NewRecord { topic: "city.test".to_owned(), partition: Some(partition), key: None, payload: Bytes::from(payload) }
}

/// Runs one of the ignored tests below as a process of its own on the same folder.
fn other_process(test: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_appended_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let fingerprint = {
        let log = open(folder.path()).await;
        log.ensure_topic("city.test", 2).await.unwrap();
        log.append(vec![record(0, "a".to_owned()), record(1, "b".to_owned())]).await.unwrap();
        log.fingerprint("city.test").await.unwrap()
    };
    let log = open(folder.path()).await;
    assert_eq!(log.partitions("city.test").await.unwrap(), 2);
    assert_eq!(&*log.read("city.test", 1, 0, 10).await.unwrap()[0].payload, b"b");
    assert_eq!(log.append(vec![record(0, "c".to_owned())]).await.unwrap(), [(0, 1)]);
    assert_eq!(log.fingerprint("city.test").await.unwrap(), fingerprint);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_made_anew_has_another_fingerprint() {
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let folder = tempfile::tempdir().unwrap();
        let log = open(folder.path()).await;
        log.ensure_topic("city.test", 1).await.unwrap();
        seen.insert(log.fingerprint("city.test").await.unwrap());
    }
    assert_eq!(seen.len(), 2);
}

const PROCESSES: usize = 2;
const TASKS: usize = 8;
const APPENDS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_append_at_once_lose_nothing_and_share_no_offset() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await;
    log.ensure_topic("city.test", 2).await.unwrap();
    let children: Vec<Child> =
        (0..PROCESSES).map(|_| other_process("child_appends_from_many_tasks", folder.path())).collect();
    // Consumed meanwhile: what other processes append has to wake us.
    let mut consumer = log.consumer("watcher", &["city.test"]).await.unwrap();
    let expected = PROCESSES * TASKS * APPENDS;
    let mut seen: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    let mut payloads = BTreeSet::new();
    let begun = Instant::now();
    while payloads.len() < expected {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} of {expected}", payloads.len());
        match consumer.poll(1_000, Duration::from_secs(1)).await.unwrap() {
            Poll::Assigned(places) => {
                for (topic, partition) in places {
                    consumer.seek(&topic, partition, 0).await.unwrap();
                }
            }
            Poll::Records { partition, records, .. } => {
                for record in records {
                    seen.entry(partition).or_default().push(record.offset);
                    assert!(payloads.insert(record.payload), "a record came twice");
                }
            }
            Poll::Revoked(_) | Poll::Idle => {}
        }
    }
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success(), "every append was acknowledged");
    }
    for (partition, offsets) in &seen {
        assert_eq!(*offsets, (0..offsets.len() as u64).collect::<Vec<_>>(), "partition {partition}");
        assert_eq!(log.range("city.test", *partition).await.unwrap(), (0, offsets.len() as u64));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run as a process of its own by the test above"]
async fn child_appends_from_many_tasks() {
    let log = Arc::new(open(Path::new(&std::env::var(FOLDER).unwrap())).await);
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let log = Arc::clone(&log);
        tasks.push(tokio::spawn(async move {
            for n in 0..APPENDS {
                let payload = format!("{}/{task}/{n}", std::process::id());
                log.append(vec![record((n % 2) as u32, payload)]).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_partitions_of_a_killed_process_are_taken_over_after_its_lease() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await;
    log.ensure_topic("city.test", 2).await.unwrap();
    let mut holder = other_process("child_holds_all_partitions", folder.path());
    let begun = Instant::now();
    while log.range("city.test", 0).await.unwrap().1 == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the holder never told that it holds");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    let killed = Instant::now();
    let mut consumer = log.consumer("held", &["city.test"]).await.unwrap();
    let mut held = 0;
    while held < 2 {
        assert!(killed.elapsed() < Duration::from_secs(15), "the dead still hold");
        if let Poll::Assigned(places) = consumer.poll(10, Duration::from_secs(1)).await.unwrap() {
            held += places.len();
        }
    }
    assert!(killed.elapsed() > Duration::from_secs(3), "a lease protects who is merely slow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run as a process of its own by the test above, and killed"]
async fn child_holds_all_partitions() {
    let log = open(Path::new(&std::env::var(FOLDER).unwrap())).await;
    let mut consumer = log.consumer("held", &["city.test"]).await.unwrap();
    let mut held = 0;
    loop {
        if let Poll::Assigned(places) = consumer.poll(10, Duration::from_secs(1)).await.unwrap() {
            held += places.len();
            if held == 2 {
                log.append(vec![record(0, "holding".to_owned())]).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_by_age_and_size_goes_from_the_front_and_offsets_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await;
    log.ensure_topic("city.test", 2).await.unwrap();
    for partition in 0..2 {
        let records = (0..5_000).map(|n| record(partition, format!("{n:>76}"))).collect();
        log.append(records).await.unwrap();
    }
    let now_ms = log.read("city.test", 0, 0, 1).await.unwrap()[0].append_ms;
    let nothing = log.clean(Retention::default(), now_ms).await.unwrap();
    assert_eq!(nothing, 0, "all is young and small");

    // 10,000 records of 76 + 24 bytes; half of them have to go, the oldest first.
    let half = Retention { bytes: 500_000, ..Retention::default() };
    log.clean(half, now_ms).await.unwrap();
    let (first, next) = log.range("city.test", 0).await.unwrap();
    assert!(first > 0 && next == 5_000, "{first}..{next}");
    let (other_first, _) = log.range("city.test", 1).await.unwrap();
    let kept = (5_000 - first) + (5_000 - other_first);
    assert!((1_000..=5_000).contains(&kept), "{kept} are kept");
    let oldest = log.read("city.test", 0, 0, 1).await.unwrap();
    assert!(oldest.is_empty() || oldest[0].offset == first, "who asks for what is gone gets the first kept");

    let later_ms = now_ms + 15 * 24 * 3600 * 1000;
    log.clean(Retention::default(), later_ms).await.unwrap();
    assert_eq!(log.range("city.test", 0).await.unwrap(), (5_000, 5_000));
    assert_eq!(log.append(vec![record(0, "new".to_owned())]).await.unwrap(), [(0, 5_000)]);
    assert_eq!(log.read("city.test", 0, 0, 10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_can_be_kept_for_a_shorter_time_than_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await;
    for topic in ["city.test", "city.short"] {
        log.ensure_topic(topic, 1).await.unwrap();
        log.append(vec![NewRecord { topic: topic.into(), ..record(0, "text".to_owned()) }]).await.unwrap();
    }
    let made_ms = log.read("city.test", 0, 0, 1).await.unwrap()[0].append_ms;
    let options = [("retention.hours", "336"), ("retention.of.city.short", "168")];
    let retention = Retention::read(&options.map(|(key, text)| (key.to_owned(), text.to_owned())).into()).unwrap();
    let day_ms = 24 * 3600 * 1000;
    assert_eq!(log.clean(retention.clone(), made_ms + 6 * day_ms).await.unwrap(), 0);
    assert_eq!(log.clean(retention, made_ms + 8 * day_ms).await.unwrap(), 1);
    assert_eq!(log.range("city.short", 0).await.unwrap(), (1, 1));
    assert_eq!(log.range("city.test", 0).await.unwrap(), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_sees_what_a_running_log_appends_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await;
    log.ensure_topic("city.test", 2).await.unwrap();
    log.append(vec![record(1, "before".to_owned())]).await.unwrap();
    let reader = EmbeddedReader::open(folder.path()).await.unwrap();
    assert_eq!(reader.partitions("city.test").await.unwrap(), 2);
    assert_eq!(reader.fingerprint("city.test").await.unwrap(), log.fingerprint("city.test").await.unwrap());
    log.append(vec![record(1, "meanwhile".to_owned())]).await.unwrap();
    assert_eq!(reader.range("city.test", 1).await.unwrap(), (0, 2));
    assert_eq!(reader.read("city.test", 1, 0, 10).await.unwrap(), log.read("city.test", 1, 0, 10).await.unwrap());

    assert!(matches!(reader.append(vec![record(1, "no".to_owned())]).await, Err(LogError::ReadOnly)));
    assert!(matches!(reader.ensure_topic("city.new", 1).await, Err(LogError::ReadOnly)));
    assert!(matches!(reader.partitions("city.new").await, Err(LogError::UnknownTopic(_))));
    assert_eq!(log.range("city.test", 1).await.unwrap(), (0, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_reads_what_a_killed_process_left_and_makes_no_log() {
    let folder = tempfile::tempdir().unwrap();
    {
        let log = open(folder.path()).await;
        log.ensure_topic("city.test", 1).await.unwrap();
    }
    // killed while it holds the log open: the newest records are in the write-ahead file only
    let mut holder = other_process("child_appends_and_waits", folder.path());
    let reader = open_to_read(&format!("embedded:{}", folder.path().display()), &BTreeMap::new()).await.unwrap();
    let begun = Instant::now();
    while reader.range("city.test", 0).await.unwrap().1 == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the other process appended nothing");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    drop(reader);
    let reader = EmbeddedReader::open(folder.path()).await.unwrap();
    assert_eq!(&*reader.read("city.test", 0, 0, 10).await.unwrap()[0].payload, b"the last word");

    let nowhere = folder.path().join("nowhere");
    assert!(matches!(EmbeddedReader::open(&nowhere).await, Err(LogError::NoLog(_))));
    assert!(!nowhere.exists(), "looking for a log made one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run as a process of its own by the test above, and killed"]
async fn child_appends_and_waits() {
    let log = open(Path::new(&std::env::var(FOLDER).unwrap())).await;
    log.append(vec![record(0, "the last word".to_owned())]).await.unwrap();
    std::future::pending::<()>().await;
}
