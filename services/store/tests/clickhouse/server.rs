//! The embedded server: who may do what, and that it lives exactly as long as it should.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use clickhouse::Client;
use tokio_util::sync::CancellationToken;
use yiping_store::{Batch, KeepDays, MetricRow, Store, StoreOptions, embedded::Server};

use crate::{DAY, library, live::ask_as, options, row, shared, store, store_or_skip, until};

#[tokio::test]
async fn the_users_may_do_no_more_than_they_need() {
    let _ = store_or_skip!();
    let server = shared().unwrap();
    let as_user = async |user: &str, password: &str, sql: &str| ask_as(server.url(), user, password, sql).await;
    for who in [server.writer(), server.reader()] {
        for sql in [
            "SELECT * FROM file('/etc/passwd', 'LineAsString')",
            "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
            "SELECT * FROM remote('127.0.0.1', 'city.metrics')",
            "INSERT INTO FUNCTION file('/tmp/yiping-test', 'CSV', 'x UInt8') VALUES (1)",
            "SELECT * FROM executable('id', 'TSV', 'x String')",
            "CREATE USER mallory",
            "DROP TABLE city.metric_rows",
            "DROP DATABASE city",
            "CREATE DATABASE other",
            "SYSTEM SHUTDOWN",
        ] {
            let refused = as_user(&who.user, &who.password, sql).await.expect_err(sql);
            // UNSUPPORTED_METHOD: there are no scripts, and nobody may put one there
            let why = ["ACCESS_DENIED", "READONLY", "UNSUPPORTED_METHOD"];
            assert!(why.iter().any(|code| refused.contains(code)), "{}: {sql}: {refused}", who.user);
        }
    }
    let reader = server.reader();
    for sql in [
        "INSERT INTO city.breach_rows (metric) VALUES ('x')",
        "SELECT * FROM city.checkpoint_segments",
        "SELECT * FROM city.checkpoint_manifests",
        "SELECT 1 SETTINGS max_memory_usage = 0",
        "SELECT 1 SETTINGS max_execution_time = 0",
    ] {
        let refused = as_user(&reader.user, &reader.password, sql).await.expect_err(sql);
        assert!(
            ["ACCESS_DENIED", "READONLY", "SETTING_CONSTRAINT_VIOLATION"].iter().any(|code| refused.contains(code)),
            "{refused}"
        );
    }
    as_user(&reader.user, &reader.password, "SELECT 1 SETTINGS max_execution_time = 5").await.unwrap();
    let slow = "SELECT count() FROM system.one WHERE sleepEachRow(3) SETTINGS max_execution_time = 1";
    as_user(&reader.user, &reader.password, slow).await.unwrap_err();
    for (user, password) in [("default", ""), (reader.user.as_str(), "wrong"), ("yiping_writer", "")] {
        as_user(user, password, "SELECT 1").await.unwrap_err();
    }
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_setting() {
    let Some(library) = library() else { return };
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let mut wanted = options(folder.path().join("ch"), library);
    wanted.http_port = port;
    let error = Server::start(wanted).await.unwrap_err().to_string();
    assert!(error.contains(&port.to_string()) && error.contains("clickhouse.http_port"), "{error}");
}

#[tokio::test]
async fn what_the_child_says_before_it_ends_is_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = folder.path().join("not-a-library.so");
    std::fs::write(&nothing, "nothing").unwrap();
    let error = Server::start(options(folder.path().join("ch"), nothing)).await.unwrap_err().to_string();
    assert!(error.contains("not-a-library.so"), "{error}");
}

