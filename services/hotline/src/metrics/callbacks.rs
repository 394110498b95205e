//! `hotline.resolved_ratio` (解决率), `hotline.satisfied_ratio` (满意率): yes / answers, at the callback's time. Blank is not no: an answer
//! that wasn't given is not counted.
//!
//! District and category are the callback's own, else its order's; the agency is its order's. A callback whose order isn't known
//! counts all the same: elsewhere, where it doesn't say.

use yiping_window::{Board, MetricId};

use crate::{
    Setup,
    entity::order::{Levels, WorkOrder},
    ledger::Ledger,
};

#[derive(Clone, Copy, Debug)]
pub struct Callbacks {
    resolved_ratio: Option<MetricId>,
    satisfied_ratio: Option<MetricId>,
}

impl Callbacks {
    pub fn of(board: &Board) -> Self {
        Callbacks {
            resolved_ratio: board.metric("hotline.resolved_ratio"),
            satisfied_ratio: board.metric("hotline.satisfied_ratio"),
        }
    }

    pub fn count(&self, setup: &Setup, order: &WorkOrder, ledger: &mut Ledger) {
        let known = order.levels();
        for (time, callback) in order.callbacks() {
            let levels = Levels {
                district: callback.district.or(known.map(|known| known.district)).unwrap_or(setup.elsewhere),
                category: callback.category.or(known.map(|known| known.category)).unwrap_or(setup.elsewhere),
                agency: known.and_then(|known| known.agency),
            };
            for (metric, said) in [(self.resolved_ratio, callback.resolved), (self.satisfied_ratio, callback.satisfied)]
            {
                if let Some(yes) = said {
                    ledger.flow(metric, levels, time, [i64::from(yes), 1, 1]);
                }
            }
        }
    }
}
