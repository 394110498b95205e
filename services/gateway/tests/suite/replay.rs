//! What was refused is sealed, and goes through the same door again once that is mended: nothing is lost, nothing counted twice.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use yiping_event::{Stream, TimeMs};
use yiping_gateway::{KEPT_BYTES, KeptReject, Part, RejectRecord, ReplayItem, Right, SealSecret, kept_rejects};
use yiping_log::{Log, NewRecord};

use crate::fixture::*;

/// Takes "about 12" for a number, as the first map did not.
const MENDED_MAP: &str = r#"select(.["状态"] != "停用") | {
    type: "city.parking.snapshot",
    time: (.["时间"] | to_rfc3339("Asia/Shanghai")),
    data: {lot_id: .["车场"], capacity: (.["泊位"] | tonumber), occupied: (.["占用"] | ltrimstr("约") | tonumber)}
}"#;

const TABLE: [&str; 5] = [
    "车场,时间,泊位,占用,状态",
    "东门停车场,2026-11-20 18:00:00,120,87,正常",
    "西门停车场,2026-11-20 18:00:00,50,约12,正常",
    "南门停车场,2026-11-20 18:00:05,10,3,正常,多了",
    "北门停车场,2026-11-20 18:00:05,30,约3,正常",
];

async fn post(gateway: &Fixture, token: &str, path: &str, body: Vec<u8>) -> (u16, Value) {
    let url = format!("{}{path}", gateway.base);
    answer(gateway.client.post(url).bearer_auth(token).body(body).send().await.unwrap()).await
}

fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

async fn kept(gateway: &Fixture) -> Vec<KeptReject> {
    kept_rejects(&*gateway.log, |_, _| true).await.unwrap()
}

/// As `yiping rejects replay` does it: what can be opened and was not accepted yet.
async fn replay(gateway: &Fixture, secret: &SealSecret) -> (u16, Value) {
    let token = gateway.token_for("operator", &Stream::ALL, &["*"], &[Right::Replay]);
    let open =
        kept(gateway).await.into_iter().filter(|kept| kept.replayed.is_none() && kept.reject.part != Part::Nothing);
    let items: Vec<ReplayItem> =
        open.map(|kept| ReplayItem::of(kept.at, &kept.reject, &secret.open(&kept.reject.sealed).unwrap())).collect();
    post(gateway, &token, "/v1/rejects/replay", serde_json::to_vec(&items).unwrap()).await
}

/// A gateway with another map, on the log of this one and with the tokens of the same names.
async fn mended(before: &Fixture, map: &str) -> Fixture {
    let now = TimeMs::parse("2026-11-21T09:00:00Z").unwrap();
    let gateway = Fixture::with_deps(limits(), Arc::new(move || now), None, feeds(map), None).await;
    for topic in ["city.parking", "city.rejects"] {
        let partitions = before.log.partitions(topic).await.unwrap();
        gateway.log.ensure_topic(topic, partitions).await.unwrap();
        for partition in 0..partitions {
            for record in before.log.read(topic, partition, 0, 10_000).await.unwrap() {
                let partition = Some(partition);
                let record = NewRecord { topic: topic.into(), partition, key: record.key, payload: record.payload };
                gateway.log.append(vec![record]).await.unwrap();
            }
        }
    }
    gateway.token("parking", &[Stream::Parking]);
    gateway
}

/// Lots with what is known of them, each as often as it stands in the log.
async fn lots(gateway: &Fixture) -> Vec<String> {
    let records = gateway.records("city.parking").await;
    let mut lots: Vec<_> = records
        .iter()
        .map(|(_, _, event)| format!("{} {}", event["data"]["lot_id"], event["data"]["occupied"]))
        .collect();
    lots.sort_unstable();
    lots
}

