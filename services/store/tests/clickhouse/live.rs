//! The live state, the sources, and the columns that others rely on.

use tokio_util::sync::CancellationToken;
use yiping_store::{Batch, BreachRow, ExpectedSource, LiveRow, RejectRow, SourceRow};

use crate::{T0, constants, defs, derived, shared, store, store_or_skip};

pub fn expected() -> Vec<ExpectedSource> {
    let source = |source: &str| ExpectedSource { stream: "bus".into(), source: source.into(), expected_s: 30 };
    ["never", "fresh", "late", "expected"].map(source).into()
}

#[tokio::test]
async fn a_source_is_fresh_late_silent_or_was_never_there() {
    let store = store_or_skip!();
    let now_ms = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let source = |source: &str, age_s: i64, partition| SourceRow {
        stream: "bus".into(),
        source: source.into(),
        partition,
        revision: 1,
        last_event_ms: None,
        last_contact_ms: Some(now_ms - age_s * 1000),
        expected_s: None,
    };
    let told = SourceRow { expected_s: Some(1000), ..source("patient", 1900, 0) };
    const DAY_S: i64 = 24 * 3600;
    // the newest contact of any partition counts; who is not expected and spoke long ago is forgotten
    let sources = vec![
        source("fresh", 500, 0),
        source("fresh", 1, 1),
        source("late", 90, 0),
        source("silent", DAY_S - 60, 0),
        source("tried once", DAY_S + 60, 0),
        source("expected", DAY_S + 60, 0),
        told,
    ];
    store.write(&Batch { sources, ..Batch::default() }, &CancellationToken::new()).await.unwrap();
    let states: Vec<(String, String, u32)> =
        store.sources().await.unwrap().into_iter().map(|row| (row.source, row.state, row.expected_s)).collect();
    let wanted = [
        ("expected", "silent", 30),
        ("fresh", "fresh", 30),
        ("late", "late", 30),
        ("never", "not_connected", 30),
        ("patient", "fresh", 1000),
        ("silent", "silent", 30),
    ];
    assert_eq!(states, wanted.map(|(source, state, expected_s)| (source.to_owned(), state.to_owned(), expected_s)));
}

#[tokio::test]
async fn a_closed_case_leaves_the_live_state() {
    let store = store_or_skip!();
    let case = |revision: u64, gone: bool| LiveRow {
        stream: "elder".into(),
        kind: "sos".into(),
        key: "c1".into(),
        time_ms: T0,
        revision,
        gone,
        attrs: r#"{"district":"环翠区","raised":"2026-11-20T10:00:00.000Z","state":"open"}"#.into(),
    };
    let rejects = vec![RejectRow {
        stream: "elder".into(),
        generation: 1,
        partition: 0,
        offset: 3,
        time_ms: T0,
        source: "s".into(),
        event_id: "e".into(),
        code: "bad_data".into(),
        pointer: "/data".into(),
        message: "m".into(),
    }];
    let stop = CancellationToken::new();
    store.write(&Batch { live: vec![case(1, false)], rejects, ..Batch::default() }, &stop).await.unwrap();
    let open = store.live("sos").await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].key.as_str(), open[0].time_ms), ("c1", T0));
    let sql = "SELECT case_id, district, raised, arrived IS NULL FROM city.sos_open";
    assert_eq!(ask(sql).await.unwrap(), "c1\t环翠区\t2026-11-20 10:00:00.000\t1\n");
    store.write(&Batch { live: vec![case(3, true), case(2, false)], ..Batch::default() }, &stop).await.unwrap();
    assert_eq!(store.live("sos").await.unwrap(), []);
}

