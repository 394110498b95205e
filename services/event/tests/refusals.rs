//! What is refused says where and why, and never repeats what stood there; what is odd but legal comes through.

#![expect(clippy::unwrap_used, reason = "a test that panics has said what it has to say")]

use std::borrow::Cow;

use serde_json::{Value, json};
use yiping_event::{Code, Data, Datum, Event, Reject, TimeMs, bus, decode};

fn position() -> Value {
    json!({
        "specversion": "1.0", "id": "p-1", "source": "urn:weihai:bus:dispatch", "type": "city.bus.position",
        "time": "2026-11-20T18:41:07+08:00",
        "data": {"vehicle_id": "WH0412", "route_id": "12", "direction": 0, "lon": 122.12114, "lat": 37.49992}
    })
}

fn with(pointer: &str, value: Value) -> String {
    let mut event = position();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[member] = value;
    event.to_string()
}

fn without(pointer: &str) -> String {
    let mut event = position();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(member).unwrap();
    event.to_string()
}

fn refused(text: &str) -> Reject {
    match decode(text.as_bytes()) {
        Err(reject) => reject,
        Ok(event) => panic!("accepted: {event:?}"),
    }
}

fn place(text: &str) -> (Code, String, Option<String>) {
    let reject = refused(text);
    (reject.code, reject.pointer, reject.id)
}

#[test]
fn a_reject_names_the_member_that_is_wrong_or_missing() {
    let id = || Some("p-1".to_owned());
    for (text, code, pointer) in [
        (with("/data/lon", json!("122.1")), Code::BadData, "/data/lon"),
        (with("/data/lat", json!(91)), Code::BadData, "/data/lat"),
        (without("/data/vehicle_id"), Code::BadData, "/data/vehicle_id"),
        (with("/data/datum", json!("bd09")), Code::BadData, "/data/datum"),
        (with("/data", json!([])), Code::BadData, "/data"),
        (with("/data", json!(null)), Code::BadData, "/data"),
        (with("/type", json!("city.bus.flown")), Code::UnknownType, "/type"),
        (with("/type", json!(7)), Code::BadEnvelope, "/type"),
        (with("/specversion", json!("0.3")), Code::BadEnvelope, "/specversion"),
        (with("/time", json!("2026-11-20T18:41:07")), Code::BadEnvelope, "/time"),
        (with("/receivedtime", json!(0)), Code::BadEnvelope, "/receivedtime"),
        (with("/source", json!("a b")), Code::BadEnvelope, "/source"),
        (without("/data"), Code::BadEnvelope, "/data"),
        (without("/time"), Code::BadEnvelope, "/time"),
    ] {
        assert_eq!(place(&text), (code, pointer.to_owned(), id()), "{text}");
    }
    assert_eq!(place(&without("/id")), (Code::BadEnvelope, "/id".to_owned(), None));
    assert_eq!(place(&with("/id", json!("x".repeat(65)))), (Code::BadEnvelope, "/id".to_owned(), None));
}

#[test]
fn a_created_order_without_category_or_district_is_refused_at_that_member() {
    for kind in ["city.hotline.order", "city.elder.order"] {
        let order = |data: Value| {
            let mut event = position();
            event["type"] = json!(kind);
            event["data"] = data;
            event.to_string()
        };
        let bare = order(json!({"order_id": "o", "event": "created", "category": null, "district": "环翠区"}));
        assert_eq!(place(&bare).1, "/data/category");
        assert_eq!(place(&order(json!({"order_id": "o", "event": "created", "category": "供暖"}))).1, "/data/district");
        assert!(decode(order(json!({"order_id": "o", "event": "accepted"})).as_bytes()).is_ok());
    }
}

#[test]
fn what_is_not_json_says_so_and_where() {
    for text in ["", "   ", "{", "nonsense", "{\"id\":}", r#"{"specversion":"1.0","#] {
        let reject = refused(text);
        assert_eq!((reject.code, &*reject.pointer), (Code::BadJson, ""), "{text}");
        assert!(reject.message.contains("line 1"), "{}", reject.message);
    }
    assert_eq!(refused(&format!("{} x", position())).code, Code::BadJson);
    assert_eq!(refused(&format!("{0}{0}", position())).code, Code::BadJson);
    assert_eq!(decode(b"{\"id\":\"\xff\"}").unwrap_err().code, Code::BadJson);
    for text in ["[]", "1", "\"text\"", "null", " [{}] "] {
        assert_eq!(refused(text).code, Code::BadEnvelope, "{text}");
    }
    assert_eq!(refused("{}").code, Code::BadEnvelope);
    let huge = position().to_string().replace("122.12114", "1e999");
    let reject = refused(&huge);
    assert_eq!((reject.code, &*reject.pointer, &*reject.message), (Code::BadJson, "/data/lon", "number out of range"));
    let half = position().to_string().replace("WH0412", r"\ud800");
    assert_eq!(refused(&half).code, Code::BadJson);
}

