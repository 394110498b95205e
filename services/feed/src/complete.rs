//! What a map gives becomes a whole CloudEvent: `{type, time, data}` is enough, the rest is completed here. Validity is
//! the gateway's to judge; this stage needs only a type and the times.
//!
//! **Ids.** An event without `id` gets the hash of what it says (I7): the first 32 hex digits of SHA-256 over the feed's
//! name, a line feed, and the event without `id` and `receivedtime` as canonical JSON (members sorted by name, no
//! spaces, UTF-8 unescaped). So a poll that repeats an update, or a file replayed twice, makes the same id, and the
//! repeat is a duplicate; whatever makes two events *different* must be in the map's output.

use crate::mapping::{MapError, Mapping, of_local};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use yiping_event::{Datum, Stream, TimeMs};

/// Members of `data` that are times.
const TIMES: [&str; 3] = ["scheduled_time", "due", "entry_time"];

/// A department's feed: its name (part of every content id), the source that its events carry unless the map gives
/// one, and its map; without a map rows are taken to be events.
#[derive(Default)]
pub struct Feed {
    pub name: String,
    pub source: String,
    pub map: Option<Mapping>,
    /// Its events are of this stream, or refused.
    pub stream: Option<Stream>,
    /// The zone of times that came without an offset.
    pub zone: Option<TimeZone>,
    /// The datum of places whose event names none.
    pub datum: Option<Datum>,
}

/// One completed event with the two times that replay and ordering need.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    pub event: Map<String, Value>,
    /// Event time.
    pub time: TimeMs,
    /// Log time: `receivedtime`, else event time.
    pub log_time: TimeMs,
    /// A local time of the event's row lay in the hour that a clock change repeats or leaves out.
    pub changeover: bool,
}

impl Mapped {
    pub fn type_name(&self) -> &str {
        self.event.get("type").and_then(Value::as_str).unwrap_or_default()
    }
}

impl Feed {
    /// The events of one row, complete, in the map's order.
    pub fn events(&self, row: Value) -> Result<Vec<Mapped>, MapError> {
        self.events_at(row, None)
    }

    /// The same of a row that was asked for at a time.
    pub fn events_at(&self, row: Value, polled: Option<TimeMs>) -> Result<Vec<Mapped>, MapError> {
        let (drafts, changeover) = match &self.map {
            Some(map) => map.run_at(&row, polled).map(|made| (made.outputs, made.changeovers > 0))?,
            None => (vec![row], false),
        };
        drafts.into_iter().map(|draft| self.complete(draft, changeover)).collect()
    }

    fn complete(&self, draft: Value, mut changeover: bool) -> Result<Mapped, MapError> {
        let Value::Object(mut event) = draft else {
            return Err(MapError::NotAnObject(draft.to_string().chars().take(80).collect()));
        };
        let type_name = event.get("type").and_then(Value::as_str).ok_or(MapError::Missing("type"))?;
        if let Some((wanted, found)) = self.stream.zip(stream_of(type_name)).filter(|(wanted, found)| wanted != found) {
            return Err(MapError::OtherStream { wanted, found });
        }
        if let Some(zone) = &self.zone {
            changeover |= with_offset(&mut event, "time", zone) | with_offset(&mut event, "receivedtime", zone);
            if let Some(Value::Object(data)) = event.get_mut("data") {
                changeover |= TIMES.iter().fold(false, |any, member| with_offset(data, member, zone) | any);
            }
        }
        if let (Some(datum), Some(Value::Object(data))) = (self.datum, event.get_mut("data"))
            && ["lon", "lat"].iter().all(|member| data.get(*member).is_some_and(Value::is_number))
            && data.get("datum").is_none_or(Value::is_null)
        {
            data.insert("datum".into(), datum.as_str().into());
        }
        let time = member_time(&event, "time")?.ok_or(MapError::Missing("time"))?;
        let log_time = member_time(&event, "receivedtime")?.unwrap_or(time);
        event.entry("specversion").or_insert_with(|| "1.0".into());
        event.entry("source").or_insert_with(|| self.source.as_str().into());
        if event.get("id").is_none_or(Value::is_null) {
            let id = content_id(&self.name, &event);
            event.insert("id".into(), id.into());
        }
        Ok(Mapped { event, time, log_time, changeover })
    }
}

