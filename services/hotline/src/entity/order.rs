//! A work order: facts that add up in any order. What follows from them (when it is open, when it is due) is in `duty.rs`.

use serde::{Deserialize, Serialize};
use yiping_event::{TimeMs, hotline::OrderKind};
use yiping_window::{KeyId, Order};

use super::{call::earliest, standing::Standing};

/// A closed order is known for so long after its last event: for callbacks, and because it may be reopened.
const FORGET_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

/// What its first `created` says. The profile's limits are those that held when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    pub order: Order,
    pub district: KeyId,
    pub category: KeyId,
    /// The key `district/category`.
    pub both: KeyId,
    pub street: Option<KeyId>,
    pub agency: Option<KeyId>,
    pub due: Option<TimeMs>,
    /// Answered on the phone: closed at once, never open, dispatched or due.
    pub direct: bool,
    /// How long after its first dispatch it may take until the first contact.
    pub response_ms: i64,
}

/// The steps that may come more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    Dispatched,
    Returned,
    Closed,
    Reopened,
    /// By the new due.
    Extended(TimeMs),
    Urged,
}

/// What a caller said afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    pub resolved: Option<bool>,
    pub satisfied: Option<bool>,
    pub district: Option<KeyId>,
    pub category: Option<KeyId>,
}

/// Where an order's figures count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    pub district: KeyId,
    pub category: KeyId,
    pub agency: Option<KeyId>,
}

/// What one event says of an order.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    pub order: Order,
    pub kind: OrderKind,
    pub agency: Option<KeyId>,
    pub due: Option<TimeMs>,
    /// With `created`.
    pub created: Option<Created>,
}

/// Everything known of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkOrder {
    /// For the wall: tells orders apart and says nothing else.
    key: u64,
    pub(super) created: Option<Created>,
    /// First dispatched, first contacted.
    pub(super) dispatched: Option<TimeMs>,
    pub(super) contacted: Option<TimeMs>,
    /// The agency that the first dispatch names.
    agency: Option<(Order, KeyId)>,
    /// In their order; what can't matter any more is left out.
    pub(super) steps: Vec<(Order, Step)>,
    /// The newest extension that was left out, and the due date on which the verdict then was.
    pub(super) extended: Option<(Order, Option<TimeMs>)>,
    /// In their order, as long as their windows take changes.
    callbacks: Vec<(Order, Callback)>,
    /// The newest step that says what is being done.
    state: Option<(Order, OrderKind)>,
    /// Deadlines that the watermark has passed.
    pub(super) passed: Option<TimeMs>,
    pub(super) on_time: Standing,
    pub(super) response: Standing,
    newest: Option<TimeMs>,
}

impl WorkOrder {
    pub fn new(key: u64) -> Self {
        WorkOrder { key, ..WorkOrder::default() }
    }

    /// `too_late`: whether a time is behind the horizon.
    pub fn take(&mut self, said: &Said, too_late: impl Fn(TimeMs) -> bool) {
        let Said { order, kind, .. } = *said;
        let time = order.time;
        self.newest = self.newest.max(Some(time));
        if !matches!(kind, OrderKind::Extended | OrderKind::Urged) && self.state.is_none_or(|(known, _)| known < order)
        {
            self.state = Some((order, kind));
        }
        let first = |known: &mut Option<TimeMs>| *known = Some(known.map_or(time, |known| known.min(time)));
        match kind {
            OrderKind::Created => self.create(said, too_late),
            OrderKind::Dispatched => {
                first(&mut self.dispatched);
                earliest(&mut self.agency, order, said.agency);
                self.step(order, Step::Dispatched);
            }
            OrderKind::Contacted => first(&mut self.contacted),
            OrderKind::Closed => self.step(order, Step::Closed),
            OrderKind::Returned => self.step(order, Step::Returned),
            OrderKind::Extended => {
                if let Some(due) = said.due {
                    self.step(order, Step::Extended(due));
                }
            }
            OrderKind::Reopened => self.step(order, Step::Reopened),
            OrderKind::Urged => self.step(order, Step::Urged),
            OrderKind::Accepted | OrderKind::Replied => {}
        }
    }

