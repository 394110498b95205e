//! A call and an SOS case: facts that add up in any order, and where they count.

use serde::{Deserialize, Serialize};
use yiping_event::{
    TimeMs,
    elder::{self, CallKind, SosKind},
};
use yiping_window::{EntityId, KeyId, Order};

/// Everything known of a call: the first offer (or what a decision tells of it), the place that the earliest event names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    offered: Option<Order>,
    /// The first answer or hang-up, and when its wait began.
    decided: Option<(Order, TimeMs)>,
    district: Option<(Order, KeyId)>,
    category: Option<(Order, KeyId)>,
    newest: Option<TimeMs>,
}

impl Call {
    pub fn take(&mut self, order: &Order, data: &elder::Call<'_>, district: Option<KeyId>, category: KeyId) {
        self.newest = self.newest.max(Some(order.time));
        earliest(&mut self.district, order, district);
        earliest(&mut self.category, order, Some(category));
        match data.event {
            CallKind::Offered => {
                self.offered = Some(self.offered.map_or(*order, |offered| offered.min(*order)));
            }
            CallKind::Answered | CallKind::Abandoned => {
                let wait_ms = data.wait_s.map_or(0, |seconds| (seconds * 1_000.0).round() as i64);
                earliest(&mut self.decided, order, Some(TimeMs(order.time.0 - wait_ms)));
            }
            CallKind::Ended => {}
        }
    }

    /// Where the call counts: when it was offered, which a decision tells where the offer is unknown.
    pub fn placed(&self) -> Option<TimeMs> {
        self.offered.map(|order| order.time).or(self.decided.map(|(_, began)| began))
    }

    pub fn district(&self) -> Option<KeyId> {
        self.district.map(|(_, district)| district)
    }

    pub fn category(&self) -> Option<KeyId> {
        self.category.map(|(_, category)| category)
    }

    pub fn newest(&self) -> Option<TimeMs> {
        self.newest
    }
}

/// A case not acknowledged within this is missed (telecare practice: 97.5 % within 60 s).
pub const ACKNOWLEDGE_WITHIN_MS: i64 = 60_000;

/// Everything known of an SOS case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// An opaque key for the wall.
    key: Option<String>,
    raised: Option<Order>,
    acknowledged: Option<Order>,
    closed: Option<Order>,
    district: Option<(Order, KeyId)>,
    street: Option<(Order, String)>,
    /// Deadlines that the watermark has passed; the one that counts belongs to the time raised.
    passed: Option<TimeMs>,
    newest: Option<TimeMs>,
}

impl Case {
    pub fn take(&mut self, order: &Order, data: &elder::Sos<'_>, district: KeyId) {
        self.newest = self.newest.max(Some(order.time));
        if self.key.is_none() {
            self.key = Some(format!("{:012x}", EntityId::of(&[&data.case_id]).0 as u64 & 0xffff_ffff_ffff));
        }
        earliest(&mut self.district, order, Some(district));
        earliest(&mut self.street, order, data.street.as_deref().map(str::to_owned));
        let first = |known: &mut Option<Order>| *known = Some(known.map_or(*order, |known| known.min(*order)));
        match data.event {
            SosKind::Raised => first(&mut self.raised),
            SosKind::Acknowledged => first(&mut self.acknowledged),
            SosKind::Closed => first(&mut self.closed),
            SosKind::FalseAlarm => {
                first(&mut self.acknowledged);
                first(&mut self.closed);
            }
            SosKind::Connected | SosKind::NotConnected | SosKind::Arrived => {}
        }
    }

    pub fn raised(&self) -> Option<TimeMs> {
        self.raised.map(|order| order.time)
    }

    /// When the case must be acknowledged.
    pub fn deadline(&self) -> Option<TimeMs> {
        self.raised().map(|raised| TimeMs(raised.0 + ACKNOWLEDGE_WITHIN_MS))
    }

    pub fn deadline_passed(&mut self, at: TimeMs) {
        self.passed = self.passed.max(Some(at));
    }

    /// Whether it was acknowledged in time; `None` as long as that is open.
    pub fn acknowledged_in_time(&self) -> Option<bool> {
        let deadline = self.deadline()?;
        match self.acknowledged {
            Some(acknowledged) if acknowledged.time <= deadline => Some(true),
            Some(_) => Some(false),
            None => self.passed.is_some_and(|passed| passed >= deadline).then_some(false),
        }
    }

    /// From when to when the case is open; the end is `None` as long as it is.
    pub fn open(&self) -> Option<(TimeMs, Option<TimeMs>)> {
        let raised = self.raised()?;
        Some((raised, self.closed.map(|closed| closed.time.max(raised))))
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

/// Keeps what the earliest event says, whatever the order in which events come.
fn earliest<T>(known: &mut Option<(Order, T)>, order: &Order, said: Option<T>) {
    if let Some(said) = said
        && known.as_ref().is_none_or(|(known, _)| order < known)
    {
        *known = Some((*order, said));
    }
}
