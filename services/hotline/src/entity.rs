//! A call: facts that add up in any order, and where the call counts.

use serde::{Deserialize, Serialize};
use yiping_event::{TimeMs, hotline::CallKind};
use yiping_window::{KeyId, Order};

/// What one event says of a call.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    pub order: Order,
    pub kind: CallKind,
    pub district: Option<KeyId>,
    pub wait_ms: Option<i64>,
}

/// How a call that was offered ended waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    order: Order,
    pub answered: bool,
    wait_ms: Option<i64>,
}

/// Everything known of a call: the first offer, the first decision, the district that the earliest event names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    offered: Option<Order>,
    decided: Option<Decision>,
    district: Option<(Order, KeyId)>,
    newest: Option<TimeMs>,
}

impl Call {
    pub fn take(&mut self, said: &Said) {
        self.newest = self.newest.max(Some(said.order.time));
        if let Some(district) = said.district
            && self.district.is_none_or(|(order, _)| said.order < order)
        {
            self.district = Some((said.order, district));
        }
        match said.kind {
            CallKind::Offered => {
                self.offered = Some(self.offered.map_or(said.order, |offered| offered.min(said.order)));
            }
            CallKind::Answered | CallKind::Abandoned => {
                if self.decided.is_none_or(|decided| said.order < decided.order) {
                    let answered = said.kind == CallKind::Answered;
                    self.decided = Some(Decision { order: said.order, answered, wait_ms: said.wait_ms });
                }
            }
            CallKind::Ended => {}
        }
    }

    /// Where the call counts: when it was offered. An answer or hang-up whose offer is unknown tells it by its wait, so that a
    /// ratio can't pass 1. `None`: never offered, as far as is known.
    pub fn placed(&self) -> Option<TimeMs> {
        let offered = self.offered.map(|order| order.time);
        offered.or_else(|| self.decided.map(|decided| TimeMs(decided.order.time.0 - decided.wait_ms.unwrap_or(0))))
    }

    pub fn answered(&self) -> bool {
        self.decided.is_some_and(|decided| decided.answered)
    }

    /// How long an answered call waited: as it was told, else from offer to answer; `None` where that is negative or unknown.
    pub fn wait_ms(&self) -> Option<i64> {
        let decided = self.decided.filter(|decided| decided.answered)?;
        let told = decided.wait_ms;
        told.or_else(|| self.offered.map(|offered| decided.order.time.0 - offered.time.0)).filter(|wait| *wait >= 0)
    }

    pub fn district(&self) -> Option<KeyId> {
        self.district.map(|(_, district)| district)
    }

    pub fn newest(&self) -> Option<TimeMs> {
        self.newest
    }
}
