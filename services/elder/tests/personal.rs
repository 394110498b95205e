//! What leaves the service of a call for help (I11): where it is, to the street; neither its device nor its number.

#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use serde_json::{Value, json};
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_elder::Elder;
use yiping_event::{Stream, TimeMs};
use yiping_window::{Input, Machine, Output, Settings};

#[test]
fn i11_no_row_of_a_call_for_help_names_its_device_or_its_number() {
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
    let raised = TimeMs::parse("2026-11-20T10:00:00+08:00").unwrap();
    for (offset, kind) in ["raised", "acknowledged", "closed"].into_iter().enumerate() {
        let event = json!({
            "specversion": "1.0", "id": kind, "source": "test", "type": "city.elder.sos",
            "time": TimeMs(raised.0 + offset as i64 * 60_000).to_string(),
            "data": {
                "case_id": "case-13800000000", "event": kind, "district": "环翠区", "street": "竹岛街道", "device_id": "pendant-4711",
            },
        })
        .to_string();
        machine.apply(Input { offset: offset as u64, append: None, payload: event.as_bytes() }, &mut out);
    }
    machine.live(&mut out);
    machine.finish(raised, &mut out);
    let said = format!("{:?} {:?} {:?}", out.live, out.rows, out.rejects);
    assert!(!said.contains("4711") && !said.contains("13800000000"), "{said}");
    // the case is there, with its street
    let case: Value = serde_json::from_str(&out.live[0].attrs).unwrap();
    assert_eq!((&case["street"], &case["state"]), (&json!("竹岛街道"), &json!("raised")));
    assert!(out.rows.iter().any(|row| row.metric == "elder.sos_open"));
}