#[tokio::test]
async fn rows_that_a_map_could_not_read_come_in_with_the_mended_one_and_no_row_comes_twice() {
    let gateway = Fixture::start().await;
    let token = gateway.token("parking", &[Stream::Parking]);
    let (status, answer) = post(&gateway, &token, "/v1/feeds/lots", gb18030(&TABLE.join("\n"))).await;
    assert_eq!((status, &answer["accepted"], answer["rejected"].as_array().unwrap().len()), (202, &json!(1), 3));
    let (_, answer) = replay(&gateway, &gateway.secret).await;
    let refused = answer["replayed"].as_array().unwrap();
    assert!(refused.len() == 3 && refused.iter().all(|one| one["rejected"][0]["code"] == "bad_feed"), "{answer}");
    assert_eq!(gateway.records("city.rejects").await.len(), 3, "what is refused again leaves no further reject");

    let mended = mended(&gateway, MENDED_MAP).await;
    let (status, answer) = replay(&mended, &gateway.secret).await;
    let accepted: Vec<_> =
        answer["replayed"].as_array().unwrap().iter().map(|one| one["accepted"].as_u64().unwrap()).collect();
    assert_eq!((status, accepted), (202, vec![1, 0, 1]), "a field too many is no map's fault: {answer}");
    assert_eq!(lots(&mended).await, ["\"东门停车场\" 87", "\"北门停车场\" 3", "\"西门停车场\" 12"]);
    let west = mended.records("city.parking").await.into_iter().find(|(_, key, _)| key == "西门停车场").unwrap().2;
    assert_eq!(west["receivedtime"], NOW, "the log time is that of its first coming");

    let states: Vec<_> = kept(&mended).await.iter().map(|kept| kept.replayed.is_some()).collect();
    assert_eq!(states, [true, false, true]);
    let (_, answer) = replay(&mended, &gateway.secret).await;
    assert_eq!(answer["replayed"].as_array().unwrap().len(), 1, "what is in is not sent again: {answer}");
    assert_eq!(lots(&mended).await.len(), 3);

    // the department sends its table again: the same content has the same ids
    let token = mended.token("parking", &[Stream::Parking]);
    post(&mended, &token, "/v1/feeds/lots", gb18030(&TABLE.join("\n"))).await;
    let mut ids: Vec<_> =
        mended.records("city.parking").await.iter().map(|(_, _, event)| event["id"].to_string()).collect();
    assert_eq!(ids.len(), 6);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3, "the services count each once (I7)");
}

#[tokio::test]
async fn of_a_row_of_several_events_only_those_come_in_that_did_not_before() {
    const TWO: &str = r#"(1, 2) as $n | {type: "city.parking.snapshot", time: "2026-11-20T10:00:00Z",
        data: {lot_id: "lot-\($n)", capacity: 10, occupied: (if $n == 2 then "x" else 1 end)}}"#;
    const MENDED: &str = r#"(1, 2) as $n | {type: "city.parking.snapshot", time: "2026-11-20T10:00:00Z",
        data: {lot_id: "lot-\($n)", capacity: 10, occupied: 1}}"#;
    let now = TimeMs::parse(NOW).unwrap();
    let gateway = Fixture::with_deps(limits(), Arc::new(move || now), None, feeds(TWO), None).await;
    let token = gateway.token("parking", &[Stream::Parking]);
    let (_, answer) = post(&gateway, &token, "/v1/feeds/lots", gb18030("a\n1")).await;
    assert_eq!((&answer["accepted"], answer["rejected"].as_array().unwrap().len()), (&json!(1), 1), "{answer}");
    let mended = mended(&gateway, MENDED).await;
    let (_, answer) = replay(&mended, &gateway.secret).await;
    assert_eq!(answer["replayed"][0]["accepted"], 1, "{answer}");
    assert_eq!(lots(&mended).await, ["\"lot-1\" 1", "\"lot-2\" 1"]);
}