    /// An order is created once. Told twice, the earlier counts; but one too late for its windows takes no counted order away.
    fn create(&mut self, said: &Said, too_late: impl Fn(TimeMs) -> bool) {
        let known = self.created.map(|created| created.order);
        let earlier = known.is_none_or(|known| said.order < known);
        let counted = known.is_some_and(|known| !too_late(known.time));
        if earlier && !(counted && too_late(said.order.time)) {
            self.created = said.created;
        }
    }

    fn step(&mut self, order: Order, step: Step) {
        if let Err(at) = self.steps.binary_search_by_key(&order, |entry| entry.0) {
            self.steps.insert(at, (order, step));
        }
    }

    pub fn call_back(&mut self, order: Order, callback: Callback) {
        self.newest = self.newest.max(Some(order.time));
        if let Err(at) = self.callbacks.binary_search_by_key(&order, |entry| entry.0) {
            self.callbacks.insert(at, (order, callback));
        }
    }

    /// The watermark has passed a deadline.
    pub fn deadline_passed(&mut self, at: TimeMs) {
        self.passed = self.passed.max(Some(at));
    }

    /// Leaves out what changes nothing at or after the horizon: steps whose windows take nothing back any more, closings and
    /// extensions before the newest one, urges after the first one.
    pub fn settle(&mut self, horizon: TimeMs, reach_ms: i64) {
        self.callbacks.retain(|(order, _)| order.time >= horizon);
        let behind = self.steps.partition_point(|(order, _)| order.time < horizon);
        if behind == 0 {
            return;
        }
        let old: Vec<(Order, Step)> = self.steps.drain(..behind).collect();
        let closing = old.iter().rposition(|(_, step)| matches!(step, Step::Closed | Step::Reopened));
        let extension = old.iter().rposition(|(_, step)| matches!(step, Step::Extended(_)));
        let urge = old.iter().position(|(_, step)| matches!(step, Step::Urged));
        let mut kept = Vec::new();
        for (at, (order, step)) in old.into_iter().enumerate() {
            match step {
                Step::Closed | Step::Reopened if Some(at) == closing => kept.push((order, step)),
                Step::Extended(_) if Some(at) == extension || self.created.is_none() => kept.push((order, step)),
                Step::Extended(due) => self.leave_out(order, due, reach_ms),
                Step::Urged if Some(at) == urge => kept.push((order, step)),
                _ => {}
            }
        }
        self.steps.splice(..0, kept);
    }

    /// Whether nothing is needed of it any more. An open order is never forgotten.
    pub fn is_forgotten(&self, horizon: TimeMs) -> bool {
        !self.is_open() && self.newest.is_none_or(|newest| newest.0 < horizon.0 - FORGET_MS)
    }

    pub fn created(&self) -> Option<&Created> {
        self.created.as_ref()
    }

    /// `None` as long as `created` isn't known: nothing of the order counts before.
    pub fn levels(&self) -> Option<Levels> {
        let created = self.created.as_ref()?;
        Some(Levels { district: created.district, category: created.category, agency: self.agency() })
    }

    /// The agency that `created` names, else the first dispatch that names one.
    fn agency(&self) -> Option<KeyId> {
        let created = self.created.as_ref()?;
        created.agency.or(self.agency.map(|(_, agency)| agency))
    }

    /// The steps whose windows still take changes, and some before.
    pub fn steps(&self) -> impl Iterator<Item = (TimeMs, Step)> {
        self.steps.iter().map(|(order, step)| (order.time, *step))
    }

    pub fn callbacks(&self) -> impl Iterator<Item = (TimeMs, Callback)> {
        self.callbacks.iter().map(|(order, callback)| (order.time, *callback))
    }

    pub fn key(&self) -> u64 {
        self.key
    }

    /// What is being done, in the contract's words.
    pub fn state(&self) -> &'static str {
        self.state.map_or("created", |(_, kind)| kind.as_str())
    }

    pub fn newest(&self) -> Option<TimeMs> {
        self.newest
    }
}
