//! All files of one replay as one run of events: read, mapped, completed, filtered by stream, and put in order. It
//! counts what became of every row, so that nothing is dropped without a number.

use crate::complete::{Feed, Mapped};
use crate::readers::{self, BytesRead, ReadOptions, Row, RowError};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use yiping_event::{Stream, TimeMs};

/// The order in which events leave.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// As the files have them: nothing is kept in memory.
    AsRead,
    /// By log time (`receivedtime`, else `time`), then by event time, then as read: the order in which a gateway would
    /// have got them. Keeps all events in memory (about 1 kB each).
    Time,
}

impl FromStr for Order {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "read" => Ok(Self::AsRead),
            "time" => Ok(Self::Time),
            _ => Err(format!("unknown order {text}; there are read, time")),
        }
    }
}

/// The one type that is time and nothing else.
pub(crate) const TICK: &str = "city.tick";

/// How far an event's time may lie after its log time, as `streams.*.max_skew` has it where nothing else is set.
const AHEAD_MS: i64 = 60_000;

/// What is to be read, and what it is turned into.
pub struct Input {
    pub files: Vec<PathBuf>,
    pub read: ReadOptions,
    pub feed: Feed,
    /// Only events of this stream leave; types that belong to no stream (`city.tick`, unknown ones) always do.
    pub stream: Option<Stream>,
    pub order: Order,
    /// What a map finds in `$polled`: a recorded payload was polled at no time.
    pub polled: Option<TimeMs>,
    /// Events are decoded as the gateway does it, and one that is not valid is a fault of its row instead of leaving.
    pub decode: bool,
}

/// One thing to send.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    Event(Mapped),
    /// A line that is no event and had no map to pass: the gateway is to judge it.
    Raw(String),
}

/// What is known of the whole when an event leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outlook {
    pub rows: u64,
    /// Part of the files' bytes that was read, 0 to 1.
    pub read_share: f64,
    /// Things to send in all, and the last log time among them: known once everything is read.
    pub total: Option<u64>,
    pub last_log_time: Option<TimeMs>,
}

/// A row that gave no event because something is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub file: PathBuf,
    pub row: u64,
    pub message: String,
}

/// What became of the rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    pub rows: u64,
    /// Rows from which the map made nothing, as it may.
    pub empty_rows: u64,
    /// Rows that could not be read or mapped.
    pub failed_rows: u64,
    /// Events that the gateway would refuse for what they say, where that was asked for.
    pub invalid: u64,
    /// Events of other streams, left out.
    pub other_streams: u64,
    /// Events that leave, by type.
    pub events: BTreeMap<String, u64>,
    /// Lines that leave as they are.
    pub raw_lines: u64,
    /// Events with a local time that a clock change repeated or left out.
    pub changeovers: u64,
    /// The newest event time that windows can count; ticks are no events. A clock that is wrong by years doesn't move
    /// it: what lies more than [`AHEAD_MS`] after its own log time is quarantined.
    pub newest: Option<TimeMs>,
}

impl Tally {
    pub fn total_events(&self) -> u64 {
        self.events.values().sum()
    }

    fn count(&mut self, event: &Mapped) {
        *self.events.entry(event.type_name().to_owned()).or_default() += 1;
        self.changeovers += u64::from(event.changeover);
        if event.type_name() == TICK {
            return;
        }
        let counts = event.time.min(event.log_time.plus(AHEAD_MS));
        self.newest = self.newest.max(Some(counts));
    }
}

/// Where events go; it may refuse, which ends the reading.
pub type Sink<'a> = dyn FnMut(Item, Outlook) -> Result<()> + 'a;

impl Input {
    /// Hands every event to `sink`, in order, and every failed row to `fault`, as it is met. Stops where `sink` fails.
    pub fn each(&self, sink: &mut Sink<'_>, fault: &mut dyn FnMut(Fault)) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut held = Vec::new();
        // A line without a time of its own stays behind the event that it followed.
        let mut last_times = (TimeMs(i64::MIN), TimeMs(i64::MIN));
        let read = BytesRead::default();
        let sizes = self.files.iter().filter_map(|file| Some(file.metadata().ok()?.len()));
        let all_bytes = sizes.sum::<u64>().max(1) as f64;
        let mut take = |item: Item, rows: u64| match self.order {
            Order::AsRead => {
                sink(item, Outlook { rows, read_share: read.get() as f64 / all_bytes, ..Outlook::default() })
            }
            Order::Time => {
                if let Item::Event(event) = &item {
                    last_times = (event.log_time, event.time);
                }
                held.push((last_times, item));
                Ok(())
            }
        };
        for file in &self.files {
            self.each_of(file, &read, &mut tally, &mut take, fault)?;
        }
        held.sort_by_key(|(times, _)| *times);
        let last_log_time = held.last().map(|((log_time, _), _)| *log_time);
        let outlook = Outlook { rows: tally.rows, read_share: 1.0, total: Some(held.len() as u64), last_log_time };
        for (_, item) in held {
            sink(item, outlook)?;
        }
        Ok(tally)
    }

