//! A process from its targets: everything is read and bound before anything starts; what lets events in starts last and stops first.

use std::{
    fs::{File, TryLockError},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use axum::Router;
use prometheus::Registry;
use tokio::net::TcpListener;
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_event::Stream;
use yiping_gateway::{GatewayDeps, Inlets, Lateness, Limits, RejectSeen, Tls, Tokens, collect_rejects, steady_clock};
use yiping_log::Log;
use yiping_pull::{PullDeps, PullMetrics};
use yiping_runtime::{Admin, Config, Endpoints, Health, Life, Metrics, endpoints::Reader, net::bind};
use yiping_store::{Batch, Formulas, PrunePolicy, RejectRow};
use yiping_wall::{WallDeps, WallOptions};
use yiping_watch::{DEFAULT_MOST_SERIES, Gauges, Rules, WatchDeps};

use crate::{
    cli::RunArgs,
    clickhouse::{self, ClickHouse},
    feeds, keys,
    targets::{Part, parts},
};

/// How long a part may take to end well; the whole drain has 5 s.
const DRAIN: Duration = Duration::from_secs(4);
const MIGRATE_AGAIN: Duration = Duration::from_secs(2);
const HOUSEKEEPING: Duration = Duration::from_secs(600);
/// A checkpoint's segment that no manifest names for so long was left by a write that failed.
const ORPHANS: Duration = Duration::from_secs(3 * 3_600);

pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    let parts = parts(&args.target)?;
    let config = Config::load(args.config.config.as_deref())?;
    config.check()?;
    if parts == [Part::Pull] && config.feeds.values().all(|feed| feed.pull.is_none()) {
        bail!("there is nothing to pull: no feed of the settings has a pull ([feeds.NAME.pull])");
    }
    let mut process = Process::build(config, &parts).await?;
    if process.embedded {
        process.endpoints.write(&process.config.data_dir.0).context("writing endpoints.json")?;
    }
    process.start(&parts, Router::new()).await?;
    process.run().await
}

/// The city that the configuration names.
pub fn city(config: &Config) -> anyhow::Result<City> {
    city_at(config.city.profile.as_deref())
}

pub fn city_at(profile: Option<&Path>) -> anyhow::Result<City> {
    match profile {
        Some(folder) => City::load(folder).with_context(|| format!("the city profile {}", folder.display())),
        None => Ok(City::weihai()),
    }
}

/// A process with everything that its parts share, and nothing running yet but ClickHouse where it is embedded.
pub struct Process {
    pub config: Config,
    pub endpoints: Endpoints,
    /// Whether log or ClickHouse live in the data folder.
    pub embedded: bool,
    /// Where nothing was judged yet: figures of before (ms) alarm nobody.
    pub judged_since: i64,
    pub life: Life,
    city: Arc<City>,
    catalogue: Arc<Catalogue>,
    registry: Registry,
    metrics: Metrics,
    health: Health,
    log: Option<Arc<dyn Log>>,
    /// Held as long as the process lives: an embedded log is one process's.
    _log_lock: Option<File>,
    /// None where no part needs it.
    clickhouse: Option<ClickHouse>,
    /// The open SOS cases, if `elder` runs here.
    cases: yiping_runner::OpenCases,
    /// Whether ClickHouse's schema is up to date.
    migrated: bool,
    listeners: Listeners,
}

/// The open SOS cases of the `elder` in this process, for the wall in it.
struct OwnCases(yiping_runner::OpenCases);

#[async_trait::async_trait]
impl yiping_wall::Cases for OwnCases {
    async fn open(&self) -> anyhow::Result<Vec<yiping_wall::source::Sos>> {
        let case = |case: yiping_runner::OpenCase| {
            yiping_wall::elder::case(case.key.to_string(), case.district, case.street, case.state, &case.raised)
        };
        Ok(self.0.list().into_iter().map(case).collect())
    }
}

struct Listeners {
    admin: TcpListener,
    wall: Option<TcpListener>,
    gateway: Option<TcpListener>,
}

