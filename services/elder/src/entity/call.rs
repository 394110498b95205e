//! A call: when it was offered, how its wait ended, and where it counts.

use serde::{Deserialize, Serialize};
use yiping_event::{
    TimeMs,
    elder::{self, CallKind},
};
use yiping_window::{KeyId, Order};

use super::earliest;

/// Everything known of a call: the first offer (or what a decision tells of it), the place that the earliest event names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub(super) offered: Option<Order>,
    /// The first answer or hang-up, and when its wait began.
    pub(super) decided: Option<(Order, TimeMs)>,
    /// Whether that was an answer.
    #[serde(default)]
    pub(super) answered: bool,
    pub(super) district: Option<(Order, KeyId)>,
    pub(super) category: Option<(Order, KeyId)>,
    pub(super) newest: Option<TimeMs>,
    /// Whether every figure counts it. State of versions that knew fewer figures says no: what was never counted in one must not be
    /// taken back from it.
    #[serde(default)]
    pub complete: bool,
}

impl Call {
    pub fn new() -> Self {
        Call { complete: true, ..Call::default() }
    }

    /// Something was heard of it.
    pub fn heard(&mut self, time: TimeMs) {
        self.newest = self.newest.max(Some(time));
    }

    pub fn take(&mut self, order: &Order, data: &elder::Call<'_>, district: Option<KeyId>, category: KeyId) {
        earliest(&mut self.district, order, district, false);
        earliest(&mut self.category, order, Some(category), false);
        match data.event {
            CallKind::Offered => {
                self.offered = Some(self.offered.map_or(*order, |offered| offered.min(*order)));
            }
            CallKind::Answered | CallKind::Abandoned => {
                if self.decided.is_none_or(|(decided, _)| *order < decided) {
                    let wait_ms = data.wait_s.map_or(0, |seconds| (seconds * 1_000.0).round() as i64); // at most a day
                    self.decided = Some((*order, TimeMs(order.time.0 - wait_ms)));
                    self.answered = data.event == CallKind::Answered;
                }
            }
            CallKind::Ended => {}
        }
    }

    /// Where the call counts: when it was offered, which a decision tells where the offer is unknown.
    pub fn placed(&self) -> Option<TimeMs> {
        self.offered.map(|order| order.time).or(self.decided.map(|(_, began)| began))
    }

    pub fn answered(&self) -> bool {
        self.answered
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
