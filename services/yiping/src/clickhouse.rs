//! ClickHouse as a process or a command finds it: the one of the settings, or the embedded one with its library; and its schema.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_runtime::{Config, Endpoints};
use yiping_store::{
    DerivedDef, KeepDays, MetricDef, Store, StoreOptions,
    embedded::{self, EmbeddedOptions, Server},
    libchdb,
};

use crate::assembly::city;

pub struct ClickHouse {
    pub server: Option<Server>,
    pub writer: Store,
    pub reader: Store,
}

/// Connects to ClickHouse, or starts the embedded one.
pub async fn open(config: &Config) -> anyhow::Result<ClickHouse> {
    let url = config.clickhouse_url();
    let Some(folder) = url.strip_prefix("embedded:") else {
        let store = connect(config, &url)?;
        return Ok(ClickHouse { server: None, writer: store.clone(), reader: store });
    };
    let clickhouse = &config.clickhouse;
    let server = start_embedded(Path::new(folder), clickhouse.http_port, clickhouse.tcp_port)
        .await
        .context("starting the embedded ClickHouse")?;
    let connect = |user: &str, password: &str| Store::connect(&server.url(), user, password, options(config));
    let writer = connect(&server.writer().user, &server.writer().password)?;
    let reader = connect(&server.reader().user, &server.reader().password)?;
    Ok(ClickHouse { server: Some(server), writer, reader })
}

fn connect(config: &Config, url: &str) -> anyhow::Result<Store> {
    let password = config.clickhouse.password.as_ref().map_or("", yiping_runtime::config::Secret::expose);
    Ok(Store::connect(url, &config.clickhouse.user, password, options(config))?)
}

fn options(config: &Config) -> StoreOptions {
    let settings = &config.clickhouse;
    let keep = KeepDays { short: settings.keep_days.short, long: settings.keep_days.long };
    StoreOptions { cluster: settings.cluster.clone(), keep, ..StoreOptions::default() }
}

async fn start_embedded(folder: &Path, http_port: u16, tcp_port: u16) -> anyhow::Result<Server> {
    let lib = library().await?;
    let options = EmbeddedOptions { http_port, tcp_port, ..EmbeddedOptions::new(folder, lib) };
    Ok(Server::start(options).await?)
}

/// An embedded ClickHouse in a folder of the caller's own, and its writer.
pub async fn start_in(folder: &Path) -> anyhow::Result<(Server, Store)> {
    let server = start_embedded(folder, 0, 0).await.context("starting the embedded ClickHouse")?;
    let store =
        Store::connect(&server.url(), &server.writer().user, &server.writer().password, StoreOptions::default())?;
    Ok((server, store))
}

/// ClickHouse for a command: the one that is configured; of an embedded one the running system's, or else its own for as long as the
/// command takes.
pub async fn beside(config: &Config) -> anyhow::Result<(Option<Server>, Store)> {
    let url = config.clickhouse_url();
    let Some(folder) = url.strip_prefix("embedded:") else {
        return Ok((None, connect(config, &url)?));
    };
    if let Ok(Endpoints { clickhouse: Some(running), .. }) = Endpoints::read(&config.data_dir.0) {
        let writer = embedded::writer_of(Path::new(folder))?;
        let store = Store::connect(&running, &writer.user, &writer.password, StoreOptions::default())?;
        if store.ping().await.is_ok() {
            return Ok((None, store));
        }
    }
    let (server, store) = start_in(Path::new(folder)).await?;
    Ok((Some(server), store))
}

/// The embedded ClickHouse's library, fetched once; shows how far it is.
async fn library() -> anyhow::Result<PathBuf> {
    let terminal = std::io::stderr().is_terminal();
    let mut shown = String::new();
    let mut said = std::time::Instant::now();
    let path = libchdb::ensure(|progress| {
        let line = progress.to_string();
        let due = said.elapsed() >= Duration::from_secs(if terminal { 0 } else { 5 });
        if line != shown && (due || shown.is_empty()) {
            said = std::time::Instant::now();
            let end = if terminal { "" } else { "\n" };
            let start = if terminal { "\r\x1b[K" } else { "" };
            let _ = write!(std::io::stderr(), "{start}{line}{end}");
            shown = line;
        }
    })
    .await
    .context("the embedded ClickHouse's library")?;
    if terminal && !shown.is_empty() {
        eprintln!();
    }
    Ok(path)
}

pub async fn migrate(store: &Store, catalogue: &Catalogue, city: &City) -> anyhow::Result<()> {
    let defs = MetricDef::all(catalogue);
    let constants = yiping_runner::constants(catalogue, city);
    let sources = yiping_runner::expected_sources(city);
    let derived = DerivedDef::all(catalogue);
    store.migrate(&defs, &derived, &constants, &sources).await.context("bringing ClickHouse's schema up to date")
}

/// The statements that a ClickHouse gets that has nothing yet. It is not asked.
pub fn schema(config: &Config) -> anyhow::Result<Vec<String>> {
    // (statements are the same wherever they run, but for the cluster)
    let store = connect(config, "http://127.0.0.1:8123")?;
    Ok(store.schema(&DerivedDef::all(&Catalogue::builtin()?)))
}

/// Connects to (or starts) ClickHouse, brings its schema up to date, and lets it go.
pub async fn migrate_once(config: &Config) -> anyhow::Result<()> {
    let clickhouse = open(config).await?;
    let result = migrate(&clickhouse.writer, &Catalogue::builtin()?, &city(config)?).await;
    if let Some(server) = clickhouse.server {
        server.stop().await;
    }
    result
}
