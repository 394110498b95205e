//! A lot: what is known of its floors, for how long, and when it is open.
//!
//! State is kept for each (lot, floor), where a lot without floors is one unit. It holds until the unit's next event, for 60
//! minutes at most; a lot is the sum of its floors as soon as one was seen. An entry or exit that names no floor moves a floored
//! lot's total, until its next snapshot.
//!
//! What time alone changes (a state ends, the lot opens or closes, falls silent, is no longer connected) happens when it is due,
//! whether a later step or a timer comes to say so: [`Lot::next_change`].
//!
//! Forgotten 7 days after its last event: then it is no connected lot any more, and has taken back all that it contributed.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use yiping_city::Hours;
use yiping_event::TimeMs;
use yiping_window::{Fold, KeyId, Order, timeline::Sign};

use crate::metrics::Metrics;

const MINUTE_MS: i64 = 60 * 1_000;

/// A state holds for so long after the last event of its unit.
const HOLDS_MS: i64 = 60 * MINUTE_MS;

/// Without an event for so long, a lot that is open is silent.
const QUIET_MS: i64 = 10 * MINUTE_MS;

/// A lot that was heard of within this is connected.
const CONNECTED_MS: i64 = 7 * 24 * 60 * MINUTE_MS;

/// Which part of which lot a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    pub lot: KeyId,
    /// The key of the floor level, `lot/floor`.
    pub floor: Option<KeyId>,
    pub district: KeyId,
    pub names_district: bool,
    /// `None` only in steps of a version that didn't know it.
    #[serde(default)]
    pub profile: Option<Listed>,
}

/// What the profile said of a lot when a step came in: so a step that is taken back is taken back as it was counted, whatever the
/// profile says by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its district there; 其他 for a lot that it doesn't know.
    pub district: KeyId,
    /// Spaces; 0 for a lot that it doesn't know.
    pub capacity: u32,
    /// `None`: always open.
    pub hours: Option<Hours>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    Snapshot {
        unit: Unit,
        capacity: i64,
        occupied: i64,
        open: bool,
    },
    /// A vehicle came in (+1) or went out (−1).
    Moved {
        unit: Unit,
        by: i64,
    },
    /// Time alone: what is due by now has happened.
    RunsOut,
    /// Something else was heard of the lot (a payment, a credit): it is connected and not silent.
    Heard {
        unit: Unit,
    },
}

/// What was last heard of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub capacity: i64,
    /// As counted; may be impossible.
    pub occupied: i64,
    pub open: bool,
    pub heard: TimeMs,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    pub key: Option<KeyId>,
    pub district: Option<KeyId>,
    /// A lot without floors, or its total before the first floor was seen.
    whole: Option<State>,
    floors: BTreeMap<KeyId, State>,
    /// Entries less exits without a floor, since the last snapshot of a floored lot.
    unplaced: i64,
    /// The capacity that the last snapshots stated, by floor (`None`: of the whole lot). It outlives the states.
    #[serde(default)]
    stated: Vec<(Option<KeyId>, i64)>,
    #[serde(default)]
    profile: Option<Listed>,
    /// Whether it tells who comes and goes: one that only counts its spaces has no turnover.
    #[serde(default)]
    gated: bool,
    /// Its newest event of any kind; `None` when it isn't connected (or was only heard of by an older version: figures that came
    /// later count it from its next event on).
    #[serde(default)]
    heard: Option<TimeMs>,
    /// Up to where time's own changes were followed.
    #[serde(default)]
    at: TimeMs,
    /// Outside the profile's hours.
    #[serde(default)]
    shut: bool,
    /// When it opens or closes next, by the profile.
    #[serde(default)]
    turns: Option<TimeMs>,
    /// Without an event for ten minutes, within opening hours.
    #[serde(default)]
    quiet: bool,
}

/// What counts of a unit at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    pub capacity: i64,
    /// Clamped to 0…capacity.
    pub occupied: i64,
    /// Whether anything is known: a silent or closed lot adds nothing.
    pub live: bool,
}

impl Space {
    pub fn free(&self) -> i64 {
        self.capacity - self.occupied
    }

    /// At least 98 % taken.
    pub fn is_full(&self) -> bool {
        self.live && self.capacity > 0 && self.occupied * 100 >= self.capacity * 98
    }
}

impl State {
    fn space(&self) -> Space {
        if self.open {
            Space { capacity: self.capacity, occupied: self.occupied.clamp(0, self.capacity), live: true }
        } else {
            Space::default()
        }
    }
}

