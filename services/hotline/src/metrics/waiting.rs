//! `hotline.waiting`: calls offered and neither answered, abandoned nor ended, for 24 hours at most.
//!
//! The gauge's denominator counts the calls ever offered: from its first call on a place has a figure even when nobody waits, and
//! the same one however calls are spread over partitions.

use yiping_window::{Board, Context, Level, MetricId};

use crate::{Setup, entity::call::Call};

#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    waiting: Option<MetricId>,
}

impl Waiting {
    pub fn of(board: &Board) -> Self {
        Waiting { waiting: board.metric("hotline.waiting") }
    }

    pub fn count(&self, setup: &Setup, call: &Call, sign: i64, context: &mut Context<'_>) {
        let (Some(metric), Some((offered, until))) = (self.waiting, call.waits()) else { return };
        let at = [(Level::City, setup.everywhere), (Level::District, call.district().unwrap_or(setup.elsewhere))];
        context.shift(metric, &at, offered, sign, sign, 0);
        context.shift(metric, &at, until, -sign, 0, 0);
    }
}
