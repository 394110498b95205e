//! A call: facts that add up in any order, and where the call counts.

use serde::{Deserialize, Serialize};
use yiping_event::{
    TimeMs,
    hotline::{self, CallKind},
};
use yiping_window::{KeyId, Order};

use super::standing::Standing;

/// After so long without a word a call no longer waits: the end of its wait is lost.
const WAITS_AT_MOST_MS: i64 = 24 * 60 * 60 * 1_000;

/// What one event says of a call.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    pub order: Order,
    pub kind: CallKind,
    pub district: Option<KeyId>,
    pub wait_ms: Option<i64>,
    /// Talk, hold and wrap, as far as they are told; `None` where none of them is.
    pub handled_ms: Option<i64>,
}

impl Said {
    pub fn of(order: Order, data: &hotline::Call<'_>, district: Option<KeyId>) -> Self {
        let ms = |seconds: f64| (seconds * 1_000.0).round() as i64; // 0 to 86,400 s by its schema
        let parts = [data.talk_s, data.hold_s, data.wrap_s];
        let handled = parts.iter().any(Option::is_some);
        Said {
            order,
            kind: data.event,
            district,
            wait_ms: data.wait_s.map(ms),
            handled_ms: handled.then(|| parts.into_iter().flatten().map(ms).sum()),
        }
    }
}

/// How a call that was offered ended waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    order: Order,
    pub answered: bool,
    wait_ms: Option<i64>,
}

/// Everything known of a call: the first offer, the first decision, the first end, the district that the earliest event names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    offered: Option<Order>,
    decided: Option<Decision>,
    district: Option<(Order, KeyId)>,
    newest: Option<TimeMs>,
    #[serde(default)]
    ended: Option<TimeMs>,
    /// How long it was worked on, as the earliest end that tells it says.
    #[serde(default)]
    handled: Option<(Order, i64)>,
    #[serde(default)]
    pub standing: Standing,
}

impl Call {
    pub fn take(&mut self, said: &Said) {
        self.newest = self.newest.max(Some(said.order.time));
        earliest(&mut self.district, said.order, said.district);
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
            CallKind::Ended => {
                let time = said.order.time;
                self.ended = Some(self.ended.map_or(time, |ended| ended.min(time)));
                earliest(&mut self.handled, said.order, said.handled_ms);
            }
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

    pub fn abandoned(&self) -> bool {
        self.decided.is_some_and(|decided| !decided.answered)
    }

    /// How long a call waited until it was answered or abandoned: as it was told, else from its offer on; `None` where that is
    /// negative or unknown.
    pub fn wait_ms(&self) -> Option<i64> {
        let decided = self.decided?;
        let told = decided.wait_ms;
        told.or_else(|| self.offered.map(|offered| decided.order.time.0 - offered.time.0)).filter(|wait| *wait >= 0)
    }

    /// From when to when the call waits. `None`: its offer isn't known, so that nobody has seen it wait.
    pub fn waits(&self) -> Option<(TimeMs, TimeMs)> {
        let offered = self.offered?.time;
        let decided = self.decided.map(|decided| decided.order.time);
        let end = decided.into_iter().chain(self.ended).min().map_or(i64::MAX, |end| end.0);
        Some((offered, TimeMs(end.clamp(offered.0, offered.0 + WAITS_AT_MOST_MS))))
    }

    /// When the call ended and how long it was worked on, in ms.
    pub fn handled(&self) -> Option<(TimeMs, i64)> {
        self.handled.map(|(order, ms)| (order.time, ms))
    }

    pub fn district(&self) -> Option<KeyId> {
        self.district.map(|(_, district)| district)
    }

    pub fn newest(&self) -> Option<TimeMs> {
        self.newest
    }
}

/// Keeps what the earliest event says, whatever the order in which events come.
pub fn earliest<T>(known: &mut Option<(Order, T)>, order: Order, said: Option<T>) {
    if let Some(said) = said
        && known.as_ref().is_none_or(|(known, _)| order < *known)
    {
        *known = Some((order, said));
    }
}

/// Format 1.
#[derive(Debug, Deserialize)]
pub struct V1 {
    offered: Option<Order>,
    decided: Option<Decision>,
    district: Option<(Order, KeyId)>,
    newest: Option<TimeMs>,
}

impl From<V1> for Call {
    fn from(old: V1) -> Self {
        let V1 { offered, decided, district, newest } = old;
        Call { offered, decided, district, newest, ..Call::default() }
    }
}
