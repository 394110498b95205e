//! Feeds that are fetched, on the whole way: from a department's server, database or folder to the wall.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{System, eventually, http};

const OPERATORS: usize = 12;
const NOBODY: usize = usize::MAX;

/// Twelve operators' servers, of which one may be dead. `/7` answers what lot 7 has, with no time of its own.
fn operators() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let dead = Arc::new(AtomicUsize::new(NOBODY));
    let who_is_dead = Arc::clone(&dead);
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let (Ok(mut socket), dead) = (socket, Arc::clone(&who_is_dead)) else { return };
            std::thread::spawn(move || {
                let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
                let first = lines.next()?.ok()?;
                lines.find(|line| line.as_ref().is_ok_and(String::is_empty));
                let operator: usize = first.split('/').nth(1)?.split(' ').next()?.parse().ok()?;
                let (status, body) = if dead.load(Ordering::Relaxed) == operator {
                    ("500 Out of order", String::new())
                } else {
                    ("200 OK", format!("{{\"lots\":[{{\"lot\":\"lot-{operator}\",\"used\":{operator}}}]}}"))
                };
                let length = body.len();
                write!(socket, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").ok()
            });
        }
    });
    (address, dead)
}

/// Weihai with twelve operators of car parks, and nobody else.
fn profile(dir: &Path) -> String {
    let weihai = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/cities/weihai");
    let profile = dir.join("profile");
    std::fs::create_dir(&profile).unwrap();
    for file in std::fs::read_dir(weihai).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), profile.join(file.file_name())).unwrap();
    }
    let text = std::fs::read_to_string(profile.join("city.toml")).unwrap();
    let mut without = text.split("[[sources]]").map(|part| {
        // of a source's own keys nothing stays; what follows the last one's does
        part.find("\n[").map_or("", |at| &part[at..])
    });
    let before = text.split("[[sources]]").next().unwrap();
    without.next();
    let after: String = without.collect();
    let sources: String = (1..=OPERATORS)
        .map(|n| {
            format!(
                "[[sources]]\nsource = \"town/op{n}\"\nstream = \"parking\"\nname = \"{n}\"\nserves = []\nexpected_s = 600\n\n"
            )
        })
        .collect();
    std::fs::write(profile.join("city.toml"), format!("{before}{sources}{after}")).unwrap();
    profile.to_str().unwrap().to_owned()
}

/// A token in a file, made before the system starts.
fn token_file(dir: &Path) -> String {
    let made = Command::new(env!("CARGO_BIN_EXE_yiping"))
        .args(["token", "new", "--name", "pull", "--streams", "parking", "--sources", "town/*"])
        .env("YIPING_DATA_DIR", dir)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let file = dir.join("pull-token");
    std::fs::write(&file, made.stdout).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Settings of feeds, as variables.
#[derive(Default)]
struct Settings(Vec<(String, String)>);

impl Settings {
    fn feed(&mut self, name: &str, keys: &[(&str, &str)]) {
        let key = |key: &str| format!("YIPING_FEEDS__{}__{}", name.to_uppercase(), key.to_uppercase());
        self.0.extend(keys.iter().map(|(name, value)| (key(name), (*value).to_owned())));
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }
}

fn file(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const LOTS: &str = r#"{type: "city.parking.snapshot", time: ($polled | to_rfc3339),
                       data: {lot_id: .lot, capacity: 20, occupied: .used}}"#;
const INBOX: &str = r#"{type: "city.parking.payment", time: .["时间"],
    data: {lot_id: "east", session_id: .["单号"], channel: (.["渠道"] | lookup("channels")), amount_fen: 500, result: "ok"}}"#;