impl Lot {
    /// A lot as an older version knew it: figures that came later count it from its next event on.
    pub fn of_format1(
        key: Option<KeyId>,
        district: Option<KeyId>,
        whole: Option<State>,
        floors: BTreeMap<KeyId, State>,
        unplaced: i64,
    ) -> Self {
        Lot { key, district, whole, floors, unplaced, ..Lot::default() }
    }

    /// The lot as a whole. Outside its hours it adds nothing, like a lot that says it is closed: no driver can use what is free
    /// there.
    pub fn total(&self) -> Space {
        if self.shut {
            return Space::default();
        }
        if self.floors.is_empty() {
            return self.whole.map_or_else(Space::default, |state| state.space());
        }
        let mut total = Space::default();
        for space in self.floors.values().map(State::space) {
            total.capacity += space.capacity;
            total.occupied += space.occupied;
            total.live |= space.live;
        }
        if total.live {
            total.occupied = (total.occupied + self.unplaced).clamp(0, total.capacity);
        }
        total
    }

    pub fn floor(&self, floor: KeyId) -> Space {
        let state = self.floors.get(&floor).filter(|_| !self.shut);
        state.map_or_else(Space::default, State::space)
    }

    pub fn floors(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.floors.keys().copied()
    }

    /// The lot as a whole, for figures that count it from its first event under a version that has them.
    pub fn counted(&self) -> Space {
        self.heard.map_or_else(Space::default, |_| self.total())
    }

    /// Whether the same units count as in `other`. Where one becomes known or falls silent, the change of the total is no coming and
    /// going.
    pub fn counts_the_same(&self, other: &Lot) -> bool {
        let counts = |lot: &Lot, state: &State| lot.heard.is_some() && !lot.shut && state.open;
        let whole = |lot: &Lot| lot.whole.is_some_and(|state| counts(lot, &state));
        let floors = |lot: &Lot| -> Vec<KeyId> {
            lot.floors.iter().filter(|(_, state)| counts(lot, state)).map(|(floor, _)| *floor).collect()
        };
        whole(self) == whole(other) && floors(self) == floors(other)
    }

    /// The newest event of any kind, as long as the lot is connected (7 days).
    pub fn heard(&self) -> Option<TimeMs> {
        self.heard
    }

    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether a snapshot has ever counted its spaces.
    pub fn is_stated(&self) -> bool {
        !self.stated.is_empty()
    }

    /// As the last snapshots stated it, else as the profile does; also of a silent or closed lot.
    fn capacity(&self) -> i64 {
        if self.stated.is_empty() {
            return self.profile.map_or(0, |profile| i64::from(profile.capacity));
        }
        self.stated.iter().map(|(_, capacity)| capacity).sum()
    }

    /// The capacity of a floor, or of the lot: what is there, whether it is open and heard of or not.
    pub fn spaces(&self, floor: Option<KeyId>) -> i64 {
        match floor {
            None => self.capacity(),
            Some(floor) => {
                self.stated.iter().find(|(stated, _)| *stated == Some(floor)).map_or(0, |(_, spaces)| *spaces)
            }
        }
    }

    /// The capacity that sessions are held against: none of a lot that never told of one.
    pub fn turned_over(&self) -> i64 {
        if self.gated { self.capacity() } else { 0 }
    }

    /// The district that the profile gives it.
    pub fn home(&self) -> Option<KeyId> {
        self.profile.map(|profile| profile.district)
    }

    /// Whether nothing is known of it any more.
    pub fn is_blank(&self) -> bool {
        self.heard.is_none() && self.whole.is_none() && self.floors.is_empty()
    }

    /// When time alone changes it next, if nothing more is heard.
    pub fn next_change(&self) -> Option<TimeMs> {
        let runs_out = self.whole.iter().chain(self.floors.values()).map(|state| state.heard.0 + HOLDS_MS);
        let heard = self.heard.into_iter().flat_map(|heard| [heard.0 + QUIET_MS, heard.0 + CONNECTED_MS]);
        let ahead = heard.filter(|due| *due > self.at.0).chain(self.turns.map(|turns| turns.0));
        runs_out.chain(ahead).min().map(TimeMs)
    }

