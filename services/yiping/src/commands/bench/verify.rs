//! What must have come out, counted once more: plain JSON values, plain maps, the rules as the README and `schemas/metrics.toml` say
//! them. Nothing here is shared with the engine, the domains or the decoder, so that a fault of theirs can't be ours as well.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;
use yiping_event::Stream;

/// How many differing windows are named.
const NAMED: usize = 5;

/// Where every record went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub accepted: u64,
    pub duplicates: u64,
    pub late: u64,
    pub quarantined: u64,
    pub rejected: u64,
}

impl Counts {
    #[must_use]
    pub fn sum(self) -> u64 {
        self.accepted + self.duplicates + self.late + self.quarantined + self.rejected
    }
}

/// The stream's ideas of time, in ms.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub out_of_order_ms: i64,
    pub lateness_ms: i64,
    pub max_skew_ms: i64,
}

/// The figure of the whole city whose n is counted, in each of its windows [end − span, end).
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    pub metric: &'static str,
    pub span: &'static str,
    span_ms: i64,
    /// From one window's end to the next.
    slide_ms: i64,
}

impl Figure {
    #[must_use]
    pub fn of(stream: Stream) -> Self {
        const SECOND: i64 = 1_000;
        const MINUTE: i64 = 60 * SECOND;
        let figure = |metric, span, minutes, slide_ms| Figure { metric, span, span_ms: minutes * MINUTE, slide_ms };
        match stream {
            Stream::Bus => figure("bus.fix_age_p95_s", "5m", 5, 30 * SECOND), // n: positions
            Stream::Parking => figure("parking.snapshots", "1h", 60, MINUTE),
            Stream::Hotline => figure("hotline.calls", "5m", 5, 30 * SECOND),
            Stream::Elder => figure("elder.calls", "30m", 30, MINUTE),
        }
    }
}

/// What the bytes say must come out.
#[derive(Debug, Clone, Default)]
pub struct Count {
    /// Ticks apart.
    pub records: u64,
    /// Different pairs of source and id.
    pub distinct: u64,
    pub counts: Counts,
    pub figure: &'static str,
    /// n by the window's end, of the windows that have closed.
    pub windows: BTreeMap<i64, i64>,
}

/// What did come out. Windows that are not in it have n 0.
#[derive(Debug, Clone, Default)]
pub struct Found {
    pub counts: Counts,
    pub windows: BTreeMap<i64, i64>,
}

/// Counts the records of a topic, in any order of the partitions, in each in its own.
#[derive(Debug)]
pub struct Expected {
    stream: Stream,
    times: Times,
    partitions: HashMap<u32, Partition>,
    /// Of the whole topic.
    ids: HashSet<(String, String)>,
    records: u64,
    counts: Counts,
    /// The event times of what the figure counts; of calls see below.
    counted: Vec<i64>,
    calls: HashMap<String, Call>,
}

/// A partition's time (I2), and the ids that it has seen (I7).
#[derive(Debug, Default)]
struct Partition {
    /// The first one.
    opened: Option<i64>,
    time: Option<i64>,
    ids: HashSet<(String, String)>,
}

/// A call counts once, when it was offered; where no offer is known, when its first answer or hang-up says that its wait began.
#[derive(Debug, Default)]
struct Call {
    offered: Option<i64>,
    /// When it was answered or abandoned, and when the wait began.
    decided: Option<(i64, i64)>,
}

impl Expected {
    #[must_use]
    pub fn new(stream: Stream, times: Times) -> Self {
        Expected {
            stream,
            times,
            partitions: HashMap::new(),
            ids: HashSet::new(),
            records: 0,
            counts: Counts::default(),
            counted: Vec::new(),
            calls: HashMap::new(),
        }
    }

    /// # Errors
    /// When it is no event at all: the log should hold none such.
    pub fn take(&mut self, partition: u32, event: &Value) -> anyhow::Result<()> {
        let Times { out_of_order_ms, lateness_ms, max_skew_ms } = self.times;
        let at = self.partitions.entry(partition).or_default();
        let time = ms(event, "time")?;
        if text(event, "type")? == "city.tick" {
            // before a first event there is no time to move
            at.time = at.time.map(|before| before.max(time));
            return Ok(());
        }
        self.records += 1;
        let received = ms(event, "receivedtime")?;
        let id = (text(event, "source")?.to_owned(), text(event, "id")?.to_owned());
        self.ids.insert(id.clone());
        if time > received + max_skew_ms {
            self.counts.quarantined += 1;
            return Ok(());
        }
        if at.time.is_some_and(|now| time < now - out_of_order_ms - lateness_ms) {
            self.counts.late += 1;
            return Ok(());
        }
        if !at.ids.insert(id) {
            self.counts.duplicates += 1;
            return Ok(());
        }
        self.counts.accepted += 1;
        // an event moves time, but never beyond its own receipt
        let seen = time.min(received);
        at.opened.get_or_insert(seen);
        at.time = Some(at.time.map_or(seen, |before| before.max(seen)));
        self.count_in(event, time)
    }

