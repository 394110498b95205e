//! Phones, plates and identity numbers, planted at every door: after the run they are nowhere (I11). The control writes the same events
//! into the log past the gateway, and then the same search finds them.

use std::{collections::BTreeMap, fs, io, path::Path, time::Duration};

use serde_json::{Value, json};
use yiping_log::{EmbeddedLog, Log, NewRecord, Retention};

use crate::harness::{System, eventually, http};

const PHONE: &str = "13800138000";
/// The example of GB 11643-1999.
const ID_NUMBER: &str = "11010519491231002X";
const PLATE: &str = "鲁K12345";
/// As JSON may also write it.
const PHONE_ESCAPED: &str = "\\u0031\\u0033800138000";
const PLANTED: [&str; 4] = [PHONE, ID_NUMBER, PLATE, PHONE_ESCAPED];

const MAP: &str = r#"{type: "city.parking.snapshot", time: (now_is | .), data: {lot_id: .lot, capacity: (.n | tonumber), occupied: 1}}"#;

fn event(kind: &str, id: &str, data: Value) -> Value {
    let time = format!("{:.3}", jiff::Timestamp::now());
    json!({"specversion": "1.0", "id": id, "source": "test/planted", "type": kind, "time": time, "data": data})
}

/// What departments send that have not read the guide, with ids that begin so. The topic is where the services would read it.
fn events(ids: &str) -> Vec<(&'static str, Value)> {
    let id = |name: &str| format!("{ids}-{name}");
    let lot = json!({"lot_id": PLATE, "capacity": 10, "occupied": 5});
    let stay = json!({"lot_id": "east", "session_id": PLATE, "plate": PLATE});
    let order = json!({
        "order_id": id("order"), "event": "created", "category": format!("路灯 {PHONE}"), "district": "环翠区",
    });
    let call = json!({"call_id": id("call"), "event": "offered", "phone": PHONE});
    let sos = json!({
        "case_id": id("case"), "event": "raised", "district": "环翠区", "street": format!("{ID_NUMBER} 家"), "device_id": PHONE,
    });
    let device = json!({"device_id": ID_NUMBER, "name": "某"});
    vec![
        ("city.parking", event("city.parking.snapshot", &id("lot"), lot)),
        ("city.parking", event("city.parking.entry", &id("stay"), stay)),
        ("city.hotline", event("city.hotline.order", &id("order"), order)),
        ("city.hotline", event("city.hotline.call", PHONE, call)),
        ("city.elder", event("city.elder.sos", &id("sos"), sos)),
        ("city.elder", event("city.elder.heartbeat", &id("device"), device)),
    ]
}

/// What holds any of what was planted, of everything that is left of a run.
fn traces(system: &System, answers: &str) -> BTreeMap<&'static str, Vec<String>> {
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut look = |place: &'static str, name: &str, bytes: &[u8]| {
        let has = |needle: &str| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
        let hits = PLANTED.into_iter().filter(|needle| has(needle));
        found.entry(place).or_default().extend(hits.map(|needle| format!("{name}: {needle}")));
    };
    look("answers", "the gateway's answers", answers.as_bytes());
    look("logs", "stderr", system.said().as_bytes());
    let mut tables = 0;
    for table in system.query("SELECT name FROM system.tables WHERE database = 'city'") {
        let table = table["name"].as_str().unwrap();
        // (some are the writer's only)
        if let Ok(rows) = system.try_query(&format!("SELECT * FROM city.{table}")) {
            tables += 1;
            rows.iter().for_each(|row| look("clickhouse", table, row.to_string().as_bytes()));
        }
    }
    assert!(tables > 8, "{tables} tables can be read");
    let address = |of: &str| system.endpoints[of].as_str().unwrap().to_owned();
    for (place, url) in [
        ("wall", format!("{}/api/snapshot", address("wall"))),
        ("admin", format!("{}/live/sos", address("admin"))),
        ("admin", format!("{}/metrics", address("admin"))),
    ] {
        let (status, body) = http("GET", &url, &[], b"");
        assert_eq!(status, 200, "{url}");
        look(place, &url, &body);
    }
    // ClickHouse merges parts while we look: what has vanished is in another one by now, so all is looked at again
    eventually(Duration::from_secs(60), "every file to be read", || {
        files(&system.dir, &mut |path, bytes| {
            look(if path.contains("/log/") { "log files" } else { "files" }, path, bytes);
        })
        .ok()
    });
    found.retain(|_, hits| !hits.is_empty());
    found
}

/// Every file below a folder; fails where one vanishes meanwhile.
fn files(dir: &Path, look: &mut impl FnMut(&str, &[u8])) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        if kind.is_dir() {
            files(&path, look)?;
        } else if kind.is_file() {
            look(path.to_str().unwrap(), &fs::read(&path)?);
        }
    }
    Ok(())
}

