//! `parking.occupancy_ratio`: occupied and capacity space-milliseconds over open time; n counts steps (snapshots, entries, exits).
//!
//! A lot that says it is closed, or is outside the profile's hours, adds nothing to either.

use yiping_window::{Board, MetricId};

use crate::{
    entity::lot::{Change, Lot},
    metrics::{Moves, Shifts, Sums},
};

#[derive(Clone, Copy, Debug)]
pub struct Occupancy {
    ratio: Option<MetricId>,
}

impl Occupancy {
    pub fn of(board: &Board) -> Self {
        Occupancy { ratio: board.metric("parking.occupancy_ratio") }
    }

    pub fn changed(&self, change: &Change<'_>, moves: &Moves, shifts: &mut Shifts<'_, '_>) {
        if let Some(metric) = self.ratio {
            shifts.state(metric, moves, 3, taken(change.before), taken(change.after), change.steps);
        }
    }
}

fn taken(lot: &Lot) -> Sums {
    let space = lot.total();
    (space.occupied, space.capacity)
}
