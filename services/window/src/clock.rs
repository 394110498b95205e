//! Time as data (I2): a partition's time comes from its records and ticks alone.

use serde::{Deserialize, Serialize};
use yiping_event::TimeMs;

/// What shapes results and therefore travels in the log as a `city.config` record (I1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How far the watermark stays behind the partition's time, in ms.
    pub out_of_order_ms: i64,
    /// How long behind the watermark an event still revises its windows, in ms.
    pub lateness_ms: i64,
    /// How far an event's time may be ahead of its log time, in ms; beyond it the event is quarantined (I6).
    pub max_skew_ms: i64,
    /// The city's zone (IANA name).
    pub zone: String,
    /// The city profile's text, as far as it changes results; only the stream's domain reads it.
    pub profile: String,
}

/// A partition's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    time: Option<TimeMs>,
}

impl Clock {
    /// The partition's time: the newest min(event time, log time) or tick; none before the first event.
    #[must_use]
    pub fn time(&self) -> Option<TimeMs> {
        self.time
    }

    /// Event time up to which the partition is taken to be complete.
    #[must_use]
    pub fn watermark(&self, settings: &Settings) -> Option<TimeMs> {
        self.time.map(|time| TimeMs(time.0 - settings.out_of_order_ms))
    }

    /// Events before this are too late for their windows.
    #[must_use]
    pub fn horizon(&self, settings: &Settings) -> Option<TimeMs> {
        self.watermark(settings).map(|watermark| TimeMs(watermark.0 - settings.lateness_ms))
    }

    /// An accepted event moves time, but never past its own log time: one fast clock harms only itself.
    pub fn event(&mut self, event: TimeMs, log: TimeMs) {
        let seen = event.min(log);
        self.time = Some(self.time.map_or(seen, |time| time.max(seen)));
    }

    /// Time that another partition's state brings along.
    pub(crate) fn event_time(&mut self, time: Option<TimeMs>) {
        self.time = self.time.max(time);
    }

    /// A tick moves time by `most` ms at most; without a limit where that is `None`.
    pub fn tick_at_most(&mut self, tick: TimeMs, most: Option<i64>) {
        let limit = self.time.zip(most).map(|(time, most)| TimeMs(time.0.saturating_add(most)));
        self.tick(limit.map_or(tick, |limit| limit.min(tick)));
    }

    /// A tick moves time; ticks merge by max. Before a first event there is no time to move.
    pub fn tick(&mut self, tick: TimeMs) {
        self.time = self.time.map(|time| time.max(tick));
    }
}
