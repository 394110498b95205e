//! `bus.on_time_ratio`: departures within the profile's tolerance (by default −60 s ≤ actual − scheduled ≤ +300 s) / departures with a
//! scheduled time. Where stops are marked as timing points or not, only timing points count.

use yiping_event::{TimeMs, bus::Stop};
use yiping_window::{Board, Context, MetricId};

use crate::Setup;

#[derive(Clone, Copy, Debug)]
pub struct OnTime {
    on_time_ratio: Option<MetricId>,
}

impl OnTime {
    pub fn of(board: &Board) -> Self {
        OnTime { on_time_ratio: board.metric("bus.on_time_ratio") }
    }

    pub fn departed(self, setup: &Setup, stop: &Stop<'_>, departed: TimeMs, context: &mut Context<'_>) {
        let (Some(metric), Some(scheduled)) = (self.on_time_ratio, stop.scheduled_time) else {
            return;
        };
        if stop.timing_point == Some(false) {
            return;
        }
        let on_time = i64::from(setup.city.bus.is_on_time(departed.0 - scheduled.0));
        let route = context.key(&stop.route_id);
        context.add(metric, &setup.route(route), departed, on_time, 1, 1);
    }
}
