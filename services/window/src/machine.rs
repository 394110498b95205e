//! One partition's state machine: records in, changes out (I1). See the crate's page for the stages.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use yiping_event::{Code, Data, Event, Reject, Stream, TimeMs, decode};

use crate::{
    board::Board,
    clock::{Clock, Settings},
    dedup::Dedup,
    domain::{Context, Domain, LiveRow, Timer},
    gaps::{Hole, LateMinute},
    key::Level,
    metric::MetricSpec,
    order::EntityId,
    pane::Row,
    pieces::Left,
    span::{Days, Span},
};

/// A record as the machine sees it.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    pub offset: u64,
    /// When the log took it in; `None` offline, where an event's own time stands in.
    pub append: Option<TimeMs>,
    pub payload: &'a [u8],
}

/// What records changed, to be stored. Rows repeat an identity when a window was revised more than once: the last one counts.
#[derive(Debug, Default)]
pub struct Output {
    pub rows: Vec<Row>,
    pub live: Vec<LiveRow>,
    /// Records that are no events, or not of this city or stream, or ahead of their time; with their offset.
    pub rejects: Vec<(u64, Reject)>,
    /// Offsets of events that came too late for their windows (I5).
    pub late: Vec<u64>,
    /// How many such events there are by now of a minute of event time (its start): absolute, as rows are.
    pub late_minutes: Vec<LateMinute>,
}

/// Where every record went: accepted + duplicates + late + quarantined + rejected = records other than ticks and settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub accepted: u64,
    pub duplicates: u64,
    pub late: u64,
    pub quarantined: u64,
    pub rejected: u64,
}

/// What is known of a source: the freshness of a figure is that of its sources (I10).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Newest event time, heartbeats apart.
    pub last_event: Option<TimeMs>,
    /// Newest log time of anything, heartbeats included.
    pub last_contact: Option<TimeMs>,
    /// How often it promised to be heard, in seconds.
    pub expected_s: Option<u32>,
}

impl Counters {
    pub fn add(&mut self, other: Counters) {
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.late += other.late;
        self.quarantined += other.quarantined;
        self.rejected += other.rejected;
    }
}

impl Contact {
    pub fn merge(&mut self, other: &Contact) {
        self.last_event = self.last_event.max(other.last_event);
        self.last_contact = self.last_contact.max(other.last_contact);
        self.expected_s = other.expected_s.or(self.expected_s);
    }
}

/// Everything of a machine but the ids it has seen; serializable.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Core<D: Domain> {
    pub board: Board,
    pub(crate) domain: D,
    pub(crate) clock: Clock,
    pub(crate) counters: Counters,
    pub(crate) contacts: BTreeMap<String, Contact>,
    pub(crate) timers: BTreeSet<Timer>,
    pub(crate) settings: Option<Settings>,
    pub(crate) last_event: Option<TimeMs>,
    /// The offset of the newest record taken in.
    pub(crate) offset: Option<u64>,
    /// The newest tick that somebody other than the partition's owner brought (a replay), by its offset.
    pub(crate) foreign_tick: Option<u64>,
    /// Whether a `city.config` record said what the settings are; until then they are the owner's.
    pub(crate) recorded: bool,
    /// The newest time at which the log took a record in.
    #[serde(default)]
    pub(crate) append: Option<TimeMs>,
    /// When the log took in the record that last moved time.
    #[serde(default)]
    pub(crate) moved: Option<TimeMs>,
    /// Stretches of which records are missing.
    #[serde(default)]
    pub(crate) holes: Vec<Hole>,
    /// Events that came too late, by the minute of their time (ms of its start).
    #[serde(default)]
    pub(crate) late_minutes: BTreeMap<i64, u64>,
}

/// The source of an owner's own ticks and settings.
pub const OWNER: &str = "yiping";

pub struct Machine<D: Domain> {
    pub(crate) stream: Stream,
    pub(crate) core: Core<D>,
    pub(crate) dedup: Dedup,
    pub(crate) days: Days,
    /// The horizon is held here (see [`Machine::hold_horizon`]).
    pub(crate) held: Option<TimeMs>,
    /// Whether anybody wants live rows.
    tells_live: bool,
    /// Of what the newest record has brought, what is still to be made.
    pub(crate) left: Option<Left>,
    /// So many rows are made at once.
    pub(crate) rows_at_once: usize,
}

