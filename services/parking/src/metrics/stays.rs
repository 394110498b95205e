//! `parking.dwell_mean_s`, `parking.dwell_p90_s` and `parking.unmatched_exit_ratio`: all placed at the exit, and revised when its entry
//! comes later.
//!
//! A stay below 0 (an entry after its exit) is left out, and its exit is unmatched: the entry that it belongs to wasn't seen.

use yiping_window::{Board, Context, MetricId};

use crate::entity::{session::Place, stay::Stay};

#[derive(Clone, Copy, Debug)]
pub struct Stays {
    dwell_mean_s: Option<MetricId>,
    dwell_p90_s: Option<MetricId>,
    unmatched_exit_ratio: Option<MetricId>,
}

impl Stays {
    pub fn of(board: &Board) -> Self {
        Stays {
            dwell_mean_s: board.metric("parking.dwell_mean_s"),
            dwell_p90_s: board.metric("parking.dwell_p90_s"),
            unmatched_exit_ratio: board.metric("parking.unmatched_exit_ratio"),
        }
    }

    /// Counts a stay (`sign` 1) or takes back what it counted before (−1).
    pub fn count(&self, place: &Place, stay: &Stay, sign: i64, context: &mut Context<'_>) {
        let Some(left) = stay.left() else { return };
        let keys = place.keys();
        if let Some(metric) = self.unmatched_exit_ratio {
            context.add(metric, &keys, left, sign * i64::from(!stay.is_matched()), sign, sign);
        }
        let Some(dwell_ms) = stay.dwell_ms().filter(|dwell| *dwell >= 0) else { return };
        if let Some(metric) = self.dwell_mean_s {
            context.add(metric, &keys, left, sign * dwell_ms, sign, sign);
        }
        if let Some(metric) = self.dwell_p90_s {
            context.sample(metric, &keys, left, dwell_ms, sign);
        }
    }
}
