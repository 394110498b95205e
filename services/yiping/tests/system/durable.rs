//! I4: durable means flushed to the disk. What the processes ask of the kernel, seen by strace: the log's file is synced before a 202
//! leaves, and a checkpoint's segments before its manifest is asked for.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::json;

use crate::{
    harness::{System, eventually, http, signal},
    published::STREAMS,
};

const SETTINGS: [(&str, &str); 2] = [("YIPING_STORE__CHECKPOINT", "1s"), ("YIPING_LOG__PARTITIONS", "1")];
const CALLS: &str = "trace=pwrite64,pwritev,write,writev,sendto,sendmsg,recvfrom,read,fsync,fdatasync";

#[test]
fn i4_what_is_answered_is_on_the_disk_and_a_checkpoints_segments_are_before_its_manifest() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: there is no strace (on Debian: apt-get install strace)");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let system = System::start(dir.path(), &SETTINGS);
    // what the start makes is over: its checkpoints would be seen without their segments
    let admin = system.endpoints["admin"].as_str().unwrap();
    eventually(Duration::from_secs(60), "the first checkpoint of every stream", || {
        let metrics = String::from_utf8(http("GET", &format!("{admin}/metrics"), &[], b"").1).unwrap();
        (metrics.matches("\nyiping_checkpoint_timestamp_seconds{").count() == STREAMS.len()).then_some(())
    });
    let (service, clickhouse) = (dir.path().join("service.trace"), dir.path().join("clickhouse.trace"));
    let Some(of_service) = Strace::of(system.pid(), &service) else {
        eprintln!("skipped: this machine lets nobody trace a process (ptrace)");
        return;
    };
    let of_clickhouse = Strace::of(system.clickhouse_pid().unwrap(), &clickhouse).unwrap();
    let token = format!("Bearer {}", system.token());
    let event = json!({
        "specversion": "1.0", "id": PROBE, "source": "test/durable", "type": "city.hotline.call", "time": "2026-11-20T08:00:00Z",
        "receivedtime": "2026-11-20T08:00:00Z", "data": {"call_id": "1", "event": "offered"},
    });
    let headers = [("Authorization", &*token), ("Content-Type", "application/cloudevents+json")];
    let url = format!("{}/v1/events", system.gateway());
    assert_eq!(http("POST", &url, &headers, event.to_string().as_bytes()).0, 202);
    eventually(Duration::from_secs(60), "a checkpoint that was answered", || {
        let calls = read(&clickhouse);
        let manifest = calls.iter().find(|call| call.asks_to_insert("checkpoint_manifests"))?;
        calls.iter().any(|call| call.answers(manifest)).then_some(())
    });
    of_service.end();
    of_clickhouse.end();

    let calls = read(&service);
    assert_eq!(answered_after_sync(&calls), Ok(()));
    let unsynced = without(&calls, |call| call.syncs("log.db-wal"));
    assert_eq!(
        answered_after_sync(&unsynced),
        Err("the log was not synced between the write and the answer"),
        "the check checks nothing"
    );

    let calls = read(&clickhouse);
    let segments = data_folder(dir.path(), "checkpoint_segments");
    assert_eq!(segments_before_manifest(&calls, &segments), Ok(()));
    for kept in ["", "/data.bin"] {
        // no sync at all; only the data's, not its folder's
        let unsynced = without(&calls, |call| call.syncs(&segments) && (kept.is_empty() || !call.text.contains(kept)));
        assert!(segments_before_manifest(&unsynced, &segments).is_err(), "the check checks nothing");
    }
}

const PROBE: &str = "durable-probe";

/// The event is written to the log's file, the file is synced, and only then a 202 leaves.
fn answered_after_sync(calls: &[Call]) -> Result<(), &'static str> {
    let answer = calls.iter().find(|call| call.text.contains("HTTP/1.1 202")).ok_or("no 202 was sent")?;
    let written = calls
        .iter()
        .find(|call| call.is("pwrite") && call.text.contains("log.db-wal>") && call.text.contains(PROBE))
        .filter(|write| write.ended < answer.begun)
        .ok_or("the event was not written before the answer")?;
    calls
        .iter()
        .any(|call| call.syncs("log.db-wal") && written.ended < call.begun && call.ended < answer.begun)
        .then_some(())
        .ok_or("the log was not synced between the write and the answer")
}