#[tokio::test]
async fn a_pulled_row_comes_in_with_the_time_at_which_it_was_asked_for() {
    const BLIND: &str = r#"{type: "city.parking.snapshot", time: ($polled | to_rfc3339("UTC")), data: {lot_id: .lot, capacity: .capacity, occupied: "x"}}"#;
    let now = TimeMs::parse(NOW).unwrap();
    let gateway = Fixture::with_deps(limits(), Arc::new(move || now), None, feeds(BLIND), None).await;
    let token = gateway.token("parking", &[Stream::Parking]);
    let url = format!("{}/v1/feeds/lots", gateway.base);
    let send = |polled: &'static str| {
        let request = gateway.client.post(&url).bearer_auth(&token).header("content-type", "application/x-ndjson");
        request.header("yiping-polled", polled).body(r#"{"lot":"P1","capacity":9}"#).send()
    };
    assert_eq!(answer(send("noon").await.unwrap()).await.0, 400);
    let (status, told) = answer(send("2026-11-20T09:58:30Z").await.unwrap()).await;
    assert_eq!((status, &told["rejected"][0]["code"]), (422, &json!("bad_data")), "{told}");
    let mended = mended(&gateway, &BLIND.replace(r#""x""#, "3")).await;
    let (_, told) = replay(&mended, &gateway.secret).await;
    assert_eq!(told["replayed"][0]["accepted"], 1, "{told}");
    assert_eq!(mended.only("city.parking").await["time"], "2026-11-20T09:58:30.000Z");
}

#[tokio::test]
async fn who_has_the_row_of_an_event_may_have_its_refusal_told_and_not_kept() {
    let gateway = Fixture::start().await;
    let token = gateway.token("parking", &[Stream::Bus]);
    let mut bad = position("b");
    bad["data"] = json!({});
    let body = || format!("{}\n{bad}\n", position("a")).into_bytes();
    let send = |query: &'static str| {
        let url = format!("{}/v1/events{query}", gateway.base);
        gateway.client.post(url).bearer_auth(&token).header("content-type", LINES).body(body()).send()
    };
    let (status, told) = answer(send("?keep_rejects=false").await.unwrap()).await;
    assert_eq!((status, &told["accepted"], &told["rejected"][0]["id"]), (202, &json!(1), &json!("b")), "{told}");
    assert!(kept(&gateway).await.is_empty() && gateway.records("city.bus").await.len() == 1);
    assert_eq!(answer(send("?keep_rejects=no").await.unwrap()).await.0, 400);
    // unless it says so, it is kept
    assert_eq!(answer(send("").await.unwrap()).await.0, 202);
    assert_eq!(kept(&gateway).await.len(), 1);
}

#[tokio::test]
async fn an_event_is_judged_again_as_the_token_that_sent_it() {
    let gateway = Fixture::start().await;
    let token = gateway.token_for("bus", &[Stream::Bus], &["/bus/*"], &[]);
    let mut foreign = position("a");
    foreign["source"] = json!("/tram/1");
    gateway.send(&token, ONE, foreign.to_string()).await;
    let (_, answer) = replay(&gateway, &gateway.secret).await;
    assert_eq!(
        answer["replayed"][0]["rejected"][0]["code"], "wrong_source",
        "the operator's rights are not the sender's"
    );
    gateway.token_for("bus", &[Stream::Bus], &["/bus/*", "/tram/*"], &[]);
    let (_, answer) = replay(&gateway, &gateway.secret).await;
    assert_eq!(answer["replayed"][0], json!({"reject": "0-0", "accepted": 1, "rejected": []}));
    assert_eq!(gateway.only("city.bus").await["source"], "/tram/1");
}

#[tokio::test]
async fn only_a_token_with_the_right_sends_rejects_again_and_a_list_that_is_none_is_told() {
    let gateway = Fixture::start().await;
    let plain = gateway.token("bus", &[Stream::Bus]);
    assert_eq!(post(&gateway, &plain, "/v1/rejects/replay", b"[]".to_vec()).await.0, 403);
    assert_eq!(post(&gateway, "yp_no", "/v1/rejects/replay", b"[]".to_vec()).await.0, 401);
    let right = gateway.token_for("operator", &[Stream::Bus], &["*"], &[Right::Replay]);
    assert_eq!(post(&gateway, &right, "/v1/rejects/replay", b"{}".to_vec()).await.0, 400);
    assert_eq!(post(&gateway, &right, "/v1/rejects/replay", b"[]".to_vec()).await, (202, json!({"replayed": []})));
    let item = json!([{"reject": "0-9", "token": "nobody", "feed": null, "part": "event", "time": NOW, "bytes": ""}]);
    let (_, answer) = post(&gateway, &right, "/v1/rejects/replay", item.to_string().into()).await;
    assert_eq!(answer["replayed"][0]["rejected"][0]["code"], "not_allowed", "{answer}");
}

#[tokio::test]
async fn a_list_that_could_not_be_read_comes_in_when_it_can_and_what_is_wrong_in_it_has_rejects_of_its_own() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    gateway.send(&token, ARRAY, "[ {").await;
    let sent = kept(&gateway).await.remove(0);
    assert_eq!((sent.reject.part, gateway.secret.open(&sent.reject.sealed).unwrap()), (Part::Array, b"[ {".to_vec()));
    // as if the gateway had been mended meanwhile
    let mut wrong = position("b");
    wrong["data"]["lon"] = json!("east");
    let body = json!([position("a"), wrong]).to_string();
    let right = gateway.token_for("operator", &[Stream::Bus], &["*"], &[Right::Replay]);
    let items = serde_json::to_vec(&[ReplayItem::of(sent.at, &sent.reject, body.as_bytes())]).unwrap();
    let (_, answer) = post(&gateway, &right, "/v1/rejects/replay", items).await;
    assert_eq!(
        (&answer["replayed"][0]["accepted"], answer["replayed"][0]["rejected"].as_array().unwrap().len()),
        (&json!(1), 1)
    );
    let kept = kept(&gateway).await;
    assert_eq!(
        kept.iter().map(|kept| (kept.replayed.is_some(), kept.reject.part)).collect::<Vec<_>>(),
        [(true, Part::Array), (false, Part::Event)]
    );
}

