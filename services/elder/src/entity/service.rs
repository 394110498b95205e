//! A service order: a visit at home, from its order to the door and to what the customer said of it.

use serde::{Deserialize, Serialize};
use yiping_event::{
    TimeMs,
    elder::{self, OrderKind},
};
use yiping_window::{KeyId, Order};

use super::{first, opaque};

/// When an order was made, and its levels, which that alone decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Created {
    order: Order,
    district: KeyId,
    category: KeyId,
    due: Option<TimeMs>,
}

/// When an order is due, and the end of that day, when it is judged. Kept as they were made, since settings may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    pub at: TimeMs,
    pub day_ends: TimeMs,
}

/// Everything known of a service order: of each step the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// An opaque key for the wall.
    key: Option<String>,
    created: Option<Created>,
    /// What the earliest other event says of it, where the creation says nothing.
    due_elsewhere: Option<(Order, TimeMs)>,
    pub due: Option<Due>,
    accepted: Option<Order>,
    departed: Option<Order>,
    arrived: Option<Order>,
    finished: Option<Order>,
    no_show: Option<Order>,
    cancelled: Option<Order>,
    /// The newest end of a day that the watermark has passed.
    passed: Option<TimeMs>,
    /// Callbacks that told no district: when, and whether the customer was satisfied.
    callbacks: Vec<(TimeMs, bool)>,
    newest: Option<TimeMs>,
}

impl Service {
    /// `keys`: district and category, with `created`. `late`: the event is too late for its windows.
    pub fn take(&mut self, order: &Order, data: &elder::Order<'_>, keys: Option<(KeyId, KeyId)>, late: bool) {
        self.newest = self.newest.max(Some(order.time));
        self.key.get_or_insert_with(|| opaque(&data.order_id));
        let known = match data.event {
            OrderKind::Created => {
                let moves = self.created.is_none_or(|created| !late && *order < created.order);
                if let Some((district, category)) = keys.filter(|_| moves) {
                    self.created = Some(Created { order: *order, district, category, due: data.due });
                }
                return;
            }
            OrderKind::Accepted => &mut self.accepted,
            OrderKind::Departed => &mut self.departed,
            OrderKind::Arrived => &mut self.arrived,
            OrderKind::Finished => &mut self.finished,
            OrderKind::NoShow => &mut self.no_show,
            OrderKind::Cancelled => &mut self.cancelled,
        };
        first(known, order, late);
        super::earliest(&mut self.due_elsewhere, order, data.due, late);
    }

    /// A callback that tells no district.
    pub fn called_back(&mut self, time: TimeMs, satisfied: bool) {
        self.newest = self.newest.max(Some(time));
        self.callbacks.push((time, satisfied));
    }

    /// When it is due, as far as it was told: with its creation, else with another event.
    pub fn due_told(&self) -> Option<TimeMs> {
        self.created?.due.or(self.due_elsewhere.map(|(_, due)| due))
    }

    pub fn created(&self) -> Option<TimeMs> {
        self.created.map(|created| created.order.time)
    }

    pub fn district(&self) -> Option<KeyId> {
        self.created.map(|created| created.district)
    }

    /// District and category.
    pub fn levels(&self) -> Option<(KeyId, KeyId)> {
        self.created.map(|created| (created.district, created.category))
    }

    /// When it was accepted, and how long (ms) after its creation; `None` where that is negative.
    pub fn accepted(&self) -> Option<(TimeMs, i64)> {
        self.since_created(self.accepted)
    }

    /// When somebody was at the door, and how long (ms) after its creation; `None` where that is negative.
    pub fn arrived(&self) -> Option<(TimeMs, i64)> {
        self.since_created(self.arrived)
    }

    fn since_created(&self, step: Option<Order>) -> Option<(TimeMs, i64)> {
        let (created, step) = (self.created()?, step?.time);
        Some((step, step.0 - created.0)).filter(|(_, after)| *after >= 0)
    }

    pub fn day_ended(&mut self, at: TimeMs) {
        self.passed = self.passed.max(Some(at));
    }

    /// Whether the day on which it is due has ended.
    pub fn is_judged(&self) -> bool {
        self.due.is_some_and(|due| self.passed.is_some_and(|passed| passed >= due.day_ends))
    }

    /// At the end of the day on which it is due: where it counts, whether it was finished by then, whether nobody came or nobody was
    /// at home. `None` before that end, and for an order that was cancelled by then.
    pub fn judged(&self) -> Option<(TimeMs, bool, bool)> {
        let due = self.due.filter(|_| self.is_judged())?;
        let by_then = |step: Option<Order>| step.is_some_and(|step| step.time < due.day_ends);
        (!by_then(self.cancelled)).then(|| (due.at, by_then(self.finished), by_then(self.no_show)))
    }

    /// Callbacks whose district is the order's.
    pub fn callbacks(&self) -> &[(TimeMs, bool)] {
        &self.callbacks
    }

    /// Leaves callbacks behind the horizon where they were counted.
    pub fn settle(&mut self, horizon: TimeMs) {
        self.callbacks.retain(|(time, _)| *time >= horizon);
    }

    pub fn is_open(&self) -> bool {
        self.created.is_some() && self.finished.is_none() && self.no_show.is_none() && self.cancelled.is_none()
    }

    /// For the wall: the farthest step.
    pub fn state(&self) -> &'static str {
        let steps = [
            (self.cancelled, "cancelled"),
            (self.finished, "finished"),
            (self.no_show, "no_show"),
            (self.arrived, "arrived"),
            (self.departed, "departed"),
            (self.accepted, "accepted"),
        ];
        steps.into_iter().find(|(step, _)| step.is_some()).map_or("created", |(_, name)| name)
    }

    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub fn newest(&self) -> Option<TimeMs> {
        self.newest
    }
}
