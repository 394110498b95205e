//! What a token may send, and what the gateway makes of it before the log has it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::fixture::*;
use serde_json::json;
use yiping_city::City;
use yiping_event::{Stream, TimeMs};
use yiping_gateway::{Refused, Right, Tokens, new_token};

#[tokio::test]
async fn a_token_sends_only_as_its_own_sources() {
    let gateway = Fixture::start().await;
    let token = gateway.token_for("bus", &[Stream::Bus], &["/bus/*"], &[]);
    assert_eq!(gateway.send(&token, ONE, position("a").to_string()).await.0, 202);
    let mut foreign = position("b");
    foreign["source"] = json!("/taxi/dispatch");
    let (status, answer) = gateway.send(&token, ONE, foreign.to_string()).await;
    assert_eq!(status, 403);
    assert_eq!(
        (&answer["rejected"][0]["code"], &answer["rejected"][0]["pointer"]),
        (&json!("wrong_source"), &json!("/source"))
    );
    assert_eq!(gateway.records("city.bus").await.len(), 1);
}

#[tokio::test]
async fn a_token_writes_only_to_its_own_streams() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let (status, answer) = gateway.send(&token, LINES, format!("{}\n{}\n", call("c"), position("a"))).await;
    assert_eq!((status, &answer["accepted"], &answer["rejected"][0]["code"]), (202, &json!(1), &json!("wrong_stream")));
    assert!(gateway.records("city.hotline").await.is_empty());
}

#[tokio::test]
async fn the_log_time_is_the_gateways_unless_the_token_may_bring_its_own() {
    let gateway = Fixture::start().await;
    let mut event = position("a");
    event["receivedtime"] = json!("2016-05-01T00:00:00.000Z");
    let plain = gateway.token("plain", &[Stream::Bus]);
    gateway.send(&plain, ONE, event.to_string()).await;
    assert_eq!(gateway.only("city.bus").await["receivedtime"], NOW);
    let replay = gateway.token_for("replay", &[Stream::Bus], &["*"], &[Right::SetReceived]);
    gateway.send(&replay, ONE, event.to_string()).await;
    gateway.send(&replay, ONE, position("b").to_string()).await;
    let times: Vec<_> =
        gateway.records("city.bus").await.iter().map(|(_, _, event)| event["receivedtime"].clone()).collect();
    assert_eq!(times, [NOW, "2016-05-01T00:00:00.000Z", NOW]);
}

#[tokio::test]
async fn a_tick_reaches_every_partition_of_its_stream_or_of_all_the_tokens_streams() {
    let gateway = Fixture::start().await;
    let token = gateway.token_for("replay", &[Stream::Bus, Stream::Parking], &["*"], &[Right::SetReceived]);
    assert_eq!(
        gateway.send(&token, ONE, tick(Some(Stream::Bus)).to_string()).await,
        (202, json!({ "accepted": 1, "rejected": [] }))
    );
    let partitions =
        async |topic| gateway.records(topic).await.into_iter().map(|(p, key, _)| (p, key)).collect::<Vec<_>>();
    let each: Vec<_> = (0..PARTITIONS).map(|p| (p, String::new())).collect();
    assert_eq!(partitions("city.bus").await, each);
    assert!(partitions("city.parking").await.is_empty());
    gateway.send(&token, ONE, tick(None).to_string()).await;
    assert_eq!(partitions("city.bus").await.len(), 2 * PARTITIONS as usize);
    assert_eq!(partitions("city.parking").await, each);
    assert!(partitions("city.elder").await.is_empty(), "not the token's stream");
    assert_eq!(gateway.send(&token, ONE, tick(Some(Stream::Elder)).to_string()).await.0, 403);
}

