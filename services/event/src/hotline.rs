//! 12345, the government hotline: calls, work orders, callbacks.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::member::{Lat, Lon, Name, Seconds, may, must};
use crate::words::words;
use crate::{Datum, TimeMs, time};

words! {
    /// What became of a call; the elder hotline's calls use the same.
    pub enum CallKind {
        /// Waits for an agent (a hang-up in the menu was never offered).
        Offered = "offered",
        Answered = "answered",
        Abandoned = "abandoned",
        Ended = "ended",
    }
}

words! {
    /// A step in the life of a work order.
    pub enum OrderKind {
        Created = "created",
        Dispatched = "dispatched",
        Accepted = "accepted",
        Contacted = "contacted",
        Replied = "replied",
        Closed = "closed",
        /// Sent back by the agency.
        Returned = "returned",
        /// `due` is the new one.
        Extended = "extended",
        Reopened = "reopened",
        Urged = "urged",
    }
}

/// `city.hotline.call`.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Call<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub call_id: Cow<'a, str>,
    pub event: CallKind,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub district: Option<Cow<'a, str>>,
    /// Offered to answered or abandoned, in seconds; comes with these two.
    #[serde(default, deserialize_with = "may::<Seconds, _>", skip_serializing_if = "Option::is_none")]
    pub wait_s: Option<f64>,
    /// Seconds; comes with `ended`, as the next two.
    #[serde(default, deserialize_with = "may::<Seconds, _>", skip_serializing_if = "Option::is_none")]
    pub talk_s: Option<f64>,
    #[serde(default, deserialize_with = "may::<Seconds, _>", skip_serializing_if = "Option::is_none")]
    pub hold_s: Option<f64>,
    /// Work after the call.
    #[serde(default, deserialize_with = "may::<Seconds, _>", skip_serializing_if = "Option::is_none")]
    pub wrap_s: Option<f64>,
}

/// `city.hotline.order`.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Order<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub order_id: Cow<'a, str>,
    pub event: OrderKind,
    /// Needed with `created`, which alone decides the order's levels.
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub category: Option<Cow<'a, str>>,
    /// Needed with `created`, which alone decides the order's levels.
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub district: Option<Cow<'a, str>>,
    /// 街道.
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub street: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub agency: Option<Cow<'a, str>>,
    #[serde(default, with = "time::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub due: Option<TimeMs>,
    /// Answered on the phone: never dispatched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct: Option<bool>,
    /// Degrees east; without `lat` it is no place.
    #[serde(default, deserialize_with = "may::<Lon, _>", skip_serializing_if = "Option::is_none")]
    pub lon: Option<f64>,
    /// Degrees north; without `lon` it is no place.
    #[serde(default, deserialize_with = "may::<Lat, _>", skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    /// Of `lon`, `lat`; absent = WGS-84.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datum: Option<Datum>,
}

/// `city.hotline.callback`: what the caller said afterwards; an absent answer is not counted.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Callback<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub order_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub satisfied: Option<bool>,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub district: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub category: Option<Cow<'a, str>>,
}
