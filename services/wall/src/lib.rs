//! The wall: what goes on the city's screen. One poller asks the store one set of questions a second; every screen gets the same bytes: a snapshot, then
//! what changed. Freshness is judged at the moment of telling, so a feed, a store or a source that dies shows as what it is, never as its last value.
//!
//! | file | stage |
//! | --- | --- |
//! | `source` | the questions, in the wall's words |
//! | `store` | … answered from ClickHouse |
//! | `poll` | asked once a second, for all |
//! | `profile` | joined with the city's profile |
//! | `freshness` | how fresh a stream is, by its sources (I10) |
//! | `view` | one moment, whole or as changes, in JSON |
//! | `usual` | what is usual at this hour |
//! | `hub` | moment after moment, to all screens |
//! | `replay` | a past day, for one screen of its own |
//! | `elder`, `alertmanager` | open SOS cases, from the service that knows them; alerts about the system |
//! | `tiles` | 天地图 under the map, fetched by the server |
//! | `screen`, `api`, `page`, `access` | HTTP: one screen's events; questions; the page's files; who may read |
//! | `gauges` | figures about the wall itself |
//!
//! It must not know events, windows or the log: what it shows is what the store says.

pub mod access;
pub mod alertmanager;
mod api;
pub mod elder;
mod freshness;
mod gauges;
mod hub;
mod page;
mod poll;
mod profile;
mod replay;
mod screen;
pub mod source;
mod store;
pub mod tiles;
mod usual;
mod view;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_event::TimeMs;
use yiping_runtime::net;

use crate::api::Wall;
use crate::gauges::Gauges;
use crate::hub::Hub;
use crate::poll::Poller;
use crate::profile::Profile;
use crate::view::Known;
pub use source::{Alerts, Cases, Source};
pub use store::Stored;

/// Questions about history that run at the same time.
const DESKS: usize = 4;
/// Screens that replay at the same time: each asks the store for itself.
const REPLAYS: usize = 4;
/// A store that is there answers by then; one that is not must not keep the page from coming up.
const FIRST_ANSWERS: Duration = Duration::from_secs(2);

/// What the wall is built from.
pub struct WallDeps {
    pub source: Arc<dyn Source>,
    /// Where `elder` itself tells its open cases; None leaves them to the store.
    pub cases: Option<Arc<dyn Cases>>,
    /// Where alerts about the system itself come from, if from anywhere.
    pub alerts: Option<Arc<dyn Alerts>>,
    /// 天地图 under the map, where it is configured.
    pub tiles: Option<tiles::Tiles>,
    pub city: Arc<City>,
    pub catalogue: Arc<Catalogue>,
    pub metrics: Registry,
    pub options: WallOptions,
}

#[derive(Debug, Clone)]
pub struct WallOptions {
    /// From one set of questions, and one delta, to the next.
    pub tick: Duration,
    /// Longest time between two heartbeats on a stream; the pages expect 5 s.
    pub heartbeat: Duration,
    pub query_timeout: Duration,
    pub spark_every: Duration,
    /// Screens that listen at the same time; further ones get 503.
    pub max_screens: usize,
    /// Visitors are in the room: where an SOS case is is not shown.
    pub visitors: bool,
    /// Who reads has to bring it; None lets everybody read, which is for loopback only.
    pub token: Option<access::Token>,
}

impl Default for WallOptions {
    fn default() -> Self {
        WallOptions {
            tick: Duration::from_secs(1),
            heartbeat: Duration::from_secs(3),
            query_timeout: Duration::from_secs(10),
            spark_every: Duration::from_secs(60),
            max_screens: 256,
            visitors: false,
            token: None,
        }
    }
}

/// Serves the wall until `cancel`; open streams end then. Fails only where the wall can't be served at all: a store that does not answer is shown, not fatal.
pub async fn serve(listener: TcpListener, deps: WallDeps, cancel: CancellationToken) -> anyhow::Result<()> {
    let WallDeps { source, cases, alerts, tiles, city, catalogue, metrics, options } = deps;
    let gauges = Arc::new(Gauges::new(&metrics).context("the wall's metrics")?);
    let profile = Arc::new(Profile::new(city, tiles.is_some()));
    let (known, mut newest) = watch::channel(Known::default());
    let poller = Poller {
        source: Arc::clone(&source),
        cases,
        alerts,
        stored_cases: std::sync::Mutex::default(),
        profile: Arc::clone(&profile),
        gauges: Arc::clone(&gauges),
        options: options.clone(),
        known,
    };
    let mut polling = std::pin::pin!(poller.run());
    tokio::select! {
        () = &mut polling => {}
        first = tokio::time::timeout(FIRST_ANSWERS, newest.changed()) => {
            if first.is_err() {
                tracing::warn!("the store does not answer the wall yet");
            }
        }
        () = cancel.cancelled() => return Ok(()),
    }
    let first = newest.borrow_and_update().clone();
    let wall = Arc::new(Wall {
        hub: Hub::new(page::build(), profile.about(options.visitors), first, now()),
        source,
        profile: Arc::clone(&profile),
        gauges,
        catalogue: serde_json::json!({ "metrics": catalogue.entries }),
        outline: profile.outline(),
        tiles,
        screens: Arc::new(Semaphore::new(options.max_screens)),
        desks: Semaphore::new(DESKS),
        replays: Arc::new(Semaphore::new(REPLAYS)),
        tick: options.tick,
        token: options.token.clone(),
        query_timeout: options.query_timeout,
        cancel: cancel.clone(),
    });
    let serving = net::serve(listener, api::router(Arc::clone(&wall)), cancel.clone());
    tokio::select! {
        served = serving => served.context("the wall's server"),
        () = tell(&wall.hub, newest, &options) => anyhow::bail!("the wall stopped telling"),
        () = polling => anyhow::bail!("the wall stopped asking"),
    }
}

/// A tick for each set of answers, and also where none come: ages grow without news. Never returns.
async fn tell(hub: &Hub, mut newest: watch::Receiver<Known>, options: &WallOptions) {
    let mut beat_due = Instant::now() + options.heartbeat;
    let patience = options.tick + options.tick / 4;
    loop {
        let waited = tokio::time::timeout(patience, newest.changed()).await;
        if let Ok(Err(_)) = waited {
            return;
        }
        let known = newest.borrow_and_update().clone();
        hub.tick(known, now());
        // Due within the next tick counts as due: the promise is "at least every".
        if Instant::now() + options.tick >= beat_due {
            hub.heartbeat(now());
            beat_due = Instant::now() + options.heartbeat;
        }
    }
}

/// The wall's clock, which is the server's.
fn now() -> TimeMs {
    TimeMs(jiff::Timestamp::now().as_millisecond())
}
