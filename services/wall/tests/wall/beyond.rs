//! What the wall tells beyond the store's own rows: cases from `elder`, orders by street, what is usual, the past; and to whom.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use yiping_city::City;
use yiping_event::TimeMs;
use yiping_wall::WallOptions;
use yiping_wall::access::Token;
use yiping_wall::source::{Breach, Metric, Orders, Sos, Usual};

use crate::stage::{Answers, Elder, Memory, Mood, Wall, ago, fast, metric, now};

fn case(name: &str, state: &str) -> Sos {
    Sos {
        case: name.into(),
        district: "环翠区".into(),
        street: Some(City::weihai().streets[0].street.clone()),
        raised: ago(70),
        state: state.into(),
    }
}

fn states(body: &Value) -> Vec<String> {
    body["sos"].as_array().unwrap().iter().map(|c| c["state"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn i9_a_call_for_help_is_seen_while_the_store_is_down() {
    let store = Memory::of(Answers::default());
    let elder = Arc::new(Elder(Mutex::new(Some(vec![]))));
    let options = WallOptions { query_timeout: Duration::from_secs(5), ..fast() };
    let wall = Wall::beside(store.clone(), Some(elder.clone()), options).await;
    let mut screen = wall.screen(None).await;
    screen.find("live cases", |told| told.body["sos_live"] == true).await;
    store.be(Mood::Hangs);

    let raised = Instant::now();
    *elder.0.lock().unwrap() = Some(vec![case("new", "raised")]);
    screen.find("the case", |told| told.body["sos"][0]["state"] == "open").await;
    assert!(raised.elapsed() < Duration::from_secs(4), "it waited for a question to the store");
    *elder.0.lock().unwrap() = Some(vec![case("new", "acknowledged")]);
    screen.find("its answer", |told| told.body["sos"][0]["state"] == "acknowledged").await;
    *elder.0.lock().unwrap() = Some(vec![]);
    screen.find("its end", |told| told.body["sos"] == json!([])).await;
    wall.down().await;
}

#[tokio::test]
async fn a_case_that_elder_does_not_know_yet_is_not_hidden_and_one_it_knows_better_is_told_its_way() {
    let store = Memory::of(Answers { sos: vec![case("old", "raised"), case("both", "raised")], ..Answers::default() });
    let elder = Arc::new(Elder(Mutex::new(None)));
    let wall = Wall::beside(store, Some(elder.clone()), fast()).await;
    let mut screen = wall.screen(None).await;
    let told = screen.find("the store's cases", |told| told.body.get("sos").is_some()).await;
    assert_eq!(states(&told.body), ["open", "open"]);
    *elder.0.lock().unwrap() = Some(vec![case("both", "acknowledged")]);
    let told = screen.find("both words", |told| told.body["sos_live"] == true).await;
    let mut together = states(&told.body);
    together.sort();
    assert_eq!(together, ["acknowledged", "open"]);
    wall.down().await;
}

#[tokio::test]
async fn open_orders_are_told_by_street_and_never_finer() {
    let streets = City::weihai().streets;
    let of = |street: &str, category: &str, orders: u64| Orders {
        district: "环翠区".into(),
        street: street.into(),
        category: category.into(),
        orders,
    };
    let (a, b) = (streets[0].street.clone(), streets[1].street.clone());
    let orders = vec![of(&a, "供热", 3), of(&a, "噪声", 1), of(&b, "供热", 2), of("", "物业", 4), of("nowhere", "", 1)];
    let wall = Wall::up(Memory::of(Answers { orders, ..Answers::default() }), fast()).await;
    let told = wall.json("/api/snapshot").await["orders"].clone();
    assert_eq!(told["total"], 11);
    assert_eq!(told["categories"], json!([["供热", 5], ["物业", 4], ["噪声", 1]]));
    let mut counts: Vec<_> =
        told["streets"].as_array().unwrap().iter().map(|s| s["orders"].as_u64().unwrap()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [2, 4], "streets that the profile knows, each once");
    wall.down().await;
}

#[tokio::test]
async fn what_is_usual_is_told_with_the_days_it_is_made_of() {
    let usual = |span: &str, at: i64| Usual {
        metric: "hotline.calls".into(),
        span: span.into(),
        at: TimeMs(at),
        low: 180.0,
        median: 208.0,
        high: 240.0,
        days: 28,
    };
    let answers = Answers { usual: vec![usual("1h", 600_000), usual("5m", 0)], ..Answers::default() };
    let wall = Wall::up(Memory::of(answers), fast()).await;
    let mut screen = wall.screen(None).await;
    let told = screen.find("the usual", |told| told.body["usual"]["hotline.calls|city|city|1h"].is_object()).await;
    assert_eq!(
        told.body["usual"]["hotline.calls|city|city|1h"],
        json!({ "days": 28, "points": [[600_000, 180.0, 208.0, 240.0]] })
    );
    let path = "/api/usual?metric=hotline.calls&level=district&key=环翠区&span=1h&from=1970-01-01T00:00:00Z&to=1970-01-01T01:00:00Z";
    assert_eq!(wall.json(path).await, json!({ "days": 28, "points": [[600_000, 180.0, 208.0, 240.0]] }));
    let long = "/api/usual?metric=hotline.calls&span=1h&from=1970-01-01T00:00:00Z&to=1970-01-03T01:00:00Z";
    assert_eq!(wall.get(long).await.status(), 400);
    wall.down().await;
}

fn then(end: TimeMs, value: f64) -> Metric {
    Metric { window_end: end, numerator: value, ..metric("hotline.calls", "city", Some(value), 1) }
}

#[tokio::test]
async fn a_past_day_is_replayed_on_a_screen_of_its_own_and_the_live_one_does_not_notice() {
    let minute = |n: i64| TimeMs((now().0 / 3_600_000 - 48) * 3_600_000 + n * 60_000);
    let breach = Breach {
        metric: "hotline.calls".into(),
        level: "city".into(),
        key: "city".into(),
        span: "now".into(),
        severity: "warning".into(),
        opened_at: minute(3),
        closed_at: Some(minute(5)),
        value: Some(9.0),
        threshold: 8.0,
        id: "b".into(),
        worst: Some(99.0),
        owner: "12345".into(),
        action: "x".into(),
    };
    let metrics = (0..10).map(|n| then(minute(n), n as f64)).collect();
    let store = Memory::of(Answers { metrics, breaches: vec![breach], ..Answers::default() });
    let wall = Wall::up(store, fast()).await;
    // a tick of 50 ms at 600 times is half a minute
    let mut screen = wall.stream(&format!("/api/replay?from={}&speed=600", minute(2)), None).await;
    let first = screen.next().await.unwrap();
    assert_eq!((first.event.as_str(), &first.body["server_time"]), ("snapshot", &json!(minute(2).to_string())));
    assert_eq!(first.body["metrics"][0]["value"], 2.0, "what was known then");
    assert_eq!((&first.body["breaches"], &first.body["sos"]), (&json!([]), &json!([])));
    assert_eq!(first.body["streams"]["hotline"]["state"], "fresh");
    let told = screen.find("the breach", |told| told.body["breaches"][0]["id"] == "b").await;
    assert_eq!(told.body["breaches"][0]["closed_at"], Value::Null, "nobody knew then when it would end");
    screen.find("its end", |told| told.body["breaches"] == json!([])).await;
    let told = screen.find("the sixth minute", |told| told.body["metrics"][0]["value"] == 6.0).await;
    assert_eq!(told.event, "delta");

    let live = wall.json("/api/snapshot").await;
    assert!(TimeMs::parse(live["server_time"].as_str().unwrap()).unwrap() > ago(60));
    for wrong in ["", "?from=yesterday", "?from=2001-01-01T00:00:00Z&speed=0", "?from=2999-01-01T00:00:00Z"] {
        assert_eq!(wall.get(&format!("/api/replay{wrong}")).await.status(), 400, "{wrong}");
    }
    wall.down().await;
}

#[tokio::test]
async fn where_a_token_is_set_nothing_is_read_without_it() {
    let options = WallOptions { token: Some(Token::new("a-token-of-the-test")), ..fast() };
    let wall = Wall::up(Memory::of(Answers::default()), options).await;
    for path in ["/", "/api/snapshot", "/api/stream", "/api/catalogue", "/?token=wrong"] {
        let refused = wall.get(path).await;
        assert_eq!(refused.status(), 401, "{path}");
        assert!(refused.headers().contains_key("content-security-policy"), "{path}");
    }
    let bearer = wall.http.get(format!("{}/api/snapshot", wall.url)).bearer_auth("a-token-of-the-test");
    assert_eq!(bearer.send().await.unwrap().status(), 200);

    let plain = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let opened = plain.get(format!("{}/?token=a-token-of-the-test", wall.url)).send().await.unwrap();
    assert_eq!((opened.status().as_u16(), &opened.headers()["location"]), (303, &"/".parse().unwrap()));
    let cookie = opened.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let kept = cookie.split(';').next().unwrap();
    let page = plain.get(&wall.url).header("cookie", format!("other=1; {kept}")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    wall.down().await;
}

#[test]
fn a_token_is_made_once_and_only_its_owner_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("wall-token-{}", std::process::id()));
    let file = folder.join("wall-token");
    let made = Token::in_file(&file).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Token::in_file(&file).unwrap(), made);
    std::fs::write(&file, "short\n").unwrap();
    assert!(Token::in_file(&file).unwrap_err().to_string().contains("16 characters"));
    std::fs::remove_dir_all(folder).unwrap();
}
