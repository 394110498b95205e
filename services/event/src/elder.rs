//! 12349, the elder-care hotline: calls, SOS cases, service orders, callbacks, devices.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use crate::hotline::CallKind;
use crate::member::{Integer, Name, Seconds, may, must};
use crate::words::words;
use crate::{TimeMs, time};

words! {
    /// The four kinds of service that a call asks for.
    pub enum Category {
        LifeCare = "life_care",
        Consultation = "consultation",
        GovPurchased = "gov_purchased",
        Emergency = "emergency",
    }
}

words! {
    /// A step in an SOS case.
    pub enum SosKind {
        Raised = "raised",
        Connected = "connected",
        NotConnected = "not_connected",
        Acknowledged = "acknowledged",
        Arrived = "arrived",
        Closed = "closed",
        /// Acknowledges and closes.
        FalseAlarm = "false_alarm",
    }
}

words! {
    /// A step in the life of a service order.
    pub enum OrderKind {
        Created = "created",
        Accepted = "accepted",
        Departed = "departed",
        Arrived = "arrived",
        Finished = "finished",
        NoShow = "no_show",
        Cancelled = "cancelled",
    }
}

/// `city.elder.call`.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Call<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub call_id: Cow<'a, str>,
    pub event: CallKind,
    pub category: Category,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub district: Option<Cow<'a, str>>,
    /// Offered to answered or abandoned, in seconds.
    #[serde(default, deserialize_with = "may::<Seconds, _>", skip_serializing_if = "Option::is_none")]
    pub wait_s: Option<f64>,
    /// Seconds.
    #[serde(default, deserialize_with = "may::<Seconds, _>", skip_serializing_if = "Option::is_none")]
    pub talk_s: Option<f64>,
}

/// `city.elder.sos`: an alarm and what was done about it.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Sos<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub case_id: Cow<'a, str>,
    pub event: SosKind,
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub district: Cow<'a, str>,
    /// 街道: the finest place that leaves the services.
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub street: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub device_id: Option<Cow<'a, str>>,
}

/// `city.elder.order`: a service at home.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Order<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub order_id: Cow<'a, str>,
    pub event: OrderKind,
    /// Needed with `created`, which alone decides the order's levels.
    /// Not [`Category`]: a new kind of service needs no new release.
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub category: Option<Cow<'a, str>>,
    /// Needed with `created`, which alone decides the order's levels.
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub district: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub service_code: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<Cow<'a, str>>,
    #[serde(default, with = "time::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub due: Option<TimeMs>,
}

/// `city.elder.callback`: what the customer said afterwards.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Callback<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub order_id: Cow<'a, str>,
    /// 1 (bad) to 5 (good).
    #[serde(deserialize_with = "must::<Integer<u8, 1, 5>, _>")]
    pub score: u8,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub district: Option<Cow<'a, str>>,
}

/// `city.elder.heartbeat`: a device at home that lives.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Heartbeat<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub device_id: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub district: Option<Cow<'a, str>>,
}