    fn each_of(
        &self,
        file: &Path,
        read: &BytesRead,
        tally: &mut Tally,
        take: &mut dyn FnMut(Item, u64) -> Result<()>,
        fault: &mut dyn FnMut(Fault),
    ) -> Result<()> {
        for row in readers::rows(file, &self.read, read)? {
            tally.rows += 1;
            let place = match &row {
                Ok(Row { number, .. }) | Err(RowError { number, .. }) => *number,
            };
            match self.outcome(row) {
                Ok(events) => {
                    tally.empty_rows += u64::from(events.is_empty());
                    for event in events {
                        if self.is_of_another_stream(&event) {
                            tally.other_streams += 1;
                        } else if let Some(why) = self.decode.then(|| invalid(&event)).flatten() {
                            tally.invalid += 1;
                            fault(Fault { file: file.to_owned(), row: place, message: why });
                        } else {
                            tally.count(&event);
                            take(Item::Event(event), tally.rows)?;
                        }
                    }
                }
                Err(RowError { raw: Some(line), .. }) if self.feed.map.is_none() => {
                    tally.raw_lines += 1;
                    take(Item::Raw(line), tally.rows)?;
                }
                Err(RowError { number, message, .. }) => {
                    tally.failed_rows += 1;
                    fault(Fault { file: file.to_owned(), row: number, message });
                }
            }
        }
        Ok(())
    }

    fn outcome(&self, row: Result<Row, RowError>) -> Result<Vec<Mapped>, RowError> {
        let Row { number, value } = row?;
        let kept = self.feed.map.is_none().then(|| value.clone());
        self.feed.events_at(value, self.polled).map_err(|e| RowError {
            number,
            message: e.to_string(),
            raw: kept.map(|value| value.to_string()),
        })
    }

    fn is_of_another_stream(&self, event: &Mapped) -> bool {
        let Some(wanted) = self.stream else { return false };
        let family = event.type_name().strip_prefix("city.").and_then(|rest| rest.split('.').next()?.parse().ok());
        family.is_some_and(|family: Stream| family != wanted)
    }
}

/// Why the gateway would refuse an event for what it says; the event beside it.
fn invalid(event: &Mapped) -> Option<String> {
    let json = Value::Object(event.event.clone()).to_string();
    let reject = yiping_event::decode(json.as_bytes()).err()?;
    Some(format!("{} at {:?}: {}; the map made {json}", reject.code, reject.pointer, reject.message))
}

/// Offline: the input's events as NDJSON, for `compute` and for trying a map.
pub fn write_events(input: &Input, out: &mut dyn Write, fault: &mut dyn FnMut(Fault)) -> Result<Tally> {
    let mut sink = |item: Item, _| {
        let line = match item {
            Item::Event(event) => Value::Object(event.event).to_string(),
            Item::Raw(line) => line,
        };
        writeln!(out, "{line}").context("can't write the events")
    };
    let tally = input.each(&mut sink, fault)?;
    out.flush().context("can't write the events")?;
    Ok(tally)
}

