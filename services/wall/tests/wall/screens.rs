//! What a screen is told, moment after moment.

use std::sync::atomic::Ordering::SeqCst;

use crate::stage::{Answers, Memory, Mood, Wall, ago, contact, fast, metric, now, vehicle};
use serde_json::{Value, json};
use yiping_event::TimeMs;
use yiping_wall::WallOptions;
use yiping_wall::source::{Lot, Progress, Sos, Spark};

fn some_city() -> Answers {
    Answers {
        metrics: vec![metric("bus.online_ratio", "city", Some(0.99), 7), metric("bus.online_ratio", "1", Some(0.5), 8)],
        progress: vec![Progress { stream: "bus".into(), watermark: Some(ago(5)), last_event: Some(ago(1)) }],
        contacts: vec![contact("bus", "gps", Some(now()), 600.0), contact("bus", "depot", None, 600.0)],
        vehicles: vec![vehicle("v1", 122.11, 37.49, ago(4))],
        ..Answers::default()
    }
}

#[tokio::test]
async fn a_screen_gets_a_snapshot_first_and_then_only_what_changed() {
    let store = Memory::of(some_city());
    let wall = Wall::up(store.clone(), fast()).await;
    let mut screen = wall.screen(None).await;
    let first = screen.next().await.unwrap();
    assert_eq!(first.event, "snapshot");
    assert_eq!(first.body["metrics"].as_array().unwrap().len(), 2);
    assert_eq!(first.body["id"], first.id.as_str());

    store.change(|city| {
        city.metrics[0].value = Some(0.98);
        city.metrics[0].revision = 9;
        // A watermark moves every second; no row is told again for that.
        city.metrics[1].watermark = Some(TimeMs(16_000));
    });
    let told = screen.find("the new value", |told| told.body.get("metrics").is_some()).await;
    assert_eq!(told.event, "delta");
    let rows = told.body["metrics"].as_array().unwrap();
    assert_eq!(
        rows.iter().map(|row| (&row["key"], &row["value"], &row["revision"])).collect::<Vec<_>>(),
        [(&json!("city"), &json!(0.98), &json!("9"))]
    );
    assert!(told.body.get("vehicles").is_none() && told.body.get("sos").is_none() && told.body.get("city").is_none());
    assert!(told.body["server_time"].as_str().unwrap().ends_with('Z'));
    wall.down().await;
}

#[tokio::test]
async fn each_member_that_changes_is_told() {
    let store = Memory::of(some_city());
    let wall = Wall::up(store.clone(), fast()).await;
    let mut screen = wall.screen(None).await;
    let lot_id = yiping_city::City::weihai().lots[0].lot_id.clone();

    store.change(|city| city.vehicles.push(vehicle("v2", 122.2, 37.4, now())));
    let told = screen.find("two vehicles", |told| told.body["vehicles"]["ids"] == json!(["v1", "v2"])).await;
    assert_eq!(told.event, "delta");
    store
        .change(|city| city.lots.push(Lot { lot_id: lot_id.clone(), capacity: 300, occupied: Some(211), time: now() }));
    screen.find("a lot", |told| told.body["lots"][0]["lot_id"] == lot_id.as_str()).await;
    store.change(|city| {
        city.sos.push(Sos {
            case: "c1".into(),
            district: "环翠区".into(),
            street: None,
            raised: ago(9),
            state: "raised".into(),
        })
    });
    screen.find("an open case", |told| told.body["sos"][0]["state"] == "open").await;
    store.change(|city| city.sos[0].state = "acknowledged".into());
    screen.find("an acknowledged case", |told| told.body["sos"][0]["state"] == "acknowledged").await;
    store.change(|city| city.sos.clear());
    screen.find("no case", |told| told.body["sos"] == json!([])).await;
    let curve = |points: &[(i64, f64)]| Spark {
        name: "bus.online_ratio|city|city|now".into(),
        points: points.iter().map(|(t, v)| (TimeMs(*t), Some(*v))).collect(),
    };
    store.change(|city| city.spark = vec![curve(&[(1, 0.1), (2, 0.2)])]);
    screen
        .find("a curve", |told| told.body["spark"]["bus.online_ratio|city|city|now"] == json!([[1, 0.1], [2, 0.2]]))
        .await;
    store.change(|city| city.spark = vec![curve(&[(1, 0.1), (2, 0.25), (3, 0.3)])]);
    screen
        .find("its growth", |told| told.body["spark"]["bus.online_ratio|city|city|now"] == json!([[2, 0.25], [3, 0.3]]))
        .await;
    wall.down().await;
}

