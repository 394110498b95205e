//! The event, and the table of all types: each line of the contract once.

use std::borrow::Cow;

use serde::Serialize;

use crate::{Stream, TimeMs, bus, elder, hotline, parking, source};

/// A valid event. Borrows its texts from the record.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// Unique for its source.
    pub id: Cow<'a, str>,
    pub source: Cow<'a, str>,
    /// When it happened.
    pub time: TimeMs,
    /// When the source's platform received it; the record's log time.
    pub received: Option<TimeMs>,
    pub data: Data<'a>,
}

/// What happened, by type.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Data<'a> {
    BusPosition(bus::Position<'a>),
    BusStop(bus::Stop<'a>),
    BusTrip(bus::Trip<'a>),
    ParkingSnapshot(parking::Snapshot<'a>),
    ParkingEntry(parking::Entry<'a>),
    ParkingExit(parking::Exit<'a>),
    ParkingPayment(parking::Payment<'a>),
    ParkingCredit(parking::Credit<'a>),
    HotlineCall(hotline::Call<'a>),
    HotlineOrder(hotline::Order<'a>),
    HotlineCallback(hotline::Callback<'a>),
    ElderCall(elder::Call<'a>),
    ElderSos(elder::Sos<'a>),
    ElderOrder(elder::Order<'a>),
    ElderCallback(elder::Callback<'a>),
    ElderHeartbeat(elder::Heartbeat<'a>),
    SourceHeartbeat(source::Heartbeat<'a>),
    Tick(source::Tick),
    Config(source::Config<'a>),
}

impl Event<'_> {
    /// The stream whose topic the event belongs into; `None` where any stream's may carry it.
    #[must_use]
    pub const fn stream(&self) -> Option<Stream> {
        self.data.stream()
    }

    /// The CloudEvents `type`.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        self.data.type_name()
    }
}

impl Data<'_> {
    #[must_use]
    pub const fn stream(&self) -> Option<Stream> {
        match self {
            Self::BusPosition(_) | Self::BusStop(_) | Self::BusTrip(_) => Some(Stream::Bus),
            Self::ParkingSnapshot(_)
            | Self::ParkingEntry(_)
            | Self::ParkingExit(_)
            | Self::ParkingPayment(_)
            | Self::ParkingCredit(_) => Some(Stream::Parking),
            Self::HotlineCall(_) | Self::HotlineOrder(_) | Self::HotlineCallback(_) => Some(Stream::Hotline),
            Self::ElderCall(_)
            | Self::ElderSos(_)
            | Self::ElderOrder(_)
            | Self::ElderCallback(_)
            | Self::ElderHeartbeat(_) => Some(Stream::Elder),
            Self::SourceHeartbeat(_) | Self::Tick(_) | Self::Config(_) => None,
        }
    }

    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::BusPosition(_) => "city.bus.position",
            Self::BusStop(_) => "city.bus.stop",
            Self::BusTrip(_) => "city.bus.trip",
            Self::ParkingSnapshot(_) => "city.parking.snapshot",
            Self::ParkingEntry(_) => "city.parking.entry",
            Self::ParkingExit(_) => "city.parking.exit",
            Self::ParkingPayment(_) => "city.parking.payment",
            Self::ParkingCredit(_) => "city.parking.credit",
            Self::HotlineCall(_) => "city.hotline.call",
            Self::HotlineOrder(_) => "city.hotline.order",
            Self::HotlineCallback(_) => "city.hotline.callback",
            Self::ElderCall(_) => "city.elder.call",
            Self::ElderSos(_) => "city.elder.sos",
            Self::ElderOrder(_) => "city.elder.order",
            Self::ElderCallback(_) => "city.elder.callback",
            Self::ElderHeartbeat(_) => "city.elder.heartbeat",
            Self::SourceHeartbeat(_) => "city.source.heartbeat",
            Self::Tick(_) => "city.tick",
            Self::Config(_) => "city.config",
        }
    }
}
