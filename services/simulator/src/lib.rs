//! A synthetic city: the four streams of a [`City`], as lines in the order in which a gateway would receive them.
//!
//! Pure: a seed, a start and a profile give the same bytes on every machine. No clock, no I/O, no libm but the crate of
//! that name. **Seekable**: what an entity does depends on (seed, entity, day) only, so that a run that starts at T says
//! exactly what a run that started earlier says from T on.
//!
//! | file | stage |
//! | --- | --- |
//! | `bus.rs`, `timetable.rs`, `trip.rs` | vehicles on their routes |
//! | `parking.rs`, `stay.rs` | cars that come, pay and go |
//! | `hotline.rs`, `work_order.rs`, `elder.rs`, `alarm.rs` | calls, orders, alarms, devices |
//! | `presence.rs` | the heartbeats of sources |
//! | `incident.rs` | what goes wrong on purpose, and what it touches: `bunch.rs`, `crowd.rs`, `outage.rs` |
//! | `fate.rs` | what befalls an event on its way: delay, loss, repetition, mischief |
//! | `outbox.rs` | lines wait here for the time at which they are received |
//! | `draws.rs`, `agenda.rs`, `json.rs` | randomness, days, text |
//!
//! It knows no domain service: the figures that come out are theirs to find.

mod agenda;
mod alarm;
mod bunch;
mod bus;
mod crowd;
mod draws;
mod elder;
mod fate;
mod hotline;
mod incident;
mod json;
mod outage;
mod outbox;
mod parking;
mod presence;
mod stay;
mod timetable;
mod trip;
mod work_order;

use std::io;
use std::str::FromStr;

use yiping_city::City;
use yiping_event::{Stream, TimeMs};

use crate::agenda::Calendar;
pub use crate::incident::{Incident, IncidentKind, UnknownIncident};
use crate::outbox::Outbox;

/// How badly the city's feeds behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Faults {
    /// Received 0.2 to 3 s after it happened, once.
    #[default]
    None,
    /// 0.5 % exact duplicates, disorder up to 4 s, 1 % late by up to 60 s, 0.1 % hours late, 2 % of exits lost, silent
    /// spells of vehicles, lots and platforms.
    Usual,
    /// And also: 1 % of lines that are no JSON, clocks ahead by hours or years, wrong types, retries minutes later,
    /// occupancy below 0 or above capacity, positions at 0,0, swapped or far away.
    Hostile,
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Usual => "usual",
            Self::Hostile => "hostile",
        })
    }
}

/// The word is none of `none`, `usual`, `hostile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one of: none usual hostile")]
pub struct UnknownFaults;

impl FromStr for Faults {
    type Err = UnknownFaults;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "none" => Ok(Self::None),
            "usual" => Ok(Self::Usual),
            "hostile" => Ok(Self::Hostile),
            _ => Err(UnknownFaults),
        }
    }
}

/// What is to be simulated.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    pub seed: u64,
    /// The first instant at which something may be received.
    pub start: TimeMs,
    /// From `start`, in milliseconds; `None` = endless.
    pub duration_ms: Option<i64>,
    /// Leaving a stream out changes nothing in the others.
    pub streams: Vec<Stream>,
    /// Multiplies the numbers of vehicles, lots, calls and devices; 1 = the profile's city. Not above 0: heartbeats only.
    pub scale: f64,
    pub faults: Faults,
    /// What goes wrong on purpose; none of them is needed for a city that looks like one.
    pub incidents: Vec<Incident>,
    /// Whether the run also tells what was on the desks when it began: the work orders of before that are open or not yet due, step by
    /// step, all received at once, half a day after the start.
    pub opening: bool,
}

impl Options {
    /// All four streams at full scale without faults and incidents, endless.
    #[must_use]
    pub fn new(seed: u64, start: TimeMs) -> Options {
        Options {
            seed,
            start,
            duration_ms: None,
            streams: Stream::ALL.to_vec(),
            scale: 1.0,
            faults: Faults::None,
            incidents: Vec::new(),
            opening: false,
        }
    }
}

/// What a gateway receives at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub receive: TimeMs,
    pub stream: Stream,
    /// One structured CloudEvent without line end; with hostile faults also what was meant to be one.
    pub json: String,
}

/// Someone who says things. Called for one span after the other, without gaps.
trait Actor: Send {
    /// Says everything that happens before `until`, ms since 1970, and was not said yet.
    fn speak(&mut self, until: i64, out: &mut Outbox);
}

/// Spans in which the actors speak, in ms: long enough to be cheap, short enough for a live demo.
const STEP_MS: i64 = 5_000;

/// The lines of a city, by time of receipt; equal times in an order that the seed decides.
pub struct Simulator {
    actors: Vec<Box<dyn Actor>>,
    out: Outbox,
    /// Everything that happens before has been said.
    said_until: i64,
    end: Option<i64>,
}

impl Simulator {
    /// Costs up to about a day of silent simulation (to know which buses are where, and who is parked).
    #[must_use]
    pub fn new(city: &City, options: &Options) -> Simulator {
        let end = options.duration_ms.map(|d| options.start.plus(d).ms());
        let out = Outbox::new(city, options, end);
        let since = (options.start.ms() - fate::longest_delay_ms(options.faults)).div_euclid(STEP_MS) * STEP_MS;
        let calendar = Calendar::new(city.zone.clone());
        let mut actors: Vec<Box<dyn Actor>> = Vec::new();
        for stream in Stream::ALL.iter().filter(|s| options.streams.contains(s)) {
            actors.push(match stream {
                Stream::Bus => Box::new(bus::Buses::new(city, options, calendar.clone(), since)),
                Stream::Parking => Box::new(parking::Parking::new(city, options, calendar.clone(), since)),
                Stream::Hotline => Box::new(hotline::Hotline::new(city, options, calendar.clone(), since)),
                Stream::Elder => Box::new(elder::Elder::new(city, options, calendar.clone(), since)),
            });
            actors.push(Box::new(presence::Presence::new(city, options.seed, *stream, since)));
        }
        Simulator { actors, out, said_until: since, end }
    }
}

impl Iterator for Simulator {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.out.received_before(self.said_until) {
                return Some(line);
            }
            if self.end.is_some_and(|end| self.said_until >= end) || self.actors.is_empty() {
                return None;
            }
            self.said_until += STEP_MS;
            for actor in &mut self.actors {
                actor.speak(self.said_until, &mut self.out);
            }
        }
    }
}

/// Writes lines as NDJSON; gives their number.
pub fn write(lines: impl Iterator<Item = Line>, out: &mut impl io::Write) -> io::Result<u64> {
    let mut written = 0;
    for line in lines {
        out.write_all(line.json.as_bytes())?;
        out.write_all(b"\n")?;
        written += 1;
    }
    out.flush()?;
    Ok(written)
}
