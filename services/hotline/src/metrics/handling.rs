//! `hotline.handle_mean_s`: talk, hold and wrap of each ended call, when it ended. A call that tells none of them isn't counted.

use yiping_window::{Board, Context, Level, MetricId};

use crate::{Setup, entity::call::Call};

#[derive(Clone, Copy, Debug)]
pub struct Handling {
    handle_mean_s: Option<MetricId>,
}

impl Handling {
    pub fn of(board: &Board) -> Self {
        Handling { handle_mean_s: board.metric("hotline.handle_mean_s") }
    }

    pub fn count(&self, setup: &Setup, call: &Call, sign: i64, context: &mut Context<'_>) {
        if let (Some(metric), Some((ended, ms))) = (self.handle_mean_s, call.handled()) {
            context.add(metric, &[(Level::City, setup.everywhere)], ended, sign * ms, sign, sign);
        }
    }
}
