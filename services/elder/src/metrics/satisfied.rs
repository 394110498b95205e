//! `elder.satisfied_ratio`: callbacks with a score of 4 or 5 / callbacks, placed at the callback. A callback that names no district
//! counts in its order's, from when that is known.

use yiping_event::TimeMs;
use yiping_window::{Board, Context, KeyId, MetricId};

use super::Places;
use crate::entity::Service;

/// A customer with this score (1 to 5) or more is satisfied.
pub const SATISFIED: u8 = 4;

#[derive(Debug)]
pub struct Satisfied {
    ratio: Option<MetricId>,
}

impl Satisfied {
    pub fn of(board: &Board) -> Self {
        Satisfied { ratio: board.metric("elder.satisfied_ratio") }
    }

    /// Counts a callback that names its district.
    pub fn count_one(&self, places: Places, time: TimeMs, district: KeyId, satisfied: bool, context: &mut Context<'_>) {
        self.add(places, time, Some(district), satisfied, 1, context);
    }

    /// Counts the callbacks of an order that name no district (`sign` 1), or takes them back (−1).
    pub fn count(&self, places: Places, order: &Service, sign: i64, context: &mut Context<'_>) {
        for &(time, satisfied) in order.callbacks() {
            self.add(places, time, order.district(), satisfied, sign, context);
        }
    }

    fn add(
        &self,
        places: Places,
        time: TimeMs,
        district: Option<KeyId>,
        satisfied: bool,
        sign: i64,
        context: &mut Context<'_>,
    ) {
        if let Some(metric) = self.ratio {
            context.add(metric, &places.district(district), time, sign * i64::from(satisfied), sign, sign);
        }
    }
}
