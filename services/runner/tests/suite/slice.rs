//! Forty minutes of each stream before midnight, made by the simulator; and how rows are written down.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    marker::PhantomData,
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use serde_json::json;
use sha2::Digest;
use yiping_catalogue::{Catalogue, Figure, Sums};
use yiping_city::City;
use yiping_event::{Stream, TimeMs, decode};
use yiping_log::{NewRecord, partition_for_key};
use yiping_runner::{Computed, compute};
use yiping_simulator::{Faults, Options, Simulator};
use yiping_window::{Counters, Domain, Settings};

use crate::support::{MemorySink, Merged, WindowId};

pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
/// 22:50 in Weihai: the day ends within the hour after the slice, so that its windows close, too.
pub const START: &str = "2026-11-20T22:50:00+08:00";
const DURATION: i64 = 40 * MINUTE;
/// The last tick: an hour and a minute after the last event, so that the last hour that holds it is closed.
pub const END: i64 = DURATION + 61 * MINUTE;

pub fn start() -> i64 {
    TimeMs::parse(START).unwrap().0
}

/// A domain's slice.
pub struct Slice<D> {
    pub stream: Stream,
    /// Events in the order in which a gateway takes them in, with ticks between; ended by a tick past the last window.
    pub lines: Vec<String>,
    pub settings: Settings,
    pub catalogue: Arc<Catalogue>,
    pub domain: PhantomData<D>,
}

/// How much of the synthetic city is taken: its scale, and every how many-th sign of life of devices and sources.
fn share(stream: Stream) -> (f64, usize) {
    match stream {
        Stream::Bus => (0.008, 20),
        Stream::Parking => (0.03, 20),
        Stream::Hotline => (6.0, 20),
        Stream::Elder => (4.0, 80),
    }
}

/// Of each stream a metric of each kind, without windows of 24 hours: they would take a day of ticks to close. (All metrics are held
/// against restarts and partitions in their domain's own tests.)
fn catalogue() -> Arc<Catalogue> {
    let mut catalogue = Catalogue::builtin().unwrap();
    let mut seen = HashSet::new();
    catalogue.entries.retain(|entry| {
        let is_now = entry.spans.iter().any(|span| span == "now");
        entry.derived.is_none() && seen.insert((entry.stream, entry.value.as_str(), entry.moves, is_now))
    });
    for entry in &mut catalogue.entries {
        entry.spans.retain(|span| span != "24h");
    }
    Arc::new(catalogue)
}

pub fn settings(stream: Stream, lateness_ms: i64) -> Settings {
    let config = yiping_runtime::Config::default();
    let defaults = yiping_runner::settings(config.streams.get(stream.as_str()).unwrap(), &City::weihai());
    Settings { lateness_ms, ..defaults }
}

/// A tick as a replay brings it.
pub fn tick(time: i64) -> String {
    let time = TimeMs(time).to_string();
    json!({"specversion": "1.0", "id": format!("tick-{time}"), "source": "replay", "type": "city.tick", "time": time, "data": {}})
        .to_string()
}

/// An event of a stream, received when it happened.
pub fn event(stream: Stream, kind: &str, id: &str, time: i64, data: &serde_json::Value) -> String {
    let (time, kind) = (TimeMs(time).to_string(), format!("city.{stream}.{kind}"));
    json!({"specversion": "1.0", "id": id, "source": "by-hand", "type": kind, "time": time, "receivedtime": time, "data": data})
        .to_string()
}

/// Alarms, of which a slice has too few: one answered in time, one late, one never, one
/// whose answer comes before it, one that nobody hears of for twelve minutes.
fn alarms() -> Vec<(i64, String)> {
    let steps = [
        (300_000, "a", "raised", 0),
        (330_000, "a", "acknowledged", 0),
        (700_000, "a", "closed", 0),
        (600_000, "b", "raised", 0),
        (700_500, "b", "acknowledged", 0),
        (900_000, "c", "raised", 0),
        (800_000, "e", "raised", 700_000),
        (1_200_000, "d", "raised", 40_000),
        (1_210_000, "d", "acknowledged", 0),
        (1_500_000, "d", "closed", 0),
    ];
    let line = |(at, case, step, delay): (i64, &str, &str, i64)| {
        let data = json!({"case_id": case, "event": step, "district": "环翠区", "street": "竹岛街道"});
        let (happened, received) = (start() + at, start() + at + delay);
        let line = event(Stream::Elder, "sos", &format!("{case}-{step}"), happened, &data);
        let line = line.replace(
            &format!("\"receivedtime\":\"{}\"", TimeMs(happened)),
            &format!("\"receivedtime\":\"{}\"", TimeMs(received)),
        );
        (received, line)
    };
    steps.into_iter().map(line).collect()
}

