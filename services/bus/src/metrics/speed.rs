//! `bus.speed_kmh`: Σ distance / Σ time between consecutive fixes of a vehicle (mm and ms; published in m and s). A step belongs to
//! the window, route and district of its later fix; after a gap of more than 120 s nobody knows the way it took.

use yiping_window::{Board, MetricId, timeline::Sign};

use crate::{
    Setup,
    entity::vehicle::{Seen, distance_mm},
};

const LONGEST_GAP_MS: i64 = 120_000;

#[derive(Clone, Copy, Debug)]
pub struct Speed {
    speed_kmh: Option<MetricId>,
}

impl Speed {
    pub fn of(board: &Board) -> Self {
        Speed { speed_kmh: board.metric("bus.speed_kmh") }
    }

    pub fn step(self, setup: &Setup, before: &Seen, now: &Seen, out: &mut Sign<'_, '_>) {
        let (Some(metric), Some((context, sign))) = (self.speed_kmh, out.counting()) else {
            return;
        };
        let gap = now.time.0 - before.time.0;
        if gap == 0 || gap > LONGEST_GAP_MS {
            return;
        }
        let at = setup.place(now.fix.route, now.fix.district);
        context.add(metric, &at, now.time, sign * distance_mm(&before.fix, &now.fix), sign * gap, sign);
    }
}