#[tokio::test]
async fn when_a_row_vanishes_screens_are_told_everything_anew() {
    let store = Memory::of(some_city());
    let wall = Wall::up(store.clone(), fast()).await;
    let mut screen = wall.screen(None).await;
    screen.next().await.unwrap();
    store.change(|city| drop(city.metrics.pop()));
    let told = screen.find("a second snapshot", |told| told.event == "snapshot").await;
    assert_eq!(told.body["metrics"].as_array().unwrap().len(), 1);
    wall.down().await;
}

#[tokio::test]
async fn heartbeats_come_with_id_and_time_also_when_nothing_changes() {
    let wall = Wall::up(Memory::of(some_city()), fast()).await;
    let mut screen = wall.screen(None).await;
    for _ in 0..3 {
        let beat = screen.find("a heartbeat", |told| told.event == "heartbeat").await;
        assert!(TimeMs::parse(beat.body["server_time"].as_str().unwrap()).is_ok());
        assert_eq!(beat.body["id"], beat.id.as_str());
    }
    wall.down().await;
}

#[tokio::test]
async fn the_usual_options_keep_the_promise_of_a_heartbeat_within_five_seconds() {
    let usual = WallOptions::default();
    assert!(usual.heartbeat + usual.tick + usual.tick / 4 < std::time::Duration::from_secs(5));
}

#[tokio::test]
async fn a_screen_that_comes_back_gets_only_what_it_missed() {
    let store = Memory::of(some_city());
    let wall = Wall::up(store.clone(), fast()).await;
    let mut screen = wall.screen(None).await;
    let seen = screen.find("some delta", |told| told.event == "delta").await;
    drop(screen);
    store.change(|city| {
        city.metrics[0].value = Some(0.5);
        city.metrics[0].revision = 10;
    });
    // Another screen shows that the change was told while the first one was away.
    wall.screen(None)
        .await
        .find("the change", |told| told.body["metrics"][0]["value"] == 0.5 || told.body["metrics"][1]["value"] == 0.5)
        .await;

    let mut back = wall.screen(Some(&seen.id)).await;
    let missed = back.next().await.unwrap();
    assert_eq!(missed.event, "delta");
    let next = |id: &str| id.rsplit_once('-').unwrap().1.parse::<u64>().unwrap() + 1;
    assert_eq!(missed.id.rsplit_once('-').unwrap().1, next(&seen.id).to_string(), "without a gap");
    if missed.body.get("metrics").is_none() {
        back.find("the change, told again", |told| told.event == "delta" && told.body["metrics"][0]["value"] == 0.5)
            .await;
    }
    wall.down().await;
}

#[tokio::test]
async fn an_id_from_another_life_of_the_server_gets_a_snapshot() {
    let wall = Wall::up(Memory::of(some_city()), fast()).await;
    for id in ["17-3", "", "nonsense", "-", "99999999999999999999999-1"] {
        assert_eq!(wall.screen(Some(id)).await.next().await.unwrap().event, "snapshot");
    }
    wall.down().await;
}

/// Everything that a screen knows of one feed, from the first fresh moment to silence.
async fn states_until_silent(mood: Mood) -> (Vec<Value>, Value) {
    let store = Memory::of(Answers { contacts: vec![contact("bus", "gps", Some(now()), 0.5)], ..some_city() });
    let wall = Wall::up(store.clone(), fast()).await;
    let mut screen = wall.screen(None).await;
    let mut states = vec![screen.next().await.unwrap().body["streams"]["bus"]["state"].clone()];
    store.be(mood);
    let mut lost = Value::Null;
    while states.last().unwrap() != "silent" {
        let told = screen
            .find("the feed's next state", |told| {
                told.body.get("streams").is_some() || told.body.get("store").is_some()
            })
            .await;
        if let Some(store) = told.body.get("store") {
            lost = store.clone();
        }
        let state = &told.body["streams"]["bus"]["state"];
        if !state.is_null() && state != states.last().unwrap() {
            states.push(state.clone());
        }
    }
    let snapshot = wall.json("/api/snapshot").await;
    assert_eq!(snapshot["metrics"].as_array().unwrap().len(), 2, "the last figures stay");
    wall.down().await;
    (states, lost)
}

