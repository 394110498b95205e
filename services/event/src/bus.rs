//! Buses: positions, calls at stops, trips.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::member::{Direction, Integer, Lat, Lon, Name, Number, People, may, must};
use crate::words::words;
use crate::{Datum, TimeMs, time};

words! {
    /// What a vehicle did at a stop.
    pub enum StopKind {
        Arrived = "arrived",
        Departed = "departed",
    }
}

words! {
    /// What became of a trip.
    pub enum TripKind {
        Scheduled = "scheduled",
        Started = "started",
        Finished = "finished",
        Cancelled = "cancelled",
    }
}

/// `city.bus.position`: a fix.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Position<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub vehicle_id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub route_id: Cow<'a, str>,
    #[serde(deserialize_with = "must::<Direction, _>")]
    pub direction: u8,
    /// Degrees east. 0,0 is legal here: whether a place is in the city is judged by the profile.
    #[serde(deserialize_with = "must::<Lon, _>")]
    pub lon: f64,
    /// Degrees north.
    #[serde(deserialize_with = "must::<Lat, _>")]
    pub lat: f64,
    /// Of `lon`, `lat`; absent = WGS-84.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datum: Option<Datum>,
    #[serde(default, deserialize_with = "may::<Number<0, 300>, _>", skip_serializing_if = "Option::is_none")]
    pub speed_kmh: Option<f64>,
    /// Degrees clockwise from north.
    #[serde(default, deserialize_with = "may::<Number<0, 360>, _>", skip_serializing_if = "Option::is_none")]
    pub bearing: Option<f64>,
    /// On board.
    #[serde(default, deserialize_with = "may::<People, _>", skip_serializing_if = "Option::is_none")]
    pub passengers: Option<u32>,
    /// Places on board, standing included.
    #[serde(default, deserialize_with = "may::<People, _>", skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub trip_id: Option<Cow<'a, str>>,
    /// Stored while out of coverage and sent later: history, never "now".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backfill: Option<bool>,
}

/// `city.bus.stop`: an arrival at or a departure from a stop.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Stop<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub vehicle_id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub route_id: Cow<'a, str>,
    #[serde(deserialize_with = "must::<Direction, _>")]
    pub direction: u8,
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub stop_id: Cow<'a, str>,
    pub event: StopKind,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub trip_id: Option<Cow<'a, str>>,
    /// Place in the trip.
    #[serde(default, deserialize_with = "may::<Integer<u32, 0, 10_000>, _>", skip_serializing_if = "Option::is_none")]
    pub stop_seq: Option<u32>,
    /// By the timetable, for the same `event`.
    #[serde(default, with = "time::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub scheduled_time: Option<TimeMs>,
    /// Punctuality is measured here; absent = true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing_point: Option<bool>,
    #[serde(default, deserialize_with = "may::<People, _>", skip_serializing_if = "Option::is_none")]
    pub boarded: Option<u32>,
    #[serde(default, deserialize_with = "may::<People, _>", skip_serializing_if = "Option::is_none")]
    pub alighted: Option<u32>,
}

/// `city.bus.trip`: a trip from terminus to terminus.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Trip<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub trip_id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub route_id: Cow<'a, str>,
    #[serde(deserialize_with = "must::<Direction, _>")]
    pub direction: u8,
    pub event: TripKind,
    /// When it should start.
    #[serde(with = "time::rfc3339")]
    pub scheduled_time: TimeMs,
    #[serde(borrow, default, deserialize_with = "may::<Name, _>", skip_serializing_if = "Option::is_none")]
    pub vehicle_id: Option<Cow<'a, str>>,
}
