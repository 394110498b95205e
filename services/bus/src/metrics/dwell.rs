//! `bus.dwell_p50_s`, `bus.dwell_p95_s`: departed − arrived at the same stop, ms, placed at the departure.

use yiping_window::{Board, Context, KeyId, MetricId};

use crate::{Setup, entity::visits::Stay};

#[derive(Clone, Copy, Debug)]
pub struct Dwell {
    dwell_p50_s: Option<MetricId>,
    dwell_p95_s: Option<MetricId>,
}

impl Dwell {
    pub fn of(board: &Board) -> Self {
        Dwell { dwell_p50_s: board.metric("bus.dwell_p50_s"), dwell_p95_s: board.metric("bus.dwell_p95_s") }
    }

    /// Counts a stay (`sign` 1) or takes it back (−1).
    pub fn count(self, setup: &Setup, route: KeyId, stay: Stay, sign: i64, context: &mut Context<'_>) {
        for metric in [self.dwell_p50_s, self.dwell_p95_s].into_iter().flatten() {
            context.sample(metric, &setup.route(route), stay.departed, stay.ms, sign);
        }
    }
}