#[tokio::test]
async fn feeds_go_on_ageing_while_the_store_is_lost_and_the_screen_is_told() {
    let (states, store) = states_until_silent(Mood::Fails).await;
    assert_eq!(states, ["fresh", "late", "silent"]);
    assert_eq!(store["ok"], false);
    assert!(TimeMs::parse(store["since"].as_str().unwrap()).is_ok());
}

#[tokio::test]
async fn feeds_go_on_ageing_while_the_store_hangs() {
    let (states, _) = states_until_silent(Mood::Hangs).await;
    assert_eq!(states, ["fresh", "late", "silent"]);
}

#[tokio::test]
async fn a_store_that_comes_back_is_told_too() {
    let store = Memory::of(some_city());
    store.be(Mood::Fails);
    let wall = Wall::up(store.clone(), fast()).await;
    let mut screen = wall.screen(None).await;
    assert_eq!(screen.next().await.unwrap().body["store"]["ok"], false);
    store.be(Mood::Answers);
    let told = screen.find("the store is back", |told| told.body["store"]["ok"] == true).await;
    assert_eq!(told.body["metrics"].as_array().unwrap().len(), 2);
    wall.down().await;
}

#[tokio::test]
async fn two_hundred_screens_share_one_set_of_questions_and_none_is_behind() {
    let store = Memory::of(some_city());
    let wall = Wall::up(store.clone(), fast()).await;
    let mut screens = Vec::new();
    for _ in 0..200 {
        screens.push(wall.screen(None).await);
    }
    wall.until("two hundred screens listen", || wall.gauge("yiping_wall_screens") == Some(200.0)).await;
    // Each set of questions makes one delta, and every screen sees the same ones: as many questions as ids, whatever the number of screens.
    let number = |id: &str| id.rsplit_once('-').unwrap().1.parse::<usize>().unwrap();
    let first = screens[0].find("a delta", |told| told.event == "delta").await.id;
    let asked_before = store.asked_latest.load(SeqCst);
    for screen in &mut screens {
        screen
            .find("twenty deltas more", |told| told.event == "delta" && number(&told.id) >= number(&first) + 20)
            .await;
    }
    // Each has just read a delta of these: the last one read is not older than what a wall may be behind.
    for screen in &mut screens {
        let newest = wall.json("/api/snapshot").await["server_time"].as_str().map(str::to_owned).unwrap();
        let told = screen
            .find("a delta that is not behind", |told| {
                told.event == "delta" && told.body["server_time"].as_str().unwrap() >= newest.as_str()
            })
            .await;
        assert!(TimeMs::parse(told.body["server_time"].as_str().unwrap()).unwrap() > ago(2));
    }
    let last = wall.json("/api/snapshot").await["id"].as_str().unwrap().to_owned();
    let asked = store.asked_latest.load(SeqCst) - asked_before;
    assert!(asked <= number(&last) - number(&first) + 2, "{asked} sets of questions for the deltas {first} to {last}");
    drop(screens);
    wall.until("nobody listens", || wall.gauge("yiping_wall_screens") == Some(0.0)).await;
    wall.down().await;
}

#[tokio::test]
async fn one_screen_too_many_is_told_to_come_back() {
    let wall = Wall::up(Memory::of(some_city()), WallOptions { max_screens: 1, ..fast() }).await;
    let _first = wall.screen(None).await;
    let second = wall.get("/api/stream").await;
    assert_eq!(second.status(), 503);
    assert!(second.headers().contains_key("retry-after"));
    wall.down().await;
}

#[tokio::test]
async fn streams_end_when_the_wall_stops() {
    let wall = Wall::up(Memory::of(some_city()), fast()).await;
    let mut screen = wall.screen(None).await;
    screen.next().await.unwrap();
    wall.down().await;
    while screen.next().await.is_some() {}
}
