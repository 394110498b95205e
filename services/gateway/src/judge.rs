//! One event: is it valid, may this token send it, does it lie in the city; and what of it goes into the log, where.
//!
//! Pure: the time and the token are handed in. What passes is written anew from the typed event, so that nothing
//! unknown gets into the log (I11), positions are WGS-84 and the log time is trustworthy (I2).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use yiping_city::City;
use yiping_event::elder::Sos;
use yiping_event::{Code, Data, Datum, Event, Reject, Stream, TimeMs, decode, personal};
use yiping_log::MAX_RECORD_BYTES;

use crate::cell;
use crate::pseudonym::Pseudonyms;
use crate::tokens::{Right, Token};

/// What an event is judged by.
pub struct Judge<'a> {
    pub city: &'a City,
    /// Without a key, what would need a pseudonym is refused.
    pub pseudonyms: Option<&'a Pseudonyms>,
    pub token: &'a Token,
    pub now: TimeMs,
    pub lateness: &'a Lateness,
}

/// How late the events of each stream may be, in ms; a stream without one is never late.
pub type Lateness = BTreeMap<Stream, i64>;

/// The services set aside what happened later than this after it was received.
const AHEAD_MS: i64 = 60_000;

/// Whether an event comes in time to be counted, as far as its receipt tells. It is taken either way: what became of it is the
/// services' to say, whose time is the log's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    InTime,
    Late,
    Ahead,
}

/// An event that goes into the log.
#[derive(Debug)]
pub struct Accepted {
    pub streams: Vec<Stream>,
    pub place: Place,
    pub json: String,
    pub timing: Timing,
    /// Members and attributes that nobody knows, left behind.
    pub dropped_members: u64,
}

/// Where in a stream's topic an event goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    ByKey(String),
    EveryPartition,
}

