//! The connection: a cheap handle that every service and the wall hold.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clickhouse::{Client, Compression};

use crate::{KeepDays, Result, StoreError, cluster};

/// How patient a [`Store`] is.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// First pause after a failed write; doubles up to `retry_max`, each with ±50 % jitter.
    pub retry_first: Duration,
    pub retry_max: Duration,
    /// Longest wait for one insert's acknowledgement, before it is tried again.
    pub insert_timeout: Duration,
    /// Longest time that ClickHouse may spend on one read.
    pub read_timeout: Duration,
    /// The cluster (as ClickHouse's `remote_servers` names it) over which everything is spread; None: one server.
    pub cluster: Option<String>,
    /// How long the rows of windows stay; [`Store::migrate`] tells ClickHouse.
    pub keep: KeepDays,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            retry_first: Duration::from_millis(100),
            retry_max: Duration::from_secs(10),
            insert_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(10),
            cluster: None,
            keep: KeepDays::default(),
        }
    }
}

/// A ClickHouse with the database `city`. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    options: StoreOptions,
    counters: Counters,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) rows: AtomicU64,
    pub(crate) errors: AtomicU64,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// A handle to the ClickHouse behind `url` (`http://host:port`). Opens no connection yet: [`Store::ping`] does.
    pub fn connect(url: &str, user: &str, password: &str, options: StoreOptions) -> Result<Self> {
        let fault = |reason: &str| StoreError::Url { url: url.to_owned(), reason: reason.to_owned() };
        let parsed = reqwest::Url::parse(url).map_err(|error| fault(&error.to_string()))?;
        if parsed.scheme() != "http" {
            return Err(fault("it must start with http://"));
        }
        if parsed.host_str().is_none_or(str::is_empty) {
            return Err(fault("it names no host"));
        }
        let mut client =
            Client::default().with_url(url).with_user(user).with_password(password).with_compression(Compression::Lz4);
        if options.cluster.is_some() {
            for (setting, value) in cluster::INSERT {
                client = client.with_setting(setting, value);
            }
        }
        Ok(Self { inner: Arc::new(Inner { client, options, counters: Counters::default() }) })
    }

    /// Whether ClickHouse answers, and lets us in.
    pub async fn ping(&self) -> Result<()> {
        let answer = self.client().query("SELECT 1").fetch_one::<u8>();
        match tokio::time::timeout(self.options().read_timeout, answer).await {
            Ok(answer) => Ok(answer.map(drop)?),
            Err(_) => Err(StoreError::ClickHouse(clickhouse::error::Error::TimedOut)),
        }
    }

    /// On a cluster: waits until this node has all that any node has of these tables. Whoever takes over reads what others wrote.
    pub(crate) async fn catch_up(&self, tables: &[&str]) -> Result<()> {
        if self.options().cluster.is_some() {
            for table in tables {
                let sync = format!("SYSTEM SYNC REPLICA city.{table} LIGHTWEIGHT");
                self.client().query(&sync).execute().await?;
            }
        }
        Ok(())
    }

    /// Rows acknowledged since the start: `yiping_store_rows_total`.
    pub fn rows_total(&self) -> u64 {
        self.counters().rows.load(Ordering::Relaxed)
    }

    /// Inserts that failed, also those that succeeded when tried again: `yiping_store_errors_total`.
    pub fn errors_total(&self) -> u64 {
        self.counters().errors.load(Ordering::Relaxed)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    pub(crate) fn client(&self) -> &Client {
        &self.inner.client
    }

    pub(crate) fn options(&self) -> &StoreOptions {
        &self.inner.options
    }
}
