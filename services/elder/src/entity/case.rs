//! An SOS case: when what was done about it, and what that makes of its deadlines.

use serde::{Deserialize, Serialize};
use yiping_event::{
    TimeMs,
    elder::{self, SosKind},
};
use yiping_window::{KeyId, Order};

use super::{earliest, first, opaque};

/// A case is to be acknowledged within this many ms (telecare practice: 97.5 % within 60 s, 99 % within 180 s).
pub const ACKNOWLEDGED: [i64; 2] = [60_000, 180_000];

/// Somebody is to be there within this many ms (telecare practice: 90 % within 45 minutes, all within 60).
pub const ARRIVED: [i64; 2] = [45 * 60_000, 60 * 60_000];

/// Everything known of an SOS case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// An opaque key for the wall.
    pub(super) key: Option<String>,
    pub(super) raised: Option<Order>,
    pub(super) acknowledged: Option<Order>,
    pub(super) closed: Option<Order>,
    pub(super) district: Option<(Order, KeyId)>,
    pub(super) street: Option<(Order, String)>,
    /// The newest deadline that the watermark has passed: all before it are passed, too.
    pub(super) passed: Option<TimeMs>,
    pub(super) newest: Option<TimeMs>,
    /// The first attempt to call back, and whether it connected.
    #[serde(default)]
    pub(super) attempt: Option<(Order, bool)>,
    #[serde(default)]
    pub(super) connected: Option<Order>,
    #[serde(default)]
    pub(super) arrived: Option<Order>,
    #[serde(default)]
    pub(super) false_alarm: bool,
    /// Whether every figure counts it. State of versions that knew fewer figures says no: what was never counted in one must not be
    /// taken back from it.
    #[serde(default)]
    pub complete: bool,
}

impl Case {
    pub fn new() -> Self {
        Case { complete: true, ..Case::default() }
    }

    /// `late`: the event is too late for its windows.
    pub fn take(&mut self, order: &Order, data: &elder::Sos<'_>, district: KeyId, late: bool) {
        self.newest = self.newest.max(Some(order.time));
        self.key.get_or_insert_with(|| opaque(&data.case_id));
        earliest(&mut self.district, order, Some(district), late);
        earliest(&mut self.street, order, data.street.as_deref().map(str::to_owned), late);
        match data.event {
            SosKind::Raised => first(&mut self.raised, order, late),
            SosKind::Connected => {
                first(&mut self.connected, order, late);
                earliest(&mut self.attempt, order, Some(true), late);
            }
            SosKind::NotConnected => earliest(&mut self.attempt, order, Some(false), late),
            SosKind::Acknowledged => first(&mut self.acknowledged, order, late),
            SosKind::Arrived => first(&mut self.arrived, order, late),
            SosKind::Closed => first(&mut self.closed, order, late),
            SosKind::FalseAlarm => {
                first(&mut self.acknowledged, order, late);
                first(&mut self.closed, order, late);
                self.false_alarm = true;
            }
        }
    }

    pub fn raised(&self) -> Option<TimeMs> {
        self.raised.map(|order| order.time)
    }

    /// The deadlines that the watermark hasn't passed yet.
    pub fn deadlines(&self) -> impl Iterator<Item = TimeMs> + use<> {
        let (raised, passed) = (self.raised(), self.passed);
        let limits = ACKNOWLEDGED.into_iter().chain(ARRIVED);
        limits.filter_map(move |limit| Some(raised?.plus(limit)).filter(|at| passed.is_none_or(|passed| passed < *at)))
    }

    pub fn deadline_passed(&mut self, at: TimeMs) {
        self.passed = self.passed.max(Some(at));
    }

    /// Whether it was acknowledged within `limit` ms; `None` as long as that is open. A case closed without a word of acknowledgement
    /// was not acknowledged.
    pub fn acknowledged_within(&self, limit: i64) -> Option<bool> {
        let deadline = self.raised()?.plus(limit);
        match self.acknowledged {
            Some(acknowledged) => Some(acknowledged.time <= deadline),
            None => self.has_passed(deadline).then_some(false),
        }
    }

    /// Whether somebody was there within `limit` ms; `None` as long as that is open, and for cases to which nobody had to go: false
    /// alarms, and those closed without an arrival.
    pub fn arrived_within(&self, limit: i64) -> Option<bool> {
        let deadline = self.raised()?.plus(limit);
        match self.arrived {
            _ if self.false_alarm => None,
            Some(arrived) => Some(arrived.time <= deadline),
            None if self.closed.is_some() => None,
            None => self.has_passed(deadline).then_some(false),
        }
    }

    /// Whether the first attempt to call back connected; `None` as long as there was none.
    pub fn first_attempt_connected(&self) -> Option<bool> {
        self.attempt.map(|(_, connected)| connected)
    }

    fn has_passed(&self, deadline: TimeMs) -> bool {
        self.passed.is_some_and(|passed| passed >= deadline)
    }

    /// From when to when the case is open; the end is `None` as long as it is.
    pub fn open(&self) -> Option<(TimeMs, Option<TimeMs>)> {
        self.since_raised(self.closed)
    }

    /// From when to when it waits for an acknowledgement; a close ends that, too.
    pub fn unacknowledged(&self) -> Option<(TimeMs, Option<TimeMs>)> {
        self.since_raised(self.acknowledged.into_iter().chain(self.closed).min())
    }

    fn since_raised(&self, end: Option<Order>) -> Option<(TimeMs, Option<TimeMs>)> {
        let raised = self.raised()?;
        Some((raised, end.map(|end| end.time.max(raised))))
    }

    pub fn is_open(&self) -> bool {
        self.raised.is_some() && self.closed.is_none()
    }

    /// For the wall: `raised`, `acknowledged` or `closed`.
    pub fn state(&self) -> &'static str {
        match (self.closed, self.acknowledged) {
            (Some(_), _) => "closed",
            (None, Some(_)) => "acknowledged",
            (None, None) => "raised",
        }
    }

    pub fn connected(&self) -> Option<TimeMs> {
        self.connected.map(|order| order.time)
    }

    pub fn acknowledged(&self) -> Option<TimeMs> {
        self.acknowledged.map(|order| order.time)
    }

    pub fn arrived(&self) -> Option<TimeMs> {
        self.arrived.map(|order| order.time)
    }

    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub fn district(&self) -> Option<KeyId> {
        self.district.map(|(_, district)| district)
    }

    pub fn street(&self) -> Option<&str> {
        self.street.as_ref().map(|(_, street)| street.as_str())
    }

    pub fn newest(&self) -> Option<TimeMs> {
        self.newest
    }
}
