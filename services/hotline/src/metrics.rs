//! The families of figures. Each knows the numbers that the board gave its own; `None`: not asked for (offline runs may leave spans
//! out).

mod callbacks;
mod calls;
mod created;
mod deadlines;
mod handling;
mod open;
mod rework;
mod waiting;

use yiping_window::{Board, Context};

use crate::{
    Setup,
    entity::{call::Call, order::WorkOrder},
    ledger::Ledger,
};

#[derive(Clone, Copy, Debug)]
pub struct Metrics {
    calls: calls::Calls,
    waiting: waiting::Waiting,
    handling: handling::Handling,
    created: created::Orders,
    open: open::Open,
    deadlines: deadlines::Deadlines,
    rework: rework::Rework,
    callbacks: callbacks::Callbacks,
}

impl Metrics {
    pub fn of(board: &Board) -> Self {
        Metrics {
            calls: calls::Calls::of(board),
            waiting: waiting::Waiting::of(board),
            handling: handling::Handling::of(board),
            created: created::Orders::of(board),
            open: open::Open::of(board),
            deadlines: deadlines::Deadlines::of(board),
            rework: rework::Rework::of(board),
            callbacks: callbacks::Callbacks::of(board),
        }
    }

    /// Counts a call (`sign` 1) or takes back what it counted before (−1).
    pub fn call(&self, setup: &Setup, call: &Call, sign: i64, context: &mut Context<'_>) {
        self.calls.count(setup, call, sign, context);
        self.waiting.count(setup, call, sign, context);
        self.handling.count(setup, call, sign, context);
    }

    /// Counts an order in place of what it counted before.
    pub fn order(&self, setup: &Setup, before: &WorkOrder, after: &WorkOrder, context: &mut Context<'_>) {
        let mut ledger = Ledger::new(setup.everywhere);
        for (order, sign) in [(before, -1), (after, 1)] {
            ledger.turn(sign);
            self.callbacks.count(setup, order, &mut ledger);
            let (Some(created), Some(levels)) = (order.created(), order.levels()) else {
                continue;
            };
            self.created.count(created, levels, &mut ledger);
            self.open.count(order, created, levels, &mut ledger);
            self.deadlines.count(setup, order, levels, &mut ledger);
            self.rework.count(order, levels, &mut ledger);
        }
        ledger.settle(context);
    }
}
