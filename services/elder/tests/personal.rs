//! What leaves the service of a call for help (I11): where it is, to the street; neither its device nor its number. Of an order: what
//! it is about and where; neither who comes nor for what.

#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use serde_json::{Value, json};
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_elder::Elder;
use yiping_event::{Stream, TimeMs};
use yiping_window::{Input, Machine, Output, Settings};

/// All that leaves the service of events at 10:00, 10:01, …
fn said(kind: &str, events: &[Value]) -> Output {
    let settings = Settings {
        out_of_order_ms: 5_000,
        lateness_ms: 24 * 3_600_000,
        max_skew_ms: 60_000,
        zone: "Asia/Shanghai".into(),
        profile: City::weihai().text(),
    };
    let specs = Catalogue::builtin().unwrap().specs(Stream::Elder, None);
    let mut machine = Machine::<Elder>::new(Stream::Elder, &specs, settings).unwrap();
    let mut out = Output::default();
    let first = TimeMs::parse("2026-11-20T10:00:00+08:00").unwrap();
    for (offset, data) in events.iter().enumerate() {
        let event = json!({
            "specversion": "1.0", "id": offset.to_string(), "source": "test", "type": format!("city.elder.{kind}"),
            "time": TimeMs(first.0 + offset as i64 * 60_000).to_string(), "data": data,
        })
        .to_string();
        machine.apply(Input { offset: offset as u64, append: None, payload: event.as_bytes() }, &mut out);
    }
    machine.live(&mut out);
    machine.finish(first, &mut out);
    out
}

fn attrs(out: &Output, at: usize) -> Value {
    serde_json::from_str(&out.live[at].attrs).unwrap()
}

#[test]
fn i11_no_row_of_a_call_for_help_names_its_device_or_its_number() {
    let event = |kind: &str| {
        json!({
            "case_id": "case-13800000000", "event": kind, "district": "环翠区", "street": "竹岛街道", "device_id": "pendant-4711",
        })
    };
    let out = said("sos", &["raised", "connected", "acknowledged", "arrived", "closed"].map(event));
    let all = format!("{:?} {:?} {:?}", out.live, out.rows, out.rejects);
    assert!(!all.contains("4711") && !all.contains("13800000000"), "{all}");
    // the case is there, with its street, and with what has happened so far
    let first =
        json!({"district": "环翠区", "street": "竹岛街道", "state": "raised", "raised": "2026-11-20T02:00:00.000Z"});
    assert_eq!(attrs(&out, 0), first);
    let arrived = json!({
        "district": "环翠区", "street": "竹岛街道", "state": "acknowledged", "raised": "2026-11-20T02:00:00.000Z",
        "connected": "2026-11-20T02:01:00.000Z", "acknowledged": "2026-11-20T02:02:00.000Z",
        "arrived": "2026-11-20T02:03:00.000Z",
    });
    assert_eq!(attrs(&out, 3), arrived);
    assert_eq!(
        out.live.iter().map(|row| (row.kind, row.gone)).collect::<Vec<_>>()[3..5],
        [("sos", false), ("sos", true)]
    );
    assert!(out.rows.iter().any(|row| row.metric == "elder.sos_open"));
}

#[test]
fn i11_no_row_of_an_order_names_its_number_its_service_or_who_provides_it() {
    let event = |kind: &str| {
        json!({
            "order_id": "order-13800000000", "event": kind, "category": "助浴", "district": "荣成市", "service_code": "F0815",
            "provider_id": "P4711", "due": "2026-11-20T18:00:00+08:00",
        })
    };
    let out = said("order", &["created", "accepted", "departed", "arrived", "finished"].map(event));
    let all = format!("{:?} {:?} {:?}", out.live, out.rows, out.rejects);
    assert!(!all.contains("4711") && !all.contains("13800000000") && !all.contains("0815"), "{all}");
    let first = json!({
        "category": "助浴", "district": "荣成市", "state": "created", "created": "2026-11-20T02:00:00.000Z",
        "due": "2026-11-20T10:00:00.000Z",
    });
    assert_eq!(attrs(&out, 0), first);
    let states: Vec<(Value, bool)> = (0..5).map(|at| (attrs(&out, at)["state"].clone(), out.live[at].gone)).collect();
    let expected =
        ["created", "accepted", "departed", "arrived", "finished"].map(|state| (json!(state), state == "finished"));
    assert_eq!(states, expected);
    assert!(out.live.iter().all(|row| row.kind == "order" && row.key == out.live[0].key));
}