/// Every seventeenth event once more two minutes later, as a sender does that heard no answer.
fn retries(timed: &[(i64, String)]) -> Vec<(i64, String)> {
    timed.iter().skip(7).step_by(17).map(|(received, line)| (received + 2 * MINUTE, line.clone())).collect()
}

impl<D: Domain> Slice<D> {
    /// The slice of a stream with this lateness, ms.
    pub fn of(stream: Stream, lateness_ms: i64) -> Self {
        let (scale, nth) = share(stream);
        let options = Options {
            duration_ms: Some(DURATION),
            streams: vec![stream],
            scale,
            faults: Faults::Usual,
            ..Options::new(20, TimeMs(start()))
        };
        let mut timed: Vec<(i64, String)> = Vec::new();
        let mut signs = 0;
        for line in Simulator::new(&City::weihai(), &options) {
            if line.json.contains("heartbeat\"") {
                signs += 1;
                if signs % nth != 0 {
                    continue;
                }
            }
            timed.push((line.receive.0, line.json));
        }
        if stream == Stream::Elder {
            timed.extend(alarms());
        }
        timed.extend(retries(&timed));
        // a platform that was away for nine minutes: windows long closed, and long stored, are revised
        timed.iter_mut().skip(5).step_by(13).for_each(|(received, _)| *received += 9 * MINUTE);
        let ticks = (5..DURATION / MINUTE).step_by(5).chain([END / MINUTE]);
        timed.extend(ticks.map(|minute| (start() + minute * MINUTE, tick(start() + minute * MINUTE))));
        timed.sort_by_key(|(received, _)| *received);
        let lines = timed.into_iter().map(|(_, line)| line).collect();
        Slice { stream, lines, settings: settings(stream, lateness_ms), catalogue: catalogue(), domain: PhantomData }
    }

    /// The lines as records of a topic with so many partitions; ticks go to each.
    pub fn records(&self, partitions: u32) -> Vec<NewRecord> {
        self.part(partitions, 0, 1)
    }

    /// The records of one of `of` equal parts, by number from 0.
    pub fn part(&self, partitions: u32, number: usize, of: usize) -> Vec<NewRecord> {
        let lines = &self.lines[self.lines.len() * number / of..self.lines.len() * (number + 1) / of];
        lines.iter().flat_map(|line| records(self.stream, line, partitions)).collect()
    }

    /// A slice of other lines or with another lateness.
    pub fn with(&self, lines: Vec<String>, lateness_ms: i64) -> Self {
        let settings = settings(self.stream, lateness_ms);
        Slice { stream: self.stream, lines, settings, catalogue: Arc::clone(&self.catalogue), domain: PhantomData }
    }

    /// How many lines are no ticks.
    pub fn events(&self) -> u64 {
        self.lines.iter().filter(|line| !line.contains("city.tick")).count() as u64
    }

    /// What a batch job over the lines says.
    pub fn computed(&self, partitions: u32) -> Computed {
        let lines = self.lines.iter().map(|line| Ok::<_, io::Error>(line.clone().into_bytes()));
        let (stream, city) = (self.stream, City::weihai());
        compute::<D>(stream, &self.catalogue, &city, &self.settings, partitions, None, lines).unwrap()
    }

    /// The batch job's rows, written down.
    pub fn expected(&self, partitions: u32) -> BTreeMap<WindowId, String> {
        let line = |row: &yiping_runner::OfflineRow| {
            let end = TimeMs::parse(&row.window_end).unwrap().0;
            let id = (row.metric.to_string(), row.level.to_owned(), row.key.to_string(), row.span.to_owned(), end);
            let (value, numerator, denominator, n) = (row.value, row.numerator, row.denominator, row.n);
            let text = written(&id, &Figure { value, numerator, denominator, n });
            (id, text)
        };
        // (what is made of merged rows is the views')
        let has_rows = |row: &&yiping_runner::OfflineRow| self.catalogue.entry(&row.metric).unwrap().derived.is_none();
        self.computed(partitions).published.rows().iter().filter(has_rows).map(line).collect()
    }

