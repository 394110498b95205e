//! A lot: what is known of its floors, and for how long.
//!
//! State is kept for each (lot, floor), where a lot without floors is one unit. It holds until the unit's next event, for 60
//! minutes at most; a lot is the sum of its floors as soon as one was seen. An entry or exit that names no floor moves a floored
//! lot's total, until its next snapshot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use yiping_event::TimeMs;
use yiping_window::{Fold, KeyId, Order, timeline::Sign};

use crate::metrics::{Metrics, space};

const HOLDS_MS: i64 = 60 * 60 * 1_000;

/// Until when a state that was heard of at `time` holds.
pub fn holds_until(time: TimeMs) -> TimeMs {
    TimeMs(time.0 + HOLDS_MS)
}

/// Which part of which lot a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    pub lot: KeyId,
    /// The key of the floor level, `lot/floor`.
    pub floor: Option<KeyId>,
    pub district: KeyId,
    pub names_district: bool,
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
    /// Time alone: states that were not heard of for an hour end.
    RunsOut,
}

/// What was last heard of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    capacity: i64,
    /// As counted; may be impossible.
    occupied: i64,
    open: bool,
    heard: TimeMs,
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
    /// The lot as a whole.
    pub fn total(&self) -> Space {
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
        self.floors.get(&floor).map_or_else(Space::default, State::space)
    }

    pub fn floors(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.floors.keys().copied()
    }

    /// When the first of its states ends by itself, if nothing more is heard.
    pub fn runs_out(&self) -> Option<TimeMs> {
        self.whole.iter().chain(self.floors.values()).map(|state| holds_until(state.heard)).min()
    }

    fn snapshot(&mut self, floor: Option<KeyId>, state: State) {
        match floor {
            Some(floor) => {
                self.whole = None;
                self.floors.insert(floor, state);
                self.unplaced = 0;
            }
            None => {
                // a snapshot of the whole lot: it counts its spaces itself
                self.floors.clear();
                self.unplaced = 0;
                self.whole = Some(state);
            }
        }
    }

    fn moved(&mut self, floor: Option<KeyId>, by: i64, time: TimeMs) {
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

    fn run_out(&mut self, now: TimeMs) {
        let holds = |state: &State| now < holds_until(state.heard);
        self.whole = self.whole.filter(holds);
        self.floors.retain(|_, state| holds(state));
        if self.floors.is_empty() {
            self.unplaced = 0;
        }
    }
}

#[derive(Debug)]
pub struct Lots {
    pub metrics: Metrics,
    pub everywhere: KeyId,
}

impl Fold for Lots {
    type State = Lot;
    type Step = Step;

    fn step(&self, lot: &mut Lot, order: &Order, step: &Step, out: &mut Sign<'_, '_>) {
        // what ended by itself ended when it did, whether a timer came to say so or not
        while let Some(end) = lot.runs_out().filter(|end| *end <= order.time) {
            let before = lot.clone();
            lot.run_out(end);
            space::changed(self, &before, lot, end, 0, out);
        }
        let before = lot.clone();
        match *step {
            Step::Snapshot { unit, capacity, occupied, open } => {
                lot.place(unit);
                lot.snapshot(unit.floor, State { capacity, occupied, open, heard: order.time });
            }
            Step::Moved { unit, by } => {
                lot.place(unit);
                lot.moved(unit.floor, by, order.time);
            }
            Step::RunsOut => {}
        }
        if *step != Step::RunsOut {
            space::changed(self, &before, lot, order.time, 1, out);
        }
    }
}

impl Lot {
    fn place(&mut self, unit: Unit) {
        self.key = Some(unit.lot);
        if unit.names_district || self.district.is_none() {
            self.district = Some(unit.district);
        }
    }
}
