//! Calls and cases as format 1 wrote them: without names, so these are frozen.

use serde::Deserialize;
use yiping_event::TimeMs;
use yiping_window::{KeyId, Order};

#[derive(Debug, Deserialize)]
pub struct Call {
    offered: Option<Order>,
    decided: Option<(Order, TimeMs)>,
    district: Option<(Order, KeyId)>,
    category: Option<(Order, KeyId)>,
    newest: Option<TimeMs>,
}

#[derive(Debug, Deserialize)]
pub struct Case {
    key: Option<String>,
    raised: Option<Order>,
    acknowledged: Option<Order>,
    closed: Option<Order>,
    district: Option<(Order, KeyId)>,
    street: Option<(Order, String)>,
    passed: Option<TimeMs>,
    newest: Option<TimeMs>,
}

impl From<Call> for super::Call {
    fn from(old: Call) -> Self {
        let Call { offered, decided, district, category, newest } = old;
        super::Call { offered, decided, district, category, newest, ..Default::default() }
    }
}

impl From<Case> for super::Case {
    fn from(old: Case) -> Self {
        let Case { key, raised, acknowledged, closed, district, street, passed, newest } = old;
        super::Case { key, raised, acknowledged, closed, district, street, passed, newest, ..Default::default() }
    }
}