impl Process {
    pub async fn build(config: Config, parts: &[Part]) -> anyhow::Result<Self> {
        let city = Arc::new(city(&config)?);
        let catalogue = Arc::new(Catalogue::builtin()?);
        Rules::new(&catalogue, &city)?;
        let wants = |part: Part| parts.contains(&part);
        let listeners = Listeners {
            admin: bind(config.admin.listen, "admin.listen").await?,
            wall: if wants(Part::Wall) { Some(bind(config.wall.listen, "wall.listen").await?) } else { None },
            gateway: if wants(Part::Gateway) {
                Some(bind(config.gateway.listen, "gateway.listen").await?)
            } else {
                None
            },
        };
        let registry = Registry::new();
        let metrics = Metrics::new(&registry)?;
        let health = Health::default();
        let needs = |what: &str| parts.iter().any(|part| part.needs().contains(&what));
        let clickhouse = if needs("clickhouse") { Some(clickhouse::open(&config).await?) } else { None };
        let migrate = async {
            match &clickhouse {
                Some(clickhouse) => clickhouse::migrate(&clickhouse.writer, &catalogue, &city).await,
                None => Ok(()),
            }
        };
        let migrated = match migrate.await {
            Err(error) if error.downcast_ref::<yiping_store::StoreError>().is_some_and(|e| e.is_retriable()) => {
                // what must not wait for ClickHouse (open SOS cases) starts without it
                tracing::error!(
                    error = format!("{error:#}"),
                    "ClickHouse doesn't answer; its schema is brought up to date when it does"
                );
                false
            }
            other => other.map(|()| true)?,
        };
        let mut log_lock = None;
        let log = if needs("log") {
            let url = config.log_url();
            log_lock = lock_log(&url)?;
            Some(
                yiping_log::open(&url, &config.log_options())
                    .await
                    .with_context(|| format!("opening the log {url}"))?,
            )
        } else {
            None
        };
        let address = |listener: &TcpListener| listener.local_addr().map(|address| format!("http://{address}"));
        let endpoints = Endpoints {
            wall: listeners.wall.as_ref().map(address).transpose()?,
            gateway: listeners.gateway.as_ref().map(address).transpose()?.map(|address| {
                if config.gateway.tls.cert.is_some() { address.replacen("http:", "https:", 1) } else { address }
            }),
            admin: Some(address(&listeners.admin)?),
            clickhouse: clickhouse.as_ref().map(|clickhouse| match &clickhouse.server {
                Some(server) => server.url(),
                None => config.clickhouse_url(),
            }),
            token: None,
            reader: clickhouse.as_ref().and_then(|clickhouse| clickhouse.server.as_ref()).map(|server| Reader {
                user: server.reader().user.clone(),
                password: server.reader().password.clone(),
            }),
        };
        let embedded = clickhouse.as_ref().is_some_and(|clickhouse| clickhouse.server.is_some())
            || log.is_some() && config.log_url().starts_with("embedded:");
        let life = Life::new(health.clone());
        Ok(Process {
            config,
            endpoints,
            embedded,
            judged_since: 0,
            life,
            city,
            catalogue,
            registry,
            metrics,
            health,
            log,
            _log_lock: log_lock,
            clickhouse,
            cases: yiping_runner::OpenCases::default(),
            migrated,
            listeners,
        })
    }