    /// What the stream's figure makes of an accepted event.
    fn count_in(&mut self, event: &Value, time: i64) -> anyhow::Result<()> {
        let data = &event["data"];
        match (self.stream, text(event, "type")?) {
            // what was stored on board and sent later says nothing of how old the map is
            (Stream::Bus, "city.bus.position") if data["backfill"] != true => self.counted.push(time),
            (Stream::Parking, "city.parking.snapshot") => self.counted.push(time),
            (Stream::Hotline, "city.hotline.call") | (Stream::Elder, "city.elder.call") => {
                let call = self.calls.entry(text(data, "call_id")?.to_owned()).or_default();
                match text(data, "event")? {
                    "offered" => call.offered = Some(call.offered.map_or(time, |offered| offered.min(time))),
                    "answered" | "abandoned" => {
                        let wait = data["wait_s"].as_f64().map_or(0, |seconds| (seconds * 1_000.0).round() as i64);
                        let decided = (time, time - wait);
                        call.decided = Some(call.decided.map_or(decided, |before| before.min(decided)));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }

    #[must_use]
    pub fn count(&self) -> Count {
        let figure = Figure::of(self.stream);
        let placed = |call: &Call| call.offered.or(call.decided.map(|(_, began)| began));
        let mut times: Vec<i64> = self.counted.iter().copied().chain(self.calls.values().filter_map(placed)).collect();
        times.sort_unstable();
        let before = |end: i64| times.partition_point(|time| *time < end);
        // windows that closed while every partition was there
        let watermark = |time: Option<i64>| time.map(|time| time - self.times.out_of_order_ms);
        let from = self.partitions.values().filter_map(|partition| watermark(partition.opened)).max();
        let to = self.partitions.values().filter_map(|partition| watermark(partition.time)).min();
        let mut windows = BTreeMap::new();
        if let (Some(from), Some(to)) = (from, to) {
            let mut end = (from.div_euclid(figure.slide_ms) + 1) * figure.slide_ms;
            while end <= to {
                windows.insert(end, i64::try_from(before(end) - before(end - figure.span_ms)).unwrap_or(i64::MAX));
                end += figure.slide_ms;
            }
        }
        Count {
            records: self.records,
            distinct: self.ids.len() as u64,
            counts: self.counts,
            figure: figure.metric,
            windows,
        }
    }
}

/// In what it differs, for people; nothing where all is right.
#[must_use]
pub fn differences(expected: &Count, found: &Found) -> Vec<String> {
    let mut wrong = Vec::new();
    if found.counts.sum() != expected.records {
        let sum = found.counts.sum();
        wrong
            .push(format!("{} records, but {sum} accepted, repeated, late, quarantined or rejected", expected.records));
    }
    let (of, is) = (&expected.counts, &found.counts);
    for (what, must, is) in [
        ("accepted", of.accepted, is.accepted),
        ("duplicates", of.duplicates, is.duplicates),
        ("late", of.late, is.late),
        ("quarantined", of.quarantined, is.quarantined),
        ("rejected", of.rejected, is.rejected),
    ] {
        if must != is {
            wrong.push(format!("{what}: {is}, must be {must}"));
        }
    }
    if found.counts.accepted > expected.distinct {
        wrong.push(format!("accepted: {}, but only {} different ids", found.counts.accepted, expected.distinct));
    }
    let n = |end: &i64| found.windows.get(end).copied().unwrap_or(0);
    let off: Vec<_> = expected.windows.iter().filter(|(end, must)| n(end) != **must).collect();
    for (end, must) in off.iter().take(NAMED) {
        wrong.push(format!("n of {} in the window that ends at {end}: {}, must be {must}", expected.figure, n(end)));
    }
    if off.len() > NAMED {
        wrong.push(format!("… and {} more of {} windows", off.len() - NAMED, expected.windows.len()));
    }
    wrong
}

fn text<'a>(of: &'a Value, member: &str) -> anyhow::Result<&'a str> {
    of[member].as_str().with_context(|| format!("{member} is no text in {of}"))
}

fn ms(of: &Value, member: &str) -> anyhow::Result<i64> {
    let text = text(of, member)?;
    Ok(text.parse::<jiff::Timestamp>().with_context(|| format!("{member} is no time in {of}"))?.as_millisecond())
}
