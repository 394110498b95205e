//! A stay: when a car came and when it left, as facts that add up in any order.
//!
//! The earliest entry and the first exit count, so a gate that repeats itself counts once. An exit belongs to an entry that is at
//! most 7 days older, an entry to an exit that is at most an hour older (clocks of gates differ); beyond that the id is used anew:
//! another stay. So nothing depends on when a stay was forgotten: when it is further back than that behind the horizon.

use serde::{Deserialize, Serialize};
use yiping_event::TimeMs;
use yiping_window::Order;

const HOUR_MS: i64 = 60 * 60 * 1_000;

/// A car that came in is waited for so long.
const STAYS_MS: i64 = 7 * 24 * HOUR_MS;

/// After an exit its entry may still turn up, by a clock that is ahead.
const LEFT_MS: i64 = HOUR_MS;

/// What a gate saw.
#[derive(Clone, Copy, Debug)]
pub enum Passed {
    In,
    /// With the entry that the gate knows of.
    Out(Option<TimeMs>),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    entered: Option<TimeMs>,
    left: Option<(Order, Option<TimeMs>)>,
    /// Where its beginning counts, once it does.
    pub counted: Option<TimeMs>,
}

impl Stay {
    pub fn take(&mut self, order: &Order, passed: Passed) {
        match passed {
            Passed::In => self.entered = Some(self.entered.map_or(order.time, |entered| entered.min(order.time))),
            Passed::Out(told) => {
                if self.left.is_none_or(|(first, _)| *order < first) {
                    self.left = Some((*order, told));
                }
            }
        }
    }

    /// Until when an event may be one of this stay.
    fn until(&self) -> Option<TimeMs> {
        match (self.left, self.entered) {
            (Some((left, _)), _) => Some(TimeMs(left.time.0 + LEFT_MS)),
            (None, entered) => entered.map(|entered| TimeMs(entered.0 + STAYS_MS)),
        }
    }

    /// Whether an event at `time` is one of another stay under the same id.
    pub fn is_over(&self, time: TimeMs) -> bool {
        self.until().is_some_and(|until| time > until)
    }

    /// The newest of what is known.
    pub fn newest(&self) -> Option<TimeMs> {
        self.left.map(|(left, _)| left.time).max(self.entered)
    }

    /// When it began: at its entry, else when its exit says.
    pub fn began(&self) -> Option<TimeMs> {
        self.entered.or_else(|| self.left.and_then(|(_, told)| told))
    }

    pub fn left(&self) -> Option<TimeMs> {
        self.left.map(|(left, _)| left.time)
    }

    /// How long it was, once the car has left; below 0 where a clock is wrong.
    pub fn dwell_ms(&self) -> Option<i64> {
        Some(self.left()?.0 - self.began()?.0)
    }

    /// Whether the entry of its exit was seen. One that comes after the exit is none.
    pub fn is_matched(&self) -> bool {
        self.entered.is_some_and(|entered| self.left().is_none_or(|left| entered <= left))
    }
}
