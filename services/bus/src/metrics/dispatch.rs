//! `bus.dispatch_ratio`: trips started within the tolerance of `bus.on_time_ratio` / trips due, placed at their scheduled time. A trip
//! counts once it is decided: it started, or the watermark has passed the latest time at which it could have started in time. Cancelled
//! trips are not due.

use yiping_window::{Board, Context, MetricId};

use crate::{
    Setup,
    entity::trip::{Due, Trip},
};

#[derive(Clone, Copy, Debug)]
pub struct Dispatch {
    dispatch_ratio: Option<MetricId>,
}

impl Dispatch {
    pub fn of(board: &Board) -> Self {
        Dispatch { dispatch_ratio: board.metric("bus.dispatch_ratio") }
    }

    /// Makes the board count the trip as it stands now.
    pub fn recount(self, setup: &Setup, trip: &mut Trip, context: &mut Context<'_>) {
        let due = trip.due(&setup.city.bus);
        // counted in windows that take nothing back any more, it stays there: it can't count elsewhere as well
        if due == trip.counted || trip.counted.is_some_and(|counted| context.too_late(counted.at)) {
            return;
        }
        let due = due.filter(|due| !context.too_late(due.at));
        for (due, sign) in [(trip.counted, -1), (due, 1)] {
            if let (Some(metric), Some(Due { at, in_time })) = (self.dispatch_ratio, due) {
                context.add(metric, &setup.route(trip.route), at, sign * i64::from(in_time), sign, sign);
            }
        }
        trip.counted = due;
    }
}