#[tokio::test]
async fn a_restart_keeps_passwords_and_data_and_a_second_server_on_the_folder_fails() {
    let Some(library) = library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(options(folder.path().join("ch"), library.clone())).await.unwrap();
    let first = store(server.url(), server.writer());
    first.migrate(&crate::defs(), &[], &[], &[]).await.unwrap();

    let second = Server::start(options(folder.path().join("ch"), library.clone())).await.unwrap_err().to_string();
    assert!(second.contains("in use"), "{second}");

    let mode = std::fs::metadata(folder.path().join("ch/credentials")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    let writer = server.writer().clone();
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(first.ping().await.is_err());

    let again = Server::start(options(folder.path().join("ch"), library)).await.unwrap();
    let store = Store::connect(&again.url(), &writer.user, &writer.password, StoreOptions::default()).unwrap();
    store.migrate(&crate::defs(), &[], &[], &[]).await.unwrap();
    assert_eq!(store.rows_total(), 0, "all of it was there");
    again.stop().await;
}

#[tokio::test]
async fn rows_of_windows_stay_as_long_as_the_settings_say_by_their_span() {
    let Some(library) = library() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(options(folder.path().join("ch"), library)).await.unwrap();
    let who = server.writer().clone();
    let keeping = |keep: KeepDays| {
        let options = StoreOptions { keep, ..StoreOptions::default() };
        Store::connect(&server.url(), &who.user, &who.password, options).unwrap()
    };
    let client = Client::default().with_url(server.url()).with_user(&who.user).with_password(&who.password);
    let there = async || -> Vec<String> {
        let list = "SELECT concat(span, ' ', key) FROM city.metric_rows FINAL ORDER BY 1";
        client.query(list).fetch_all::<String>().await.unwrap()
    };
    let rule = async || -> bool {
        let table = "SELECT position(create_table_query, ' TTL ') > 0 FROM system.tables WHERE name = 'metric_rows'";
        client.query(table).fetch_one::<bool>().await.unwrap()
    };
    let now_ms = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let write = async |store: &Store| {
        let mut batch = Batch::default();
        for (days, key) in [(40, "40 days old"), (34, "34 days old"), (410, "410 days old")] {
            for span in ["1m", "15m", "day"] {
                let row = row("merge.count", now_ms - days * DAY, 0, 1, (1, 1, 1));
                batch.metrics.push(MetricRow { span: span.into(), key: key.into(), ..row });
            }
        }
        store.write(&batch, &CancellationToken::new()).await.unwrap();
    };

    let for_ever = keeping(KeepDays::default());
    for_ever.migrate(&crate::defs(), &[], &[], &[]).await.unwrap();
    write(&for_ever).await;
    assert!(!rule().await && there().await.len() == 9, "nothing goes unless somebody said so");

    let five_weeks = keeping(KeepDays { short: Some(35), long: Some(400) });
    five_weeks.migrate(&crate::defs(), &[], &[], &[]).await.unwrap();
    let left = [
        "15m 34 days old",
        "15m 40 days old",
        "1m 34 days old",
        "day 34 days old",
        "day 40 days old",
        "day 410 days old",
    ];
    until("the old rows' end", || async { there().await == left }).await;

    for_ever.migrate(&crate::defs(), &[], &[], &[]).await.unwrap();
    assert!(!rule().await, "what was said before holds no more");
    server.stop().await;
}

/// Not a test: the process whose death the next one watches.
#[tokio::test]
async fn a_parent() {
    let Some(folder) = std::env::var_os("YIPING_TEST_PARENT_OF") else { return };
    let server = Server::start(options(folder.into(), library().unwrap())).await.unwrap();
    println!("child {}", server.pid().unwrap());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn the_child_dies_with_its_parent() {
    if library().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "server::a_parent"])
        .env("YIPING_TEST_PARENT_OF", folder.path().join("ch"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let child: u32 =
        lines.map_while(Result::ok).find_map(|line| line.split_once("child ")?.1.trim().parse().ok()).unwrap();
    let running = || {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let state = stat.rsplit(')').next().and_then(|rest| rest.trim().chars().next());
        state.is_some_and(|state| state != 'Z')
    };
    assert!(running());
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("the child's death", || async { !running() }).await;
}
