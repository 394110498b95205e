//! One owned partition: its machine, what it has still to store, and its silence.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use foldhash::fast::RandomState;
use tokio::time::Instant;
use yiping_event::TimeMs;
use yiping_log::{NewRecord, Offset, Record};
use yiping_store::{LateRow, LatestMark, LatestMetricRow, LiveRow, MetricRow, RejectRow, SourceRow, StatusRow};
use yiping_window::{Contact, Domain, Input, Level, Machine, MetricSpec, Output, Span};

use crate::rows::{Names, Origin, RowId, row_id, store_row};

/// A figure: metric, level, key, span.
type FigureId = (Arc<str>, Arc<str>, Arc<str>, Arc<str>);

/// What was last written of a figure's newest window: the window's end, num, den, n.
type Written = (i64, i64, i64, i64);

/// What must be stored before the partition's checkpoint may pass it. Rows of one identity coalesce to the newest.
#[derive(Default)]
pub struct Pending {
    pub metrics: HashMap<RowId, MetricRow, RandomState>,
    pub live: HashMap<(Arc<str>, Arc<str>), LiveRow>,
    pub rejects: Vec<RejectRow>,
    /// Too-late events by minute.
    pub late_minutes: HashMap<i64, LateRow>,
    /// Events for the late topic.
    pub late: Vec<NewRecord>,
    /// The log's time of the oldest record behind these rows.
    pub oldest_append_ms: Option<i64>,
}

impl Pending {
    /// How much waits.
    pub fn len(&self) -> usize {
        self.metrics.len() + self.live.len() + self.rejects.len() + self.late.len()
    }
}

pub struct Owned<D: Domain> {
    pub origin: Origin,
    pub machine: Machine<D>,
    /// The next record to apply; everything before it is in the machine.
    pub next: Offset,
    /// The log's end, as far as known.
    pub head: Offset,
    pub pending: Pending,
    /// Records that came and are not applied yet: the store is behind.
    inbox: VecDeque<Record>,
    pub checkpointed: Instant,
    /// The offset of the newest checkpoint.
    pub checkpoint_at: Offset,
    /// Works without the state from the store: nothing that it makes is stored.
    pub borrowed: bool,
    names: Names,
    written: HashMap<FigureId, Written, RandomState>,
    contacts: HashMap<String, Contact>,
    silence: Silence,
}

/// Of one record: so many rows are made before it is asked whether there is room for more.
const ROWS_AT_ONCE: usize = 1_000;

/// How long a partition has been silent at its head, measured so that no step of a wall clock shows.
struct Silence {
    /// When the newest record was applied.
    since: Instant,
    /// The partition's time, and when a record last moved it.
    time: Option<TimeMs>,
    moved: Instant,
    /// How long it had stood still already by then, by the log's own times: a record may have waited for us.
    before: Duration,
    /// No tick before this: a take-over leaves room for what waits to come in.
    not_before: Instant,
    foreign: Option<(u64, Instant)>,
}

/// A partition is silent when nothing came for this long.
const SILENT: Duration = Duration::from_secs(1);
/// After a take-over, sources that waited for us come first.
const TAKE_OVER: Duration = Duration::from_secs(5);
/// A replay's own ticks keep ours away for this long.
const FOREIGN: Duration = Duration::from_secs(10);

impl<D: Domain> Owned<D> {
    pub fn new(origin: Origin, machine: Machine<D>, next: Offset, head: Offset) -> Self {
        let (now, machine) = (Instant::now(), machine.in_pieces(ROWS_AT_ONCE));
        let silence = Silence {
            since: now,
            time: machine.time(),
            moved: now,
            before: stood_still(&machine),
            not_before: now + TAKE_OVER,
            foreign: None,
        };
        let mut owned = Owned {
            origin,
            machine,
            next,
            head,
            pending: Pending::default(),
            inbox: VecDeque::new(),
            checkpointed: now,
            checkpoint_at: next,
            borrowed: false,
            names: Names::default(),
            written: HashMap::default(),
            contacts: HashMap::new(),
            silence,
        };
        let mut out = Output::default();
        owned.machine.live(&mut out);
        owned.keep(out, &[]);
        owned
    }

    /// A partition of which only the log's last hours are known.
    pub fn borrowed(origin: Origin, machine: Machine<D>, next: Offset, head: Offset) -> Self {
        Owned { borrowed: true, ..Owned::new(origin, machine, next, head) }
    }

    /// Gives up what waits to be stored, and stores nothing more: it is made again from the checkpoint.
    pub fn let_go(&mut self) {
        self.borrowed = true;
        self.pending = Pending::default();
    }