fn count(system: &System, sql: &str) -> i64 {
    system.try_query(sql).ok().and_then(|rows| rows.first()?["n"].as_i64()).unwrap_or(0)
}

#[test]
fn i11_what_names_a_person_is_nowhere_after_a_run_and_past_the_gateway_it_would_be() {
    let dir = tempfile::tempdir().unwrap();
    let map = dir.path().join("lots.jq");
    let time = jiff::Timestamp::now().to_string();
    fs::write(&map, MAP.replace("(now_is | .)", &format!("\"{time}\""))).unwrap();
    let system = System::start(
        dir.path(),
        &[("YIPING_FEEDS__LOTS__FORMAT", "csv"), ("YIPING_FEEDS__LOTS__MAP", map.to_str().unwrap())],
    );
    let token = format!("Bearer {}", system.token());
    let send = |path: &str, kind: &str, body: String| {
        let headers = [("Authorization", token.as_str()), ("Content-Type", kind)];
        let (status, answer) = http("POST", &format!("{}{path}", system.gateway()), &headers, body.as_bytes());
        format!("{status} {}\n", String::from_utf8_lossy(&answer))
    };
    let lines: Vec<String> = events("sent").iter().map(|(_, event)| event.to_string()).collect();
    let mut answers = send("/v1/events", "application/x-ndjson", lines.join("\n"));
    assert!(answers.contains("\"accepted\":3"), "a stay, a case and a device, under other names: {answers}");
    for (path, kind, body) in [
        ("/v1/events", "application/cloudevents+json", format!("{{\"caller\": \"{PHONE}\", ")),
        ("/v1/events", "application/cloudevents-batch+json", format!("[\"{PLATE}\", ")),
        ("/v1/events", "application/x-ndjson", format!("{{\"tel\": \"{PHONE_ESCAPED}\"}}\n{ID_NUMBER}")),
        ("/v1/events?dry_run=true", "application/x-ndjson", format!("{{\"id\": \"{PHONE}\"}}")),
        ("/v1/feeds/lots", "text/csv", format!("lot,n\n{PLATE},10\neast,{PHONE}x\nwest,10,{ID_NUMBER}\n")),
        ("/v1/feeds/13800138000", "text/csv", String::new()),
    ] {
        answers += &send(path, kind, body);
    }
    // three events, a body, a list, two lines, three rows
    eventually(Duration::from_secs(30), "the rejects to be stored", || {
        (count(&system, "SELECT toInt64(count()) AS n FROM city.rejects") == 10).then_some(())
    });
    eventually(Duration::from_secs(30), "the case to be open", || {
        (count(&system, "SELECT toInt64(count()) AS n FROM city.sos_open") == 1).then_some(())
    });
    assert_eq!(traces(&system, &answers), BTreeMap::new());

    // who has the key sees what was sent, and everybody else stars
    let run = |arguments: &[&str]| {
        let out = system.yiping().arg("rejects").args(arguments).output().unwrap();
        (out.status.success(), String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap())
    };
    let (listed, list, said) = run(&["list", "--json"]);
    assert!(listed && list.lines().count() == 10 && PLANTED.iter().all(|text| !list.contains(text)), "{list}{said}");
    let body: Value = list
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|reject| reject["code"] == "bad_feed" && reject["part"] == "text")
        .unwrap();
    let name = body["reject"].as_str().unwrap();
    let (shown, masked, said) = run(&["show", name]);
    assert!(shown && masked.contains("west,**,*") && !masked.contains(ID_NUMBER), "{masked}{said}");
    assert!(run(&["show", name, "--unmask"]).1.contains(&format!("west,10,{ID_NUMBER}")));
    let opened = fs::read_to_string(dir.path().join("rejects-access.log")).unwrap();
    assert!(opened.lines().count() == 2 && opened.contains(name), "{opened}");
    let (done, told, said) = run(&["replay", "--code", "bad_feed"]);
    assert!(!done && told.starts_with("accepted 0 (0 events), already accepted 0, refused again 2"), "{told}{said}");
    // the token that it made for itself is no more
    assert!(!fs::read_to_string(dir.path().join("tokens.toml")).unwrap().contains("rejects-replay"));
    assert!(fs::remove_file(dir.path().join("rejects.key")).is_ok() && !run(&["show", name]).0, "without the key");

    // the control: with the gateway out of the way
    let log = dir.path().join("log");
    let records = events("past").into_iter().map(|(topic, event)| {
        let key = Some(event["id"].to_string().into());
        NewRecord { topic: topic.to_owned(), partition: None, key, payload: event.to_string().into() }
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let log = EmbeddedLog::open(&log, Retention::default()).await.unwrap();
        log.append(records.collect()).await.unwrap();
    });
    eventually(Duration::from_secs(60), "the search to find them", || {
        let found = traces(&system, &answers);
        ["log files", "clickhouse", "wall"].iter().all(|place| found.contains_key(place)).then_some(())
    });
}