#[tokio::test]
async fn ticks_need_the_right_and_settings_are_never_taken() {
    let gateway = Fixture::start().await;
    let plain = gateway.token("plain", &[Stream::Bus]);
    let (status, answer) = gateway.send(&plain, ONE, tick(None).to_string()).await;
    assert_eq!((status, &answer["rejected"][0]["code"]), (403, &json!("not_allowed")));
    let replay = gateway.token_for("replay", &[Stream::Bus], &["*"], &[Right::SetReceived]);
    let mut config = tick(None);
    config["type"] = json!("city.config");
    config["data"] = json!({ "hash": "ab", "text": "fleet = 1" });
    let (status, answer) = gateway.send(&replay, ONE, config.to_string()).await;
    assert_eq!((status, &answer["rejected"][0]["code"]), (403, &json!("not_allowed")), "{answer}");
}

#[tokio::test]
async fn a_heartbeat_goes_to_the_stream_it_names_or_to_the_tokens_only_one() {
    let gateway = Fixture::start().await;
    let mut beat = position("h");
    beat["type"] = json!("city.source.heartbeat");
    beat["data"] = json!({ "source_name": "/bus/dispatch", "expected_s": 30 });
    let one = gateway.token("one", &[Stream::Bus]);
    assert_eq!(gateway.send(&one, ONE, beat.to_string()).await.0, 202);
    assert_eq!(gateway.only("city.bus").await["data"]["source_name"], "/bus/dispatch");
    let two = gateway.token("two", &[Stream::Hotline, Stream::Elder]);
    let (status, answer) = gateway.send(&two, ONE, beat.to_string()).await;
    assert_eq!((status, &answer["rejected"][0]["pointer"]), (422, &json!("/data/stream")));
    beat["data"]["stream"] = json!("elder");
    assert_eq!(gateway.send(&two, ONE, beat.to_string()).await.0, 202);
    assert_eq!(gateway.records("city.elder").await.len(), 1);
    let pinned = gateway.token_for("pinned", &[Stream::Elder], &["/bus/dispatch"], &[]);
    beat["data"]["source_name"] = json!("/elder/other");
    let (status, answer) = gateway.send(&pinned, ONE, beat.to_string()).await;
    assert_eq!((status, &answer["rejected"][0]["pointer"]), (403, &json!("/data/source_name")));
}

#[tokio::test]
async fn positions_get_into_the_log_as_wgs84_and_only_from_the_city() {
    let gateway = Fixture::start().await;
    let token = gateway.token("all", &Stream::ALL);
    let (lon, lat) = yiping_city::wgs84_to_gcj02(122.12, 37.51);
    let mut shifted = position("a");
    shifted["data"]["lon"] = json!(lon);
    shifted["data"]["lat"] = json!(lat);
    shifted["data"]["datum"] = json!("gcj02");
    assert_eq!(gateway.send(&token, ONE, shifted.to_string()).await.0, 202);
    let data = gateway.only("city.bus").await["data"].clone();
    assert!((data["lon"].as_f64().unwrap() - 122.12).abs() < 2e-7, "{data}");
    assert!((data["lat"].as_f64().unwrap() - 37.51).abs() < 2e-7, "{data}");
    assert!(data.get("datum").is_none(), "{data}");
    for (lon, lat) in [(0.0, 0.0), (116.4, 39.9)] {
        let mut away = position("b");
        away["data"]["lon"] = json!(lon);
        away["data"]["lat"] = json!(lat);
        let (status, answer) = gateway.send(&token, ONE, away.to_string()).await;
        assert_eq!((status, &answer["rejected"][0]["code"]), (422, &json!("outside_city")));
    }
    let mut order = call("o");
    order["type"] = json!("city.hotline.order");
    order["data"] = json!({ "order_id": "o", "event": "contacted", "lon": lon, "lat": lat, "datum": "gcj02" });
    assert_eq!(gateway.send(&token, ONE, order.to_string()).await.0, 202);
    order["data"] = json!({ "order_id": "o", "event": "contacted", "lon": 122.12 });
    assert_eq!(gateway.send(&token, ONE, order.to_string()).await.0, 202);
    let orders: Vec<_> =
        gateway.records("city.hotline").await.into_iter().map(|(_, _, event)| event["data"].clone()).collect();
    let city = City::weihai();
    let far = |street: &yiping_city::Street| ((street.lon - 122.12) * 0.793).hypot(street.lat - 37.51); // cos 37.5°
    let nearest = city.streets.iter().min_by(|a, b| far(a).total_cmp(&far(b))).unwrap();
    let cell = json!([nearest.street, nearest.lon, nearest.lat]);
    assert_eq!(
        json!([orders[0]["street"], orders[0]["lon"], orders[0]["lat"]]),
        cell,
        "an order's place is its street's"
    );
    assert!(orders[1].get("lon").is_none(), "half a place is none: {orders:?}");
}