/// Offline: one file through a map as if it were polled at `polled`, its valid events written as NDJSON.
pub fn map_file(
    feed: Feed,
    read: ReadOptions,
    file: &Path,
    polled: TimeMs,
    out: &mut dyn Write,
    fault: &mut dyn FnMut(Fault),
) -> Result<Tally> {
    let order = read.format.usual_order();
    write_events(
        &Input { files: vec![file.to_owned()], read, feed, stream: None, order, polled: Some(polled), decode: true },
        out,
        fault,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Mapping};

    fn written(
        text: &str,
        map: Option<&str>,
        order: Order,
        stream: Option<Stream>,
    ) -> (Vec<String>, Tally, Vec<Fault>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.ndjson");
        std::fs::write(&path, text).unwrap();
        let feed = Feed {
            name: "f".into(),
            source: "town/f".into(),
            map: map.map(|code| Mapping::compile(code).unwrap()),
            ..Feed::default()
        };
        let read = ReadOptions::new(Format::Ndjson);
        let input = Input { files: vec![path], read, feed, stream, order, polled: None, decode: false };
        let (mut out, mut faults) = (Vec::new(), Vec::new());
        let tally = write_events(&input, &mut out, &mut |fault| faults.push(fault)).unwrap();
        (String::from_utf8(out).unwrap().lines().map(Into::into).collect(), tally, faults)
    }

    const MAP: &str =
        r#"select(.n) | {type: "city.bus.position", id: "\(.n)", time: .at, receivedtime: (.got // .at), data: {}}"#;

    #[test]
    fn events_leave_in_the_order_in_which_they_were_received() {
        let rows = r#"{"n":1,"at":"2026-01-01T00:00:03Z"}
            {"n":2,"at":"2026-01-01T00:00:01Z"}
            {"n":3,"at":"2026-01-01T00:00:00Z","got":"2026-01-01T00:00:03Z"}
            {"nothing":true}
            {"n":4,"at":"noon"}"#;
        let (lines, tally, faults) = written(rows, Some(MAP), Order::Time, None);
        let ids: Vec<_> = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
        assert_eq!(ids, ["2", "3", "1"]);
        assert_eq!((tally.rows, tally.empty_rows, tally.failed_rows, tally.total_events()), (5, 1, 1, 3));
        assert_eq!(faults[0].row, 5);
        assert_eq!(tally.newest, TimeMs::parse("2026-01-01T00:00:03Z").ok());
    }

    #[test]
    fn a_clock_that_is_wrong_by_years_does_not_move_the_newest_time_beyond_what_windows_count() {
        let row = |n: u8, at: &str, got: &str| format!("{{\"n\":{n},\"at\":\"{at}\",\"got\":\"{got}\"}}\n");
        let usual = row(1, "2026-01-01T00:00:05Z", "2026-01-01T00:00:09Z");
        let newest = |rows: &str| written(rows, Some(MAP), Order::Time, None).1.newest;
        assert_eq!(newest(&usual), TimeMs::parse("2026-01-01T00:00:05Z").ok());
        let ahead = usual.clone() + &row(2, "2026-01-01T00:00:40Z", "2026-01-01T00:00:10Z");
        assert_eq!(newest(&ahead), TimeMs::parse("2026-01-01T00:00:40Z").ok());
        let wrong = usual + &row(2, "2035-01-01T00:00:00Z", "2026-01-01T00:00:10Z");
        assert_eq!(newest(&wrong), TimeMs::parse("2026-01-01T00:01:10Z").ok());
    }

    #[test]
    fn a_trial_tells_of_an_event_that_the_gateway_would_refuse_which_row_made_it() {
        const LOTS: &str =
            r#"{type: "city.parking.snapshot", time: .at, data: {lot_id: .lot, capacity: 10, occupied: .n}}"#;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lots.csv");
        std::fs::write(&path, "lot,at,n\nP1,2026-01-01T00:00:03Z,\n").unwrap();
        let feed = Feed { source: "town/lots".into(), map: Some(Mapping::compile(LOTS).unwrap()), ..Feed::default() };
        let (mut out, mut faults) = (Vec::new(), Vec::new());
        let read = ReadOptions::new(Format::Csv);
        let tally = map_file(feed, read, &path, TimeMs(0), &mut out, &mut |fault| faults.push(fault)).unwrap();
        assert_eq!((tally.invalid, tally.total_events(), out.len()), (1, 0, 0));
        let Fault { row, message, .. } = &faults[0];
        assert!(*row == 2 && message.starts_with(r#"bad_data at "/data/occupied": "#), "{row} {message}");
    }

    #[test]
    fn without_a_map_a_broken_line_goes_on_to_the_gateway_as_it_is() {
        let rows = "{\"type\":\"city.tick\",\"id\":\"a\",\"time\":\"2026-01-01T00:00:03Z\"}\n{broken\n{\"type\":\"city.tick\"}\n";
        let (lines, tally, faults) = written(rows, None, Order::AsRead, None);
        assert_eq!(lines[1..], ["{broken", "{\"type\":\"city.tick\"}"]);
        assert_eq!((tally.raw_lines, tally.total_events(), faults.len()), (2, 1, 0));
    }

    #[test]
    fn events_of_other_streams_stay_behind_and_are_counted() {
        let rows = ["city.bus.stop", "city.parking.exit", "city.tick", "town.weather"]
            .map(|kind| format!("{{\"type\":\"{kind}\",\"id\":\"a\",\"time\":\"2026-01-01T00:00:03Z\"}}"))
            .join("\n");
        let (lines, tally, _) = written(&rows, None, Order::AsRead, Some(Stream::Bus));
        assert_eq!((lines.len(), tally.other_streams), (3, 1));
        assert!(!tally.events.contains_key("city.parking.exit"));
    }
}