    /// Takes records in, in order; [`Owned::catch_up`] applies them.
    pub fn take(&mut self, records: Vec<Record>) {
        self.inbox.extend(records);
    }

    /// Whether everything that was applied is made, to its last row: a state to checkpoint, and to speak of.
    pub fn is_whole(&self) -> bool {
        !self.machine.has_more()
    }

    /// Applies what came until more than so many rows wait for the store: a record after a long silence, or a few thousand of them, may
    /// make more than there is memory for.
    pub fn catch_up(&mut self, most: usize) {
        if self.is_whole() && self.inbox.is_empty() {
            return;
        }
        let (mut out, mut applied) = (Output::default(), Vec::new());
        while self.pending.len() + out.rows.len() <= most {
            if self.machine.has_more() {
                self.machine.go_on(&mut out);
            } else if let Some(record) = self.inbox.pop_front() {
                let append = Some(TimeMs(record.append_ms));
                self.machine.apply(Input { offset: record.offset, append, payload: &record.payload }, &mut out);
                self.next = record.offset + 1;
                applied.push(record);
            } else {
                break;
            }
        }
        if let Some(first) = applied.first() {
            let oldest = self.pending.oldest_append_ms.map_or(first.append_ms, |oldest| oldest.min(first.append_ms));
            self.pending.oldest_append_ms = Some(oldest);
        }
        self.keep(out, &applied);
        let now = Instant::now();
        if let Some(offset) = self.machine.foreign_tick()
            && self.silence.foreign.is_none_or(|(seen, _)| seen != offset)
        {
            self.silence.foreign = Some((offset, now));
        }
        self.silence.since = now;
        if self.machine.time() != self.silence.time {
            self.silence.time = self.machine.time();
            self.silence.moved = now;
            self.silence.before = stood_still(&self.machine);
        }
    }

    fn keep(&mut self, out: Output, records: &[Record]) {
        for row in out.rows {
            let row = store_row(row, &self.origin, &mut self.names);
            let id = row_id(&row);
            self.pending.metrics.insert(id, row);
        }
        for live in out.live {
            let (kind, key) = (self.names.get(live.kind), Arc::<str>::from(live.key));
            let row = LiveRow {
                stream: Arc::clone(&self.origin.stream),
                kind: Arc::clone(&kind),
                key: Arc::clone(&key),
                time_ms: live.time.0,
                // the newest event's time: a vehicle's delays come from the partitions of all its routes, whose offsets don't compare
                revision: u64::try_from(live.time.0).unwrap_or(0),
                gone: live.gone,
                attrs: live.attrs,
            };
            self.pending.live.insert((kind, key), row);
        }
        let of = |offset: u64| records.iter().find(|record| record.offset == offset);
        for (offset, reject) in out.rejects {
            let time_ms = of(offset).map_or(0, |record| record.append_ms);
            self.pending.rejects.push(RejectRow {
                stream: Arc::clone(&self.origin.stream),
                generation: self.origin.generation,
                partition: self.origin.partition,
                offset,
                time_ms,
                source: String::new(), // the bytes are at this offset; a refused record's source can't be trusted
                event_id: reject.id.unwrap_or_default(),
                code: self.names.get(reject.code.as_str()),
                pointer: reject.pointer,
                message: reject.message,
            });
        }
        for late in out.late_minutes {
            let row = LateRow {
                stream: Arc::clone(&self.origin.stream),
                generation: self.origin.generation,
                partition: self.origin.partition,
                minute_ms: late.minute.0,
                events: late.events,
                revision: self.origin.revision(late.offset),
            };
            self.pending.late_minutes.insert(row.minute_ms, row);
        }
        for record in out.late.into_iter().filter_map(of) {
            self.pending.late.push(NewRecord {
                topic: LATE_TOPIC.to_owned(),
                partition: None,
                key: record.key.clone(),
                payload: record.payload.clone(),
            });
        }
    }

    /// The tick that is due: partition time and the time gone by since it was last heard of. `None` before a first event, away
    /// from the head, behind a replay's own ticks, or within the second.
    pub fn tick(&self) -> Option<NewRecord> {
        let now = Instant::now();
        let silent = now.duration_since(self.silence.since);
        let foreign = self.silence.foreign.is_some_and(|(_, seen)| now.duration_since(seen) < FOREIGN);
        if self.borrowed || self.next < self.head || silent < SILENT || now < self.silence.not_before || foreign {
            return None;
        }
        let stood_still = now.duration_since(self.silence.moved) + self.silence.before;
        let gone = i64::try_from(stood_still.as_millis()).unwrap_or(i64::MAX);
        let time = TimeMs(self.silence.time?.0.saturating_add(gone));
        Some(own_record(
            &self.origin,
            &format!("tick-{}-{}", self.origin.partition, self.next),
            "city.tick",
            time,
            serde_json::json!({}),
        ))
    }

