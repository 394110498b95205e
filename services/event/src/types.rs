//! The list of types with their published schemas, for whoever tells senders what may be sent.

use crate::Stream;

/// One event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventType {
    /// The CloudEvents `type`.
    pub name: &'static str,
    /// `None`: may go to any stream's topic.
    pub stream: Option<Stream>,
    /// JSON Schema (2020-12) of the whole event, as in `schemas/events/`.
    pub schema: &'static str,
}

macro_rules! event_type {
    ($name:literal, $stream:expr) => {
        EventType {
            name: $name,
            stream: $stream,
            schema: include_str!(concat!("../../../schemas/events/", $name, ".schema.json")),
        }
    };
}

/// All types, in the contract's order; the last two are written only by the system itself.
pub static TYPES: [EventType; 19] = [
    event_type!("city.bus.position", Some(Stream::Bus)),
    event_type!("city.bus.stop", Some(Stream::Bus)),
    event_type!("city.bus.trip", Some(Stream::Bus)),
    event_type!("city.parking.snapshot", Some(Stream::Parking)),
    event_type!("city.parking.entry", Some(Stream::Parking)),
    event_type!("city.parking.exit", Some(Stream::Parking)),
    event_type!("city.parking.payment", Some(Stream::Parking)),
    event_type!("city.parking.credit", Some(Stream::Parking)),
    event_type!("city.hotline.call", Some(Stream::Hotline)),
    event_type!("city.hotline.order", Some(Stream::Hotline)),
    event_type!("city.hotline.callback", Some(Stream::Hotline)),
    event_type!("city.elder.call", Some(Stream::Elder)),
    event_type!("city.elder.sos", Some(Stream::Elder)),
    event_type!("city.elder.order", Some(Stream::Elder)),
    event_type!("city.elder.callback", Some(Stream::Elder)),
    event_type!("city.elder.heartbeat", Some(Stream::Elder)),
    event_type!("city.source.heartbeat", None),
    event_type!("city.tick", None),
    event_type!("city.config", None),
];