#[test]
fn i10_of_twelve_operators_the_dead_one_is_named_and_the_others_are_fresh() {
    let dir = tempfile::tempdir().unwrap();
    let (address, dead) = operators();
    let (token, map) = (token_file(dir.path()), file(dir.path(), "lots.jq", LOTS));
    let inbox = dir.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let mut settings = Settings::default();
    for n in 1..=OPERATORS {
        settings.feed(
            &format!("op{n}"),
            &[
                ("format", "json"),
                ("items", "/lots"),
                ("map", &map),
                ("zone", "Asia/Shanghai"),
                ("stream", "parking"),
                ("source", &format!("town/op{n}")),
                ("expected_s", "5"),
                ("pull__url", &format!("{address}/{n}")),
                ("pull__every", "2s"),
                ("pull__token_file", &token),
            ],
        );
    }
    settings.feed(
        "inbox",
        &[
            ("format", "csv"),
            ("encoding", "gb18030"),
            ("map", &file(dir.path(), "inbox.jq", INBOX)),
            ("zone", "Asia/Shanghai"),
            ("stream", "parking"),
            ("source", "town/op1"),
            ("expected_s", "5"),
            ("tables__channels", &file(dir.path(), "channels.csv", "code,channel\n01,wechat\n02,alipay\n")),
            ("pull__folder", inbox.to_str().unwrap()),
            ("pull__every", "1s"),
            ("pull__token_file", &token),
        ],
    );
    settings.0.push(("YIPING_CITY__PROFILE".into(), profile(dir.path())));
    let system = System::start(dir.path(), &settings.pairs());
    let states = || -> BTreeMap<String, Vec<String>> {
        let mut states: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in system.query("SELECT source, state FROM city.source_status WHERE stream = 'parking' ORDER BY source")
        {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            states.entry(text("state")).or_default().push(text("source"));
        }
        states
    };
    eventually(Duration::from_secs(60), "all operators to be heard of", || {
        (states().get("fresh").map(Vec::len) == Some(OPERATORS)).then_some(())
    });

    dead.store(7, Ordering::Relaxed);
    let snapshot = || -> Value {
        let url = format!("{}/api/snapshot", system.endpoints["wall"].as_str().unwrap());
        serde_json::from_slice(&http("GET", &url, &[], b"").1).unwrap_or_default()
    };
    eventually(Duration::from_secs(90), "the dead operator to be named, and only it", || {
        let states = states();
        let named = states.get("silent")? == &["town/op7"] && states.get("fresh")?.len() == OPERATORS - 1;
        let parking = snapshot()["streams"]["parking"].take();
        let silent: Vec<_> =
            parking["sources"].as_array()?.iter().filter(|source| source["state"] != "fresh").collect();
        let shown = parking["state"] == "late" && parking["sources_online"] == 11 && parking["sources_total"] == 12;
        (named && shown && silent.len() == 1 && silent[0]["source"] == "town/op7").then_some(())
    });
    let admin = system.endpoints["admin"].as_str().unwrap();
    let metrics = String::from_utf8(http("GET", &format!("{admin}/metrics"), &[], b"").1).unwrap();
    let series = |name: &str| -> f64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        line.unwrap_or_else(|| panic!("no {name}"))
    };
    assert!(series(r#"yiping_pull_failures_total{feed="op7",reason="status"}"#) > 0.0);
    assert_eq!(series(r#"yiping_pull_failures_total{feed="op6",reason="status"}"#), 0.0);
    let last = |n: usize| series(&format!("yiping_pull_last_success_timestamp_seconds{{feed=\"op{n}\"}}"));
    assert!(last(7) < last(6));

    // a table that somebody puts into the folder: local times, GB18030, a code that nobody knows
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::get("Asia/Shanghai").unwrap());
    let now = now.strftime("%Y-%m-%d %H:%M:%S");
    let text = format!("单号,时间,渠道\r\nA1,{now},01\r\nA2,{now},99\r\nA3,{now},02\r\n");
    let table = dir.path().join("table.csv");
    let status = Command::new("iconv")
        .args(["-f", "UTF-8", "-t", "GB18030", "-o"])
        .arg(&table)
        .stdin(Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            child.stdin.take().unwrap().write_all(text.as_bytes())?;
            child.wait()
        });
    assert!(status.unwrap().success());
    std::fs::rename(&table, inbox.join("1.csv")).unwrap();
    eventually(Duration::from_secs(30), "the file to be taken", || inbox.join("done/1.csv").is_file().then_some(()));
    eventually(Duration::from_secs(30), "the unknown code to be named", || {
        let rows = system.query("SELECT code, message FROM city.rejects");
        let message = rows.first()?["message"].as_str()?.to_owned();
        assert_eq!((rows.len(), &rows[0]["code"]), (1, &Value::from("bad_feed")), "{rows:?}");
        assert!(message.contains("channels") && message.contains("99"), "{message}");
        Some(())
    });
    let payments: Vec<Value> =
        events(&system).into_iter().filter(|event| event["type"] == "city.parking.payment").collect();
    let channels: BTreeSet<&str> = payments.iter().filter_map(|event| event["data"]["channel"].as_str()).collect();
    assert_eq!((payments.len(), channels), (2, BTreeSet::from(["alipay", "wechat"])), "{payments:?}");
    // (the stays' numbers are pseudonyms by now)
    assert!(payments.iter().all(|event| !event["data"]["session_id"].to_string().contains('A')), "{payments:?}");
}

/// Everything in the stream's log.
fn events(system: &System) -> Vec<Value> {
    let out = system.yiping().args(["log", "export", "--stream", "parking"]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].take()).collect()
}

/// `yiping run --target pull`, killed when dropped.
struct Puller(Child);