impl<D: Domain> Machine<D> {
    /// A machine at the beginning of its partition. `settings` hold until the log brings others.
    ///
    /// # Errors
    /// When the settings can't be read (unknown zone, bad profile).
    pub fn new(stream: Stream, specs: &[MetricSpec], settings: Settings) -> Result<Self, String> {
        let core = Core { settings: Some(settings), ..Core::default() };
        Self::restore(stream, specs, core, Dedup::default())
    }

    /// A machine as a checkpoint left it.
    ///
    /// # Errors
    /// When its settings can't be read.
    pub fn restore(stream: Stream, specs: &[MetricSpec], mut core: Core<D>, dedup: Dedup) -> Result<Self, String> {
        let settings = core.settings.clone().ok_or("a state without settings")?;
        let days = days_of(&settings)?;
        core.board.attach(specs, core.clock.watermark(&settings), &days);
        core.domain.configure(&settings, &mut core.board)?;
        Ok(Machine { stream, core, dedup, days, held: None, tells_live: true, left: None, rows_at_once: usize::MAX })
    }

    /// Nobody wants live rows: they cost more than all else of an event.
    #[must_use]
    pub fn without_live(self) -> Self {
        Machine { tells_live: false, ..self }
    }

    /// Takes one record in.
    pub fn apply(&mut self, input: Input<'_>, out: &mut Output) {
        self.apply_decoded(decode(input.payload), input, out);
    }

    /// Takes a record in that was decoded already.
    pub fn apply_decoded(&mut self, decoded: Result<Event<'_>, Reject>, input: Input<'_>, out: &mut Output) {
        self.go_on_to_the_end(out);
        let (rows, time) = (out.rows.len(), self.time());
        self.take_in(decoded, input, out);
        self.core.append = self.core.append.max(input.append);
        if self.time() != time {
            self.core.moved = input.append;
        }
        self.mark(&mut out.rows[rows..]);
    }

    fn take_in(&mut self, decoded: Result<Event<'_>, Reject>, input: Input<'_>, out: &mut Output) {
        self.core.offset = Some(input.offset);
        match decoded {
            Ok(event) => self.take(&event, input, out),
            Err(reject) => {
                self.core.counters.rejected += 1;
                out.rejects.push((input.offset, reject));
            }
        }
    }

    fn take(&mut self, event: &Event<'_>, input: Input<'_>, out: &mut Output) {
        let log_time = event.received.or(input.append).unwrap_or(event.time);
        match &event.data {
            Data::Tick(_) => {
                self.close_hole(event.time);
                if event.source == OWNER {
                    // an owner says how much time went by, and the log knows better than to believe more than it saw itself
                    let gone = input.append.zip(self.core.moved).map(|(now, before)| (now.0 - before.0).max(0));
                    self.core.clock.tick_at_most(event.time, gone);
                } else {
                    self.core.clock.tick(event.time);
                    self.core.foreign_tick = Some(input.offset);
                }
                self.move_on(input.offset, out);
                return;
            }
            Data::Config(config) => {
                match self.configure(&config.text) {
                    Ok(()) => self.core.recorded = true,
                    Err(message) => self.refuse(event, Code::BadData, "/data/text", message, input.offset, out),
                }
                return;
            }
            _ => {}
        }
        if event.stream().is_some_and(|stream| stream != self.stream) {
            let message = format!("{} is not an event of the stream {}", event.type_name(), self.stream.as_str());
            self.refuse(event, Code::WrongStream, "/type", message, input.offset, out);
            return;
        }
        let Some(settings) = &self.core.settings else {
            return;
        };
        if event.time.0 > log_time.0 + settings.max_skew_ms {
            let message = format!(
                "{} is {} s ahead of its log time (at most {} s)",
                event.time,
                (event.time.0 - log_time.0) / 1_000,
                settings.max_skew_ms / 1_000
            );
            self.core.counters.quarantined += 1;
            out.rejects.push((input.offset, reject(event, Code::ClockAhead, "/time", message)));
            return;
        }
        if let Err(reject) = self.core.domain.judge(event) {
            self.core.counters.rejected += 1;
            out.rejects.push((input.offset, reject));
            return;
        }
        let late = self.horizon().is_some_and(|horizon| event.time < horizon);
        self.close_hole(log_time);
        self.note_contact(event, log_time);
        if !late && !self.dedup.first_sight(EntityId::of(&[&event.source, &event.id]), event.time.0) {
            self.core.counters.duplicates += 1;
            return;
        }
        let first = self.core.clock.time().is_none();
        if late {
            self.core.counters.late += 1;
            out.late.push(input.offset);
            out.late_minutes.push(self.note_late(event.time, input.offset));
        } else {
            self.core.counters.accepted += 1;
            self.core.clock.event(event.time, log_time);
        }
        if first && let Some(watermark) = self.watermark() {
            self.core.board.open(watermark.0, &self.days);
        }
        if !matches!(event.data, Data::SourceHeartbeat(_)) {
            self.core.last_event = self.core.last_event.max(Some(event.time));
            let Core { board, domain, timers, .. } = &mut self.core;
            let context = &mut Context {
                board,
                timers,
                live: self.tells_live.then_some(&mut out.live),
                days: &self.days,
                log_time: Some(log_time),
            };
            domain.apply(event, context);
        }
        self.move_on(input.offset, out);
    }

