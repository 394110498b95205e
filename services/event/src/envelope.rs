//! Bytes → envelope → typed data, and back. One structured CloudEvent 1.0; batches are taken apart by the gateway.

use std::borrow::Cow;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::member::{Kind, Name, SourceRef, must};
use crate::{Code, Data, Event, Reject, TimeMs, at_once, elder, hotline, time};

/// The Kafka header that every record carries …
pub const CONTENT_TYPE_HEADER: &str = "content-type";
/// … and its value: one structured event.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

const SPEC_VERSION: &str = "1.0";

/// The one version of CloudEvents that there is.
pub(crate) struct SpecVersion;

impl<'de> Kind<'de> for SpecVersion {
    type Out = ();

    fn read<D: Deserializer<'de>>(from: D) -> Result<(), D::Error> {
        let version = Name::read(from)?;
        if version == SPEC_VERSION { Ok(()) } else { Err(D::Error::custom("expected \"1.0\"")) }
    }
}

/// `subject`, `datacontenttype` and every extension attribute but `receivedtime` are read over.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "specversion", deserialize_with = "must::<SpecVersion, _>")]
    _specversion: (),
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    id: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "must::<SourceRef, _>")]
    source: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    type_name: Cow<'a, str>,
    #[serde(with = "time::rfc3339")]
    time: TimeMs,
    #[serde(default, with = "time::rfc3339::option")]
    receivedtime: Option<TimeMs>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Reads one structured CloudEvent and judges all of it.
///
/// # Errors
/// The first fault found, as `bad_json`, `bad_envelope`, `unknown_type` or `bad_data`.
pub fn decode(bytes: &[u8]) -> Result<Event<'_>, Reject> {
    let text = str::from_utf8(bytes)
        .map_err(|fault| Reject::new(Code::BadJson, "", format!("not UTF-8 from byte {} on", fault.valid_up_to())))?;
    if let Some(event) = at_once::read(text) {
        return Ok(event);
    }
    if !is_object(text) {
        return Err(match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => Reject::new(Code::BadEnvelope, "", "expected an object"),
            Err(fault) => Reject::new(Code::BadJson, "", fault.to_string()),
        });
    }
    let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(text) else {
        let reject = Reject::explain::<Envelope<'_>>(text, "", Code::BadEnvelope);
        return Err(Reject { id: id_of(text), ..reject });
    };
    let data = match data(&envelope.type_name, Text(envelope.data.get())) {
        Ok(Some(data)) => created_has(&data).map(|()| data),
        Ok(None) => Err(Reject::new(Code::UnknownType, "/type", "no type of this city")),
        Err(reject) => Err(reject),
    };
    match data {
        Ok(data) => {
            let Envelope { id, source, time, receivedtime: received, .. } = envelope;
            Ok(Event { id, source, time, received, data })
        }
        Err(reject) => Err(reject.with_id(envelope.id)),
    }
}

/// Where data is read from.
pub(crate) trait From<'a> {
    type Error;
    fn read<T: Deserialize<'a>>(self) -> Result<T, Self::Error>;
}

/// The data of a type; `None` when nobody knows it.
pub(crate) fn data<'a, F: From<'a>>(type_name: &str, from: F) -> Result<Option<Data<'a>>, F::Error> {
    Ok(Some(match type_name {
        "city.bus.position" => Data::BusPosition(from.read()?),
        "city.bus.stop" => Data::BusStop(from.read()?),
        "city.bus.trip" => Data::BusTrip(from.read()?),
        "city.parking.snapshot" => Data::ParkingSnapshot(from.read()?),
        "city.parking.entry" => Data::ParkingEntry(from.read()?),
        "city.parking.exit" => Data::ParkingExit(from.read()?),
        "city.parking.payment" => Data::ParkingPayment(from.read()?),
        "city.parking.credit" => Data::ParkingCredit(from.read()?),
        "city.hotline.call" => Data::HotlineCall(from.read()?),
        "city.hotline.order" => Data::HotlineOrder(from.read()?),
        "city.hotline.callback" => Data::HotlineCallback(from.read()?),
        "city.elder.call" => Data::ElderCall(from.read()?),
        "city.elder.sos" => Data::ElderSos(from.read()?),
        "city.elder.order" => Data::ElderOrder(from.read()?),
        "city.elder.callback" => Data::ElderCallback(from.read()?),
        "city.elder.heartbeat" => Data::ElderHeartbeat(from.read()?),
        "city.source.heartbeat" => Data::SourceHeartbeat(from.read()?),
        "city.tick" => Data::Tick(from.read()?),
        "city.config" => Data::Config(from.read()?),
        _ => return Ok(None),
    }))
}

/// The text of data that stood by itself.
struct Text<'a>(&'a str);

impl<'a> From<'a> for Text<'a> {
    type Error = Reject;

    fn read<T: Deserialize<'a>>(self) -> Result<T, Reject> {
        // serde would also read a struct from an array
        if !is_object(self.0) {
            return Err(Reject::new(Code::BadData, "/data", "expected an object"));
        }
        serde_json::from_str(self.0).map_err(|_| Reject::explain::<T>(self.0, "/data", Code::BadData))
    }
}

/// An order's levels come from its `created`; the events after it need only the order's id.
pub(crate) fn created_has(data: &Data<'_>) -> Result<(), Reject> {
    let (category, district) = match data {
        Data::HotlineOrder(order) if order.event == hotline::OrderKind::Created => (&order.category, &order.district),
        Data::ElderOrder(order) if order.event == elder::OrderKind::Created => (&order.category, &order.district),
        _ => return Ok(()),
    };
    let missing = match (category, district) {
        (None, _) => "/data/category",
        (_, None) => "/data/district",
        _ => return Ok(()),
    };
    Err(Reject::new(Code::BadData, missing, "is required when an order is created"))
}

fn is_object(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{')
}

/// The id of an event whose envelope is bad elsewhere, for whoever has to find it again.
fn id_of(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct OnlyId<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let raw = serde_json::from_str::<OnlyId<'_>>(text).ok()?.id.get();
    Name::read(&mut serde_json::Deserializer::from_str(raw)).ok().map(Cow::into_owned)
}

#[derive(Serialize)]
struct Written<'e, 'a> {
    specversion: &'static str,
    id: &'e str,
    source: &'e str,
    #[serde(rename = "type")]
    type_name: &'static str,
    #[serde(with = "time::rfc3339")]
    time: TimeMs,
    #[serde(with = "time::rfc3339::option", skip_serializing_if = "Option::is_none")]
    receivedtime: Option<TimeMs>,
    data: &'e Data<'a>,
}

impl Event<'_> {
    /// The structured CloudEvent, on one line. Only members that we know; absent ones are not written.
    #[must_use]
    pub fn to_json(&self) -> String {
        let written = Written {
            specversion: SPEC_VERSION,
            id: &self.id,
            source: &self.source,
            type_name: self.type_name(),
            time: self.time,
            receivedtime: self.received,
            data: &self.data,
        };
        #[expect(
            clippy::expect_used,
            reason = "structs of texts and numbers into memory: serde_json has nothing to fail at"
        )]
        serde_json::to_string(&written).expect("an event is always JSON")
    }
}
