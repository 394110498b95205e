//! `parking.minutes_to_full`: free spaces at the end of a window, over the net change of occupied within it. (`filling_lots` is
//! derived from it.)
//!
//! A unit that becomes known or falls silent, opens or closes is no coming and going: what is free comes or goes with it, the change
//! stays. n counts steps.

use yiping_window::{Board, MetricId};

use crate::{
    entity::lot::Change,
    metrics::{Moves, Shifts},
};

#[derive(Clone, Copy, Debug)]
pub struct Filling {
    minutes_to_full: Option<MetricId>,
}

impl Filling {
    pub fn of(board: &Board) -> Self {
        Filling { minutes_to_full: board.metric("parking.minutes_to_full") }
    }

    pub fn changed(&self, change: &Change<'_>, moves: &Moves, shifts: &mut Shifts<'_, '_>) {
        let Some(metric) = self.minutes_to_full else { return };
        let (was, is) = (change.before.counted(), change.after.counted());
        shifts.state(metric, moves, 3, (was.free(), 0), (is.free(), 0), change.steps);
        if let Some(here) = moves.to
            && change.before.counts_the_same(change.after)
        {
            shifts.shift(metric, &here, (0, is.occupied - was.occupied), 0);
        }
    }
}