/// The stream that a type belongs to; heartbeats, ticks and unknown types to none.
fn stream_of(type_name: &str) -> Option<Stream> {
    type_name.strip_prefix("city.")?.split('.').next()?.parse().ok()
}

/// Gives a local time its offset; what is no local time stays. Whether a clock change made it ambiguous or left it out.
fn with_offset(members: &mut Map<String, Value>, member: &str, zone: &TimeZone) -> bool {
    let Some(Value::String(text)) = members.get_mut(member) else { return false };
    if TimeMs::parse(text).is_ok() {
        return false;
    }
    let Ok(local) = text.trim().parse::<DateTime>() else { return false };
    let Ok((instant, changeover)) = of_local(local, zone) else { return false };
    *text = instant.display_with_offset(zone.to_offset(instant)).to_string();
    changeover
}

fn member_time(event: &Map<String, Value>, member: &'static str) -> Result<Option<TimeMs>, MapError> {
    let Some(value) = event.get(member) else { return Ok(None) };
    let bad = || MapError::BadTime { member, text: value.to_string() };
    TimeMs::parse(value.as_str().ok_or_else(bad)?).map(Some).map_err(|_| bad())
}

/// The id of an event that brings none; see the module's page.
pub fn content_id(feed: &str, event: &Map<String, Value>) -> String {
    let mut text = format!("{feed}\n{{");
    let mut members: Vec<_> =
        event.iter().filter(|(name, _)| !matches!(name.as_str(), "id" | "receivedtime")).collect();
    members.sort_by_key(|(name, _)| name.as_str());
    write_members(&members, &mut text);
    text.push('}');
    let mut id = hex::encode(Sha256::digest(text.as_bytes()));
    id.truncate(32);
    id
}

// Sorted by hand: whether serde_json keeps members sorted depends on a feature that any crate of the build may turn on.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            members.sort_by_key(|(name, _)| name.as_str());
            text.push('{');
            write_members(&members, text);
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

