//! The store against a real ClickHouse: the embedded one, started once for this binary on free ports. Where the library can't be had, the
//! tests say so and pass: YIPING_LIBCHDB names a ready one.

#![expect(clippy::unwrap_used, reason = "the tests' own helpers, which clippy doesn't take for tests")]

mod checkpoints;
mod cluster;
mod latest;
mod live;
mod merging;
mod newest;
mod server;
mod wall;
mod writing;

use std::{
    path::PathBuf,
    sync::OnceLock,
    time::{Duration, Instant},
};

use yiping_store::{
    Batch, DerivedDef, GenerationRow, MetricConstant, MetricDef, MetricKind, MetricRow, StatusRow, Store, StoreOptions,
    embedded::{Credentials, EmbeddedOptions, Server, run_child_if_asked},
    libchdb,
};

/// Not a test: the server's child process enters here (see [`options`]).
#[test]
fn clickhouse_child() {
    run_child_if_asked();
}

/// A test that needs the server, on its own streams and metrics; `None` is said once and passes.
macro_rules! store_or_skip {
    () => {
        match crate::shared() {
            Some(server) => crate::store(server.url(), server.writer()),
            None => return,
        }
    };
}
pub(crate) use store_or_skip;

fn library() -> Option<PathBuf> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || in_a_runtime(async { libchdb::ensure(|progress| eprintln!("{progress}")).await });
    LIBRARY.get_or_init(|| find().inspect_err(|error| eprintln!("no tests against ClickHouse: {error}")).ok()).clone()
}

/// Options whose child is this test binary.
fn options(folder: PathBuf, library: PathBuf) -> EmbeddedOptions {
    let child_args = ["--exact", "--nocapture", "clickhouse_child"].map(Into::into).to_vec();
    EmbeddedOptions { child_args, ..EmbeddedOptions::new(folder, library) }
}

/// The one server of this binary, migrated. It ends with the process: its stdin closes.
fn shared() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER
        .get_or_init(|| {
            let library = library()?;
            let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("store-shared");
            let _ = std::fs::remove_dir_all(&folder);
            Some(in_a_runtime(async {
                let server = Server::start(options(folder, library)).await.unwrap();
                store(server.url(), server.writer())
                    .migrate(&defs(), &derived(), &constants(), &live::expected())
                    .await
                    .unwrap();
                server
            }))
        })
        .as_ref()
}

/// A runtime of its own, so that nothing shared hangs on one test's runtime.
fn in_a_runtime<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| scope.spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(work)).join().unwrap())
}

fn store(url: String, who: &Credentials) -> Store {
    Store::connect(&url, &who.user, &who.password, StoreOptions::default()).unwrap()
}

/// Waits for something that happens outside of this process.
async fn until<F: Future<Output = bool>>(what: &str, mut happened: impl FnMut() -> F) {
    let begun = Instant::now();
    while !happened().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what} did not happen within 30 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One metric of each kind for each of the streams that the tests use, `STREAM.KIND`.
fn defs() -> Vec<MetricDef> {
    let streams = [
        "merge", "few", "filter", "twice", "older", "lives", "gone", "final", "old", "crash", "slots", "spark", "lack",
        "tardy", "usual", "past",
    ];
    let def = |stream: &str, name: &str, kind, scales: (f64, f64, f64)| MetricDef {
        metric: format!("{stream}.{name}"),
        stream: stream.to_owned(),
        kind,
        min_n: 5,
        num_scale: scales.0,
        den_scale: scales.1,
        value_scale: scales.2,
        quantile: if kind == MetricKind::Percentile { 0.95 } else { 0.0 },
    };
    let rare = [
        def("merge", "deviation", MetricKind::Deviation, (0.001, 0.001, 1.0)),
        def("merge", "excess_s", MetricKind::Excess, (0.001, 0.001, 1.0)),
        def("merge", "oldest_s", MetricKind::Age, (0.001, 1.0, 1.0)),
        MetricDef { min_n: 0, ..def("merge", "minutes_to_full", MetricKind::TimeTo, (1.0, 0.2, 1.0)) },
        MetricDef { min_n: 0, ..def("merge", "turnover", MetricKind::PerLevel, (1.0, 1.0, 1.0)) },
    ];
    streams
        .iter()
        .flat_map(|stream| {
            [
                def(stream, "count", MetricKind::Count, (1.0, 1.0, 1.0)),
                def(stream, "gauge", MetricKind::Gauge, (1.0, 1.0, 1.0)),
                def(stream, "ratio", MetricKind::Ratio, (1.0, 1.0, 1.0)),
                def(stream, "fleet_ratio", MetricKind::Ratio, (1.0, 1.0, 1.0)),
                def(stream, "speed_kmh", MetricKind::Mean, (0.001, 0.001, 3.6)),
                def(stream, "occupancy", MetricKind::Integral, (1.0, 1.0, 1.0)),
                def(stream, "wait_p95_s", MetricKind::Percentile, (1.0, 1.0, 0.001)),
            ]
        })
        .chain(rare)
        .collect()
}

/// How many lots will be full within the quarter of an hour.
fn derived() -> Vec<DerivedDef> {
    vec![DerivedDef {
        metric: "merge.filling".into(),
        of: "merge.minutes_to_full".into(),
        level: "lot".into(),
        span: "5m".into(),
        when: "<".into(),
        limit: 15.0,
    }]
}

fn constants() -> Vec<MetricConstant> {
    vec![MetricConstant { metric: "merge.fleet_ratio".into(), level: "city".into(), key: "city".into(), den: 1400 }]
}

/// 2026-11-20T10:00:00Z, a full hour.
const T0: i64 = 1_795_168_800_000;
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// A city row of a 15-minute window, generation 1.
fn row(metric: &str, window_end_ms: i64, partition: u32, offset: u64, sums: (i64, i64, i64)) -> MetricRow {
    MetricRow {
        stream: metric.split('.').next().unwrap().into(),
        metric: metric.into(),
        level: "city".into(),
        key: "city".into(),
        span: "15m".into(),
        window_start_ms: window_end_ms - 15 * MINUTE,
        window_end_ms,
        generation: 1,
        partition,
        revision: (1 << 48) | offset,
        num: sums.0,
        den: sums.1,
        n: sums.2,
        num2: 0,
        den2: 0,
        hist: vec![],
        gone: false,
        incomplete: false,
    }
}

fn generation(stream: &str, generation: u16, from_ms: Option<i64>) -> GenerationRow {
    GenerationRow {
        stream: stream.into(),
        generation,
        fingerprint: format!("log-{generation}"),
        partitions: 2,
        from_ms,
        to_ms: None,
        revision: u64::from(generation) << 48,
    }
}

fn status(stream: &str, partition: u32, generation: u16, watermark_ms: Option<i64>) -> StatusRow {
    StatusRow {
        stream: stream.into(),
        partition,
        generation,
        revision: u64::from(generation) << 48 | 1,
        watermark_ms,
        time_ms: watermark_ms.map(|watermark| watermark + 5_000),
        last_event_ms: watermark_ms,
        frontier: 10,
        accepted: 9,
        rejected: 1,
        late: 0,
        duplicates: 0,
        quarantined: 0,
    }
}

/// A batch of metric rows with the generation that makes them visible.
fn metrics(stream: &str, rows: Vec<MetricRow>) -> Batch {
    Batch { metrics: rows, generations: vec![generation(stream, 1, None)], ..Batch::default() }
}
