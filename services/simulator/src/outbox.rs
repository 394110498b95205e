//! Where lines wait for the time at which they are received. Builds a line only if the run will show it.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fmt::Write;

use yiping_city::City;
use yiping_event::{Stream, TimeMs};

use crate::agenda::{HOUR_MS, MINUTE_MS};
use crate::draws::{For, below, mix};
use crate::fate::{Fate, Manner, Spells, longest_delay_ms};
use crate::incident::{IncidentKind, Span, spans};
use crate::json::{Members, push_text, push_time};
use crate::{Faults, Line, Options};

/// A source of a stream, as it names itself.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    pub(crate) source: String,
    pub(crate) stream: Stream,
    key: u64,
    /// Where a stream has several sources, one may fall silent as a whole.
    falls_silent: bool,
}

impl Voice {
    /// The source of the profile that reports on a district; one of our own where the profile has none.
    pub(crate) fn of(city: &City, stream: Stream, district: &str) -> Voice {
        let source = city.source_of(stream.as_str(), district);
        Voice::named(city, stream, source.map_or(stream.as_str(), |s| &s.source))
    }

    pub(crate) fn named(city: &City, stream: Stream, source: &str) -> Voice {
        let key = source.bytes().fold(0, |key, byte| mix(key ^ u64::from(byte)));
        let siblings = city.sources.iter().filter(|s| s.stream == stream.as_str()).count();
        Voice { source: source.to_owned(), stream, key, falls_silent: siblings > 1 }
    }

    pub(crate) fn key(&self) -> u64 {
        self.key
    }
}

/// About one platform a day falls silent for some minutes.
const SOURCE_SPELLS: Spells =
    Spells { purpose: For::SourceSpell, per_10_000_hours: 50, shortest_ms: 4 * MINUTE_MS, longest_ms: 8 * MINUTE_MS };

/// What a run opens with is received so long after its start: by then every partition of a topic has been told the time by events
/// of today. Whoever began with an order of weeks ago would begin weeks ago.
const OPENING_MS: i64 = 12 * HOUR_MS;

/// The envelope of something said.
pub(crate) struct Said<'a> {
    pub(crate) voice: &'a Voice,
    pub(crate) kind: &'static str,
    pub(crate) time: i64,
    pub(crate) identity: u64,
    pub(crate) manner: Manner,
}

pub(crate) struct Outbox {
    seed: u64,
    faults: Faults,
    start: i64,
    end: Option<i64>,
    /// Sources that incidents cut off, and when.
    dead: Vec<(String, Span)>,
    waiting: BinaryHeap<Reverse<Waiting>>,
}

/// Nothing is received of the last source of the stream in the profile.
fn dead(city: &City, options: &Options) -> Vec<(String, Span)> {
    let mut dead = Vec::new();
    for kind in [IncidentKind::FeedDead, IncidentKind::FeedDeadParking] {
        let name = kind.stream().as_str();
        // a profile without sources has one of ours, named like its stream
        let source = city.sources.iter().rfind(|s| s.stream == name).map_or(name, |s| s.source.as_str());
        dead.extend(spans(options, kind).into_iter().map(|span| (source.to_owned(), span)));
    }
    dead
}

impl Outbox {
    pub(crate) fn new(city: &City, options: &Options, end: Option<i64>) -> Outbox {
        let &Options { seed, faults, start, .. } = options;
        Outbox { seed, faults, start: start.ms(), end, dead: dead(city, options), waiting: BinaryHeap::new() }
    }