    /// Time has come to `now`, which is not beyond the next change.
    fn pass(&mut self, now: TimeMs, clock: &Clock) {
        let holds = |state: &State| now.0 < state.heard.0 + HOLDS_MS;
        self.whole = self.whole.filter(holds);
        self.floors.retain(|_, state| holds(state));
        if self.floors.is_empty() {
            self.unplaced = 0;
        }
        if let Some(heard) = self.heard {
            if now.0 >= heard.0 + CONNECTED_MS {
                *self = Lot::default();
                return;
            }
            self.follow_hours(now, clock);
            self.quiet = !self.shut && now.0 >= heard.0 + QUIET_MS;
        }
    }

    fn follow_hours(&mut self, now: TimeMs, clock: &Clock) {
        self.at = now;
        if self.turns.is_some_and(|turns| now < turns) {
            return;
        }
        let hours = self.profile.and_then(|profile| profile.hours);
        self.shut = hours.is_some_and(|hours| !hours.open_at(now.0, &clock.zone));
        let turns = hours.map(|hours| hours.next_change_after(now.0, &clock.zone));
        self.turns = turns.filter(|turns| *turns < i64::MAX).map(TimeMs);
    }

    fn take(&mut self, unit: Unit, time: TimeMs, clock: &Clock) {
        self.key = Some(unit.lot);
        if unit.names_district || self.district.is_none() {
            self.district = Some(unit.district);
        }
        if let Some(profile) = unit.profile {
            if self.profile.is_none_or(|before| before.hours != profile.hours) {
                self.turns = None;
            }
            self.profile = Some(profile);
            self.heard = Some(time);
            self.quiet = false;
            self.follow_hours(time, clock);
        }
    }

    fn snapshot(&mut self, floor: Option<KeyId>, state: State) {
        self.unplaced = 0;
        if floor.is_some() {
            self.stated.retain(|(stated, _)| stated.is_some() && *stated != floor);
        } else {
            self.stated.clear();
        }
        self.stated.push((floor, state.capacity));
        self.stated.sort_unstable(); // equal states must be equal, whatever was stated first
        match floor {
            Some(floor) => {
                self.whole = None;
                self.floors.insert(floor, state);
            }
            None => {
                // a snapshot of the whole lot: it counts its spaces itself
                self.floors.clear();
                self.whole = Some(state);
            }
        }
    }

    fn moved(&mut self, floor: Option<KeyId>, by: i64, time: TimeMs) {
        self.gated = true;
        let floored = !self.floors.is_empty();
        // a gate may name a floor of a lot that is counted as a whole
        let unit = match floor.filter(|_| floored) {
            Some(floor) => self.floors.get_mut(&floor),
            None => self.whole.as_mut(),
        };
        match unit {
            Some(state) => {
                state.occupied += by;
                state.heard = time;
            }
            None if floored => self.unplaced += by,
            // no snapshot yet: nobody knows how many were there
            None => {}
        }
    }
}

/// What the hours of lots are read by.
#[derive(Clone, Debug)]
pub struct Clock {
    pub zone: TimeZone,
}

/// How a lot follows from its steps, and its figures from it.
#[derive(Debug)]
pub struct Lots {
    pub metrics: Metrics,
    pub everywhere: KeyId,
    pub clock: Clock,
}

/// A change of a lot, from which its figures follow.
pub struct Change<'a> {
    pub before: &'a Lot,
    pub after: &'a Lot,
    pub time: TimeMs,
    /// 1 for a snapshot, an entry or an exit: a step of what is counted.
    pub steps: i64,
}

impl Fold for Lots {
    type State = Lot;
    type Step = Step;

    fn step(&self, lot: &mut Lot, order: &Order, step: &Step, out: &mut Sign<'_, '_>) {
        while let Some(due) = lot.next_change().filter(|due| *due <= order.time) {
            let before = lot.clone();
            lot.pass(due, &self.clock);
            self.metrics.changed(self.everywhere, &Change { before: &before, after: lot, time: due, steps: 0 }, out);
        }
        let before = lot.clone();
        match *step {
            Step::Snapshot { unit, capacity, occupied, open } => {
                lot.take(unit, order.time, &self.clock);
                lot.snapshot(unit.floor, State { capacity, occupied, open, heard: order.time });
            }
            Step::Moved { unit, by } => {
                lot.take(unit, order.time, &self.clock);
                lot.moved(unit.floor, by, order.time);
            }
            Step::Heard { unit } => lot.take(unit, order.time, &self.clock),
            Step::RunsOut => return,
        }
        let steps = i64::from(!matches!(step, Step::Heard { .. }));
        self.metrics.changed(self.everywhere, &Change { before: &before, after: lot, time: order.time, steps }, out);
    }
}
