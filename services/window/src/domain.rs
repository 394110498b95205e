//! What a stream's domain gives the engine, and what it is given.

use std::collections::BTreeSet;

use serde::{Serialize, de::DeserializeOwned};
use yiping_event::{Event, Reject, TimeMs};

use crate::{
    board::{Board, Place},
    clock::Settings,
    key::{KeyId, Level},
    metric::MetricId,
    order::EntityId,
    pane::Agg,
    span::Days,
    table::NoKey,
};

/// One stream's meaning: how its events become contributions and live state. Pure (I1): what it knows comes from events, timers
/// and settings.
///
/// Its state is written with the names of its fields: a field that older checkpoints don't have gets `#[serde(default)]`, one that
/// is no longer needed may go. Small structs of which there are very many are written as tuples, and change only with the format.
pub trait Domain: Default + Serialize + DeserializeOwned {
    /// The state in format 1, which had no names: frozen.
    type V1: DeserializeOwned + Into<Self>;

    /// Takes the settings in, when the machine is made or restored and when a `city.config` record changes them. Metric
    /// numbers are looked up here; state stays.
    ///
    /// # Errors
    /// Says what is wrong with the settings; the machine then keeps the ones before.
    fn configure(&mut self, settings: &Settings, board: &mut Board) -> Result<(), String>;

    /// Whether an event that decodes makes sense in this city (its place, for one).
    ///
    /// # Errors
    /// The refusal, which goes to the rejects.
    fn judge(&self, event: &Event<'_>) -> Result<(), Reject>;

    /// Takes an event in. One behind the horizon still comes here: it moves its entity's state where it is newer (I5), and its
    /// flows are left out by the board.
    fn apply(&mut self, event: &Event<'_>, context: &mut Context<'_>);

    /// A timer of this domain has come due: the watermark passed it.
    fn timer(&mut self, timer: Timer, context: &mut Context<'_>);

    /// Settles and forgets what lies behind the horizon; called about every five minutes of event time.
    fn settle(&mut self, horizon: TimeMs);

    /// The current state of every entity, written again after a restore so that nothing depends on what was stored last.
    fn live(&self, context: &mut Context<'_>);

    /// Hands every entity to that of `into` which will get its records: `place` tells it from a record's log key. What no entity
    /// owns may go to all of them.
    ///
    /// # Errors
    /// When an entity's log key isn't known.
    fn scatter(self, place: &dyn Fn(&str) -> usize, into: &mut [Self]) -> Result<(), NoKey>;

    /// The log key of the entity that a timer of this domain is about; `None` when it is forgotten.
    fn key_of(&self, timer: &Timer) -> Option<&str>;
}

/// An event-time timer. Setting one twice is setting it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
pub struct Timer {
    pub at: TimeMs,
    /// Which of the domain's tables the entity is in.
    pub kind: u8,
    pub entity: EntityId,
}

/// The current state of one entity, for the map and the lists: not a metric, and without personal data (I11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRow {
    pub kind: &'static str,
    pub key: String,
    pub time: TimeMs,
    /// The entity has left the list (a case closed).
    pub gone: bool,
    /// A JSON object; its members by kind are in `schemas/clickhouse`.
    pub attrs: String,
}

/// What a domain works on while it takes one event in.
pub struct Context<'a> {
    pub board: &'a mut Board,
    pub(crate) timers: &'a mut BTreeSet<Timer>,
    /// `None`: nobody wants them.
    pub(crate) live: Option<&'a mut Vec<LiveRow>>,
    pub days: &'a Days,
    /// The log time of the event at hand (I2): its `receivedtime`, else when the log took it in, else its own time. `None` for
    /// timers.
    pub log_time: Option<TimeMs>,
}

impl Context<'_> {
    pub fn key(&mut self, name: &str) -> KeyId {
        self.board.keys.intern(name)
    }

    /// A flow's contribution at each of some levels and keys.
    pub fn add(&mut self, metric: MetricId, keys: &[(Level, KeyId)], time: TimeMs, num: i64, den: i64, n: i64) {
        for &(level, key) in keys {
            self.board.add(Place { metric, level, key, time }, num, den, n);
        }
    }

    /// A flow's contribution to a figure that is made of four sums.
    pub fn add4(&mut self, metric: MetricId, keys: &[(Level, KeyId)], time: TimeMs, sums: Agg) {
        for &(level, key) in keys {
            self.board.add4(Place { metric, level, key, time }, sums);
        }
    }

    /// One observation for a percentile at each of some levels and keys; of [`crate::Shape::Oldest`], since when one waits (ms).
    pub fn sample(&mut self, metric: MetricId, keys: &[(Level, KeyId)], time: TimeMs, value: i64, count: i64) {
        for &(level, key) in keys {
            self.board.sample(Place { metric, level, key, time }, value, count);
        }
    }

    /// A change of state from `time` on, at each of some levels and keys.
    pub fn shift(&mut self, metric: MetricId, keys: &[(Level, KeyId)], time: TimeMs, num: i64, den: i64, n: i64) {
        for &(level, key) in keys {
            self.board.shift(Place { metric, level, key, time }, num, den, n);
        }
    }

    /// Whether what happened at `time` is too late for its windows (I5).
    #[must_use]
    pub fn too_late(&self, time: TimeMs) -> bool {
        self.board.horizon.is_some_and(|horizon| time.0 < horizon)
    }

    pub fn timer(&mut self, timer: Timer) {
        self.timers.insert(timer);
    }

    pub fn live(&mut self, row: LiveRow) {
        if let Some(live) = &mut self.live {
            live.push(row);
        }
    }

    /// Whether anybody wants live rows; to be asked before one is put together.
    #[must_use]
    pub fn tells_live(&self) -> bool {
        self.live.is_some()
    }
}