#[tokio::test]
async fn what_is_kept_is_sealed_whatever_door_it_came_by_and_only_the_secret_key_opens_it() {
    let gateway = Fixture::start().await;
    let token = gateway.token("all", &[Stream::Bus, Stream::Parking]);
    let secret_text = "张某某 王家疃路";
    let bodies: [(&str, Vec<u8>); 4] = [
        (ONE, format!("{{\"n\": \"{secret_text}").into()),
        (ARRAY, format!("[\"{secret_text}\", ").into()),
        (LINES, format!("{}\n{{\"name\": \"\\u5f20\\u67d0\\u67d0\"}}", position("a")).into()),
        (ONE, gb18030(secret_text)),
    ];
    for (kind, body) in bodies {
        gateway.send(&token, kind, body).await;
    }
    post(&gateway, &token, "/v1/feeds/lots", gb18030(&format!("车场,{secret_text}\n1,2,3\n4,{secret_text}"))).await;
    let texts = ["张某某", "王家疃路", "\\u5f20", secret_text];
    let mut opened = String::new();
    let other = SealSecret::new().unwrap();
    for (_, _, record) in gateway.records("city.rejects").await {
        let text = record.to_string();
        assert!(texts.iter().all(|secret| !text.contains(secret)), "{text}");
        let reject: RejectRecord = serde_json::from_value(record).unwrap();
        assert!(other.open(&reject.sealed).is_err());
        opened += &yiping_gateway::legible(&gateway.secret.open(&reject.sealed).unwrap());
    }
    assert!(texts.iter().all(|secret| opened.contains(secret)), "the control: they were there: {opened}");
    let bytes = BASE64.encode(secret_text);
    let (_, list) = gateway.get(&token, "/v1/rejects").await;
    assert!(
        list["rejects"].as_array().unwrap().len() == 6
            && !list.to_string().contains(&bytes)
            && !list.to_string().contains("sealed"),
        "{list}"
    );
}

#[tokio::test]
async fn of_what_is_long_the_first_bytes_are_kept() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    gateway.send(&token, ONE, "y".repeat(KEPT_BYTES + 5)).await;
    let reject = kept(&gateway).await.remove(0).reject;
    assert_eq!((reject.bytes_len, gateway.secret.open(&reject.sealed).unwrap().len()), (KEPT_BYTES + 5, KEPT_BYTES));
}

#[tokio::test]
async fn a_tables_row_that_was_taken_apart_elsewhere_and_could_not_be_read_there_comes_in_as_a_row_of_that_table() {
    let gateway = Fixture::start().await;
    let token = gateway.token("parking", &[Stream::Parking]);
    let texts = [1, 3].map(|row| json!(format!("{}\n{}\n", TABLE[0], TABLE[row])).to_string());
    // as it was kept once: on one line, so that there is a header and no row
    let lost = json!(TABLE[..2].join(" ")).to_string();
    let url = format!("{}/v1/feeds/lots", gateway.base);
    let request = gateway.client.post(url).bearer_auth(&token).header("content-type", LINES);
    let body = texts.into_iter().chain([lost]).collect::<Vec<_>>().join("\n");
    let (_, told) = answer(request.body(body).send().await.unwrap()).await;
    let why: Vec<_> = (0..3).map(|n| told["rejected"][n]["message"].as_str().unwrap()).collect();
    let unread = "the row can't be read";
    assert_eq!(why, [unread, "the row can't be read: 6 fields where 5 columns are named", unread]);
    assert!(kept(&gateway).await.iter().all(|kept| kept.reject.part == Part::Text));
    let (_, told) = replay(&gateway, &gateway.secret).await;
    let accepted: Vec<_> = (0..3).map(|n| told["replayed"][n]["accepted"].as_u64().unwrap()).collect();
    assert_eq!(accepted, [1, 0, 0], "{told}");
    assert_eq!(lots(&gateway).await, ["\"东门停车场\" 87"]);
    let left: Vec<_> = kept(&gateway).await.iter().map(|kept| kept.replayed.is_none()).collect();
    assert_eq!(left, [false, true, true], "what gave nothing is not in");
}