    /// The `now` figures and next-ending windows that are due, and the marks that say so.
    pub fn latest(
        &mut self,
        specs: &[MetricSpec],
        due: impl Fn(Span, Level) -> bool,
    ) -> (Vec<LatestMetricRow>, Vec<LatestMark>) {
        let (Some(time), Some(watermark), true) = (self.machine.time(), self.machine.watermark(), self.is_whole())
        else {
            return (Vec::new(), Vec::new());
        };
        let rows: Vec<MetricRow> = self
            .machine
            .provisional(&due)
            .into_iter()
            .map(|row| store_row(row, &self.origin, &mut self.names))
            .collect();
        let mut latest = Vec::new();
        for row in rows {
            let id = (Arc::clone(&row.metric), Arc::clone(&row.level), Arc::clone(&row.key), Arc::clone(&row.span));
            let slide = row.span.parse::<Span>().map_or(0, Span::slide_ms);
            let window = if &*row.span == "now" { 0 } else { row.window_end_ms };
            let value = (window, row.num, row.den, row.n);
            if self.written.insert(id, value) == Some(value) {
                continue;
            }
            latest.push(LatestMetricRow {
                slot: LatestMetricRow::slot(&row.span, row.window_end_ms, slide),
                partition_time_ms: time.0,
                watermark_ms: watermark.0,
                row,
            });
        }
        let revision = self.origin.revision(self.next.saturating_sub(1));
        let days = self.machine.days();
        let mut marks = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for span in specs.iter().flat_map(|spec| &spec.spans).copied() {
            for level in LEVELS {
                if due(span, level) && seen.insert((span, level)) {
                    let end = if span == Span::Now { time.0 } else { span.boundary_after(time.0, days) };
                    marks.push(LatestMark {
                        stream: Arc::clone(&self.origin.stream),
                        level: self.names.get(level.as_str()),
                        span: self.names.get(span.as_str()),
                        generation: self.origin.generation,
                        partition: self.origin.partition,
                        window_start_ms: span.start_of(end, days),
                        window_end_ms: end,
                        revision,
                    });
                }
            }
        }
        (latest, marks)
    }

    /// How far the partition is. Nothing between two pieces of what one record brings: its watermark would promise rows that are yet to
    /// be made.
    pub fn status(&self) -> Option<StatusRow> {
        let counters = self.machine.counters();
        self.is_whole().then(|| StatusRow {
            stream: Arc::clone(&self.origin.stream),
            partition: self.origin.partition,
            generation: self.origin.generation,
            revision: self.origin.revision(self.next.saturating_sub(1)),
            watermark_ms: self.machine.watermark().map(|time| time.0),
            time_ms: self.machine.time().map(|time| time.0),
            last_event_ms: self.machine.last_event().map(|time| time.0),
            frontier: self.next,
            accepted: counters.accepted,
            rejected: counters.rejected,
            late: counters.late,
            duplicates: counters.duplicates,
            quarantined: counters.quarantined,
        })
    }

    /// Sources of which something new is known.
    pub fn sources(&mut self) -> Vec<SourceRow> {
        let revision = self.origin.revision(self.next.saturating_sub(1));
        let mut rows = Vec::new();
        for (source, contact) in self.machine.contacts() {
            if self.contacts.get(source) == Some(contact) {
                continue;
            }
            self.contacts.insert(source.clone(), contact.clone());
            rows.push(SourceRow {
                stream: Arc::clone(&self.origin.stream),
                source: Arc::from(source.as_str()),
                partition: self.origin.partition,
                revision,
                last_event_ms: contact.last_event.map(|time| time.0),
                last_contact_ms: contact.last_contact.map(|time| time.0),
                expected_s: contact.expected_s,
            });
        }
        rows
    }
}

/// How long the partition's time has stood still, by the log's own times. What that says too much, where our clock is ahead of the
/// log's, the machine takes back: a tick can't move time by more than the log's own went on.
fn stood_still<D: Domain>(machine: &Machine<D>) -> Duration {
    let gone = machine.moved().map_or(0, |moved| yiping_runtime::clock::unix_ms() - moved.0);
    Duration::from_millis(u64::try_from(gone).unwrap_or(0))
}

/// Every level that a figure may have.
const LEVELS: [Level; 10] = [
    Level::City,
    Level::District,
    Level::Route,
    Level::Lot,
    Level::Floor,
    Level::Category,
    Level::DistrictCategory,
    Level::Agency,
    Level::Channel,
    Level::Street,
];