impl Judge<'_> {
    pub fn judge(&self, bytes: &[u8]) -> Result<Accepted, Reject> {
        let mut event = decode(bytes)?;
        let ruling = self.rights(&event).and_then(|streams| {
            self.locate(&mut event.data)?;
            self.pseudonymise(&mut event.data)?;
            Ok(streams)
        });
        let streams = match ruling {
            Ok(streams) => streams,
            Err(reject) => return Err(reject.with_id(event.id)),
        };
        let stamped = event.received.is_none();
        if !self.token.has(Right::SetReceived) || event.received.is_none() {
            event.received = Some(self.now);
        }
        let place = match event.data {
            Data::Tick(_) => Place::EveryPartition,
            _ => Place::ByKey(event.key().to_owned()),
        };
        let json = event.to_json();
        if json.len() + event.key().len() > MAX_RECORD_BYTES {
            let reject = Reject::new(Code::TooLarge, "", format!("an event may have {MAX_RECORD_BYTES} bytes"));
            return Err(reject.with_id(event.id));
        }
        if let Err(reject) = personal::refuse(&json) {
            // the id may be what was found
            return Err(if personal::find(&event.id).is_some() { reject } else { reject.with_id(event.id) });
        }
        let rewritten = matches!(event.data, Data::HotlineOrder(_));
        let dropped_members = dropped(bytes, &json, stamped, rewritten);
        let timing = self.timing(&event, &streams);
        Ok(Accepted { streams, place, json, timing, dropped_members })
    }

    fn timing(&self, event: &Event<'_>, streams: &[Stream]) -> Timing {
        let after = event.time.0.saturating_sub(event.received.unwrap_or(self.now).0);
        let lateness = streams.first().and_then(|stream| self.lateness.get(stream));
        match event.data {
            Data::Tick(_) | Data::SourceHeartbeat(_) => Timing::InTime,
            _ if after > AHEAD_MS => Timing::Ahead,
            _ if lateness.is_some_and(|lateness| after < -lateness) => Timing::Late,
            _ => Timing::InTime,
        }
    }

    /// The streams that the event goes to, if the token may send it there.
    fn rights(&self, event: &Event<'_>) -> Result<Vec<Stream>, Reject> {
        if !self.token.may_send_as(&event.source) {
            return Err(Reject::new(Code::WrongSource, "/source", "this token may not send as this source"));
        }
        let named = |stream: Option<Stream>, pointer: &str| match stream {
            Some(stream) if !self.token.streams.contains(&stream) => {
                Err(Reject::new(Code::WrongStream, pointer, format!("this token may not write to {stream}")))
            }
            stream => Ok(stream),
        };
        match &event.data {
            Data::Config(_) => Err(Reject::new(Code::NotAllowed, "/type", "settings come from the system itself")),
            Data::Tick(_) if !self.token.has(Right::SetReceived) => {
                Err(Reject::new(Code::NotAllowed, "/type", "ticks need a token with the right set_received"))
            }
            Data::Tick(tick) => {
                Ok(named(tick.stream, "/data/stream")?
                    .map_or_else(|| self.token.streams.clone(), |stream| vec![stream]))
            }
            Data::SourceHeartbeat(beat) => {
                if !self.token.may_send_as(&beat.source_name) {
                    let message = "this token may not speak for this source";
                    return Err(Reject::new(Code::WrongSource, "/data/source_name", message));
                }
                match (named(beat.stream, "/data/stream")?, self.token.streams.as_slice()) {
                    (Some(stream), _) | (None, &[stream]) => Ok(vec![stream]),
                    (None, _) => {
                        Err(Reject::new(Code::BadData, "/data/stream", "is required with a token of several streams"))
                    }
                }
            }
            data => Ok(named(data.stream(), "/type")?.into_iter().collect()),
        }
    }

    /// Turns the event's position into WGS-84 and refuses one that is not in the city. Of the places of people only the cell stays
    /// (`x-personal: cell`): the street, and its centre where there was a position.
    fn locate(&self, data: &mut Data<'_>) -> Result<(), Reject> {
        match data {
            Data::BusPosition(fix) => (fix.lon, fix.lat) = self.in_city(fix.lon, fix.lat, fix.datum.take())?,
            Data::HotlineOrder(order) => {
                let datum = order.datum.take();
                // Half a place is none, and could not be judged.
                let place = order.lon.take().zip(order.lat.take());
                let place = place.map(|(lon, lat)| self.in_city(lon, lat, datum)).transpose()?;
                // what the sender says goes before the nearest centre
                let named = order.street.take().and_then(|text| cell::named(self.city, &text));
                let cell = named.or_else(|| place.and_then(|(lon, lat)| cell::nearest(self.city, lon, lat)));
                if let Some(cell) = cell {
                    order.street = Some(cell.street.clone().into());
                    (order.lon, order.lat) = place.map(|_| (cell.lon, cell.lat)).unzip();
                }
            }
            Data::ElderSos(sos) => {
                let named = sos.street.take().and_then(|text| cell::named(self.city, &text));
                sos.street = named.map(|cell| cell.street.clone().into());
            }
            _ => {}
        }
        Ok(())
    }

    /// Replaces what names a person's device or a car's stay (`x-personal: hmac`).
    fn pseudonymise(&self, data: &mut Data<'_>) -> Result<(), Reject> {
        let (member, value) = match data {
            Data::ParkingEntry(entry) => ("session_id", &mut entry.session_id),
            Data::ParkingExit(exit) => ("session_id", &mut exit.session_id),
            Data::ParkingPayment(payment) => ("session_id", &mut payment.session_id),
            Data::ParkingCredit(credit) => ("session_id", &mut credit.session_id),
            Data::ElderHeartbeat(beat) => ("device_id", &mut beat.device_id),
            Data::ElderSos(Sos { device_id: Some(device_id), .. }) => ("device_id", device_id),
            _ => return Ok(()),
        };
        let Some(pseudonyms) = self.pseudonyms else {
            let message =
                "needs a pseudonym, and this gateway has no key for one: its operator makes one with `yiping key new`";
            return Err(Reject::new(Code::PersonalData, format!("/data/{member}"), message));
        };
        *value = pseudonyms.name(member, value).into();
        Ok(())
    }

    fn in_city(&self, lon: f64, lat: f64, datum: Option<Datum>) -> Result<(f64, f64), Reject> {
        let (lon, lat) = match datum {
            Some(Datum::Gcj02) => yiping_city::gcj02_to_wgs84(lon, lat),
            Some(Datum::Wgs84 | Datum::Cgcs2000) | None => (lon, lat),
        };
        if self.city.contains(lon, lat) {
            Ok((lon, lat))
        } else if (lon, lat) == (0.0, 0.0) {
            Err(Reject::new(Code::OutsideCity, "/data/lon", "0,0 is a receiver without a fix"))
        } else {
            Err(Reject::new(Code::OutsideCity, "/data/lon", "the position is not in the city"))
        }
    }
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// How many members of what came in did not go on: unknown attributes, and unknown members of `data`. `stamped`: it came without
/// `receivedtime`. `rewritten`: it may have gained members of its own.
fn dropped(came: &[u8], went: &str, stamped: bool, rewritten: bool) -> u64 {
    // Each member that went came with as many quotes as it went with. So where nothing was escaped and no quote is missing, no member
    // is: true of nearly every event, and seen without reading it again.
    let quotes = |text: &[u8]| text.iter().filter(|byte| **byte == b'"').count();
    let stamp = if stamped { quotes(br#","receivedtime":"""#) } else { 0 };
    if !rewritten && !came.contains(&b'\\') && quotes(came) + stamp == quotes(went.as_bytes()) {
        return 0;
    }
    // Defined by the standard or by us, and left out on purpose.
    const KNOWN: [&str; 6] = ["subject", "datacontenttype", "receivedtime", "datum", "lon", "lat"];
    let objects = |text: &str| -> Option<(Vec<String>, Vec<String>)> {
        let envelope: Members<'_> = serde_json::from_str(text).ok()?;
        let data: Members<'_> = serde_json::from_str(envelope.get("data")?.get()).ok()?;
        // An optional member that is null is absent, not unknown.
        let names = |members: Members<'_>| {
            members.into_iter().filter(|(_, v)| v.get() != "null").map(|(name, _)| name).collect()
        };
        Some((names(envelope), names(data)))
    };
    let Some(((came, came_data), (went, went_data))) = str::from_utf8(came).ok().and_then(objects).zip(objects(went))
    else {
        return 0;
    };
    let lost = |came: Vec<String>, went: Vec<String>| {
        came.into_iter().filter(|name| !went.contains(name) && !KNOWN.contains(&name.as_str())).count() as u64
    };
    lost(came, went) + lost(came_data, went_data)
}

/// What can be said about an event that was refused: its source, and the stream it was meant for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hint {
    pub source: String,
    pub stream: Option<Stream>,
}

impl Hint {
    /// Looks into bytes that are no event; what can't be read stays empty.
    pub fn of(bytes: &[u8], token: &Token) -> Self {
        #[derive(Deserialize)]
        struct Peek {
            #[serde(default)]
            source: Option<serde_json::Value>,
            #[serde(default, rename = "type")]
            type_name: Option<serde_json::Value>,
        }
        let peek: Option<Peek> = str::from_utf8(bytes).ok().and_then(|text| serde_json::from_str(text).ok());
        let (source, type_name) = peek.map_or((None, None), |peek| (peek.source, peek.type_name));
        let by_type =
            type_name.as_ref().and_then(|name| name.as_str()?.strip_prefix("city.")?.split('.').next()?.parse().ok());
        let only = || if let [stream] = token.streams.as_slice() { Some(*stream) } else { None };
        // A source that isn't the token's own could be anything, a phone number too.
        let source = source.as_ref().and_then(|source| source.as_str()).filter(|source| token.may_send_as(source));
        Self { source: source.unwrap_or_default().to_owned(), stream: by_type.or_else(only) }
    }
}
