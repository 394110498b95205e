//! The log and the store of one run: made for it, and gone with it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context;
use tempfile::TempDir;
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_event::Stream;
use yiping_log::{KafkaLog, Log, MemoryLog};
use yiping_runner::LATE_TOPIC;
use yiping_runtime::Config;
use yiping_store::{MetricFilter, Store, embedded::Server};

use super::{
    drain::Drained,
    measure,
    topics::OwnTopics,
    verify::{Counts, Figure, Found},
};
use crate::{
    cli::{BenchArgs, BenchLog, BenchStore},
    clickhouse,
};

pub struct Ground {
    pub log: OwnTopics,
    pub store: Option<Store>,
    server: Option<Server>,
    kafka: Option<Cluster>,
    /// Removed when they are dropped.
    folders: Vec<TempDir>,
}

/// The Kafka of the settings, and what the run has made in it.
struct Cluster {
    brokers: String,
    options: BTreeMap<String, String>,
    topics: [String; 2],
}

impl Cluster {
    fn open(&self) -> yiping_log::Result<KafkaLog> {
        KafkaLog::open(&self.brokers, &self.options)
    }

    /// By a client of its own: one that has read the topics would miss them aloud.
    async fn clear(&self) -> yiping_log::Result<()> {
        self.open()?.delete_topics(&self.topics.each_ref().map(String::as_str)).await
    }
}

impl Ground {
    pub async fn open(args: &BenchArgs, log: BenchLog, config: &Config) -> anyhow::Result<Self> {
        let mut folders = Vec::new();
        let options = config.log_options();
        let mut kafka = None;
        // no two runs share a topic, whoever else is on the same brokers
        let prefix = format!("yiping-bench.{}.{}.", std::process::id(), yiping_runtime::clock::unix_ms());
        let log: Arc<dyn Log> = match log {
            BenchLog::Memory => Arc::new(MemoryLog::new()),
            BenchLog::Embedded => {
                let folder = folder()?;
                let url = format!("embedded:{}", folder.path().join("log").display());
                folders.push(folder);
                yiping_log::open(&url, &options).await.with_context(|| format!("opening the log {url}"))?
            }
            BenchLog::Kafka => {
                let url = config.log_url();
                let cluster = Cluster {
                    brokers: url.trim_start_matches("kafka://").trim_end_matches('/').to_owned(),
                    options,
                    topics: [args.stream.topic(), LATE_TOPIC].map(|topic| format!("{prefix}{topic}")),
                };
                let log = Arc::new(cluster.open().with_context(|| format!("opening the log {url}"))?);
                kafka = Some(cluster);
                log
            }
        };
        let log = OwnTopics::new(log, prefix);
        let (mut server, mut store) = (None, None);
        if args.store == BenchStore::Clickhouse {
            let folder = folder()?;
            let (started, writer) = clickhouse::start_in(folder.path()).await?;
            folders.push(folder);
            (server, store) = (Some(started), Some(writer));
        }
        Ok(Ground { log, store, server, kafka, folders })
    }

    pub async fn migrate(&self, catalogue: &Catalogue, city: &City) -> anyhow::Result<()> {
        match &self.store {
            Some(store) => clickhouse::migrate(store, catalogue, city).await,
            None => Ok(()),
        }
    }

    /// Processor time of ClickHouse's own process.
    pub fn store_cpu(&self) -> Option<Duration> {
        measure::cpu_of(self.server.as_ref()?.pid()?)
    }

    /// What came out: as ClickHouse says it by its views, or as the sink saw it where there is none.
    pub async fn found(&self, stream: Stream, drained: &Drained) -> anyhow::Result<Found> {
        let Some(store) = &self.store else {
            return Ok(Found { counts: drained.counts, windows: drained.windows.clone() });
        };
        let mut counts = Counts::default();
        for row in store.streams().await.context("reading city.stream_status")? {
            if row.stream == stream.as_str() {
                counts.accepted += row.accepted;
                counts.duplicates += row.duplicates;
                counts.late += row.late;
                counts.quarantined += row.quarantined;
                counts.rejected += row.rejected;
            }
        }
        let Figure { metric, span, .. } = Figure::of(stream);
        let filter = MetricFilter {
            metric: Some(metric.to_owned()),
            level: Some("city".to_owned()),
            span: Some(span.to_owned()),
            limit: Some(u32::MAX),
            ..MetricFilter::default()
        };
        let rows = store.metrics(&filter).await.context("reading city.metrics")?;
        Ok(Found { counts, windows: rows.into_iter().map(|row| (row.window_end_ms, row.n)).collect() })
    }

    /// Takes everything away again.
    pub async fn close(self) {
        let Ground { log, store, server, kafka, folders } = self;
        drop((log, store));
        if let Some(server) = server {
            server.stop().await;
        }
        if let Some(cluster) = kafka
            && let Err(error) = cluster.clear().await
        {
            let topics = cluster.topics.join(", ");
            tracing::warn!(%error, topics, "the run's topics could not be deleted: delete them by hand");
        }
        drop(folders);
    }
}

fn folder() -> anyhow::Result<TempDir> {
    tempfile::Builder::new().prefix("yiping-bench-").tempdir().context("making a temporary folder")
}
