//! `elder.sos_open`: cases raised and not closed. `elder.sos_unacknowledged`: raised, and neither acknowledged nor closed.
//! `elder.sos_oldest_wait_s`: since when the oldest of those waits.
//!
//! The denominators count the cases ever raised: from its first case on a place has a figure even when none is open, and the same one
//! however cases are spread over partitions.

use yiping_window::{Board, Context, MetricId};

use super::Places;
use crate::entity::Case;

#[derive(Debug)]
pub struct Sos {
    open: Option<MetricId>,
    unacknowledged: Option<MetricId>,
    oldest_wait_s: Option<MetricId>,
}

impl Sos {
    pub fn of(board: &Board) -> Self {
        Sos {
            open: board.metric("elder.sos_open"),
            unacknowledged: board.metric("elder.sos_unacknowledged"),
            oldest_wait_s: board.metric("elder.sos_oldest_wait_s"),
        }
    }

    /// Counts a case (`sign` 1) or takes back what it counted before (−1).
    pub fn count(&self, places: Places, case: &Case, sign: i64, context: &mut Context<'_>) {
        let (Some((raised, closed)), Some((_, over))) = (case.open(), case.unacknowledged()) else {
            return;
        };
        let at = places.district(case.district());
        if let Some(metric) = self.open {
            context.shift(metric, &at, raised, sign, sign, 0);
            if let Some(closed) = closed {
                context.shift(metric, &at, closed, -sign, 0, 0);
            }
        }
        if !case.complete {
            return;
        }
        if let Some(metric) = self.unacknowledged {
            context.shift(metric, &at, raised, sign, sign, 0);
            if let Some(over) = over {
                context.shift(metric, &at, over, -sign, 0, 0);
            }
        }
        if let Some(metric) = self.oldest_wait_s {
            context.shift(metric, &at, raised, 0, sign, 0);
            context.sample(metric, &at, raised, raised.0, sign);
            if let Some(over) = over {
                context.sample(metric, &at, over, raised.0, -sign);
            }
        }
    }
}
