//! Bytes → envelope → typed data, and back. One structured CloudEvent 1.0; batches are taken apart by the gateway.

use std::borrow::Cow;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::member::{Kind, Name, SourceRef, must};
use crate::{Code, Data, Event, Reject, TimeMs, time};

/// The Kafka header that every record carries …
pub const CONTENT_TYPE_HEADER: &str = "content-type";
/// … and its value: one structured event.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

const SPEC_VERSION: &str = "1.0";

/// The one version of CloudEvents that there is.
struct SpecVersion;

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
    match data(&envelope.type_name, envelope.data.get()) {
        Ok(data) => {
            let Envelope { id, source, time, receivedtime: received, .. } = envelope;
            Ok(Event { id, source, time, received, data })
        }
        Err(reject) => Err(reject.with_id(envelope.id)),
    }
}

fn data<'a>(type_name: &str, text: &'a str) -> Result<Data<'a>, Reject> {
    Ok(match type_name {
        "city.bus.position" => Data::BusPosition(typed(text)?),
        "city.bus.stop" => Data::BusStop(typed(text)?),
        "city.bus.trip" => Data::BusTrip(typed(text)?),
        "city.parking.snapshot" => Data::ParkingSnapshot(typed(text)?),
        "city.parking.entry" => Data::ParkingEntry(typed(text)?),
        "city.parking.exit" => Data::ParkingExit(typed(text)?),
        "city.parking.payment" => Data::ParkingPayment(typed(text)?),
        "city.parking.credit" => Data::ParkingCredit(typed(text)?),
        "city.hotline.call" => Data::HotlineCall(typed(text)?),
        "city.hotline.order" => {
            let order: crate::hotline::Order<'_> = typed(text)?;
            created_has(order.event == crate::hotline::OrderKind::Created, &order.category, &order.district)?;
            Data::HotlineOrder(order)
        }
        "city.hotline.callback" => Data::HotlineCallback(typed(text)?),
        "city.elder.call" => Data::ElderCall(typed(text)?),
        "city.elder.sos" => Data::ElderSos(typed(text)?),
        "city.elder.order" => {
            let order: crate::elder::Order<'_> = typed(text)?;
            created_has(order.event == crate::elder::OrderKind::Created, &order.category, &order.district)?;
            Data::ElderOrder(order)
        }
        "city.elder.callback" => Data::ElderCallback(typed(text)?),
        "city.elder.heartbeat" => Data::ElderHeartbeat(typed(text)?),
        "city.source.heartbeat" => Data::SourceHeartbeat(typed(text)?),
        "city.tick" => Data::Tick(typed(text)?),
        "city.config" => Data::Config(typed(text)?),
        _ => {
            return Err(Reject::new(Code::UnknownType, "/type", "no type of this city"));
        }
    })
}

fn typed<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Reject> {
    // serde would also read a struct from an array
    if !is_object(text) {
        return Err(Reject::new(Code::BadData, "/data", "expected an object"));
    }
    serde_json::from_str(text).map_err(|_| Reject::explain::<T>(text, "/data", Code::BadData))
}

/// An order's levels come from its `created`; the events after it need only the order's id.
fn created_has(created: bool, category: &Option<Cow<'_, str>>, district: &Option<Cow<'_, str>>) -> Result<(), Reject> {
    let missing = match (category, district) {
        (None, _) if created => "/data/category",
        (_, None) if created => "/data/district",
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
