//! Random logs: a few calls, cases, orders and devices whose facts come in any order, twice, or not at all.
//!
//! A short log takes less than 24 hours, the lateness, and comes in any order. A long one takes two days and a half; its events are
//! at most two hours late and an entity's facts (devices apart) lie within 18 hours, so that no figure is settled before all its facts
//! are there: what happens beyond that is for the goldens.

use proptest::prelude::*;
use serde_json::{Value, json};
use yiping_event::TimeMs;

pub const HOUR: i64 = 3_600_000;

/// 2026-11-20T16:00:00+08:00, a Friday: a short log reaches over midnight, a long one into Monday.
pub const START: i64 = 1_795_161_600_000;

const DISTRICTS: [&str; 3] = ["环翠区", "荣成市", "经开区"];
const CALL_CATEGORIES: [&str; 4] = ["life_care", "consultation", "gov_purchased", "emergency"];
const ORDER_CATEGORIES: [&str; 3] = ["life_care", "助浴", "gov_purchased"];

#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub time: i64,
    /// The type's last word.
    pub kind: &'static str,
    pub data: Value,
    delay: i64,
}

#[derive(Clone, Debug)]
pub struct Log {
    pub events: Vec<Event>,
    /// Which events come a second time, and how late.
    pub copies: Vec<(usize, i64)>,
}

impl Log {
    /// In the order in which they come.
    pub fn lines(&self) -> Vec<String> {
        let line = |event: &Event| {
            json!({
                "specversion": "1.0", "id": event.id, "source": "test", "type": format!("city.elder.{}", event.kind),
                "time": TimeMs(event.time).to_string(), "data": event.data,
            })
            .to_string()
        };
        let mut lines: Vec<(i64, String)> =
            self.events.iter().map(|event| (event.time + event.delay, line(event))).collect();
        let copies = self.copies.iter().filter_map(|&(at, late)| Some((self.events.get(at)?, late)));
        lines.extend(copies.map(|(event, late)| (event.time + event.delay + late, line(event))));
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }
}

/// What an event is drawn from.
type Draw = (u8, u8, u8, i64, i64, (u8, u8, u8, i64));

pub fn log() -> impl Strategy<Value = Log> {
    let draw =
        (0u8..100, 0u8..5, 0u8..32, 0i64..1_000_000, 0i64..1_000_000, (0u8..4, 0u8..4, 0u8..32, 0i64..1_000_000));
    (any::<bool>(), prop::collection::vec(draw, 60..140), prop::collection::vec((0usize..140, 0i64..HOUR), 0..10))
        .prop_map(|(long, draws, copies)| {
            let events = draws.iter().zip(0..).flat_map(|(draw, nth)| said(long, nth, draw)).collect();
            Log { events, copies }
        })
}

/// One event, or the usual course of an order, from which steps may be missing.
fn said(long: bool, nth: i64, draw: &Draw) -> Vec<Event> {
    let first = event(long, nth, draw);
    let &(_, _, step, at, delay, (_, _, extra, amount)) = draw;
    if first.data["event"] != "created" || step >= 18 {
        return vec![first];
    }
    let story = |(place, word): (i64, &str)| Event {
        id: format!("{}-{place}", first.id),
        time: first.time + place * (amount % 3_000_000) / 1_000 * 1_000 - 60_000,
        data: json!({"order_id": format!("p{nth}"), "event": word}),
        delay: if long { (delay * (place + 3)) % (2 * HOUR) } else { (at * (place + 3)) % (22 * HOUR) },
        ..first.clone()
    };
    let steps = ["accepted", "arrived", if extra % 8 == 7 { "no_show" } else { "finished" }];
    let taken = (1..).zip(steps).filter(|(place, _)| i64::from(extra) % 16 != *place).map(story);
    let mut created = first.clone();
    created.data["order_id"] = format!("p{nth}").into();
    taken.chain([created]).collect()
}

fn event(long: bool, nth: i64, &(kind, entity, step, at, delay, (place, category, extra, amount)): &Draw) -> Event {
    // of a million: a place in a stretch
    let in_stretch = |of: i64, length: i64| of * (length / 1_000) / 1_000;
    let (kind, reach) = match kind {
        0..28 => ("call", 18),
        28..50 => ("sos", 18),
        50..78 => ("order", 18),
        78..85 => ("callback", 18),
        _ => ("heartbeat", 58),
    };
    let within = match (long, kind) {
        (false, "sos") => i64::from(entity) * 3 * HOUR + in_stretch(at, 2 * HOUR),
        (false, _) => in_stretch(at, 20 * HOUR),
        // devices are heard of at any time, the others within their own stretch
        (true, "heartbeat") => in_stretch(at, reach * HOUR),
        (true, _) => i64::from(entity) * 10 * HOUR + in_stretch(at, reach * HOUR),
    };
    let delay = if long { in_stretch(delay, 2 * HOUR) } else { in_stretch(delay, 22 * HOUR) };
    // whole seconds, so that some happen at the same time; heartbeats never do
    let time = START + within / 1_000 * 1_000 + if kind == "heartbeat" { nth } else { 0 };
    let district = DISTRICTS.get(usize::from(place)).copied();
    let mut data = match kind {
        "call" => {
            // many calls, or no window holds enough of them
            let call = i64::from(entity) * 12 + amount % 12;
            let event = ["offered", "answered", "answered", "abandoned", "ended"][usize::from(step) % 5];
            let mut data = json!({"call_id": format!("c{call}"), "event": event, "category": CALL_CATEGORIES[usize::from(category)]});
            if extra % 2 == 0 && matches!(event, "answered" | "abandoned") {
                data["wait_s"] = ((amount % 3_600_000) as f64 / 1_000.0).into();
            }
            data
        }
        "sos" => {
            let events =
                ["raised", "raised", "connected", "not_connected", "acknowledged", "arrived", "closed", "false_alarm"];
            let event = match usize::from(step) {
                31 => "false_alarm",
                step => events[step % 7],
            };
            json!({"case_id": format!("s{entity}{}", extra % 3), "event": event, "district": DISTRICTS[usize::from(place) % 3], "device_id": "d0"})
        }
        "order" => {
            let order = format!("o{entity}{}", extra % 3);
            let events = [
                "created",
                "created",
                "created",
                "accepted",
                "arrived",
                "finished",
                "departed",
                "no_show",
                "cancelled",
            ];
            let event = events[usize::from(step) % 9];
            let mut data = json!({"order_id": order, "event": event});
            if event == "created" {
                data["category"] = ORDER_CATEGORIES[usize::from(category) % 3].into();
                data["district"] = DISTRICTS[usize::from(place) % 3].into();
            }
            // (only a short log moves due times: see above)
            if (event == "created" && extra % 4 != 0) || (!long && extra % 8 == 1) {
                let due = time - 5 * HOUR + in_stretch(amount, 24 * HOUR);
                let hour = (due + 8 * HOUR).rem_euclid(24 * HOUR) / HOUR;
                let due = due + if hour < 3 { 3 * HOUR } else { 0 };
                // (at the end of a short log what is due more than an hour before its beginning would be too late)
                let due = if long { due } else { due.max(START - HOUR) };
                data["due"] = TimeMs(due).to_string().into();
            }
            data
        }
        "callback" => json!({"order_id": format!("o{entity}{}", extra % 3), "score": 1 + step % 5}),
        _ => json!({"device_id": format!("d{}", entity + 5 * (extra % 2))}),
    };
    if let (Some(district), "call" | "callback" | "heartbeat") = (district, kind) {
        data["district"] = district.into();
    }
    Event { id: format!("e{nth:04}"), time, kind, data, delay }
}