    /// Starts the parts. `routes` are added to the admin server's.
    pub async fn start(&mut self, parts: &[Part], routes: Router) -> anyhow::Result<()> {
        let mut admin = Admin::new(self.registry.clone(), self.health.clone()).merge(routes);
        if parts.contains(&Part::Domain(Stream::Elder)) {
            // an answer that needs no ClickHouse (I9)
            let cases = self.cases.clone();
            let open = move || async move { axum::Json(serde_json::json!({ "sos": cases.list() })) };
            admin = admin.merge(Router::new().route("/live/sos", axum::routing::get(open)));
        }
        let listener = std::mem::replace(&mut self.listeners.admin, TcpListener::bind("127.0.0.1:0").await?);
        self.life.spawn("admin", DRAIN, |cancel| async move { Ok(admin.serve(listener, cancel).await?) });
        if !self.migrated {
            self.start_migration()?;
        }
        if parts.iter().any(|part| matches!(part, Part::Domain(_))) {
            self.start_housekeeping()?;
        }
        for part in parts {
            match part {
                Part::Wall => self.start_wall(parts)?,
                Part::Watch => self.start_watch()?,
                Part::Domain(Stream::Bus) => self.start_domain::<yiping_bus::Bus>(Stream::Bus)?,
                Part::Domain(Stream::Parking) => self.start_domain::<yiping_parking::Parking>(Stream::Parking)?,
                Part::Domain(Stream::Hotline) => self.start_domain::<yiping_hotline::Hotline>(Stream::Hotline)?,
                Part::Domain(Stream::Elder) => self.start_domain::<yiping_elder::Elder>(Stream::Elder)?,
                Part::Gateway => self.start_gateway()?,
                Part::Pull => self.start_pull()?,
            }
        }
        Ok(())
    }

    fn start_domain<D>(&mut self, stream: Stream) -> anyhow::Result<()>
    where
        D: yiping_window::Domain + Send + Sync + 'static,
    {
        let settings = self.config.streams.get(stream.as_str()).context("every stream has settings")?;
        let deps = yiping_runner::Deps {
            log: self.log()?,
            store: Arc::new(self.clickhouse()?.writer.clone()),
            catalogue: Arc::clone(&self.catalogue),
            settings: yiping_runner::settings(settings, &self.city),
            store_config: self.config.store.clone(),
            ticks: settings.ticks,
            partitions: self.config.log.partitions,
            metrics: self.metrics.clone(),
            health: self.health.part(stream.as_str()),
            cases: self.cases.clone(),
        };
        for source in self.city.sources.iter().filter(|source| source.stream == stream.as_str()) {
            let labels = [source.source.as_str(), stream.as_str()];
            self.metrics.source_expected.with_label_values(&labels).set(f64::from(source.expected_s));
        }
        self.life.spawn(stream.as_str(), DRAIN, |cancel| yiping_runner::run::<D>(stream, deps, cancel));
        Ok(())
    }

    /// Brings the schema up to date as soon as ClickHouse answers.
    fn start_migration(&mut self) -> anyhow::Result<()> {
        let store = self.clickhouse()?.writer.clone();
        let (catalogue, city) = (Arc::clone(&self.catalogue), Arc::clone(&self.city));
        let health = self.health.part("schema");
        self.life.spawn("schema", DRAIN, |cancel| async move {
            while let Err(error) = clickhouse::migrate(&store, &catalogue, &city).await {
                health.not_ready(format!("{error:#}"));
                tokio::select! {
                    () = cancel.cancelled() => return Ok(()),
                    () = tokio::time::sleep(MIGRATE_AGAIN) => {}
                }
            }
            health.ready();
            cancel.cancelled().await; // a part that ends early would end the process
            Ok(())
        });
        Ok(())
    }

    /// Old checkpoints go: the newest ones stay, and one a day for 35 days (I4).
    fn start_housekeeping(&mut self) -> anyhow::Result<()> {
        let store = self.clickhouse()?.writer.clone();
        self.life.spawn("housekeeping", DRAIN, |cancel| async move {
            let mut due = tokio::time::interval(HOUSEKEEPING);
            loop {
                tokio::select! {
                    () = cancel.cancelled() => return Ok(()),
                    _ = due.tick() => {}
                }
                if let Err(error) =
                    store.prune_checkpoints(PrunePolicy { orphan_age: ORPHANS, ..PrunePolicy::default() }).await
                {
                    tracing::warn!(%error, "old checkpoints could not be removed; the next try is in ten minutes");
                }
            }
        });
        Ok(())
    }

    /// How merged sums become figures.
    fn formulas(&self) -> Formulas {
        Formulas::new(&self.catalogue, &yiping_runner::constants(&self.catalogue, &self.city))
    }

