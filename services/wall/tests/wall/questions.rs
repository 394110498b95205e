//! What the wall answers: the snapshot's shape, the page and its headers, history, heartbeats.

use crate::stage::{Answers, Memory, Mood, Wall, ago, contact, fast, metric, now, vehicle};
use serde_json::{Value, json};
use yiping_city::City;
use yiping_event::TimeMs;
use yiping_wall::WallOptions;
use yiping_wall::source::{Breach, Lot, Progress, Sos, Spark};

fn full_city() -> Answers {
    let city = City::weihai();
    Answers {
        metrics: vec![
            metric("bus.online_ratio", "city", Some(0.99), u64::MAX),
            metric("hotline.wait_p95_s", "city", None, 1),
        ],
        progress: vec![Progress {
            stream: "bus".into(),
            watermark: Some(TimeMs(1_000)),
            last_event: Some(TimeMs(2_000)),
        }],
        contacts: vec![
            contact("bus", "gps", Some(now()), 30.0),
            contact("bus", "depot", None, 30.0),
            contact("parking", "lots", Some(ago(1000)), 30.0),
        ],
        vehicles: vec![
            vehicle("v2", 122.112, 37.492, ago(4)),
            vehicle("v1", 122.0, 37.0, ago(86_500)),
            vehicle("v0", f64::NAN, 1e9, now()),
        ],
        lots: vec![
            Lot { lot_id: city.lots[0].lot_id.clone(), capacity: 300, occupied: Some(211), time: TimeMs(0) },
            Lot { lot_id: "nobody knows".into(), capacity: 1, occupied: Some(-5), time: TimeMs(i64::MIN) },
        ],
        sos: vec![
            Sos {
                case: "case-2".into(),
                district: city.streets[0].district.clone(),
                street: Some(city.streets[0].street.clone()),
                raised: TimeMs(2_000),
                state: "raised".into(),
            },
            Sos {
                case: "case-1".into(),
                district: "经开区".into(),
                street: None,
                raised: TimeMs(1_000),
                state: "arrived".into(),
            },
            Sos {
                case: "case-0".into(),
                district: "经开区".into(),
                street: None,
                raised: TimeMs(0),
                state: "false_alarm".into(),
            },
        ],
        spark: vec![Spark {
            name: "bus.online_ratio|city|city|now".into(),
            points: vec![(TimeMs(5), Some(0.5)), (TimeMs(6), None)],
        }],
        breaches: vec![Breach {
            metric: "hotline.connect_ratio".into(),
            level: "city".into(),
            key: "city".into(),
            span: "30m".into(),
            severity: "critical".into(),
            opened_at: TimeMs(0),
            closed_at: None,
            value: Some(0.7),
            threshold: 0.9,
            id: "0a1b2c3d4e5f".to_owned(),
            worst: None,
            owner: String::new(),
            action: String::new(),
        }],
        ..Answers::default()
    }
}

