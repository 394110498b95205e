//! `bus.fix_age_p95_s`: how old positions are when they are received: log time − time, ms, placed at `time`. A clock that is a little
//! fast makes it 0. Positions that were stored and sent later (`backfill`) are left out: they say how long a vehicle was out of coverage,
//! not how old the map is. One that a vehicle's fold refuses (a jump) took as long to come as any other, and counts.

use yiping_event::{Event, bus::Position};
use yiping_window::{Board, Context, KeyId, Level, MetricId};

use crate::Setup;

#[derive(Clone, Copy, Debug)]
pub struct FixAge {
    fix_age_p95_s: Option<MetricId>,
}

impl FixAge {
    pub fn of(board: &Board) -> Self {
        FixAge { fix_age_p95_s: board.metric("bus.fix_age_p95_s") }
    }

    pub fn seen(
        self,
        setup: &Setup,
        event: &Event<'_>,
        position: &Position<'_>,
        district: KeyId,
        context: &mut Context<'_>,
    ) {
        let (Some(metric), Some(received)) = (self.fix_age_p95_s, context.log_time) else {
            return;
        };
        if position.backfill == Some(true) {
            return;
        }
        let age = (received.0 - event.time.0).max(0);
        let at = [(Level::City, setup.everywhere), (Level::District, district)];
        context.sample(metric, &at, event.time, age, 1);
    }
}