    pub(crate) fn fire(&mut self, until: TimeMs, out: &mut Output) {
        while let Some(timer) = self.core.timers.first().copied().filter(|timer| timer.at <= until) {
            self.core.timers.remove(&timer);
            let Core { board, domain, timers, .. } = &mut self.core;
            domain.timer(
                timer,
                &mut Context {
                    board,
                    timers,
                    live: self.tells_live.then_some(&mut out.live),
                    days: &self.days,
                    log_time: None,
                },
            );
        }
    }

    /// The end of a file (offline): time runs on to the last window that holds `newest`, the newest event of all partitions.
    /// Timers fire up to a day after it.
    pub fn finish(&mut self, newest: TimeMs, out: &mut Output) {
        const DAY: i64 = 24 * 60 * 60 * 1_000;
        self.go_on_to_the_end(out);
        let offset = self.core.offset.unwrap_or(0);
        let rows = out.rows.len();
        self.fire(TimeMs(newest.0 + DAY), out);
        self.core.board.revise(&self.days, offset, &mut out.rows);
        let days = &self.days;
        self.core.board.close(|span| span.last_end_holding(newest.0, days), days, offset, &mut out.rows, usize::MAX);
        self.mark(&mut out.rows[rows..]);
    }

    /// Moves time to `time`, as a tick would, and closes what that closes; `offset` goes into the rows' revisions.
    pub fn advance(&mut self, time: TimeMs, offset: u64, out: &mut Output) {
        self.go_on_to_the_end(out);
        let rows = out.rows.len();
        self.core.clock.tick(time);
        self.move_on(offset, out);
        self.mark(&mut out.rows[rows..]);
        self.go_on_to_the_end(out);
    }

    /// A new generation of the log begins (I4): rows of windows that end after `from` are made again in it, beginning with the next
    /// record; earlier windows stay with the generation before, so events before `from` are too late. `from` must not lie before
    /// the horizon.
    pub fn begin_generation(&mut self, from: TimeMs) {
        if self.core.clock.time().is_none() {
            return;
        }
        if let Some(settings) = &self.core.settings {
            self.core.clock.tick(TimeMs(from.0 + settings.lateness_ms + settings.out_of_order_ms));
        }
        self.core.offset = None;
        self.core.foreign_tick = None;
        self.core.board.horizon = Some(from.0);
        self.core.board.reopen(from.0, &self.days);
    }

    fn note_contact(&mut self, event: &Event<'_>, log_time: TimeMs) {
        let name = match &event.data {
            Data::SourceHeartbeat(heartbeat) => &heartbeat.source_name,
            _ => &event.source,
        };
        let contacts = &mut self.core.contacts;
        let contact = match contacts.get_mut(name.as_ref()) {
            Some(contact) => contact,
            None => contacts.entry(name.to_string()).or_default(),
        };
        contact.last_contact = contact.last_contact.max(Some(log_time));
        match &event.data {
            Data::SourceHeartbeat(heartbeat) => {
                if let Some(seconds) = heartbeat.expected_s {
                    contact.expected_s = Some(seconds.ceil() as u32); // 1 to 604,800 by its schema
                }
            }
            _ => contact.last_event = contact.last_event.max(Some(event.time)),
        }
    }