impl Puller {
    fn start(dir: &Path, settings: &[(&str, &str)]) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("puller.log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_yiping"))
            .args(["run", "--target", "pull"])
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Puller {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const ENTRIES: &str = r#"{type: "city.parking.entry", time: .at, data: {lot_id: "east", session_id: "s-\(.id)"}}"#;

/// Runs SQL by the database's own client.
fn sql(url: &str, statement: &str) {
    let (scheme, rest) = url.split_once("://").unwrap();
    let mut client = if scheme == "mysql" {
        let (user, rest) = rest.split_once(':').unwrap();
        let (password, rest) = rest.split_once('@').unwrap();
        let (host, rest) = rest.split_once(':').unwrap();
        let (port, database) = rest.split_once('/').unwrap();
        let mut client = Command::new("mariadb");
        client.args(["-h", host, "-P", port, "-u", user, database, "-e", statement]).env("MYSQL_PWD", password);
        client
    } else {
        let mut client = Command::new("psql");
        client.args([url, "-q", "-v", "ON_ERROR_STOP=1", "-c", statement]);
        client
    };
    let out = client.output().unwrap();
    assert!(out.status.success(), "{statement}: {}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn i7_rows_of_a_database_count_once_although_the_puller_is_killed_again_and_again() {
    const ROWS: usize = 4_000;
    const BLOWS: usize = 4;
    let mut any = false;
    for variable in ["YIPING_POSTGRES_URL", "YIPING_MYSQL_URL"] {
        let Ok(url) = std::env::var(variable) else { continue };
        any = true;
        sql(&url, "DROP TABLE IF EXISTS entries");
        sql(&url, "CREATE TABLE entries (id INT PRIMARY KEY, at TIMESTAMP(3) NOT NULL)");
        let dir = tempfile::tempdir().unwrap();
        let system = System::start(dir.path(), &[]);
        let token = token_file(dir.path());
        let mut settings = Settings::default();
        settings.feed(
            "entries",
            &[
                ("map", &file(dir.path(), "entries.jq", ENTRIES)),
                ("zone", "UTC"),
                ("stream", "parking"),
                ("source", "town/gates"),
                ("pull__database_url_file", &file(dir.path(), "url", &url)),
                ("pull__query", "SELECT id, at FROM entries"),
                ("pull__cursor", "id"),
                ("pull__rows", "20"),
                ("pull__every", "1s"),
                ("pull__token_file", &token),
            ],
        );
        let apart = dir.path().join("puller");
        settings.0.extend([
            ("YIPING_DATA_DIR".to_owned(), apart.to_str().unwrap().to_owned()),
            ("YIPING_PULL__GATEWAY".to_owned(), system.gateway()),
            ("YIPING_ADMIN__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
        ]);
        let settings = settings.pairs();
        let mut puller = Puller::start(dir.path(), &settings);
        let distinct = || {
            let sessions = events(&system).into_iter().filter(|event| event["type"] == "city.parking.entry");
            sessions.map(|event| event["data"]["session_id"].to_string()).collect::<BTreeSet<_>>().len()
        };
        for blow in 0..=BLOWS {
            let (from, to) = (blow * ROWS / (BLOWS + 1) + 1, (blow + 1) * ROWS / (BLOWS + 1));
            let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
            let at = now.strftime("%Y-%m-%d %H:%M:%S").to_string();
            let rows: Vec<String> = (from..=to).map(|id| format!("({id}, '{at}')")).collect();
            sql(&url, &format!("INSERT INTO entries VALUES {}", rows.join(", ")));
            if blow < BLOWS {
                // somewhere in the middle of these rows
                eventually(Duration::from_secs(60), "some of the rows", || (distinct() > from + 50).then_some(()));
                puller = {
                    drop(puller);
                    Puller::start(dir.path(), &settings)
                };
            }
        }
        eventually(Duration::from_secs(120), "all rows", || (distinct() == ROWS).then_some(()));
        drop(puller);
        let events = events(&system);
        let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
        let beats: BTreeSet<String> =
            events.iter().filter(|e| e["type"] == "city.source.heartbeat").map(|e| e["id"].to_string()).collect();
        let entries = of("city.parking.entry");
        eprintln!("{variable}: {ROWS} rows, {BLOWS} blows, {entries} records in the log");
        // what was sent twice is known by its id, and counts once
        eventually(Duration::from_secs(60), "every row to count once", || {
            let sql = "SELECT sum(accepted) AS accepted, sum(duplicates) AS repeated FROM city.stream_status \
                       WHERE stream = 'parking'";
            let row = system.query(sql).remove(0);
            let repeated = entries - ROWS + of("city.source.heartbeat") - beats.len();
            (row["accepted"] == ROWS + beats.len() && row["repeated"] == repeated).then_some(())
        });
        sql(&url, "DROP TABLE entries");
    }
    if !any {
        eprintln!("skipped: neither YIPING_POSTGRES_URL nor YIPING_MYSQL_URL is set (tests/databases/start)");
    }
}