fn members(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_snapshot_has_every_member_of_the_contract() {
    let wall = Wall::up(Memory::of(full_city()), fast()).await;
    let city = City::weihai();
    let s = wall.json("/api/snapshot").await;
    for member in [
        "server_time",
        "build",
        "city",
        "store",
        "streams",
        "metrics",
        "breaches",
        "vehicles",
        "lots",
        "sos",
        "sos_live",
        "alerts",
        "orders",
        "usual",
        "spark",
    ] {
        assert!(s.get(member).is_some(), "{member} is missing");
    }
    assert_eq!(
        (&s["city"]["name"], &s["city"]["zone"], s["city"]["bounds"].as_array().map(Vec::len)),
        (&json!("威海"), &json!("Asia/Shanghai"), Some(4))
    );
    for member in [
        "title",
        "approval",
        "tiles",
        "fleet",
        "mm_per_px",
        "distance_m",
        "core",
        "districts",
        "zones",
        "zone_centers",
        "sources",
    ] {
        assert!(s["city"].get(member).is_some(), "city.{member} is missing");
    }

    let bus = &s["streams"]["bus"];
    assert_eq!((&bus["state"], &bus["sources_online"], &bus["sources_total"]), (&json!("fresh"), &json!(1), &json!(2)));
    assert_eq!(
        (&bus["watermark"], &bus["last_event"]),
        (&json!("1970-01-01T00:00:01.000Z"), &json!("1970-01-01T00:00:02.000Z"))
    );
    assert_eq!(
        bus["sources"][0],
        json!({ "source": "depot", "state": "not_connected", "last_contact": null, "expected_s": 30.0 })
    );
    assert_eq!(s["streams"]["parking"]["state"], "silent");
    assert_eq!(
        (&s["streams"]["hotline"]["state"], &s["streams"]["elder"]["state"]),
        (&json!("not_connected"), &json!("not_connected"))
    );

    let row = &s["metrics"][0];
    let mut names = members(row);
    names.sort_unstable();
    let columns = "denominator is_final key level metric n numerator revision span stream value watermark window_end window_start";
    assert_eq!(names.join(" "), columns);
    assert_eq!(
        (&row["revision"], &row["window_end"]),
        (&json!(u64::MAX.to_string()), &json!("1970-01-01T00:00:11.000Z"))
    );
    assert_eq!(s["metrics"][1]["value"], Value::Null);

    assert_eq!(s["vehicles"]["columns"], json!(["lon_e5", "lat_e5", "age_s", "delay_s"]));
    assert_eq!(s["vehicles"]["ids"], json!(["v2"]), "neither yesterday's nor the one without a place");
    let position = s["vehicles"]["rows"][0].as_array().unwrap();
    assert_eq!((&position[0], &position[1], &position[3]), (&json!(12_211_200), &json!(3_749_200), &Value::Null));
    assert!((4..60).contains(&position[2].as_i64().unwrap()));

    assert_eq!(s["lots"].as_array().unwrap().len(), 1, "a lot without a place is not on the map");
    assert_eq!((&s["lots"][0]["name"], &s["lots"][0]["occupied"]), (&json!(city.lots[0].name), &json!(211)));
    assert_eq!(
        s["sos"].as_array().unwrap().iter().map(|c| c["state"].as_str().unwrap()).collect::<Vec<_>>(),
        ["acknowledged", "open"]
    );
    assert_eq!(
        (&s["sos"][1]["lon"], &s["sos"][1]["lat"]),
        (&json!(city.streets[0].lon), &json!(city.streets[0].lat)),
        "the street's centre"
    );
    assert!(!s.to_string().contains("case-"), "cases are opaque");
    assert_eq!(s["spark"]["bus.online_ratio|city|city|now"], json!([[5, 0.5], [6, null]]));
    assert_eq!((&s["breaches"][0]["severity"], &s["breaches"][0]["closed_at"]), (&json!("critical"), &Value::Null));
    wall.down().await;
}

#[tokio::test]
async fn visitors_do_not_see_where_a_case_is() {
    let wall = Wall::up(Memory::of(full_city()), WallOptions { visitors: true, ..fast() }).await;
    for case in wall.json("/api/snapshot").await["sos"].as_array().unwrap() {
        assert_eq!((&case["street"], &case["lon"], &case["lat"]), (&Value::Null, &Value::Null, &Value::Null));
    }
    wall.down().await;
}

#[tokio::test]
async fn a_snapshot_that_the_asker_has_is_not_sent_again() {
    // So slow that the moment lasts for the whole test.
    let slow = WallOptions { tick: std::time::Duration::from_secs(60), ..fast() };
    let wall = Wall::up(Memory::of(full_city()), slow).await;
    let first = wall.get("/api/snapshot").await;
    let again = wall
        .http
        .get(format!("{}/api/snapshot", wall.url))
        .header("if-none-match", &first.headers()["etag"])
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 304);
    wall.down().await;
}

#[tokio::test]
async fn the_page_comes_with_its_type_its_policy_and_its_etag() {
    let wall = Wall::up(Memory::of(Answers::default()), fast()).await;
    let page = wall.get("/").await;
    assert_eq!(page.status(), 200);
    let header = |name: &str| page.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    let policy = header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("connect-src 'self'"), "{policy}");
    assert_eq!((header("x-content-type-options"), header("cache-control")), ("nosniff".into(), "no-cache".into()));
    let again = wall.http.get(&wall.url).header("if-none-match", header("etag")).send().await.unwrap();
    assert_eq!(again.status(), 304);

    let html = page.text().await.unwrap();
    let script = html
        .split('"')
        .find(|word| word.contains("assets/") && word.ends_with(".js"))
        .expect("the page loads a script")
        .to_owned();
    let path = format!("/{}", script.trim_start_matches(['.', '/']));
    let script = wall.http.get(format!("{}{path}", wall.url)).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(script.headers()["content-type"].to_str().unwrap().split(';').next(), Some("text/javascript"));
    assert!(script.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(script.headers()["content-encoding"], "gzip");
    wall.down().await;
}