fn write_members(members: &[(&String, &Value)], text: &mut String) {
    for (n, (name, value)) in members.iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        text.push_str(&Value::from(name.as_str()).to_string());
        text.push(':');
        write_canonical(value, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn feed(map: Option<&str>) -> Feed {
        let map = map.map(|code| Mapping::compile(code).unwrap());
        Feed { name: "lots".into(), source: "town/lots".into(), map, ..Feed::default() }
    }

    fn draft() -> Value {
        json!({"type": "city.parking.snapshot", "time": "2026-01-01T08:00:00+08:00",
               "data": {"occupied": 3, "lot_id": "东门\n", "capacity": 10}})
    }

    #[test]
    fn type_time_and_data_are_enough() {
        let made = feed(None).events(draft()).unwrap().remove(0);
        assert_eq!(made.event["specversion"], "1.0");
        assert_eq!(made.event["source"], "town/lots");
        assert_eq!((made.time.ms(), made.log_time.ms()), (1_767_225_600_000, 1_767_225_600_000));
        // The id as any other program would compute it from the module's page.
        let text = "lots\n{\"data\":{\"capacity\":10,\"lot_id\":\"东门\\n\",\"occupied\":3},\"source\":\"town/lots\",\
                    \"specversion\":\"1.0\",\"time\":\"2026-01-01T08:00:00+08:00\",\"type\":\"city.parking.snapshot\"}";
        assert_eq!(made.event["id"], hex::encode(Sha256::digest(text))[..32]);
    }

    #[test]
    fn i7_a_repeat_received_later_has_the_same_id_and_another_content_another() {
        let id = |change: fn(&mut Value)| {
            let mut event = draft();
            change(&mut event);
            feed(None).events(event).unwrap().remove(0).event["id"].clone()
        };
        let first = id(|_| ());
        assert_eq!(first, id(|e| e["receivedtime"] = "2026-01-01T00:05:00Z".into()));
        assert_ne!(first, id(|e| e["data"]["occupied"] = 4.into()));
        assert_ne!(first, id(|e| e["time"] = "2026-01-01T08:00:01+08:00".into()));
    }

    #[test]
    fn times_without_an_offset_are_of_the_feeds_zone_and_a_clock_change_is_told() {
        let feed = Feed { zone: Some(TimeZone::get("Europe/London").unwrap()), ..feed(None) };
        let made = |time: &str| {
            let mut event = draft();
            event["time"] = time.into();
            event["data"]["due"] = "2016-03-27T09:00:00".into();
            let made = feed.events(event).unwrap().remove(0);
            assert_eq!(made.event["data"]["due"], "2016-03-27T09:00:00+01:00");
            (made.event["time"].as_str().unwrap().to_owned(), made.changeover)
        };
        assert_eq!(made("2016-07-01 08:00:00"), ("2016-07-01T08:00:00+01:00".into(), false));
        assert_eq!(made("2016-07-01T08:00:00+08:00"), ("2016-07-01T08:00:00+08:00".into(), false));
        assert_eq!(made("2016-10-30 01:30:00"), ("2016-10-30T01:30:00+01:00".into(), true));
        assert_eq!(made("2016-03-27 01:30:00"), ("2016-03-27T02:30:00+01:00".into(), true));
    }

    #[test]
    fn places_get_the_feeds_datum_unless_the_event_names_its_own() {
        let feed = Feed { datum: Some(Datum::Gcj02), ..feed(None) };
        let datum = |data: Value| {
            feed.events(json!({"type": "city.bus.position", "time": "2016-07-01T08:00:00Z", "data": data}))
                .unwrap()
                .remove(0)
                .event["data"]["datum"]
                .clone()
        };
        assert_eq!(datum(json!({"lon": 122.1, "lat": 37.5})), "gcj02");
        assert_eq!(datum(json!({"lon": 122.1, "lat": 37.5, "datum": "wgs84"})), "wgs84");
        assert_eq!(datum(json!({"lot_id": "A"})), Value::Null);
    }

    #[test]
    fn events_of_another_stream_than_the_feeds_are_refused() {
        let of = |stream| Feed { stream: Some(stream), ..feed(None) }.events(draft());
        assert!(of(Stream::Parking).is_ok());
        let refused = of(Stream::Bus).unwrap_err().to_string();
        assert!(refused.contains("of parking") && refused.contains("of bus"), "{refused}");
    }

    #[test]
    fn what_an_event_brings_itself_stays() {
        let mut event = draft();
        event["id"] = "own".into();
        event["source"] = "other".into();
        event["receivedtime"] = "2026-01-01T00:00:09.5Z".into();
        let made = feed(None).events(event.clone()).unwrap().remove(0);
        assert_eq!((made.event["id"].as_str(), made.event["source"].as_str()), (Some("own"), Some("other")));
        assert_eq!(made.log_time.ms() - made.time.ms(), 9_500);
    }

    #[test]
    fn an_event_without_type_or_with_a_time_without_offset_is_refused_with_the_reason() {
        let refused = |map: &str| feed(Some(map)).events(json!({})).unwrap_err().to_string();
        assert!(refused("{time: \"2026-01-01T00:00:00Z\"}").contains("no type"));
        assert!(refused("{type: \"city.tick\"}").contains("no time"));
        assert!(refused("{type: \"city.tick\", time: \"2026-01-01 00:00:00\"}").contains("RFC 3339"));
    }
}