#[tokio::test]
async fn a_vehicles_delay_is_shown_for_an_hour() {
    let store = store_or_skip!();
    let live = |kind: &str, key: &str, time_ms: i64, attrs: &str| LiveRow {
        stream: "bus".into(),
        kind: kind.into(),
        key: key.into(),
        time_ms,
        revision: 1,
        gone: false,
        attrs: attrs.into(),
    };
    let live = vec![
        live("vehicle", "v1", T0, r#"{"route_id":"7","direction":1,"lon":122.1,"lat":37.5,"speed_kmh":null}"#),
        live("bus_delay", "v1", T0 - 3_599_000, r#"{"delay_s":-35.5}"#),
        live("vehicle", "v2", T0, r#"{"route_id":"7"}"#),
        live("bus_delay", "v2", T0 - 3_600_000, r#"{"delay_s":60}"#),
        live("vehicle", "v3", T0, r#"{"route_id":"8"}"#),
    ];
    store.write(&Batch { live, ..Batch::default() }, &CancellationToken::new()).await.unwrap();
    let sql = "SELECT vehicle_id, route_id, lon, speed_kmh, delay_s FROM city.bus_latest ORDER BY vehicle_id";
    let wanted = "v1\t7\t122.1\t\\N\t-35.5\nv2\t7\t\\N\t\\N\t\\N\nv3\t8\t\\N\t\\N\t\\N\n";
    assert_eq!(ask(sql).await.unwrap(), wanted);
}

/// What the reader is answered to `sql`.
pub async fn ask(sql: &str) -> Result<String, String> {
    let server = shared().unwrap();
    ask_as(server.url(), &server.reader().user, &server.reader().password, sql).await
}

pub async fn ask_as(url: String, user: &str, password: &str, sql: &str) -> Result<String, String> {
    let _ = rustls::crypto::ring::default_provider().install_default(); // an error: another test was first
    let request = reqwest::Client::new().post(url).body(sql.to_owned());
    let request = request.header("X-ClickHouse-User", user).header("X-ClickHouse-Key", password);
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let fine = answer.status().is_success();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    if fine { Ok(text) } else { Err(text) }
}

#[tokio::test]
async fn the_views_have_the_contracts_columns() {
    let _ = store_or_skip!();
    let metrics = "stream metric level key span window_start window_end value numerator denominator n is_final revision watermark \
                   incomplete late";
    let columns = [
        ("metrics", metrics),
        ("metrics_latest", metrics),
        (
            "stream_status",
            "stream partition generation watermark time last_event frontier accepted rejected late duplicates quarantined",
        ),
        ("source_status", "source stream last_event last_contact expected_s state"),
        (
            "breaches",
            "metric level key span severity opened_at closed_at value threshold revision id worst owner action",
        ),
    ];
    for (view, columns) in columns {
        let told = ask(&format!("DESCRIBE city.{view}")).await.unwrap();
        let names: Vec<&str> = told.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(names.join(" "), columns, "{view}");
    }
    for view in ["generations", "configs", "bus_latest", "parking_latest", "orders_open", "sos_open"] {
        ask(&format!("SELECT * FROM city.{view} LIMIT 1")).await.unwrap();
    }
    let types = ask("DESCRIBE city.metrics").await.unwrap();
    assert!(types.contains("window_end\tDateTime64(3, \\'UTC\\')"), "{types}");
    assert!(types.contains("value\tNullable(Float64)"), "{types}");
}

#[tokio::test]
async fn a_filter_on_the_view_reaches_the_tables_index() {
    let _ = store_or_skip!();
    let plan = ask(
        "EXPLAIN indexes = 1 SELECT * FROM city.metrics WHERE metric = 'bus.speed_kmh' AND level = 'route' AND span = '15m' AND key = '7'
         AND window_end >= '2026-11-20 10:00:00' AND window_end < '2026-11-20 14:00:00'",
    )
    .await
    .unwrap();
    let (_, read) = plan.split_once("ReadFromMergeTree (city.metric_rows)").unwrap();
    let (_, keys) = read.split_once("PrimaryKey").unwrap();
    let (condition, _) = keys.split_once("Parts:").unwrap();
    for filter in ["\\'route\\'", "\\'15m\\'", "\\'7\\'", "\\'bus.speed_kmh\\'", "window_end in"] {
        assert!(condition.contains(filter), "{filter} is not in {condition}");
    }
    assert!(read.contains("toMonday(window_end) in"), "{read}");
}

#[tokio::test]
async fn a_second_migration_writes_nothing_and_a_removed_constant_is_none() {
    let server = match shared() {
        Some(server) => server,
        None => return,
    };
    let store = store(server.url(), server.writer());
    store.migrate(&defs(), &derived(), &constants(), &expected()).await.unwrap();
    let written = store.rows_total();
    store.migrate(&defs(), &derived(), &constants(), &expected()).await.unwrap();
    assert_eq!(store.rows_total(), written);
    let extra = yiping_store::MetricConstant { metric: "m".into(), level: "city".into(), key: "k".into(), den: 3 };
    let dens = "SELECT den FROM city.metric_constants FINAL WHERE metric = 'm'";
    store.migrate(&defs(), &derived(), &[constants(), vec![extra.clone()]].concat(), &expected()).await.unwrap();
    assert_eq!(ask(dens).await.unwrap(), "3\n");
    store.migrate(&defs(), &derived(), &constants(), &expected()).await.unwrap();
    assert_eq!(ask(dens).await.unwrap(), "\\N\n");
}

#[tokio::test]
async fn a_breach_is_there_once_as_it_was_last_written() {
    let store = store_or_skip!();
    let breach = |revision: u64, worst: f64, closed_at_ms: Option<i64>| BreachRow {
        metric: "test.breached".into(),
        level: "city".into(),
        key: "city".into(),
        span: "now".into(),
        severity: "warning",
        opened_at_ms: T0,
        closed_at_ms,
        value: Some(1.0),
        threshold: 0.5,
        revision,
        id: "b1".into(),
        worst: Some(worst),
        owner: "owner".into(),
        action: "action".into(),
    };
    let told = async || {
        ask("SELECT worst, closed_at IS NULL FROM city.breaches WHERE metric = 'test.breached'").await.unwrap()
    };
    store.write_watch("test", &[breach(1, 1.0, None)], &[], T0).await.unwrap();
    store.write_watch("test", &[breach(2, 3.0, None)], &[], T0 + 1).await.unwrap();
    assert_eq!(told().await.trim(), "3\t1");
    store.write_watch("test", &[breach(3, 3.0, Some(T0 + 60_000))], &[], T0 + 2).await.unwrap();
    // an instance that was slower
    store.write_watch("test", &[breach(2, 3.0, None)], &[], T0 + 1).await.unwrap();
    assert_eq!(told().await.trim(), "3\t0");
}
