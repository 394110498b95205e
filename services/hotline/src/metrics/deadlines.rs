//! `hotline.on_time_close_ratio` (按时办结率): orders closed by their due date / orders due in the window; open and overdue is missed.
//! `hotline.response_ratio` (响应率): orders whose caller was first contacted within the limit / dispatched orders whose limit falls in
//! the window.
//!
//! Both are placed at the deadline. They count as soon as it is kept, else once the watermark has passed it.

use yiping_window::{Board, MetricId};

use crate::{
    Setup,
    entity::order::{Levels, WorkOrder},
    ledger::Ledger,
};

#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    on_time_close_ratio: Option<MetricId>,
    response_ratio: Option<MetricId>,
}

impl Deadlines {
    pub fn of(board: &Board) -> Self {
        Deadlines {
            on_time_close_ratio: board.metric("hotline.on_time_close_ratio"),
            response_ratio: board.metric("hotline.response_ratio"),
        }
    }

    pub fn count(&self, setup: &Setup, order: &WorkOrder, levels: Levels, ledger: &mut Ledger) {
        let verdicts = [
            (self.on_time_close_ratio, order.counted_on_time(setup.reach_ms)),
            (self.response_ratio, order.counted_response()),
        ];
        for (metric, verdict) in verdicts {
            if let Some(verdict) = verdict {
                ledger.flow(metric, levels, verdict.at, [i64::from(verdict.kept), 1, 1]);
            }
        }
    }
}
