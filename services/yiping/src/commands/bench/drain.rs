//! The service at work: the very one that a city runs, on the run's log and store.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use prometheus::Registry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use yiping_catalogue::Catalogue;
use yiping_event::Stream;
use yiping_log::Offset;
use yiping_runner::Deps;
use yiping_runtime::{Config, Health, Metrics, config::Ticks};
use yiping_window::Settings;

use super::{
    ground::Ground,
    measure::{self, Spent},
    sink::{Counting, Tally},
    verify::{Counts, Figure},
    watch::Watch,
};

/// A drain that stores nothing for so long doesn't go on.
const STUCK: Duration = Duration::from_secs(180);

#[derive(Debug)]
pub struct Drained {
    pub spent: Spent,
    pub rss_before_mb: f64,
    pub peak_rss_mb: f64,
    /// Of the embedded ClickHouse.
    pub store_cpu: Option<Duration>,
    pub rows: u64,
    pub metric_rows: u64,
    pub checkpoints: u64,
    pub counts: Counts,
    /// n of the figure that is verified, by the window's end.
    pub windows: BTreeMap<i64, i64>,
}

pub async fn drain(
    ground: &Ground,
    stream: Stream,
    config: &Config,
    catalogue: &Arc<Catalogue>,
    settings: Settings,
    ends: &[Offset],
) -> anyhow::Result<Drained> {
    let watch = Arc::new(Watch::new(ends.to_vec()));
    let sink = Arc::new(Counting::new(ground.store.clone(), Arc::clone(&watch), Figure::of(stream)));
    let deps = Deps {
        log: Arc::new(ground.log.watched(Arc::clone(&watch))),
        store: sink.clone(),
        catalogue: Arc::clone(catalogue),
        settings,
        store_config: config.store.clone(),
        // the log brings its own
        ticks: Ticks::Off,
        partitions: u32::try_from(ends.len())?,
        metrics: Metrics::new(&Registry::new())?,
        health: Health::default().part(stream.as_str()),
        cases: yiping_runner::OpenCases::default(),
    };
    let store_cpu_before = ground.store_cpu();
    let rss_before_mb = measure::rss_mb();
    measure::forget_peak();
    let cancel = CancellationToken::new();
    let mut service = start(stream, deps, cancel.clone());
    let spent = tokio::select! {
        spent = finished(&watch) => spent?,
        ended = &mut service => {
            ended.context("the service died")??;
            bail!("the service ended before the log was drained");
        }
    };
    let peak_rss_mb = measure::peak_rss_mb();
    let store_cpu = ground.store_cpu().zip(store_cpu_before).map(|(now, before)| now.saturating_sub(before));
    let Tally { rows, metric_rows, checkpoints, status, windows } = sink.tally();
    cancel.cancel();
    service.await.context("the service died")??;

    let mut counts = Counts::default();
    for row in status.values() {
        counts.accepted += row.accepted;
        counts.duplicates += row.duplicates;
        counts.late += row.late;
        counts.quarantined += row.quarantined;
        counts.rejected += row.rejected;
    }
    let mut merged: BTreeMap<i64, i64> = BTreeMap::new();
    for ((end, _), n) in windows {
        *merged.entry(end).or_default() += n;
    }
    Ok(Drained {
        spent,
        rss_before_mb,
        peak_rss_mb,
        store_cpu,
        rows,
        metric_rows,
        checkpoints,
        counts,
        windows: merged,
    })
}

fn start(stream: Stream, deps: Deps, cancel: CancellationToken) -> JoinHandle<anyhow::Result<()>> {
    match stream {
        Stream::Bus => tokio::spawn(yiping_runner::run::<yiping_bus::Bus>(stream, deps, cancel)),
        Stream::Parking => tokio::spawn(yiping_runner::run::<yiping_parking::Parking>(stream, deps, cancel)),
        Stream::Hotline => tokio::spawn(yiping_runner::run::<yiping_hotline::Hotline>(stream, deps, cancel)),
        Stream::Elder => tokio::spawn(yiping_runner::run::<yiping_elder::Elder>(stream, deps, cancel)),
    }
}

async fn finished(watch: &Watch) -> anyhow::Result<Spent> {
    let mut before = 0;
    loop {
        match tokio::time::timeout(STUCK, watch.done()).await {
            Ok(spent) => return Ok(spent),
            Err(_) if watch.progress() == before => {
                bail!("nothing was stored for {} s: the drain doesn't go on", STUCK.as_secs())
            }
            Err(_) => before = watch.progress(),
        }
    }
}