#[tokio::test]
async fn i11_what_nobody_knows_is_dropped_at_the_door_and_counted() {
    let gateway = Fixture::start().await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let mut event = position("a");
    event["subject"] = json!("WH1");
    event["driverphone"] = json!("13800000000");
    event["data"]["driver"] = json!({ "name": "张三" });
    event["data"]["trip_id"] = json!(null);
    assert_eq!(gateway.send(&token, ONE, event.to_string()).await.0, 202);
    let kept = gateway.only("city.bus").await.to_string();
    assert!(!kept.contains("13800000000") && !kept.contains("张三"), "{kept}");
    assert!(kept.contains("WH1"), "what the type names is kept: {kept}");
    assert_eq!(gateway.metrics.gateway.dropped_members.get(), 2);
}

#[tokio::test]
async fn i11_what_is_dropped_of_an_order_is_counted_also_where_its_place_becomes_a_street() {
    let gateway = Fixture::start().await;
    let token = gateway.token("hotline", &[Stream::Hotline]);
    let mut order = call("o");
    order["type"] = json!("city.hotline.order");
    order["data"] =
        json!({ "order_id": "o", "event": "contacted", "lon": 122.12, "lat": 37.51, "remark": "unknown to the type" });
    assert_eq!(gateway.send(&token, ONE, order.to_string()).await.0, 202);
    let kept = gateway.only("city.hotline").await;
    assert!(kept["data"]["street"].is_string() && kept["data"].get("remark").is_none(), "{kept}");
    assert_eq!(gateway.metrics.gateway.dropped_members.get(), 1);
}

#[tokio::test]
async fn a_token_added_to_or_taken_from_the_file_counts_at_once() {
    let gateway = Fixture::start().await;
    let first = gateway.token("first", &[Stream::Bus]);
    assert_eq!(gateway.send(&first, ONE, position("a").to_string()).await.0, 202);
    let second = gateway.token("second", &[Stream::Bus]);
    assert_eq!(gateway.send(&second, ONE, position("b").to_string()).await.0, 202);
    std::fs::write(&gateway.tokens_file, "[[token]]\nname = ").unwrap();
    assert_eq!(gateway.send(&second, ONE, position("c").to_string()).await.0, 202, "a broken file changes nothing");
    std::fs::write(&gateway.tokens_file, "").unwrap();
    assert_eq!(gateway.send(&second, ONE, position("d").to_string()).await.0, 401);
}

#[test]
fn the_file_holds_no_token_and_the_same_name_replaces() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new").join("tokens.toml");
    let make = || new_token("bus", vec![Stream::Bus], vec!["*".into()], Default::default()).unwrap();
    let (old, new) = (make(), make());
    old.save(&path).unwrap();
    new.save(&path).unwrap();
    assert!(new.secret.starts_with("yp_") && new.secret != old.secret);
    assert!(!std::fs::read_to_string(&path).unwrap().contains(&new.secret[3..]));
    let tokens = Tokens::open(&path).unwrap();
    assert_eq!(tokens.check(&old.secret, TimeMs(0)).unwrap_err(), Refused::Unknown);
    assert_eq!(tokens.check(&new.secret, TimeMs(0)).unwrap().name, "bus");
    // one that was made for a while is taken out again, and only that
    old.take_back(&path).unwrap();
    assert_eq!(tokens.check(&new.secret, TimeMs(0)).unwrap().name, "bus");
    new.take_back(&path).unwrap();
    assert_eq!(tokens.check(&new.secret, TimeMs(0)).unwrap_err(), Refused::Unknown);
}

