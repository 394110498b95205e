//! `hotline.open_orders`, `hotline.overdue_orders` (open past due), `hotline.due_soon_orders` (open and due within 24 hours): an
//! order that is open at its due date is due soon to the millisecond, and overdue from the next one on. `hotline.urge_ratio`
//! (催办率): open orders that were ever urged / open orders.
//!
//! The gauges' denominator counts the orders ever open: from its first order on a place has a figure even when none is open, and
//! the same one however orders are spread over partitions.

use yiping_window::{Board, MetricId};

use crate::{
    entity::order::{Created, Levels, WorkOrder},
    ledger::Ledger,
};

#[derive(Clone, Copy, Debug)]
pub struct Open {
    open_orders: Option<MetricId>,
    overdue_orders: Option<MetricId>,
    due_soon_orders: Option<MetricId>,
    urge_ratio: Option<MetricId>,
}

impl Open {
    pub fn of(board: &Board) -> Self {
        Open {
            open_orders: board.metric("hotline.open_orders"),
            overdue_orders: board.metric("hotline.overdue_orders"),
            due_soon_orders: board.metric("hotline.due_soon_orders"),
            urge_ratio: board.metric("hotline.urge_ratio"),
        }
    }

    pub fn count(&self, order: &WorkOrder, created: &Created, levels: Levels, ledger: &mut Ledger) {
        if created.direct {
            return;
        }
        let metrics = [self.open_orders, self.overdue_orders, self.due_soon_orders];
        for metric in metrics {
            ledger.shift(metric, levels, created.order.time, 0, 1);
        }
        for (time, states) in order.changes() {
            for (metric, by) in metrics.into_iter().zip(states).filter(|(_, by)| *by != 0) {
                ledger.shift(metric, levels, time, by, 0);
            }
            let [open, ..] = states;
            ledger.shift(self.urge_ratio, levels, time, 0, open);
            if let Some(urged) = order.urged() {
                // opened before it was urged: one of the urged from then on
                ledger.shift(self.urge_ratio, levels, time.max(urged), open, 0);
            }
        }
    }
}
