//! A vehicle's arrivals at and departures from the stops of a route, in pairs.
//!
//! A departure belongs to the newest arrival before it of the same stop and trip (at most 12 h before: a trip has the same id every
//! day), without trip id to that of the same stop (at most 1 h before), unless another departure came between: so an arrival has one
//! departure at most. Arrival and departure are the same trip's only if both name it, or neither does.
//!
//! Kept are 24 bytes a call from the horizon on, and arrivals that may still be departed from. What is too late is left out: a stay
//! doesn't outlive its windows (I5).

use serde::{Deserialize, Serialize};
use yiping_event::{
    Event, TimeMs,
    bus::{Stop, StopKind},
};
use yiping_window::{Context, EntityId, Table};

use crate::Setup;

const LONGEST_OF_TRIP_MS: i64 = 12 * 60 * 60 * 1_000;
const LONGEST_MS: i64 = 60 * 60 * 1_000;

/// A stay at a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    pub departed: TimeMs,
    /// 0 or more.
    pub ms: i64,
}

/// An arrival or departure; in the order of the pairs. Written as a tuple: there are very many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Call(Place, TimeMs, Kind);

/// Stop and trip, by half of their hash: of a vehicle's few hundred, no two meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Place(u64);

/// At the same time an arrival comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Kind {
    Arrived { of_trip: bool },
    Departed,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Visits(Vec<Call>);

/// A vehicle arrived at a stop or departed from it.
pub fn called(
    setup: &Setup,
    visits: &mut Table<Visits>,
    event: &Event<'_>,
    stop: &Stop<'_>,
    context: &mut Context<'_>,
) {
    if context.too_late(event.time) {
        return;
    }
    let place = match &stop.trip_id {
        Some(trip) => EntityId::of(&[&stop.stop_id, trip]),
        None => EntityId::of(&[&stop.stop_id]),
    };
    let kind = match stop.event {
        StopKind::Arrived => Kind::Arrived { of_trip: stop.trip_id.is_some() },
        StopKind::Departed => Kind::Departed,
    };
    let id = EntityId::of(&[&stop.vehicle_id, &stop.route_id]);
    let visits = visits.entry(id, event.key(), Visits::default);
    let route = context.key(&stop.route_id);
    visits.insert(Call(Place(place.0 as u64), event.time, kind), |stay, sign| {
        setup.metrics.dwell.count(setup, route, stay, sign, context);
    });
}

impl Visits {
    /// Puts a call in its place; `count` is given the stays that this makes (1) and those that are no more (−1).
    fn insert(&mut self, call: Call, mut count: impl FnMut(Stay, i64)) {
        let at = self.0.partition_point(|other| *other <= call);
        let before = at.checked_sub(1).and_then(|before| self.0.get(before)).copied();
        let next = self.0.get(at).copied();
        if let Some(stay) = stay(before, next) {
            count(stay, -1);
        }
        for stay in [stay(before, Some(call)), stay(Some(call), next)].into_iter().flatten() {
            count(stay, 1);
        }
        self.0.insert(at, call);
    }

    /// Forgets what no stay that ends from the horizon on depends on; false when nothing is left.
    pub fn settle(&mut self, horizon: TimeMs) -> bool {
        if self.0.iter().any(|call| call.1 < horizon) {
            let calls = std::mem::take(&mut self.0);
            let nexts = calls.iter().skip(1).map(Some).chain([None]);
            let open = |(call, next): &(&Call, Option<&Call>)| {
                let newest = next.is_none_or(|next| next.0 != call.0 || next.1 >= horizon);
                call.1 >= horizon || (newest && call.longest().is_some_and(|longest| call.1.plus(longest) >= horizon))
            };
            self.0 = calls.iter().zip(nexts).filter(open).map(|(call, _)| *call).collect();
        }
        !self.0.is_empty()
    }
}

impl Call {
    /// How long one can stay who arrives; `None` for a departure.
    fn longest(self) -> Option<i64> {
        match self.2 {
            Kind::Arrived { of_trip: true } => Some(LONGEST_OF_TRIP_MS),
            Kind::Arrived { of_trip: false } => Some(LONGEST_MS),
            Kind::Departed => None,
        }
    }
}

/// The stay between two calls, one right after the other.
fn stay(call: Option<Call>, next: Option<Call>) -> Option<Stay> {
    let (call, next) = (call?, next?);
    let ms = next.1.0 - call.1.0;
    let pair = call.0 == next.0 && next.2 == Kind::Departed && call.longest().is_some_and(|longest| ms <= longest);
    pair.then_some(Stay { departed: next.1, ms })
}
