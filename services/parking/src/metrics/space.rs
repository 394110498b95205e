//! `parking.free_spaces`, `parking.free_ratio` and `parking.full_lots`: what is free now.
//!
//! Free spaces count lots (or floors) that are known as their denominator, so that a full lot (0 of 1) differs from a silent one
//! (nothing).

use yiping_window::{Board, KeyId, Level, MetricId};

use crate::{
    entity::lot::{Change, Lot},
    metrics::{Moves, Shifts, Sums},
};

#[derive(Clone, Copy, Debug)]
pub struct Space {
    free_spaces: Option<MetricId>,
    free_ratio: Option<MetricId>,
    full_lots: Option<MetricId>,
}

impl Space {
    pub fn of(board: &Board) -> Self {
        Space {
            free_spaces: board.metric("parking.free_spaces"),
            free_ratio: board.metric("parking.free_ratio"),
            full_lots: board.metric("parking.full_lots"),
        }
    }

    pub fn changed(&self, change: &Change<'_>, moves: &Moves, shifts: &mut Shifts<'_, '_>) {
        if let Some(metric) = self.free_spaces {
            shifts.state(metric, moves, 3, free(change.before), free(change.after), 0);
            floors(metric, change, shifts);
        }
        if let Some(metric) = self.free_ratio {
            shifts.state(metric, moves, 3, ratio(change.before), ratio(change.after), 0);
        }
        if let Some(metric) = self.full_lots {
            shifts.state(metric, moves, 2, full(change.before), full(change.after), 0);
        }
    }
}

fn free(lot: &Lot) -> Sums {
    let space = lot.total();
    (space.free(), i64::from(space.live))
}

fn ratio(lot: &Lot) -> Sums {
    let space = lot.counted();
    (space.free(), space.capacity)
}

fn full(lot: &Lot) -> Sums {
    let space = lot.counted();
    (i64::from(space.is_full()), i64::from(space.live))
}

fn floors(metric: MetricId, change: &Change<'_>, shifts: &mut Shifts<'_, '_>) {
    let mut floors: Vec<KeyId> = change.before.floors().chain(change.after.floors()).collect();
    floors.sort_unstable();
    floors.dedup();
    for floor in floors {
        let (was, is) = (change.before.floor(floor), change.after.floor(floor));
        let difference = (is.free() - was.free(), i64::from(is.live) - i64::from(was.live));
        shifts.shift(metric, &[(Level::Floor, floor)], difference, 0);
    }
}
