//! `parking.silent_lots`: lots without an event for ten minutes, within their opening hours, of the connected ones (heard of in the
//! last 7 days). Every event of a lot counts.

use yiping_window::{Board, MetricId};

use crate::{
    entity::lot::{Change, Lot},
    metrics::{Moves, Shifts, Sums},
};

#[derive(Clone, Copy, Debug)]
pub struct Silence {
    silent_lots: Option<MetricId>,
}

impl Silence {
    pub fn of(board: &Board) -> Self {
        Silence { silent_lots: board.metric("parking.silent_lots") }
    }

    pub fn changed(&self, change: &Change<'_>, moves: &Moves, shifts: &mut Shifts<'_, '_>) {
        if let Some(metric) = self.silent_lots {
            shifts.state(metric, moves, 2, silent(change.before), silent(change.after), 0);
        }
    }
}

fn silent(lot: &Lot) -> Sums {
    (i64::from(lot.is_quiet()), i64::from(lot.heard().is_some()))
}
