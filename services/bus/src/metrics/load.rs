//! `bus.load_p90`: passengers / capacity of positions that tell both, in millionths (62 of 62: 1,000,000). A capacity of 0 says nothing
//! of how full a vehicle is. A fix that is refused as a place has still counted its passengers, and one sent later corrects history.

use yiping_event::{TimeMs, bus::Position};
use yiping_window::{Board, Context, KeyId, MetricId};

use crate::Setup;

#[derive(Clone, Copy, Debug)]
pub struct Load {
    load_p90: Option<MetricId>,
}

impl Load {
    pub fn of(board: &Board) -> Self {
        Load { load_p90: board.metric("bus.load_p90") }
    }

    pub fn seen(self, setup: &Setup, time: TimeMs, position: &Position<'_>, route: KeyId, context: &mut Context<'_>) {
        let (Some(metric), Some(passengers), Some(capacity)) =
            (self.load_p90, position.passengers, position.capacity.filter(|capacity| *capacity > 0))
        else {
            return;
        };
        let load = i64::from(passengers) * 1_000_000 / i64::from(capacity);
        context.sample(metric, &setup.route(route), time, load, 1);
    }
}