#[tokio::test]
async fn a_packed_snapshot_is_the_plain_one() {
    let wall = Wall::up(Memory::of(full_city()), fast()).await;
    let ask = async |taken: &str| {
        let url = format!("{}/api/snapshot", wall.url);
        let answer = wall.http.get(url).header("accept-encoding", taken).send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (etag, encoding) = (header("etag"), header("content-encoding"));
        assert!(header("vary").unwrap().contains("accept-encoding"));
        (etag, encoding, answer.bytes().await.unwrap())
    };
    // (time goes on between two questions: those of one moment are compared)
    let (plain, packed) = loop {
        let (plain, packed) = (ask("identity, gzip;q=0").await, ask("br, gzip").await);
        if plain.0 == packed.0 {
            break (plain, packed);
        }
    };
    assert_eq!((plain.1, packed.1.as_deref()), (None, Some("gzip")));
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed.2[..]), &mut text).unwrap();
    assert_eq!(text, plain.2);
    assert!(packed.2.len() < text.len());
    wall.down().await;
}

#[tokio::test]
async fn what_is_not_there_is_404_and_nothing_outside_the_page_is_reached() {
    let wall = Wall::up(Memory::of(Answers::default()), fast()).await;
    for path in ["/nothing", "/api/nothing", "/..%2f..%2fCargo.toml", "/assets/../../../Cargo.toml"] {
        assert_eq!(wall.get(path).await.status(), 404, "{path}");
    }
    wall.down().await;
}

#[tokio::test]
async fn history_is_answered_for_what_was_asked() {
    let store = Memory::of(full_city());
    let wall = Wall::up(store.clone(), fast()).await;
    let rows = wall.json("/api/metrics?metric=bus.online_ratio&level=city&key=city&span=now&from=2026-11-20T08:00:00%2B08:00&to=2026-11-20T01:00:00Z").await;
    assert_eq!(rows["rows"].as_array().unwrap().len(), 1);
    let asked = store.asked_history.lock().unwrap().remove(0);
    assert_eq!(
        (asked.from.to_string().as_str(), asked.to.to_string().as_str()),
        ("2026-11-20T00:00:00.000Z", "2026-11-20T01:00:00.000Z")
    );
    assert_eq!((asked.key.as_deref(), asked.span.as_deref()), (Some("city"), Some("now")));

    let wrong = wall.get("/api/metrics?metric=bus.online_ratio&from=yesterday").await;
    assert_eq!(
        (wrong.status().as_u16(), &wrong.headers()["content-type"]),
        (400, &"application/problem+json".parse().unwrap())
    );
    store.be(Mood::Fails);
    assert_eq!(wall.get("/api/metrics?metric=bus.online_ratio").await.status(), 503);
    wall.down().await;
}

#[tokio::test]
async fn catalogue_and_outline_are_given() {
    let wall = Wall::up(Memory::of(Answers::default()), fast()).await;
    let catalogue = wall.json("/api/catalogue").await;
    let online =
        catalogue["metrics"].as_array().unwrap().iter().find(|entry| entry["id"] == "bus.online_ratio").unwrap();
    assert_eq!(online["stream"], "bus");
    assert!(
        ["name_zh", "unit", "formula", "levels", "spans", "min_n", "thresholds"]
            .iter()
            .all(|member| online.get(member).is_some())
    );
    let outline = wall.json("/api/outline").await;
    assert_eq!(outline["type"], "FeatureCollection");
    assert_eq!(outline["features"].as_array().unwrap().len(), City::weihai().districts.len());
    assert_eq!(outline["features"][0]["properties"]["name"], City::weihai().districts[0].name);
    wall.down().await;
}

#[tokio::test]
async fn a_page_that_reports_becomes_a_gauge() {
    let wall = Wall::up(Memory::of(Answers::default()), fast()).await;
    let post = |body: String| {
        wall.http.post(format!("{}/api/heartbeat", wall.url)).header("content-type", "text/plain").body(body).send()
    };
    let beat = json!({ "page": "wall-1", "heap_bytes": 5_000_000, "fps": 59.5, "last_id": "x-1" }).to_string();
    assert_eq!(post(beat).await.unwrap().status(), 204);
    assert_eq!(wall.gauge("yiping_wall_page_heap_bytes"), Some(5e6));
    assert_eq!(wall.gauge("yiping_wall_page_fps"), Some(59.5));
    assert!(
        (wall.gauge("yiping_wall_page_last_heartbeat_timestamp_seconds").unwrap() - now().0 as f64 / 1000.0).abs()
            < 60.0
    );
    assert_eq!(post("{}".to_owned()).await.unwrap().status(), 400);
    assert_eq!(post("x".repeat(5000)).await.unwrap().status(), 413);
    wall.down().await;
}
