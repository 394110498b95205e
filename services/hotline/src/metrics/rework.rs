//! `hotline.return_ratio` (退回率): sent back by the agency / dispatched. `hotline.reopen_ratio` (重办率): reopened / closed. Each event
//! counts at its own time, whatever became of its order: these are two sets of events, and the ratio may exceed 1.

use yiping_window::{Board, MetricId};

use crate::{
    entity::order::{Levels, Step, WorkOrder},
    ledger::Ledger,
};

#[derive(Clone, Copy, Debug)]
pub struct Rework {
    return_ratio: Option<MetricId>,
    reopen_ratio: Option<MetricId>,
}

impl Rework {
    pub fn of(board: &Board) -> Self {
        Rework {
            return_ratio: board.metric("hotline.return_ratio"),
            reopen_ratio: board.metric("hotline.reopen_ratio"),
        }
    }

    pub fn count(&self, order: &WorkOrder, levels: Levels, ledger: &mut Ledger) {
        let (once, of) = ([1, 0, 0], [0, 1, 1]);
        for (time, step) in order.steps() {
            let (metric, sums) = match step {
                Step::Returned => (self.return_ratio, once),
                Step::Dispatched => (self.return_ratio, of),
                Step::Reopened => (self.reopen_ratio, once),
                Step::Closed => (self.reopen_ratio, of),
                Step::Extended(_) | Step::Urged => continue,
            };
            ledger.flow(metric, levels, time, sums);
        }
    }
}
