//! Whether what a system published is what its own log says: the promise, asked of a system that had a hard time.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use yiping_event::{Data, Event, decode};

use crate::harness::{System, assert_same, assert_same_revisions, computed, differences, eventually, figures};

pub const STREAMS: [&str; 4] = ["bus", "parking", "hotline", "elder"];

/// A stream's log, exported.
pub struct Export {
    pub file: PathBuf,
    /// The offset after the newest record, by partition.
    heads: BTreeMap<u32, u64>,
    /// Records other than ticks and settings.
    records: u64,
    /// Every event as the log has it, by source and id: more than one where it was sent more than once.
    events: BTreeMap<(String, String), BTreeSet<String>>,
}

impl Export {
    pub fn of(system: &System, stream: &str) -> Export {
        let file = system.dir.join(format!("{stream}.export.ndjson"));
        let out = system.yiping().args(["log", "export", "--stream", stream, "--out"]).arg(&file).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let mut export = Export { heads: BTreeMap::new(), records: 0, events: BTreeMap::new(), file };
        for line in BufReader::new(std::fs::File::open(&export.file).unwrap()).lines() {
            export.take(&line.unwrap());
        }
        export
    }

    fn take(&mut self, line: &str) {
        #[derive(Deserialize)]
        struct Line<'a> {
            partition: u32,
            offset: u64,
            #[serde(borrow)]
            event: Option<&'a RawValue>,
        }
        let line: Line = serde_json::from_str(line).unwrap();
        let head = self.heads.entry(line.partition).or_default();
        assert_eq!(line.offset, *head, "the export of partition {} has a gap", line.partition);
        *head = line.offset + 1;
        let event = line.event.and_then(|event| decode(event.get().as_bytes()).ok());
        let own = event.as_ref().is_some_and(|event| matches!(event.type_name(), "city.tick" | "city.config"));
        if own {
            return;
        }
        self.records += 1;
        if let Some(event) = event {
            let id = (event.source.to_string(), event.id.to_string());
            self.events.entry(id).or_default().insert(shown(event));
        }
    }

    /// The same without the first call that was offered, in all that is said of it.
    fn without_a_call(&self) -> PathBuf {
        let text = std::fs::read_to_string(&self.file).unwrap();
        let calls = |line: &&str| line.contains(r#""event":"offered""#);
        let id = text.lines().find(calls).and_then(|line| line.split(r#""call_id":""#).nth(1)).unwrap();
        let id = format!(r#""call_id":"{}""#, id.split('"').next().unwrap());
        let short: Vec<&str> = text.lines().filter(|line| !line.contains(&id)).collect();
        let file = self.file.with_extension("short.ndjson");
        std::fs::write(&file, short.join("\n")).unwrap();
        file
    }

    /// Every event of a stream in a file that a gateway acknowledged is in the log as it was sent. Returns how many lines those are.
    pub fn assert_has_all_of(&self, story: &Path, stream: &str) -> u64 {
        let mut lines = 0;
        for line in BufReader::new(std::fs::File::open(story).unwrap()).lines() {
            let line = line.unwrap();
            let event = decode(line.as_bytes()).unwrap();
            let of = match &event.data {
                Data::SourceHeartbeat(heartbeat) => heartbeat.stream,
                _ => event.stream(),
            };
            if of.is_none_or(|of| of.as_str() != stream) {
                continue;
            }
            lines += 1;
            let found = self.events.get(&(event.source.to_string(), event.id.to_string()));
            let found = found.unwrap_or_else(|| panic!("acknowledged, and not in the log: {line}"));
            assert!(found.contains(&shown(event)), "acknowledged: {line}\nin the log: {found:?}");
        }
        lines
    }
}

/// All that an event says, but what the gateway writes in its own way: places in WGS-84, ids as pseudonyms.
fn shown(event: Event<'_>) -> String {
    let mut event: Value = serde_json::from_str(&event.to_json()).unwrap();
    let data = event["data"].as_object_mut().unwrap();
    data.retain(|name, _| !["lon", "lat", "datum", "session_id", "device_id"].contains(&name.as_str()));
    event.to_string()
}

/// Which figures are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    All,
    /// Of the city and its districts: every event is in some of them, and there are few.
    Whole,
}

impl Compared {
    fn holds(self, level: &str) -> bool {
        self == Compared::All || ["city", "district"].contains(&level)
    }
}

/// Fails unless, of every stream, each closed window is what `compute` makes of the exported log, by the same record; nothing is there
/// twice, and every record is counted. Returns the exports.
pub fn assert_published_is_computed(
    system: &System,
    settings: &[(&str, &str)],
    compared: Compared,
) -> BTreeMap<&'static str, Export> {
    let mut exports = BTreeMap::new();
    for stream in STREAMS {
        let export = Export::of(system, stream);
        stored(system, stream, &export, Duration::from_secs(120));
        let rows = computed(stream, &export.file, settings);
        // what the log says is closed; later windows are still being told
        let closed = rows.first().map_or("", |row| row["watermark"].as_str().unwrap()).to_owned();
        let is_compared = |row: &Value| {
            row["window_end"].as_str().unwrap() <= &*closed && compared.holds(row["level"].as_str().unwrap())
        };
        let of_closed = |rows: Vec<Value>| figures(rows.into_iter().filter(is_compared));
        let offline = of_closed(rows);
        assert!(offline.len() > 100, "a story without figures: {stream}");
        let metrics: BTreeSet<&str> = offline.keys().map(|id| id.0.as_str()).collect();
        let mut live = BTreeMap::new();
        for metric in metrics {
            // one at a time: a reader's memory is limited
            let mut condition =
                format!("metric = '{metric}' AND window_end <= parseDateTime64BestEffort('{closed}', 3)");
            if compared == Compared::Whole {
                condition += " AND level IN ('city', 'district')";
            }
            live.extend(system.figures(stream, &condition));
        }
        eprint!("{stream}: ");
        assert_same(&live, &offline);
        assert_same_revisions(&live, &offline);
        if stream == "hotline" {
            // were one call missing, these figures would not be equal
            let short = of_closed(computed(stream, &export.without_a_call(), settings));
            assert!(!differences(&live, &short).is_empty(), "the comparison does not see a missing call");
        }
        counted(system, stream, &export);
        exports.insert(stream, export);
    }
    nothing_twice(system);
    exports
}

/// Waits until everything that is in the export is stored.
pub fn stored(system: &System, stream: &str, export: &Export, limit: Duration) {
    eventually(limit, &format!("{stream} to be stored"), || {
        let sql = format!("SELECT partition, frontier FROM city.stream_status WHERE stream = '{stream}'");
        let rows = system.try_query(&sql).ok()?;
        let frontier = |partition: u32| {
            rows.iter().find(|row| row["partition"] == partition).and_then(|row| row["frontier"].as_u64()).unwrap_or(0)
        };
        export.heads.iter().all(|(partition, head)| frontier(*partition) >= *head).then_some(())
    });
}

/// Every record but ticks and settings is one of accepted, duplicate, late, quarantined, rejected.
fn counted(system: &System, stream: &str, export: &Export) {
    let sql = format!(
        "SELECT sum(accepted) AS accepted, sum(duplicates) AS duplicates, sum(late) AS late, \
         sum(quarantined) AS quarantined, sum(rejected) AS rejected FROM city.stream_status WHERE stream = '{stream}'"
    );
    let row = &system.query(&sql)[0];
    let sum: u64 = row.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(sum, export.records, "{stream}: records in the log, and {row}");
    eprintln!("{stream}: {row} of {} records", export.records);
}

/// No figure stands twice, neither merged nor in the partitions' rows.
fn nothing_twice(system: &System) {
    for (table, identity) in [
        ("city.metrics", "metric, level, key, span, window_start"),
        ("city.metrics_latest", "metric, level, key, span"),
        ("city.metric_rows FINAL", "metric, level, key, span, window_start, generation, partition"),
    ] {
        let sql =
            format!("SELECT count() AS n FROM (SELECT count() AS c FROM {table} GROUP BY {identity} HAVING c > 1)");
        assert_eq!(system.query(&sql)[0]["n"], 0, "{table} has figures twice");
    }
}

/// A story into the gateway, all streams at once, `speed` simulated seconds a second, each by a sender that sends again until it is
/// acknowledged.
pub fn load(system: &System, token: &str, story: &Path, speed: u64) -> Vec<(&'static str, Child)> {
    let speed = speed.to_string();
    let of = |stream: &'static str| {
        let said = std::fs::File::create(system.dir.join(format!("{stream}.replay.log"))).unwrap();
        let replay = system
            .yiping()
            .args(["replay", "--stream", stream, "--speed", &speed, "--to", &system.gateway(), "--token", token])
            .arg(story)
            .stdout(Stdio::null())
            .stderr(said)
            .spawn();
        (stream, replay.unwrap())
    };
    STREAMS.into_iter().map(of).collect()
}

/// Waits until all of a story is acknowledged, and nothing of it was refused.
pub fn loaded(system: &System, replays: Vec<(&'static str, Child)>, limit: Duration) {
    for (stream, mut replay) in replays {
        let status = eventually(limit, "the replays' end", || replay.try_wait().unwrap());
        let said = std::fs::read_to_string(system.dir.join(format!("{stream}.replay.log"))).unwrap_or_default();
        assert!(status.success(), "{said}\n{}", system.said());
        assert!(said.contains(", rejected 0; ticks"), "a story of which something is refused: {said}");
    }
}