    fn start_wall(&mut self, parts: &[Part]) -> anyhow::Result<()> {
        let Some(listener) = self.listeners.wall.take() else { return Ok(()) };
        let settings = &self.config.wall;
        // With a log of its own this process has all cases; else `elder` runs in several, and settings say where.
        let alone = parts.contains(&Part::Domain(Stream::Elder)) && self.config.log_url().starts_with("embedded:");
        let cases: Option<Arc<dyn yiping_wall::Cases>> = if !settings.elder.is_empty() {
            Some(Arc::new(yiping_wall::elder::Elders::new(settings.elder.clone())?))
        } else if alone {
            Some(Arc::new(OwnCases(self.cases.clone())))
        } else {
            None
        };
        let alerts: Option<Arc<dyn yiping_wall::Alerts>> = match &settings.alertmanager {
            Some(address) => Some(Arc::new(yiping_wall::alertmanager::Alertmanager::new(address.clone())?)),
            None => None,
        };
        let tianditu = &settings.tianditu;
        let tiles = match tianditu.address() {
            Some(url) => Some(yiping_wall::tiles::Tiles::new(url, tianditu.token_file.as_deref(), &self.city.bounds)?),
            None => None,
        };
        let token = match self.config.wall_token_file() {
            None => None,
            Some(file) => {
                let token = yiping_wall::access::Token::in_file(&file)?;
                tracing::info!(file = %file.display(), "the wall's token is in this file: open the wall once as /?token=…");
                Some(token)
            }
        };
        let deps = WallDeps {
            source: Arc::new(yiping_wall::Stored {
                store: self.clickhouse()?.reader.clone(),
                formulas: self.formulas(),
            }),
            cases,
            alerts,
            tiles,
            city: Arc::clone(&self.city),
            catalogue: Arc::clone(&self.catalogue),
            metrics: self.registry.clone(),
            options: WallOptions { visitors: settings.visitors, token, ..WallOptions::default() },
        };
        // what the store doesn't answer it shows itself; without a part a process of its own would be starting for ever
        self.health.part("wall").ready();
        self.life.spawn("wall", DRAIN, |cancel| yiping_wall::serve(listener, deps, cancel));
        Ok(())
    }

    fn start_watch(&mut self) -> anyhow::Result<()> {
        let rules = Rules::new(&self.catalogue, &self.city)?;
        let gauges = Gauges::new(&self.registry, &self.catalogue, &self.city, DEFAULT_MOST_SERIES)?;
        let deps = WatchDeps {
            archive: Arc::new(yiping_watch::Stored {
                store: self.clickhouse()?.writer.clone(),
                formulas: self.formulas(),
            }),
            catalogue: Arc::clone(&self.catalogue),
            city: Arc::clone(&self.city),
            rules,
            gauges,
            health: self.health.part("watch"),
            since: self.judged_since,
        };
        self.life.spawn("watch", DRAIN, |cancel| yiping_watch::run(deps, cancel));
        Ok(())
    }

    fn start_gateway(&mut self) -> anyhow::Result<()> {
        let log = self.log()?;
        let store = self.clickhouse()?.writer.clone();
        self.life.spawn("rejects", DRAIN, |cancel| async move {
            let stop = cancel.clone();
            let sink = move |seen: Vec<RejectSeen>| {
                let (store, stop) = (store.clone(), stop.clone());
                async move {
                    let rejects = seen.into_iter().map(reject_row).collect();
                    Ok(store.write(&Batch { rejects, ..Batch::default() }, &stop).await?)
                }
            };
            collect_rejects(log, "yiping-rejects", sink, cancel).await
        });
        let Some(listener) = self.listeners.gateway.take() else { return Ok(()) };
        let deps = GatewayDeps {
            log: self.log()?,
            city: Arc::clone(&self.city),
            tokens: Arc::new(Tokens::open(self.config.tokens_path())?),
            feeds: feeds::doors(&self.config)?,
            inlets: inlets(&self.config),
            lateness: lateness(&self.config)?,
            seal: keys::seal(&self.config)?,
            pseudonyms: keys::pseudonyms(&self.config)?,
            clock: steady_clock(),
            metrics: self.metrics.clone(),
            health: self.health.part("gateway"),
            limits: Limits::from(&self.config.gateway),
            tls: tls(&self.config.gateway)?,
            partitions: self.config.log.partitions,
        };
        self.life.spawn("gateway", DRAIN, |cancel| yiping_gateway::serve(listener, deps, cancel));
        Ok(())
    }