    /// Says it, unless it is received before the run starts or after it ends. `data` writes the members of `data`; its
    /// second argument is [`Fate::mischief`].
    pub(crate) fn say(&mut self, said: &Said<'_>, data: impl FnOnce(&mut Members<'_>, u32)) {
        let carried = said.manner == Manner::Carried;
        if !carried && said.time + longest_delay_ms(self.faults) < self.start
            || self.end.is_some_and(|end| said.time >= end)
        {
            return;
        }
        let silent =
            said.voice.falls_silent && SOURCE_SPELLS.end(self.seed, self.faults, said.voice.key, said.time).is_some();
        if silent {
            return;
        }
        let mut fate = Fate::of(said.identity, said.time, said.manner, self.faults);
        if carried && fate.receive < self.start {
            // a list, handed over at once
            fate = Fate { receive: self.start + OPENING_MS, twice: false, again: None, ..fate };
        }
        let cut_off =
            |at: i64| self.dead.iter().any(|(source, span)| span.contains(&at) && *source == said.voice.source);
        let shown =
            |receive: i64| receive >= self.start && self.end.is_none_or(|end| receive < end) && !cut_off(receive);
        let (now, again) = (shown(fate.receive), fate.again.filter(|&at| shown(at)));
        if !now && again.is_none() {
            return;
        }
        let mut json = String::with_capacity(384);
        envelope(&mut json, said, &fate);
        let mut members = String::with_capacity(256);
        data(&mut Members::new(&mut members), fate.mischief);
        if fate.wrong_type && below(mix(said.identity), 2) == 0 {
            push_text(&mut json, &members);
        } else {
            json.push('{');
            json.push_str(&members);
            json.push('}');
        }
        if let Some(receive) = again {
            self.wait(said, receive, 3, format!("{json},\"receivedtime\":\"{}\"}}", TimeMs(receive)));
        }
        if now {
            json.push_str(",\"receivedtime\":\"");
            push_time(&mut json, fate.receive);
            json.push_str("\"}");
            if fate.broken {
                let broken = broken(&json, said.identity);
                self.wait(said, fate.receive, 2, broken);
            }
            if fate.twice {
                self.wait(said, fate.receive, 1, json.clone());
            }
            self.wait(said, fate.receive, 0, json);
        }
    }

    fn wait(&mut self, said: &Said<'_>, receive: i64, copy: u8, json: String) {
        let line = Line { receive: TimeMs(receive), stream: said.voice.stream, json };
        let turn = (receive, said.voice.stream as u8, said.time, said.identity, copy);
        self.waiting.push(Reverse(Waiting { turn, line }));
    }

    /// The next line, if it is received before `until`.
    pub(crate) fn received_before(&mut self, until: i64) -> Option<Line> {
        let first = self.waiting.peek()?;
        if first.0.turn.0 >= until {
            return None;
        }
        self.waiting.pop().map(|Reverse(waiting)| waiting.line)
    }
}

/// Everything up to the value of `data`.
fn envelope(json: &mut String, said: &Said<'_>, fate: &Fate) {
    json.push_str("{\"specversion\":\"1.0\",\"id\":\"");
    // writing to a String cannot fail
    let _ = write!(json, "{:016x}", said.identity);
    json.push_str("\",\"source\":");
    push_text(json, &said.voice.source);
    json.push_str(",\"type\":\"");
    json.push_str(said.kind);
    json.push_str("\",\"time\":");
    let time = said.time + fate.clock_ms;
    if fate.wrong_type && below(mix(said.identity), 2) == 1 {
        let _ = write!(json, "{time}");
    } else {
        json.push('"');
        push_time(json, time);
        json.push('"');
    }
    json.push_str(",\"data\":");
}

/// What is left of a line after a bad connection.
fn broken(json: &str, identity: u64) -> String {
    let bits = mix(identity ^ 0xB40);
    match below(bits, 4) {
        0 => "\u{0}\u{1}NUL bytes from a modem".to_owned(),
        1 => json.replace(':', "="),
        _ => {
            let length = i64::try_from(json.len()).unwrap_or(i64::MAX);
            let cut = usize::try_from(1 + below(mix(bits), length - 2)).unwrap_or(1);
            json[..json.floor_char_boundary(cut)].to_owned()
        }
    }
}

struct Waiting {
    /// Time of receipt, then what no run can change: stream, event time, identity, copy.
    turn: (i64, u8, i64, u64, u8),
    line: Line,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.turn == other.turn
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.turn.cmp(&other.turn)
    }
}