/// A gateway whose clock the test moves (ms after [`NOW`]).
async fn at_time() -> (Fixture, Arc<AtomicI64>) {
    let passed = Arc::new(AtomicI64::new(0));
    let clock = passed.clone();
    let clock = move || TimeMs(TimeMs::parse(NOW).unwrap().0 + clock.load(Ordering::SeqCst));
    (Fixture::with_clock(limits(), Arc::new(clock)).await, passed)
}

/// A token that is changed before it is saved.
fn changed(gateway: &Fixture, change: impl FnOnce(&mut yiping_gateway::Token)) -> String {
    let mut made = new_token("bus", vec![Stream::Bus], vec!["*".into()], Default::default()).unwrap();
    change(&mut made.token);
    made.save(&gateway.tokens_file).unwrap();
    made.secret
}

#[tokio::test]
async fn a_token_is_valid_until_it_expires() {
    let (gateway, passed) = at_time().await;
    let expires = TimeMs(TimeMs::parse(NOW).unwrap().0 + 60_000);
    let token = changed(&gateway, |token| token.expires = Some(expires));
    passed.store(59_999, Ordering::SeqCst);
    assert_eq!(gateway.send(&token, ONE, position("a").to_string()).await.0, 202);
    passed.store(60_000, Ordering::SeqCst);
    let (status, problem) = gateway.send(&token, ONE, position("b").to_string()).await;
    assert_eq!(status, 401);
    assert!(problem["detail"].as_str().unwrap().contains("expired"), "{problem}");
    assert_eq!(gateway.records("city.bus").await.len(), 1);
}

#[tokio::test]
async fn a_token_that_sends_more_than_its_rate_is_put_off_and_loses_nothing() {
    let (gateway, passed) = at_time().await;
    let token = changed(&gateway, |token| token.events_per_s = NonZeroU32::new(10));
    let lines =
        |ids: std::ops::Range<u32>| ids.map(|id| position(&id.to_string()).to_string() + "\n").collect::<String>();
    // 80 events are 8 s at 10/s, of which 5 s may be ahead: 3 s to wait
    assert_eq!(gateway.send(&token, LINES, lines(0..80)).await.0, 202);
    let put_off = gateway.post(&token, LINES, lines(80..90)).send().await.unwrap();
    assert_eq!((put_off.status().as_u16(), put_off.headers()["retry-after"].to_str().unwrap()), (429, "3"));
    passed.store(2_999, Ordering::SeqCst);
    assert_eq!(gateway.send(&token, LINES, lines(80..90)).await.0, 429);
    passed.store(3_000, Ordering::SeqCst);
    assert_eq!(gateway.send(&token, LINES, lines(80..90)).await.0, 202);
    assert_eq!(gateway.records("city.bus").await.len(), 90);
    // others have their own
    let other = gateway.token("other", &[Stream::Bus]);
    assert_eq!(gateway.send(&other, LINES, lines(90..990)).await.0, 202);
    assert_eq!(gateway.send(&other, LINES, lines(990..991)).await.0, 202);
}

#[tokio::test]
async fn every_refusal_is_counted_by_its_reason() {
    let (gateway, passed) = at_time().await;
    let token = changed(&gateway, |token| {
        token.events_per_s = NonZeroU32::new(1);
        token.expires = Some(TimeMs(TimeMs::parse(NOW).unwrap().0 + 60_000));
    });
    gateway.send("yp_nobody", ONE, "{}").await;
    gateway.send(&token, "text/plain", "x").await;
    let nine = format!("{}\n", position("a")).repeat(9);
    gateway.send(&token, LINES, nine + "{\"street\": 1}").await;
    gateway.send(&token, ONE, position("b").to_string()).await;
    passed.store(60_000, Ordering::SeqCst);
    gateway.send(&token, ONE, position("b").to_string()).await;
    let refused = |reason: &str| gateway.metrics.gateway.refused.with_label_values(&[reason]).get();
    for reason in ["unknown_token", "media_type", "token_rate", "expired_token"] {
        assert_eq!(refused(reason), 1, "{reason}");
    }
    assert_eq!(gateway.metrics.gateway.rejected.with_label_values(&["bad_envelope"]).get(), 1);
}
