//! `POST /v1/feeds/NAME` as a department meets it.

use crate::fixture::*;
use serde_json::{Value, json};
use yiping_event::Stream;

/// A CSV as bytes of GB18030.
fn csv(rows: &[&str]) -> Vec<u8> {
    let text = format!("车场,时间,泊位,占用,状态\r\n{}\r\n", rows.join("\r\n"));
    let (bytes, _, lossy) = encoding_rs::GB18030.encode(&text);
    assert!(!lossy);
    bytes.into_owned()
}

async fn send(gateway: &Fixture, token: &str, feed: &str, body: Vec<u8>) -> (u16, Value) {
    let url = format!("{}/v1/feeds/{feed}", gateway.base);
    answer(gateway.client.post(url).bearer_auth(token).body(body).send().await.unwrap()).await
}

#[tokio::test]
async fn a_table_in_gb18030_with_local_times_becomes_events_and_a_bad_row_costs_that_row() {
    let gateway = Fixture::start().await;
    let token = gateway.token("parking", &[Stream::Parking]);
    let rows = [
        "东门停车场,2026-11-20 10:00:00,120,87,正常",
        "西门停车场,2026-11-20 10:00:00,50,未知,正常",
        "南门停车场,2026-11-20 10:00:00,10,0,停用",
        "北门停车场,2026-11-20 10:00:05,30,3,正常",
    ];
    let (status, answer) = send(&gateway, &token, "lots", csv(&rows)).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(2)), "{answer}");
    let reject = &answer["rejected"][0];
    // the second of the rows stands on the third line
    assert_eq!(
        (&reject["index"], &reject["row"], &reject["code"]),
        (&json!(2), &json!(3), &json!("bad_feed")),
        "{answer}"
    );
    let kept = gateway.get(&token, "/v1/rejects").await.1;
    assert_eq!(kept["rejects"][0]["row"], 3, "{kept}");
    assert!(!answer.to_string().contains("未知"), "{answer}");
    let events = gateway.records("city.parking").await;
    let mut seen: Vec<_> =
        events.iter().map(|(_, _, event)| (&event["data"], &event["time"], &event["source"])).collect();
    seen.sort_by_key(|(data, ..)| data["occupied"].as_u64());
    let (north, east) = (
        json!({"lot_id": "北门停车场", "capacity": 30, "occupied": 3}),
        json!({"lot_id": "东门停车场", "capacity": 120, "occupied": 87}),
    );
    // ten o'clock in China is two in UTC
    let (at, five) = (json!("2026-11-20T02:00:00.000Z"), json!("2026-11-20T02:00:05.000Z"));
    assert_eq!(seen, [(&north, &five, &json!("/feed/lots")), (&east, &at, &json!("/feed/lots"))]);

    // the same again has the same ids: the services count it once (I7)
    send(&gateway, &token, "lots", csv(&rows[..1])).await;
    let again = gateway.records("city.parking").await;
    let ids: Vec<_> =
        again.iter().filter(|(_, key, _)| key == "东门停车场").map(|(_, _, event)| &event["id"]).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_body_that_is_none_of_the_feeds_and_a_feed_that_is_not_there_are_told() {
    let gateway = Fixture::start().await;
    let token = gateway.token("parking", &[Stream::Parking]);
    let (status, problem) = send(&gateway, &token, "shops", csv(&[])).await;
    assert_eq!(status, 404);
    assert!(problem["detail"].as_str().unwrap().contains("[feeds.NAME]"), "{problem}");
    assert_eq!(send(&gateway, "yp_nobody", "lots", csv(&[])).await.0, 401);
    // UTF-8 where GB18030 is said, which would pass for other characters
    let utf8 = "车场,时间,泊位,占用,状态\n东门,2026-11-20 10:00:00,120,87,正常\n".as_bytes().to_vec();
    let (status, answer) = send(&gateway, &token, "lots", utf8).await;
    let (reject, detail) = (&answer["rejected"][0], answer["detail"].as_str().unwrap());
    assert_eq!((status, &reject["code"]), (400, &json!("bad_feed")), "{answer}");
    assert!(detail.contains("it is UTF-8, not GB18030"), "{answer}");
    for nothing in ["", " \r\n"] {
        let (status, answer) = send(&gateway, &token, "lots", nothing.into()).await;
        assert_eq!((status, &answer["detail"]), (400, &json!("the body is empty")), "{answer}");
    }
    // no row in it is nothing wrong
    assert_eq!(
        send(&gateway, &token, "lots", csv(&[])).await,
        (202, json!({"accepted": 0, "rejected": [], "rows": 0}))
    );
}