    /// Fetches the feeds that have a `pull`, if there are any.
    fn start_pull(&mut self) -> anyhow::Result<()> {
        let feeds = feeds::pulled(&self.config)?;
        if feeds.is_empty() {
            return Ok(());
        }
        let gateway = self.config.pull.gateway.clone().or_else(|| self.endpoints.gateway.clone());
        let deps = PullDeps {
            feeds,
            gateway: gateway.unwrap_or_else(|| format!("http://{}", self.config.gateway.listen)),
            folder: self.config.data_dir.0.join("pull"),
            metrics: PullMetrics::new(&self.registry)?,
            health: self.health.part("pull"),
        };
        self.life.spawn("pull", DRAIN, |cancel| yiping_pull::run(deps, cancel));
        Ok(())
    }

    fn clickhouse(&self) -> anyhow::Result<&ClickHouse> {
        self.clickhouse.as_ref().context("a part that needs ClickHouse was started without one")
    }

    fn log(&self) -> anyhow::Result<Arc<dyn Log>> {
        self.log.clone().context("a part that needs the log was started without one")
    }

    pub fn city(&self) -> Arc<City> {
        Arc::clone(&self.city)
    }

    /// Runs until stopped, then ends what it started.
    pub async fn run(self) -> anyhow::Result<()> {
        let Process { life, clickhouse, config, embedded, .. } = self;
        let result = life.run().await;
        if let Some(server) = clickhouse.and_then(|clickhouse| clickhouse.server) {
            server.stop().await;
        }
        if embedded {
            // an address that nobody answers misleads
            let _ = Endpoints::remove(&config.data_dir.0);
        }
        Ok(result?)
    }
}

/// What the gateway shows of itself, if it is to speak TLS.
fn tls(settings: &yiping_runtime::config::Gateway) -> anyhow::Result<Option<Tls>> {
    settings.tls.cert.as_ref().zip(settings.tls.key.as_ref()).map(|(cert, key)| Tls::open(cert, key)).transpose()
}

/// A reject that the gateway made, as a row. Its stream is unknown where nothing could be read.
fn reject_row(seen: RejectSeen) -> RejectRow {
    RejectRow {
        stream: Arc::from(seen.stream.map_or("", Stream::as_str)),
        generation: 0, // of the gateway, not of a stream's log
        partition: seen.partition,
        offset: seen.offset,
        time_ms: seen.time.0,
        source: seen.source,
        event_id: seen.id.unwrap_or_default(),
        code: Arc::from(seen.code.as_str()),
        pointer: seen.pointer,
        message: seen.message,
    }
}

/// Makes an embedded log this process's own: two that share one would share its partitions, and each know half of what is open.
pub fn lock_log(url: &str) -> anyhow::Result<Option<File>> {
    let Some(folder) = url.strip_prefix("embedded:") else {
        return Ok(None);
    };
    std::fs::create_dir_all(folder).with_context(|| format!("making the log's folder {folder}"))?;
    let path = Path::new(folder).join("lock");
    let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "the log in {folder} is in use by another process: stop that one, or take another data folder (several processes need Kafka)"
            )
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

/// How late the events of each stream may be.
fn lateness(config: &Config) -> anyhow::Result<Lateness> {
    let of = |stream: Stream| {
        let settings = config.streams.get(stream.as_str()).context("every stream has settings")?;
        Ok((stream, i64::try_from(settings.lateness.as_millis())?))
    };
    Stream::ALL.into_iter().map(of).collect()
}

/// The departments' own topics that the settings name.
fn inlets(config: &Config) -> Inlets {
    let stream =
        |(name, inlet): (&str, &yiping_runtime::config::Inlet)| Some((name.parse().ok()?, inlet.sources.clone()));
    yiping_gateway::inlets(config.gateway.inlets.read().filter_map(stream))
}