    /// The store's rows, published and written down.
    pub fn published(&self, store: &MemorySink) -> BTreeMap<WindowId, String> {
        let city = City::weihai();
        let line = |(id, merged): (WindowId, Merged)| {
            let entry = self.catalogue.entry(&id.0).unwrap();
            let Merged { num, den, n, num2, den2, hist, .. } = merged;
            let sums = Sums { num, den, n, num2, den2, hist: hist.into_iter().collect() };
            let fleet = (entry.constant.as_deref() == Some("fleet") && id.1 == "city").then_some(i64::from(city.fleet));
            let text = written(&id, &entry.publish(&sums, TimeMs(id.4), fleet));
            (id, text)
        };
        store.every_window().into_iter().map(line).collect()
    }

    /// Where the rows of this slice are kept as a file.
    pub fn golden_file(&self) -> PathBuf {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden");
        PathBuf::from(folder).join(format!("disturbed-{}.txt", self.stream))
    }

    /// The file's text: how it was made, the rows of every tenth minute in order, and a digest of all.
    pub fn golden_text(&self, rows: &BTreeMap<WindowId, String>, counters: Counters) -> String {
        let Counters { accepted, duplicates, late, quarantined, rejected } = counters;
        let all: String = rows.values().map(|row| format!("{row}\n")).collect();
        let shown: String =
            rows.iter().filter(|(id, _)| id.4 % (10 * MINUTE) == 0).map(|(_, row)| format!("{row}\n")).collect();
        format!(
            "# Rows of 40 minutes of {}, merged and published, as services/runner/tests/suite/slice.rs makes them: the synthetic\n\
             # city from {START}, seed 20, usual faults, every 17th event twice, every 13th late, lateness 24 h. Made anew by\n\
             #   UPDATE_GOLDEN=1 cargo test -p yiping-runner --test suite golden\n\
             # Of {} events: accepted {accepted}, duplicates {duplicates}, late {late}, quarantined {quarantined}, rejected {rejected}.\n\
             # {} rows, SHA-256 {}; of these, here are the ones whose windows end at full ten minutes:\n\
             # metric level key span window_end value numerator denominator n\n{shown}",
            self.stream,
            self.events(),
            rows.len(),
            hex::encode(sha2::Sha256::digest(&all)),
        )
    }
}

/// A line as records: one in its key's partition; of a tick, one in each.
pub fn records(stream: Stream, line: &str, partitions: u32) -> Vec<NewRecord> {
    let record = |partition, key: Option<Bytes>| NewRecord {
        topic: stream.topic().to_owned(),
        partition: Some(partition),
        key,
        payload: Bytes::from(line.to_owned()),
    };
    if line.contains("city.tick") {
        return (0..partitions).map(|partition| record(partition, None)).collect();
    }
    let event = decode(line.as_bytes()).unwrap();
    let key = event.key().as_bytes();
    vec![record(partition_for_key(key, partitions), Some(Bytes::copy_from_slice(key)))]
}

fn written((metric, level, key, span, end): &WindowId, figure: &Figure) -> String {
    let value = figure.value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let Figure { numerator, denominator, n, .. } = figure;
    format!("{metric} {level} {key} {span} {} {value} {numerator} {denominator} {n}", TimeMs(*end))
}

/// A test of each stream's slice: `for_every_domain!(test, lateness_ms)` beside `fn test<D>(slice: &Slice<D>)`.
#[macro_export]
macro_rules! for_every_domain {
    ($test:ident, $lateness_ms:expr) => {
        mod $test {
            use yiping_event::Stream;

            use $crate::slice::Slice;

            #[test]
            fn bus() {
                super::$test(&Slice::<yiping_bus::Bus>::of(Stream::Bus, $lateness_ms));
            }

            #[test]
            fn parking() {
                super::$test(&Slice::<yiping_parking::Parking>::of(Stream::Parking, $lateness_ms));
            }

            #[test]
            fn hotline() {
                super::$test(&Slice::<yiping_hotline::Hotline>::of(Stream::Hotline, $lateness_ms));
            }

            #[test]
            fn elder() {
                super::$test(&Slice::<yiping_elder::Elder>::of(Stream::Elder, $lateness_ms));
            }
        }
    };
}
