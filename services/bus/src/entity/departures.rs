//! A stop, by route and direction: its departures in the order of (actual time, id), and the headways between them.
//!
//! h is the gap to the departure before; hₛ the gap between its scheduled time and the greatest smaller one known at the stop, also that
//! of a vehicle which is overtaken and departs later. A departure without scheduled time is the one before for the next, and no headway
//! itself. Where either gap is longer than 2 h, service had a break.
//!
//! Known are scheduled times of departures that left at most 4 h before the one in question: so a headway is the same whenever it is
//! worked out, and what left 4 h before the horizon can be forgotten. Until the horizon passes it a departure takes 72 bytes, then 16: its
//! scheduled and its actual time. One that is too late isn't put in: its own figures and those of its
//! neighbours wait for `heal` (I5).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use yiping_event::{Event, TimeMs, bus::Stop};
use yiping_window::{Context, EntityId, Order, Table};

use crate::Setup;

/// A longer gap, actual or scheduled, is a break in service.
const LONGEST_GAP_MS: i64 = 2 * 60 * 60 * 1_000;

/// So long after a departure its scheduled time is known to others.
const KNOWN_MS: i64 = 4 * 60 * 60 * 1_000;

/// The gap before a departure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headway {
    pub departed: TimeMs,
    /// 0…2 h.
    pub actual_ms: i64,
    /// More than 0, to 2 h.
    pub scheduled_ms: i64,
}

/// Written as a tuple: there are very many.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Departure(Order, Option<TimeMs>);

/// When a departure was scheduled, and when it took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Planned(TimeMs, TimeMs);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Departures {
    /// The newest one before the horizon.
    settled: Option<TimeMs>,
    /// Those from the horizon on, in order.
    open: VecDeque<Departure>,
    /// All with a scheduled time, by that.
    plan: Vec<Planned>,
}

/// A vehicle departed from a stop.
pub fn departed(
    setup: &Setup,
    stops: &mut Table<Departures>,
    event: &Event<'_>,
    stop: &Stop<'_>,
    context: &mut Context<'_>,
) {
    if context.too_late(event.time) {
        return;
    }
    let direction = if stop.direction == 0 { "0" } else { "1" };
    let id = EntityId::of(&[&stop.route_id, direction, &stop.stop_id]);
    let departures = stops.entry(id, event.key(), Departures::default);
    let route = context.key(&stop.route_id);
    departures.insert(Order::of(event), stop.scheduled_time, |headway, sign| {
        setup.metrics.headway.count(setup, route, headway, sign, context);
    });
}

impl Departures {
    /// Puts a departure in its place; `count` is given the headways that this makes (1) and those that are no more (−1).
    fn insert(&mut self, order: Order, scheduled: Option<TimeMs>, mut count: impl FnMut(Headway, i64)) {
        let Err(at) = self.open.binary_search_by_key(&order, |departure| departure.0) else {
            return;
        };
        let mut concerned: Vec<Order> = self.open.get(at).map(|next| next.0).into_iter().collect();
        if let Some(scheduled) = scheduled {
            self.followers(Planned(scheduled, order.time), &mut concerned);
        }
        concerned.sort_unstable();
        concerned.dedup();
        for headway in concerned.iter().filter_map(|order| self.headway(*order)) {
            count(headway, -1);
        }
        self.open.insert(at, Departure(order, scheduled));
        if let Some(scheduled) = scheduled {
            let planned = Planned(scheduled, order.time);
            self.plan.insert(self.plan.partition_point(|other| *other < planned), planned);
        }
        concerned.push(order);
        for headway in concerned.iter().filter_map(|order| self.headway(*order)) {
            count(headway, 1);
        }
    }

    /// The departures whose next smaller scheduled time `new` becomes.
    fn followers(&self, new: Planned, into: &mut Vec<Order>) {
        let Some(newest) = self.open.back().map(|departure| departure.0.time) else {
            return;
        };
        // the newest departure with a scheduled time between `new` and the one in question: who knows it doesn't ask for `new`
        let (mut between, mut group) = (TimeMs(i64::MIN), TimeMs(i64::MIN));
        let (mut in_group, from) = (group, self.plan.partition_point(|other| other.0 <= new.0));
        for &Planned(scheduled, actual) in &self.plan[from..] {
            if scheduled != group {
                (between, group) = (between.max(in_group), scheduled);
            }
            if scheduled.0 - new.0.0 > LONGEST_GAP_MS || knows(newest, between) {
                return;
            }
            in_group = in_group.max(actual);
            if knows(actual, new.1) && !knows(actual, between) {
                let first = self.open.partition_point(|departure| departure.0.time < actual);
                let same = self.open.range(first..).take_while(|departure| departure.0.time == actual);
                into.extend(same.filter(|departure| departure.1 == Some(scheduled)).map(|departure| departure.0));
            }
        }
    }

    /// The headway of a departure, if it has one.
    fn headway(&self, order: Order) -> Option<Headway> {
        let at = self.open.binary_search_by_key(&order, |departure| departure.0).ok()?;
        let (departed, scheduled) = (order.time, self.open[at].1?);
        let before = at.checked_sub(1).map(|before| self.open[before].0.time).or(self.settled)?;
        let planned = &self.plan[..self.plan.partition_point(|other| other.0 < scheduled)];
        let within = planned.iter().rev().take_while(|other| scheduled.0 - other.0.0 <= LONGEST_GAP_MS);
        let earlier = within.copied().find(|other| knows(departed, other.1))?.0;
        let (actual_ms, scheduled_ms) = (departed.0 - before.0, scheduled.0 - earlier.0);
        (actual_ms <= LONGEST_GAP_MS).then_some(Headway { departed, actual_ms, scheduled_ms })
    }

    /// Forgets what no headway from the horizon on depends on; false when nothing is left.
    pub fn settle(&mut self, horizon: TimeMs) -> bool {
        while let Some(departure) = self.open.pop_front_if(|departure| departure.0.time < horizon) {
            self.settled = Some(departure.0.time);
        }
        self.plan.retain(|planned| knows(horizon, planned.1));
        let before = self.settled.is_some_and(|before| horizon.0 - before.0 <= LONGEST_GAP_MS);
        before || !self.open.is_empty() || !self.plan.is_empty()
    }
}

/// Whether a departure at one time knows the schedule of that at another.
fn knows(departed: TimeMs, other: TimeMs) -> bool {
    other.0 >= departed.0.saturating_sub(KNOWN_MS)
}