/// ClickHouse gets segments, syncs their data and the folder that they are in, answers, and only then gets the manifest that names
/// them.
fn segments_before_manifest(calls: &[Call], segments: &str) -> Result<(), &'static str> {
    let asked =
        calls.iter().find(|call| call.asks_to_insert("checkpoint_segments")).ok_or("no segments were inserted")?;
    let answer = calls.iter().find(|call| call.answers(asked)).ok_or("the segments were not acknowledged")?;
    let between = |call: &&Call| call.syncs(segments) && asked.ended < call.begun && call.ended < answer.begun;
    let synced: Vec<&Call> = calls.iter().filter(between).collect();
    if !synced.iter().any(|call| call.text.contains("/data.bin>")) {
        return Err("the segments' data was not synced before the answer");
    }
    if !synced.iter().any(|call| !call.text.contains("/tmp_insert")) {
        return Err("the folder of the segments, under its final name, was not synced before the answer");
    }
    let manifest = calls.iter().find(|call| call.asks_to_insert("checkpoint_manifests")).ok_or("no manifest came")?;
    (answer.begun < manifest.ended).then_some(()).ok_or("the manifest came before the segments were acknowledged")
}

/// Where a table keeps its parts.
fn data_folder(dir: &Path, table: &str) -> String {
    let link = dir.join("clickhouse/data/data/city").join(table);
    link.canonicalize().unwrap().to_str().unwrap().to_owned()
}

struct Strace(Child);

impl Strace {
    /// Attaches to a process and all its threads; `None` where the kernel refuses.
    fn of(pid: u32, out: &Path) -> Option<Strace> {
        // descriptors with what they are of, and texts long enough for a page of the log's file
        let said = out.with_extension("said");
        let mut strace = Command::new("strace")
            .args(["-f", "-y", "-s", "20000", "-e", CALLS, "-o"])
            .arg(out)
            .args(["-p", &pid.to_string()])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&said).unwrap())
            .spawn()
            .unwrap();
        let attached = eventually(Duration::from_secs(30), "strace", || {
            if strace.try_wait().unwrap().is_some() {
                return Some(false);
            }
            std::fs::read_to_string(&said).unwrap().contains("attached").then_some(true)
        });
        attached.then_some(Strace(strace))
    }

    /// Lets the process go; its trace is then complete.
    fn end(mut self) {
        signal(self.0.id(), "INT");
        self.0.wait().unwrap();
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A call to the kernel; `begun` and `ended` are places in the trace.
#[derive(Clone)]
struct Call {
    text: String,
    begun: usize,
    ended: usize,
}

impl Call {
    fn is(&self, name: &str) -> bool {
        self.text.starts_with(name)
    }

    /// Whether it put a file, or what is under a folder, on the disk, and succeeded.
    fn syncs(&self, path: &str) -> bool {
        (self.is("fsync(") || self.is("fdatasync(")) && self.text.contains(path) && self.text.ends_with("= 0")
    }

    fn asks_to_insert(&self, table: &str) -> bool {
        (self.is("recvfrom(") || self.is("read("))
            && self.text.contains(&format!("POST /?query=INSERT+INTO+city.{table}"))
    }

    /// Whether it is the answer to a request, on the same connection.
    fn answers(&self, request: &Call) -> bool {
        let connection =
            |call: &Call| call.text.split_once('(').map(|(_, rest)| rest.split(',').next().unwrap().to_owned());
        (self.is("sendto(") || self.is("write"))
            && self.text.contains("HTTP/1.1 200")
            && request.ended < self.begun
            && connection(self) == connection(request)
    }
}

/// The calls of a trace in the order in which they began. One that another thread's cut in two is put together again.
fn read(trace: &Path) -> Vec<Call> {
    let bytes = std::fs::read(trace).unwrap();
    let mut calls: Vec<Call> = Vec::new();
    let mut open: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    for (place, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
        let Some((thread, text)) = line.split_once(' ') else { continue };
        let text = text.trim_start();
        if let Some(begun) = text.strip_suffix(" <unfinished ...>") {
            open.insert(thread.to_owned(), calls.len());
            calls.push(Call { text: begun.to_owned(), begun: place, ended: usize::MAX });
        } else if text.starts_with("<... ") {
            let rest = text.split_once("resumed>").map_or("", |(_, rest)| rest);
            if let Some(call) = open.remove(thread).and_then(|at| calls.get_mut(at)) {
                call.text.push_str(rest);
                call.ended = place;
            }
        } else {
            calls.push(Call { text: text.to_owned(), begun: place, ended: place });
        }
    }
    calls
}

fn without(calls: &[Call], gone: impl Fn(&Call) -> bool) -> Vec<Call> {
    calls.iter().filter(|call| !gone(call)).cloned().collect()
}
