//! I4, I7: the process is killed while senders flood the gateway. What got a 202 is in the log, and what was sent again counts once.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::harness::{System, eventually, http};

const SENDERS: usize = 4;
const BATCH: usize = 250;
const KILLS: usize = 3;
/// A sender that never gets through ends the test.
const MOST_TRIES: usize = 2_000;

/// A call each, so that nothing depends on anything else.
fn batch(number: usize) -> (Vec<String>, String) {
    let ids: Vec<String> = (0..BATCH).map(|n| format!("b{number}-{n}")).collect();
    let lines: Vec<String> = ids
        .iter()
        .map(|id| {
            json!({
                "specversion": "1.0", "id": id, "source": "test/flood", "type": "city.hotline.call",
                "time": "2026-11-20T02:00:00Z", "receivedtime": "2026-11-20T02:00:01Z",
                "data": {"call_id": id, "event": "offered"},
            })
            .to_string()
        })
        .collect();
    (ids, lines.join("\n"))
}

#[test]
fn i4_what_a_flood_was_told_is_taken_survives_kill_9_and_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut system = System::start(dir.path(), &[("YIPING_LOG__PARTITIONS", "2"), ("YIPING_STORE__CHECKPOINT", "1s")]);
    let token = format!("Bearer {}", system.token());
    let url = format!("{}/v1/events", system.gateway());
    let headers = [("Authorization", token.as_str()), ("Content-Type", "application/x-ndjson")];
    let (next, sent_again, over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let acknowledged: Mutex<BTreeSet<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let (ids, lines) = batch(next.fetch_add(1, Ordering::Relaxed));
                    for attempt in 0.. {
                        if http("POST", &url, &headers, lines.as_bytes()).0 == 202 {
                            break;
                        }
                        assert!(attempt < MOST_TRIES, "never taken");
                        sent_again.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    acknowledged.lock().unwrap().extend(ids);
                }
            });
        }
        for round in 1..=KILLS {
            // in full flood, at another place of it each time
            let until = round * 10_000 + 1_357 * round;
            eventually(Duration::from_secs(120), "the flood", || {
                (acknowledged.lock().unwrap().len() > until).then_some(())
            });
            system.kill();
            system.start_again();
        }
        over.store(true, Ordering::Relaxed);
    });
    let (acknowledged, again) = (acknowledged.into_inner().unwrap(), sent_again.into_inner());
    assert!(again >= KILLS, "no kill fell into a request");

    let out = system.yiping().args(["log", "export", "--stream", "hotline"]).output().unwrap();
    let records: Vec<String> = String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|line| {
            let record: Value = serde_json::from_str(line).unwrap();
            let event = &record["event"];
            (event["type"] == "city.hotline.call").then(|| event["id"].as_str().unwrap().to_owned())
        })
        .collect();
    let logged: BTreeSet<&str> = records.iter().map(String::as_str).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|id| !logged.contains(id.as_str())).take(5).collect();
    assert!(lost.is_empty(), "acknowledged and not in the log: {lost:?}");
    eprintln!("{} acknowledged, {} records, {again} requests sent again", acknowledged.len(), records.len());

    let count = eventually(Duration::from_secs(120), "all of it to be counted", || {
        let sql = "SELECT sum(accepted) AS accepted, sum(duplicates) AS duplicates FROM city.stream_status WHERE stream = 'hotline'";
        let row = system.query(sql).remove(0);
        let count = (row["accepted"].as_u64()?, row["duplicates"].as_u64()?);
        (count.0 + count.1 >= records.len() as u64).then_some(count)
    });
    assert_eq!(count, (logged.len() as u64, (records.len() - logged.len()) as u64), "accepted and duplicate");
    system.interrupt();
}