#[test]
fn a_reject_never_repeats_what_the_sender_wrote() {
    let secret = "13800001111, expected an integer at line 1 column 1";
    for pointer in
        ["/specversion", "/time", "/type", "/data", "/data/lon", "/data/direction", "/data/datum", "/data/backfill"]
    {
        let reject = refused(&with(pointer, json!(secret)));
        assert!(!reject.to_string().contains("1380000"), "{pointer}: {reject}");
    }
    for pointer in [
        "/id",
        "/source",
        "/time",
        "/data/vehicle_id",
        "/data/lon",
        "/data/direction",
        "/data/datum",
        "/data/backfill",
        "/data/trip_id",
    ] {
        let reject = refused(&with(pointer, json!(13_800_001_111_u64)));
        assert!(!reject.to_string().contains("1380000"), "{pointer}: {reject}");
        assert!(reject.message.starts_with("expected "), "{pointer}: {reject}");
    }
}

#[test]
fn a_member_that_stands_twice_is_refused_only_if_it_is_known() {
    let twice = |what: &str| position().to_string().replacen('{', &format!("{{{what},"), 1);
    assert_eq!(place(&twice(r#""time":"2026-11-20T18:41:07Z""#)).1, "/time");
    assert!(decode(twice(r#""ext":1,"ext":2"#).as_bytes()).is_ok());
    let in_data = position().to_string().replace(r#""lon":"#, r#""lon":1,"lon":"#);
    let reject = refused(&in_data);
    assert_eq!((reject.code, &*reject.pointer, &*reject.message), (Code::BadData, "/data/lon", "stands there twice"));
    assert!(decode(position().to_string().replace(r#""lon":"#, r#""x":1,"x":{},"lon":"#).as_bytes()).is_ok());
}

#[test]
fn depth_in_members_that_nobody_knows_does_no_harm() {
    let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    for member in ["ext", "subject", "data_base64"] {
        let text = position().to_string().replacen('{', &format!("{{\"{member}\":{deep},"), 1);
        assert!(decode(text.as_bytes()).is_ok(), "{member}");
    }
    let in_data = position().to_string().replace(r#""lon":"#, &format!(r#""x":{deep},"lon":"#));
    assert!(decode(in_data.as_bytes()).is_ok());
    // and where they are known, or the whole is nothing else, it is refused all the same
    let known = position().to_string().replace("122.12114", &deep);
    assert_eq!(place(&known).1, "/data/lon");
    assert_eq!(refused(&deep).code, Code::BadEnvelope);
}

#[test]
fn plain_texts_are_borrowed_and_escaped_or_chinese_ones_come_through() {
    let text = position().to_string();
    let event = decode(text.as_bytes()).unwrap();
    let Data::BusPosition(fix) = &event.data else { panic!("{event:?}") };
    assert!(matches!((&event.id, &fix.vehicle_id), (Cow::Borrowed(_), Cow::Borrowed(_))));

    let text = with("/data/trip_id", json!("一路")).replace("WH0412", r"\u5a01\u6d77 \ud83d\ude8c \/ \u0022");
    let event = decode(text.as_bytes()).unwrap();
    let Data::BusPosition(fix) = &event.data else { panic!("{event:?}") };
    assert_eq!(fix.vehicle_id, "威海 🚌 / \"");
    assert!(matches!(fix.trip_id, Some(Cow::Borrowed("一路"))));
    assert_eq!(event.key(), "威海 🚌 / \"");
    assert_eq!(decode(event.to_json().as_bytes()).as_ref(), Ok(&event));
}

#[test]
fn an_event_is_written_in_one_order_without_absent_members() {
    let event = Event {
        id: "1".into(),
        source: "urn:x".into(),
        time: TimeMs(1_795_171_267_000),
        received: Some(TimeMs(1_795_171_267_089)),
        data: Data::BusPosition(bus::Position {
            vehicle_id: "v".into(),
            route_id: "12".into(),
            direction: 1,
            lon: 122.100_000_000_000_01,
            lat: 37.0,
            datum: Some(Datum::Gcj02),
            speed_kmh: None,
            bearing: None,
            passengers: Some(0),
            capacity: None,
            trip_id: None,
            backfill: None,
        }),
    };
    let written = event.to_json();
    assert_eq!(
        written,
        r#"{"specversion":"1.0","id":"1","source":"urn:x","type":"city.bus.position","time":"2026-11-20T10:41:07.000Z","receivedtime":"2026-11-20T10:41:07.089Z","data":{"vehicle_id":"v","route_id":"12","direction":1,"lon":122.10000000000001,"lat":37.0,"datum":"gcj02","passengers":0}}"#
    );
    assert_eq!(decode(written.as_bytes()), Ok(event));
}
