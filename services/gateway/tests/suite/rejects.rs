//! What was refused can be found again: by the sender, and in the table.

use std::sync::{Arc, Mutex};

use crate::fixture::*;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use yiping_event::{Code, Stream};
use yiping_gateway::collect_rejects;
use yiping_log::Log;

#[tokio::test]
async fn a_token_sees_its_own_rejects_newest_first_and_without_their_bytes() {
    let gateway = Fixture::start().await;
    let bus = gateway.token("bus", &[Stream::Bus]);
    let other = gateway.token("other", &[Stream::Parking]);
    gateway.send(&bus, ONE, "first").await;
    gateway.send(&other, ONE, "others").await;
    gateway.send(&bus, LINES, format!("{}\nx{}\n", position("a"), "y".repeat(10_000))).await;
    let (status, answer) = gateway.get(&bus, "/v1/rejects").await;
    assert_eq!(status, 200);
    let rejects = answer["rejects"].as_array().unwrap();
    assert_eq!(rejects.len(), 2, "{answer}");
    assert_eq!((&rejects[0]["index"], &rejects[0]["bytes_len"]), (&json!(1), &json!(10_001)));
    assert!(rejects.iter().all(|reject| reject.get("bytes").is_none() && reject.get("sealed").is_none()), "{answer}");
    assert_eq!(
        (&rejects[0]["reject"], &rejects[1]["reject"], &rejects[1]["time"]),
        (&json!("0-2"), &json!("0-0"), &json!(NOW))
    );
    assert_eq!((&rejects[1]["stream"], &rejects[1]["token"]), (&json!("bus"), &json!("bus")));
    assert!(!answer.to_string().contains(&bus), "never the token itself");
    let (_, limited) = gateway.get(&bus, "/v1/rejects?limit=1").await;
    assert_eq!(limited["rejects"].as_array().unwrap(), &rejects[..1]);
    assert_eq!(gateway.get(&bus, "/v1/rejects?limit=all").await.0, 400);
    assert_eq!(gateway.get("yp_no", "/v1/rejects").await.0, 401);
    let count = |stream| gateway.metrics.events.with_label_values(&[stream, "rejected"]).get();
    assert_eq!((count("bus"), count("parking")), (2, 1));
}

#[tokio::test]
async fn a_reject_names_the_source_only_if_it_is_the_tokens_own() {
    let gateway = Fixture::start().await;
    let token = gateway.token_for("bus", &[Stream::Bus], &["/bus/*"], &[]);
    let mut foreign = position("a");
    foreign["source"] = json!("13800000000");
    let mut own = position("b");
    own["data"]["lon"] = json!("east");
    gateway.send(&token, LINES, format!("{foreign}\n{own}\n")).await;
    let sources: Vec<_> =
        gateway.records("city.rejects").await.into_iter().map(|(_, _, reject)| reject["source"].clone()).collect();
    assert_eq!(sources, ["", "/bus/dispatch"]);
}

#[tokio::test]
async fn streams_shows_what_the_asker_may_send_with_the_schemas() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let (status, offer) = gateway.get(&token, "/v1/streams").await;
    assert_eq!(status, 200);
    assert_eq!(offer["streams"].as_array().unwrap().len(), 1);
    let types: Vec<_> =
        offer["streams"][0]["types"].as_array().unwrap().iter().map(|entry| entry["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["city.bus.position", "city.bus.stop", "city.bus.trip"]);
    assert!(offer["streams"][0]["types"][0]["schema"]["properties"].is_object());
    assert_eq!(offer["any_stream"].as_array().unwrap().len(), 1, "heartbeats, no ticks");
    let open = gateway.client.get(format!("{}/v1/streams", gateway.base)).send().await.unwrap();
    assert_eq!(answer(open).await.1["streams"].as_array().unwrap().len(), 4);
    assert_eq!(gateway.get("yp_no", "/v1/streams").await.0, 401);
}

#[tokio::test]
async fn rejects_are_handed_on_without_bytes_and_committed_only_after_they_were_stored() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    for body in ["one", "two"] {
        gateway.send(&token, ONE, body).await;
    }
    // The first try of the sink fails; nothing may be lost or committed by that.
    let stored = Arc::new(Mutex::new(Vec::new()));
    let (count, mut counted) = watch::channel(0_usize);
    let (tries, cancel) = (Arc::new(Mutex::new(0)), CancellationToken::new());
    let sink = {
        let (stored, tries) = (stored.clone(), tries.clone());
        move |rows| {
            let first = std::mem::replace(&mut *tries.lock().unwrap(), 1) == 0;
            if !first {
                stored.lock().unwrap().extend(rows);
                count.send_replace(stored.lock().unwrap().len());
            }
            async move { if first { anyhow::bail!("ClickHouse is away") } else { Ok(()) } }
        }
    };
    let log: Arc<dyn Log> = gateway.log.clone();
    let collecting = tokio::spawn(collect_rejects(log.clone(), "rejects", sink, cancel.clone()));
    counted.wait_for(|count| *count == 2).await.unwrap();
    cancel.cancel();
    collecting.await.unwrap().unwrap();
    let rows = std::mem::take(&mut *stored.lock().unwrap());
    assert_eq!(
        rows.iter().map(|row| (row.offset, row.code, row.bytes_len)).collect::<Vec<_>>(),
        [(0, Code::BadJson, 3), (1, Code::BadJson, 3)]
    );

    gateway.send(&token, ONE, "three").await;
    let (seen, mut offsets) = watch::channel(Vec::new());
    let cancel = CancellationToken::new();
    let sink = move |rows: Vec<yiping_gateway::RejectSeen>| {
        seen.send_modify(|seen| seen.extend(rows.iter().map(|row| row.offset)));
        async { Ok(()) }
    };
    let collecting = tokio::spawn(collect_rejects(log, "rejects", sink, cancel.clone()));
    let offsets = offsets.wait_for(|seen| !seen.is_empty()).await.unwrap().clone();
    assert_eq!(offsets, [2], "what was committed does not come again");
    cancel.cancel();
    collecting.await.unwrap().unwrap();
}
