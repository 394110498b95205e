//! Car parks: what is taken, who came and went (as sessions, never plates), what was paid.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::member::{Fen, Integer, Name, may, must};
use crate::words::words;
use crate::{TimeMs, time};

words! {
    /// How a stay was paid.
    pub enum Channel {
        Wechat = "wechat",
        Alipay = "alipay",
        App = "app",
        Unionpay = "unionpay",
        /// Without stopping, by the bank's registered plates.
        CcbSeamless = "ccb_seamless",
        /// The motorway toll tag.
        Etc = "etc",
        Cash = "cash",
        /// Let out without paying: no attempt at payment.
        Waived = "waived",
    }
}

words! {
    /// Whether the payment went through.
    pub enum PaymentResult {
        Ok = "ok",
        Failed = "failed",
    }
}

words! {
    /// Leaving first and paying later.
    pub enum CreditKind {
        LeftUnpaid = "left_unpaid",
        Settled = "settled",
    }
}

/// `city.parking.snapshot`: how full a lot, or one floor of it, is.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Snapshot<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub lot_id: Cow<'a, str>,
    /// Spaces.
    #[serde(deserialize_with = "must::<Integer<i64, 0, 1_000_000>, _>")]
    pub capacity: i64,
    /// As the lot's counter says: below 0 and above capacity happen, and are counted later, not refused.
    #[serde(deserialize_with = "must::<Integer<i64, -1_000_000, 1_000_000>, _>")]
    pub occupied: i64,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub floor: Option<Cow<'a, str>>,
    /// Whether cars may come in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub district: Option<Cow<'a, str>>,
}

/// `city.parking.entry`: a car came in.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Entry<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub lot_id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub session_id: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub floor: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub gate: Option<Cow<'a, str>>,
}

/// `city.parking.exit`: a car left.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Exit<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub lot_id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub session_id: Cow<'a, str>,
    /// As the gate knows it, for exits whose entry was lost. May lie after the exit: wrong clocks are counted later.
    #[serde(default, with = "time::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub entry_time: Option<TimeMs>,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub floor: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub gate: Option<Cow<'a, str>>,
}

/// `city.parking.payment`: an attempt to pay.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Payment<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub lot_id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub session_id: Cow<'a, str>,
    pub channel: Channel,
    /// In 0.01 yuan.
    #[serde(deserialize_with = "must::<Fen, _>")]
    pub amount_fen: i64,
    pub result: PaymentResult,
}

/// `city.parking.credit`: left without paying, or paid afterwards.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Credit<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub lot_id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub session_id: Cow<'a, str>,
    pub event: CreditKind,
    /// In 0.01 yuan.
    #[serde(deserialize_with = "must::<Fen, _>")]
    pub amount_fen: i64,
    #[serde(default, with = "time::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub due: Option<TimeMs>,
}
