//! A credit: somebody left without paying, and paid later. Facts that add up in any order: the first leaving and the first
//! settlement count, and a settlement whose leaving isn't known yet takes effect when it is.

use serde::{Deserialize, Serialize};
use yiping_event::{
    TimeMs,
    parking::{self, CreditKind},
};
use yiping_window::Order;

/// A settlement waits so long for its leaving.
const WAITS_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Left {
    order: Order,
    amount_fen: i64,
    due: Option<TimeMs>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    left: Option<Left>,
    settled: Option<(Order, i64)>,
    /// Due times that the watermark has passed.
    passed: Option<TimeMs>,
}

/// An amount that is open from a time on, and one that is open no more.
pub struct Open {
    pub from: TimeMs,
    pub amount_fen: i64,
    /// When it was settled, and what is left open even so.
    pub settled: Option<(TimeMs, i64)>,
}

impl Credit {
    pub fn take(&mut self, order: &Order, data: &parking::Credit<'_>) {
        match data.event {
            CreditKind::LeftUnpaid => {
                if self.left.is_none_or(|left| *order < left.order) {
                    self.left = Some(Left { order: *order, amount_fen: data.amount_fen, due: data.due });
                }
            }
            CreditKind::Settled => {
                if self.settled.is_none_or(|(first, _)| *order < first) {
                    self.settled = Some((*order, data.amount_fen));
                }
            }
        }
    }

    pub fn due_passed(&mut self, at: TimeMs) {
        self.passed = self.passed.max(Some(at));
    }

    pub fn due(&self) -> Option<TimeMs> {
        self.left.and_then(|left| left.due)
    }

    /// What is open, and since when. More paid than was left unpaid (a fine) is no claim of the driver's: at least 0.
    pub fn open(&self) -> Option<Open> {
        let Left { order, amount_fen, .. } = self.left?;
        let settled = self.settled.map(|(settled, paid)| (settled.time.max(order.time), (amount_fen - paid).max(0)));
        Some(Open { from: order.time, amount_fen, settled })
    }

    /// Where it is judged, and whether it was overdue then; `None` before, or without a due time. Settled exactly when due is in
    /// time.
    pub fn judged(&self) -> Option<(TimeMs, bool)> {
        let due = self.due().filter(|due| self.passed.is_some_and(|passed| passed >= *due))?;
        Some((due, self.settled.is_none_or(|(settled, _)| settled.time > due)))
    }

    /// Whether nothing can come of it any more, with everything before `horizon` known: it is settled and past due. An open credit
    /// stays, however old.
    pub fn is_done(&self, horizon: TimeMs) -> bool {
        match (self.left, self.settled) {
            (Some(left), Some((settled, _))) => {
                left.order.time.max(settled.time).max(left.due.unwrap_or(TimeMs(0))) < horizon
            }
            (Some(_), None) => false,
            (None, settled) => settled.is_none_or(|(settled, _)| settled.time.0 + WAITS_MS < horizon.0),
        }
    }
}
