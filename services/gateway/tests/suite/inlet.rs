//! Departments with a Kafka of their own write to `city.in.*`; what the services read has been judged.

use std::time::Duration;

use serde_json::json;
use yiping_event::{Stream, TimeMs};
use yiping_gateway::{Limits, Part, in_topic, kept_rejects};
use yiping_log::{Log, NewRecord};

use crate::fixture::*;

fn raw(payload: impl ToString) -> NewRecord {
    let topic = in_topic(Stream::Bus).to_owned();
    NewRecord { topic, partition: None, key: None, payload: payload.to_string().into() }
}

/// Waits until so many records are in a topic; the limit ends a test that can't pass.
async fn arrived(gateway: &Fixture, topic: &str, count: usize) -> Vec<serde_json::Value> {
    let all = async {
        loop {
            let records = gateway.records(topic).await;
            if records.len() >= count {
                return records.into_iter().map(|(_, _, record)| record).collect::<Vec<_>>();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let records = tokio::time::timeout(Duration::from_secs(30), all).await.expect("the records don't arrive");
    assert_eq!(records.len(), count);
    records
}

async fn ready(gateway: &Fixture) {
    let there = async {
        while gateway.log.partitions(in_topic(Stream::Bus)).await.is_err() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(Duration::from_secs(30), there).await.expect("the topic is not made");
}

#[tokio::test]
async fn what_a_department_writes_is_judged_cleaned_and_passed_on_and_the_rest_is_a_reject() {
    let gateway = Fixture::start().await;
    ready(&gateway).await;
    let mut named = position("a");
    named["data"]["driver"] = json!("张某 13800138000");
    named["receivedtime"] = json!("2016-05-01T00:00:00.000Z");
    let mut foreign = position("b");
    foreign["source"] = json!("/taxi/1");
    let mut plate = position("c");
    plate["data"]["vehicle_id"] = json!("鲁K12345");
    let mut other = call("d");
    other["source"] = json!("/bus/dispatch");
    // deeper than any event, though what holds it would be left behind
    let deep = position("e").to_string().replacen(
        "\"data\":{",
        &format!("\"data\":{{\"x\":{}{},", "[".repeat(70), "]".repeat(70)),
        1,
    );
    let all =
        [named.to_string(), foreign.to_string(), plate.to_string(), "no JSON".to_owned(), other.to_string(), deep];
    let places = gateway.log.append(all.into_iter().map(raw).collect()).await.unwrap();
    let events = arrived(&gateway, "city.bus", 1).await;
    assert_eq!((&events[0]["id"], events[0]["data"].get("driver")), (&json!("a"), None));
    let (partition, offset) = places[0];
    let record = gateway.log.read(in_topic(Stream::Bus), partition, offset, 1).await.unwrap().remove(0);
    assert_eq!(events[0]["receivedtime"], TimeMs(record.append_ms).to_string(), "the log time is when it was written");
    let mut codes: Vec<_> =
        arrived(&gateway, "city.rejects", 5).await.iter().map(|reject| reject["code"].clone()).collect();
    codes.sort_unstable_by_key(ToString::to_string);
    assert_eq!(codes, ["bad_json", "bad_json", "personal_data", "wrong_source", "wrong_stream"]);
    let kept = kept_rejects(&*gateway.log, |_, _| true).await.unwrap();
    assert!(kept.iter().all(|kept| kept.reject.token == "city.in.bus" && kept.reject.part == Part::Event), "{kept:?}");
}

#[tokio::test]
async fn while_the_log_takes_nothing_it_waits_and_loses_nothing() {
    let gateway = Fixture::with(Limits { append_timeout: Duration::from_millis(100), ..limits() }).await;
    ready(&gateway).await;
    gateway.log.append(vec![raw(position("a"))]).await.unwrap();
    arrived(&gateway, "city.bus", 1).await;
    // the department's own append is not the gateway's: it goes past the gate
    gateway.log.shut();
    gateway.log.append_inside(vec![raw(position("b"))]).await;
    gateway.log.arrivals(3).await; // the test's and the gateway's first, and the try that fails
    gateway.log.open();
    let events = arrived(&gateway, "city.bus", 2).await;
    let mut ids: Vec<_> = events.iter().map(|event| event["id"].clone()).collect();
    ids.sort_unstable_by_key(ToString::to_string);
    assert_eq!(ids, ["a", "b"]);
}
