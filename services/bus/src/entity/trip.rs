//! A trip of a service day: what its events say of it, in whatever order they come.
//!
//! Trip ids come again every day, so a trip is known by route, id and the service day of its scheduled time. The newest event's scheduled
//! time holds, the first start counts, and a trip that any event cancelled is cancelled. Events that are too late still tell something of
//! a trip (I5): a cancellation of this morning holds this evening.
//!
//! A trip (about 200 bytes) is forgotten 26 h after its scheduled time, behind the horizon: then its whole service day lies behind it, and
//! nothing that is still said of it can count.

use serde::{Deserialize, Serialize};
use yiping_city::BusSettings;
use yiping_event::{
    Event, TimeMs,
    bus::{self, TripKind},
};
use yiping_window::{Context, EntityId, KeyId, Order, Table, domain::Timer};

use crate::Setup;

/// Longer than any service day: 24 h, 25 h where clocks go back.
const LONGEST_DAY_MS: i64 = 26 * 60 * 60 * 1_000;

/// A trip further ahead of its event than this is no timetable but a wrong year; left out, so that trips don't pile up for it.
const FARTHEST_MS: i64 = 31 * 24 * 60 * 60 * 1_000;

/// What the trip's timer is known by.
const DEADLINE: u8 = 0;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trip {
    pub route: KeyId,
    /// By its newest event.
    scheduled: TimeMs,
    newest: Order,
    /// Its first start.
    started: Option<TimeMs>,
    cancelled: bool,
    /// The watermark has passed this.
    passed: Option<TimeMs>,
    /// What the board counts of it.
    pub counted: Option<Due>,
}

/// A trip that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    pub at: TimeMs,
    /// It started within the tolerance.
    pub in_time: bool,
}

/// An event says something of a trip.
pub fn said(
    setup: &Setup,
    trips: &mut Table<Trip>,
    event: &Event<'_>,
    said: &bus::Trip<'_>,
    context: &mut Context<'_>,
) {
    let scheduled = said.scheduled_time;
    if scheduled.0 - event.time.0 > FARTHEST_MS {
        return;
    }
    let day = setup.service_days.start_of(scheduled.0).to_string();
    let id = EntityId::of(&[&said.route_id, &said.trip_id, &day]);
    let (route, order) = (context.key(&said.route_id), Order::of(event));
    let new = || Trip { route, scheduled, newest: order, started: None, cancelled: false, passed: None, counted: None };
    let trip = trips.entry(id, event.key(), new);
    if trip.newest <= order {
        (trip.newest, trip.scheduled) = (order, scheduled);
    }
    match said.event {
        TripKind::Started => trip.started = Some(trip.started.map_or(event.time, |first| first.min(event.time))),
        TripKind::Cancelled => trip.cancelled = true,
        TripKind::Scheduled | TripKind::Finished => {}
    }
    let deadline = trip.deadline(&setup.city.bus);
    if trip.started.is_none() && trip.passed.is_none_or(|passed| passed < deadline) {
        context.timer(Timer { at: deadline, kind: DEADLINE, entity: id });
    }
    setup.metrics.dispatch.recount(setup, trip, context);
}

/// The watermark has passed a trip's deadline.
pub fn deadline(setup: &Setup, trips: &mut Table<Trip>, timer: Timer, context: &mut Context<'_>) {
    let Some(trip) = trips.get_mut(timer.entity) else {
        return;
    };
    trip.passed = trip.passed.max(Some(timer.at));
    setup.metrics.dispatch.recount(setup, trip, context);
}

impl Trip {
    /// Until when it could start in time.
    fn deadline(&self, settings: &BusSettings) -> TimeMs {
        self.scheduled.plus(settings.late_ms)
    }

    /// What it counts for, once that is decided.
    pub fn due(&self, settings: &BusSettings) -> Option<Due> {
        let decided = self.started.is_some() || self.passed.is_some_and(|passed| passed >= self.deadline(settings));
        let in_time = self.started.is_some_and(|started| settings.is_on_time(started.0 - self.scheduled.0));
        (decided && !self.cancelled).then_some(Due { at: self.scheduled, in_time })
    }

    /// Whether anything of its service day can still count.
    pub fn matters(&self, horizon: TimeMs) -> bool {
        self.scheduled.0 > horizon.0 - LONGEST_DAY_MS
    }
}