/// Where events go that came too late for their windows.
pub const LATE_TOPIC: &str = "city.late";

/// A record that a partition's owner writes into it: a tick or the settings.
pub fn own_record(origin: &Origin, id: &str, kind: &str, time: TimeMs, data: serde_json::Value) -> NewRecord {
    let event = serde_json::json!({
        "specversion": "1.0", "id": id, "source": yiping_window::OWNER, "type": kind, "time": time.to_string(), "data": data,
    });
    NewRecord {
        topic: format!("city.{}", origin.stream),
        partition: Some(origin.partition),
        key: None,
        payload: Bytes::from(event.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use yiping_catalogue::Catalogue;
    use yiping_city::City;
    use yiping_event::Stream;
    use yiping_parking::Parking;
    use yiping_runtime::{Config, clock::unix_ms};

    use super::*;

    fn owned() -> Owned<Parking> {
        let config = Config::default();
        let settings = crate::settings(config.streams.get("parking").unwrap(), &City::weihai());
        let specs = Catalogue::builtin().unwrap().specs(Stream::Parking, None);
        let origin = Origin { stream: Arc::from("parking"), generation: 1, partition: 0 };
        Owned::new(origin, Machine::<Parking>::new(Stream::Parking, &specs, settings).unwrap(), 0, 2)
    }

    fn record(offset: Offset, append_ms: i64, event: serde_json::Value) -> Record {
        Record { offset, append_ms, key: None, payload: Bytes::from(event.to_string()) }
    }

    fn snapshot(time: TimeMs) -> serde_json::Value {
        serde_json::json!({
            "specversion": "1.0", "id": "1", "source": "test/P001", "type": "city.parking.snapshot", "time": time.to_string(),
            "receivedtime": time.to_string(), "data": { "lot_id": "P001", "capacity": 100, "occupied": 40 },
        })
    }

    #[tokio::test]
    async fn what_one_record_makes_after_ten_silent_days_is_made_as_there_is_room() {
        const MOST: usize = 1_000;
        let time = TimeMs(1_795_000_000_000);
        let later = time.plus(10 * 86_400_000);
        let tick = serde_json::json!({
            "specversion": "1.0", "id": "2", "source": "replay", "type": "city.tick", "time": later.to_string(), "data": {},
        });
        let records = || vec![record(0, time.0, snapshot(time)), record(1, later.0, tick.clone())];
        let mut at_once = owned();
        at_once.take(records());
        at_once.catch_up(usize::MAX);
        let all = at_once.pending.metrics.len();
        assert!(all > 5 * ROWS_AT_ONCE, "{all} rows prove nothing");

        let specs = Catalogue::builtin().unwrap().specs(Stream::Parking, None);
        let mut owned = owned();
        owned.take(records());
        let (mut made, mut largest) = (0, 0);
        while owned.next < 2 || !owned.is_whole() {
            owned.catch_up(MOST);
            // until all of it is made, nothing says that the partition is that far
            let told = owned.status().and_then(|status| status.watermark_ms);
            assert_eq!(told.is_some_and(|watermark| watermark > time.0), owned.next == 2 && owned.is_whole());
            assert!(owned.is_whole() || owned.latest(&specs, |_, _| true).1.is_empty());
            largest = largest.max(owned.pending.len());
            made += std::mem::take(&mut owned.pending).metrics.len();
        }
        assert_eq!(made, all);
        assert!(largest <= MOST + 2 * ROWS_AT_ONCE, "{largest} rows at once");
    }

    /// A partition whose only event, of `time`, was taken in by the log `waited` before it is applied, and the time that its owner then says.
    async fn ticked(time: TimeMs, waited: Duration) -> i64 {
        let mut owned = owned();
        let append_ms = unix_ms() - i64::try_from(waited.as_millis()).unwrap();
        owned.take(vec![record(0, append_ms, snapshot(time))]);
        owned.catch_up(usize::MAX);
        owned.head = 1;
        tokio::time::advance(TAKE_OVER).await;
        let tick = serde_json::from_slice::<serde_json::Value>(&owned.tick().unwrap().payload).unwrap();
        TimeMs::parse(tick["time"].as_str().unwrap()).unwrap().0 - time.0
    }

    #[tokio::test(start_paused = true)]
    async fn i2_the_time_that_an_event_waited_in_the_log_has_gone_by_too() {
        let time = TimeMs(unix_ms() - 3_600_000);
        let at_once = ticked(time, Duration::ZERO).await;
        assert!((5_000..7_000).contains(&at_once), "{at_once}");
        let waited = ticked(time, Duration::from_secs(90)).await;
        assert!((95_000..97_000).contains(&waited), "{waited}");
    }
}
