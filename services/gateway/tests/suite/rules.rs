//! Every member that has an `x-personal` rule in its schema is treated so (I11): the rules are read from the schemas.

use std::sync::Arc;

use serde_json::{Value, json};
use yiping_city::City;
use yiping_event::{Stream, TYPES, TimeMs};
use yiping_gateway::{Pseudonyms, Right};

use crate::fixture::*;

/// What stands in a member that is to be left behind.
const PLANTED: &str = "张某 13800138000 鲁K12345";

/// The schema's members of data that have the rule.
fn members(schema: &str, rule: &str) -> Vec<String> {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let data = schema["properties"]["data"]["properties"].as_object().unwrap().clone();
    data.into_iter().filter(|(_, member)| member["x-personal"] == rule).map(|(name, _)| name).collect()
}

fn example(kind: &str) -> Value {
    let path = format!("{}/../../schemas/events/examples/{kind}/full.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What the log has of an event.
async fn logged(gateway: &Fixture, token: &str, stream: Stream, event: &Value) -> Value {
    let before = gateway.records(stream.topic()).await.len();
    let answer = gateway.send(token, ONE, event.to_string()).await;
    assert_eq!(answer.0, 202, "{event}: {}", answer.1);
    let records = gateway.records(stream.topic()).await;
    assert_eq!(records.len(), before + 1);
    records.into_iter().find(|(_, _, record)| record["id"] == event["id"]).unwrap().2
}

#[tokio::test]
async fn i11_every_member_with_a_rule_is_dropped_renamed_or_put_on_the_map_as_its_schema_says() {
    let gateway = Fixture::start().await;
    let token = gateway.token_for("all", &Stream::ALL, &["*"], &[Right::SetReceived]);
    let city = City::weihai();
    let mut treated = 0;
    for (kind, stream) in TYPES.iter().filter_map(|kind| Some((kind, kind.stream?))) {
        let (dropped, hashed, cells) =
            (members(kind.schema, "drop"), members(kind.schema, "hmac"), members(kind.schema, "cell"));
        treated += dropped.len() + hashed.len() + cells.len();
        let mut event = example(kind.name);
        event["id"] = json!(format!("rules-{}", kind.name));
        for name in &dropped {
            event["data"][name] = json!(PLANTED);
        }
        for name in &hashed {
            event["data"][name] = json!(PLANTED);
        }
        if cells.iter().any(|name| name == "street") {
            let street = &city.streets[3];
            event["data"]["street"] = json!(format!("{}海港路12号{PLANTED}", street.street));
        }
        let logged = logged(&gateway, &token, stream, &event).await;
        let text = logged.to_string();
        assert!(!text.contains("13800138000") && !text.contains("张某") && !text.contains("鲁K"), "{text}");
        for name in &dropped {
            assert!(logged["data"].get(name).is_none(), "{}: {name}: {text}", kind.name);
        }
        for name in &hashed {
            let pseudonym = Pseudonyms::of(PSEUDONYM_KEY).name(name, PLANTED);
            assert_eq!(logged["data"][name], pseudonym, "{}", kind.name);
        }
        for name in &cells {
            let street = &city.streets[3];
            let cell = match name.as_str() {
                "street" => json!(street.street),
                "lon" => json!(street.lon),
                "lat" => json!(street.lat),
                other => panic!("{}: no cell is known for {other}", kind.name),
            };
            assert_eq!(logged["data"][name], cell, "{}: {name}", kind.name);
        }
    }
    assert!(treated > 20, "{treated} members have a rule");
}

#[tokio::test]
async fn a_stay_has_one_pseudonym_in_its_entry_exit_and_payment_and_a_device_in_its_heartbeats_and_calls() {
    let gateway = Fixture::start().await;
    let token = gateway.token_for("all", &Stream::ALL, &["*"], &[Right::SetReceived]);
    let mut names = Vec::new();
    for kind in ["entry", "exit", "payment", "credit"] {
        let mut event = example(&format!("city.parking.{kind}"));
        event["data"]["session_id"] = json!("stay-1");
        names.push(logged(&gateway, &token, Stream::Parking, &event).await["data"]["session_id"].to_string());
    }
    names.dedup();
    assert_eq!(names.len(), 1, "{names:?}");
    let mut devices = Vec::new();
    for kind in ["heartbeat", "sos"] {
        let mut event = example(&format!("city.elder.{kind}"));
        event["data"]["device_id"] = json!("stay-1");
        devices.push(logged(&gateway, &token, Stream::Elder, &event).await["data"]["device_id"].to_string());
    }
    devices.dedup();
    assert_eq!(devices.len(), 1, "{devices:?}");
    assert_ne!(devices, names, "a device and a stay of the same number don't meet");
    let records = gateway.records("city.elder").await;
    assert!(
        records.iter().any(|(_, key, record)| record["data"]["device_id"] == **key),
        "the log's key is no other name"
    );
}

#[tokio::test]
async fn without_a_key_what_needs_a_pseudonym_is_refused_with_what_to_do_and_the_rest_is_taken() {
    let now = TimeMs::parse(NOW).unwrap();
    let gateway = Fixture::with_deps(limits(), Arc::new(move || now), None, feeds(LOTS_MAP), None).await;
    let token = gateway.token_for("all", &Stream::ALL, &["*"], &[]);
    let (status, answer) = gateway.send(&token, ONE, example("city.elder.heartbeat").to_string()).await;
    let reject = &answer["rejected"][0];
    assert_eq!(
        (status, &reject["code"], &reject["pointer"]),
        (422, &json!("personal_data"), &json!("/data/device_id"))
    );
    assert!(reject["message"].as_str().unwrap().contains("yiping key new"), "{answer}");
    assert_eq!(gateway.send(&token, ONE, position("a").to_string()).await.0, 202);
}

#[tokio::test]
async fn a_place_that_is_none_of_the_citys_is_left_behind() {
    let gateway = Fixture::start().await;
    let token = gateway.token("hotline", &[Stream::Hotline, Stream::Elder]);
    let mut order = example("city.hotline.order");
    order["data"]["street"] = json!("某小区3号楼2单元");
    let data = order["data"].as_object_mut().unwrap();
    data.remove("lon");
    data.remove("lat");
    let logged_order = logged(&gateway, &token, Stream::Hotline, &order).await;
    assert!(logged_order["data"].get("street").is_none(), "{logged_order}");
    let mut sos = example("city.elder.sos");
    sos["data"]["street"] = json!("某小区3号楼2单元");
    let logged_sos = logged(&gateway, &token, Stream::Elder, &sos).await;
    assert!(logged_sos["data"].get("street").is_none(), "{logged_sos}");
}