    fn configure(&mut self, text: &str) -> Result<(), String> {
        let settings: Settings = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let days = days_of(&settings)?;
        self.core.domain.configure(&settings, &mut self.core.board)?;
        self.days = days;
        self.core.settings = Some(settings);
        Ok(())
    }

    fn refuse(&mut self, event: &Event<'_>, code: Code, pointer: &str, message: String, offset: u64, out: &mut Output) {
        self.core.counters.rejected += 1;
        out.rejects.push((offset, reject(event, code, pointer, message)));
    }

    /// The current state of every entity, after a restore.
    pub fn live(&mut self, out: &mut Output) {
        let Core { board, domain, timers, .. } = &mut self.core;
        domain.live(&mut Context {
            board,
            timers,
            live: self.tells_live.then_some(&mut out.live),
            days: &self.days,
            log_time: None,
        });
    }

    /// The next-ending windows as they stand (I10).
    #[must_use]
    pub fn provisional(&self, wanted: impl Fn(Span, Level) -> bool) -> Vec<Row> {
        let Some(time) = self.core.clock.time() else {
            return Vec::new();
        };
        let mut rows = self.core.board.provisional(time, &self.days, wanted, self.core.offset.unwrap_or(0));
        self.mark(&mut rows);
        rows
    }

    #[must_use]
    pub fn time(&self) -> Option<TimeMs> {
        self.core.clock.time()
    }

    #[must_use]
    pub fn watermark(&self) -> Option<TimeMs> {
        self.core.settings.as_ref().and_then(|settings| self.core.clock.watermark(settings))
    }

    /// Up to where windows were closed; `None` where none was, or all are open again.
    #[must_use]
    pub fn closed_until(&self) -> Option<TimeMs> {
        self.core.board.until.map(TimeMs)
    }

    /// The newest event's time.
    #[must_use]
    pub fn last_event(&self) -> Option<TimeMs> {
        self.core.last_event
    }

    /// The offset of the newest tick that came from a replay or simulator: its owner doesn't tick behind it (I2).
    #[must_use]
    pub fn foreign_tick(&self) -> Option<u64> {
        self.core.foreign_tick
    }

    /// The settings that the log itself has stated.
    #[must_use]
    pub fn recorded_settings(&self) -> Option<&Settings> {
        self.core.settings.as_ref().filter(|_| self.core.recorded)
    }

    #[must_use]
    pub fn counters(&self) -> Counters {
        self.core.counters
    }

    #[must_use]
    pub fn contacts(&self) -> &BTreeMap<String, Contact> {
        &self.core.contacts
    }

    /// The settings that hold.
    #[must_use]
    pub fn settings(&self) -> Option<&Settings> {
        self.core.settings.as_ref()
    }

    /// The offset of the newest record taken in.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        self.core.offset
    }

    /// The newest time at which the log took in a record of this state.
    #[must_use]
    pub fn append(&self) -> Option<TimeMs> {
        self.core.append
    }

    /// When the log took in the record that last moved time.
    #[must_use]
    pub fn moved(&self) -> Option<TimeMs> {
        self.core.moved
    }

    /// The state to be checkpointed: the core, and apart from it the ids seen.
    #[must_use]
    pub fn state(&self) -> (&Core<D>, &Dedup) {
        (&self.core, &self.dedup)
    }

    #[must_use]
    pub fn days(&self) -> &Days {
        &self.days
    }
}

pub(crate) fn days_of(settings: &Settings) -> Result<Days, String> {
    let zone = jiff::tz::TimeZone::get(&settings.zone).map_err(|error| format!("zone '{}': {error}", settings.zone))?;
    Ok(Days::new(zone))
}

fn reject(event: &Event<'_>, code: Code, pointer: &str, message: String) -> Reject {
    Reject { code, pointer: pointer.to_owned(), message, id: Some(event.id.to_string()) }
}