#[tokio::test]
async fn what_a_feed_brings_is_judged_like_any_event() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let row = "东门停车场,2026-11-20 10:00:00,120,87,正常";
    let (status, answer) = send(&gateway, &token, "lots", csv(&[row])).await;
    assert_eq!((status, &answer["rejected"][0]["code"]), (403, &json!("wrong_stream")), "{answer}");
    let token = gateway.token("parking", &[Stream::Parking]);
    let plate = "鲁K12345,2026-11-20 10:00:00,120,87,正常";
    let (status, answer) = send(&gateway, &token, "lots", csv(&[plate])).await;
    assert_eq!((status, &answer["rejected"][0]["code"]), (422, &json!("personal_data")), "{answer}");
    let rejects = gateway.records("city.rejects").await;
    assert!(rejects.len() == 2 && gateway.records("city.parking").await.is_empty());
}

#[tokio::test]
async fn a_payload_of_a_feed_that_says_what_is_expected_is_a_sign_of_life_also_without_news() {
    let gateway = Fixture::start().await;
    let token = gateway.token("parking", &[Stream::Parking]);
    assert_eq!(
        send(&gateway, &token, "told", csv(&[])).await,
        (202, json!({"accepted": 0, "rejected": [], "rows": 0}))
    );
    let beat = gateway.records("city.parking").await.remove(0).2;
    assert_eq!((&beat["type"], &beat["source"]), (&json!("city.source.heartbeat"), &json!("town/told")));
    assert_eq!(beat["data"], json!({"source_name": "town/told", "expected_s": 60.0, "stream": "parking"}));
    // nothing at all is none
    assert_eq!(send(&gateway, &token, "told", Vec::new()).await.0, 400);
    assert_eq!(gateway.records("city.parking").await.len(), 1);
    // without stream and expectation there is none
    send(&gateway, &token, "lots", csv(&[])).await;
    assert_eq!(gateway.records("city.parking").await.len(), 1);
}

#[tokio::test]
async fn rows_that_were_taken_apart_elsewhere_come_one_a_line_whatever_the_feeds_format_is() {
    let gateway = Fixture::start().await;
    let token = gateway.token("parking", &[Stream::Parking]);
    let row = |used: &str| {
        json!({"车场": "东门", "时间": "2026-11-20 10:00:00", "泊位": "120", "占用": used, "状态": "正常"}).to_string()
    };
    let url = format!("{}/v1/feeds/lots", gateway.base);
    let request = gateway.client.post(url).bearer_auth(&token).header("content-type", "application/x-ndjson");
    let (status, told) = answer(request.body(format!("{}\n{}\n", row("87"), row("?"))).send().await.unwrap()).await;
    assert_eq!((status, &told["accepted"], &told["rejected"][0]["index"]), (202, &json!(1), &json!(1)), "{told}");
    assert_eq!((&told["rejected"][0]["code"], &told["rejected"][0]["row"]), (&json!("bad_feed"), &json!(2)));
}

#[tokio::test]
async fn a_reject_of_a_row_says_which_source_file_and_row_it_was_as_whoever_took_the_file_apart_tells() {
    let gateway = Fixture::start().await;
    let token = gateway.token("parking", &[Stream::Parking]);
    let url = format!("{}/v1/feeds/lots", gateway.base);
    let send = |file: &str, rows: &str| {
        let request = gateway.client.post(&url).bearer_auth(&token).header("content-type", "application/x-ndjson");
        request.header("yiping-file", file).header("yiping-rows", rows).body("{}\n{}\n{}\n").send()
    };
    let (_, told) = answer(send("%E8%BD%A6%E5%9C%BA13800138000.csv", "7-8,1203").await.unwrap()).await;
    let rows =
        |told: &Value| told["rejected"].as_array().unwrap().iter().map(|one| one["row"].clone()).collect::<Vec<_>>();
    assert_eq!(rows(&told), [7, 8, 1203], "{told}");
    let listed = gateway.get(&token, "/v1/rejects").await.1;
    let reject = &listed["rejects"].as_array().unwrap().iter().find(|one| one["row"] == 1203).unwrap();
    assert_eq!((&reject["file"], &reject["source"]), (&json!("车场***********.csv"), &json!("/feed/lots")), "{listed}");
    // fewer numbers than lines, and what is no list
    assert_eq!(rows(&answer(send("a", "7").await.unwrap()).await.1), [json!(7), Value::Null, Value::Null]);
    assert_eq!(answer(send("a", "7-").await.unwrap()).await.0, 400);
}
