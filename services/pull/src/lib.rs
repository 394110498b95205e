//! Feeds that nobody sends are fetched: HTTP addresses (JSON, CSV, GTFS-Realtime), tables and views of MySQL and PostgreSQL,
//! files in a folder. What a feed's map makes of them goes through the gateway's door like anybody's events, with a token
//! of the feed's own.
//!
//! | file | stage |
//! | --- | --- |
//! | `source.rs` | where payloads come from; `source/http.rs`, `source/database.rs`, `source/folder.rs` |
//! | `pieces.rs` | a payload → events by the feed's map, in pieces small enough to send |
//! | `seen.rs` | what was sent lately, and is not sent again |
//! | `door.rs` | the gateway |
//! | `puller.rs` | one feed: all of the above, again and again ([`run`] has one for each) |
//! | `pace.rs` | when the next try is due |
//! | `state.rs` | what must be known after a restart |
//! | `failure.rs`, `metrics.rs` | what went wrong, and how Prometheus is told |
//!
//! At least once, by everything; once, by ids (I7): what is remembered is written after the gateway's answer. It must
//! not know the log, the store, nor what makes an event valid: the gateway judges.

pub mod door;
pub mod failure;
pub mod metrics;
mod pace;
mod pieces;
pub mod puller;
pub mod seen;
pub mod source;
mod state;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use rand::RngExt as _;
use tokio_util::sync::CancellationToken;
use yiping_event::Stream;
use yiping_feed::{Feed, ReadOptions};
use yiping_runtime::PartHandle;
use yiping_runtime::config::Pull;

pub use metrics::PullMetrics;

use door::Gateway;
use puller::Puller;
use source::{Source, folder::Folder, http::Http};

/// A feed that is pulled.
pub struct PulledFeed {
    pub feed: Arc<Feed>,
    pub read: ReadOptions,
    pub stream: Stream,
    /// Seconds within which its source is expected to be heard of.
    pub expected_s: u32,
    pub pull: Pull,
}

pub struct PullDeps {
    pub feeds: Vec<PulledFeed>,
    /// The gateway's address.
    pub gateway: String,
    /// Where what must survive a restart lies; one process's own.
    pub folder: PathBuf,
    pub metrics: PullMetrics,
    pub health: PartHandle,
}

/// Pulls all feeds until `cancel`.
///
/// # Errors
/// At the start: the folder is another process's, or what is remembered there can't be read.
pub async fn run(deps: PullDeps, cancel: CancellationToken) -> anyhow::Result<()> {
    let PullDeps { feeds, gateway, folder, metrics, health } = deps;
    let _lock = lock(&folder)?;
    let mut pullers = tokio::task::JoinSet::new();
    for PulledFeed { feed, read, stream, expected_s, pull } in feeds {
        let source = source(&feed.name, &pull, &folder).with_context(|| format!("feeds.{}.pull", feed.name))?;
        let token_file =
            pull.token_file.clone().with_context(|| format!("feeds.{}.pull has no token_file", feed.name))?;
        let puller = Puller {
            door: Box::new(Gateway::new(&gateway, &feed.name, token_file)),
            feed,
            read,
            stream,
            expected_s,
            every: pull.every,
            source,
            metrics: metrics.clone(),
            health: health.clone(),
            seen: seen::Seen::default(),
            clock: yiping_runtime::clock::unix_ms,
            chance: || rand::rng().random(),
        };
        pullers.spawn(puller.run(cancel.clone()));
    }
    health.ready();
    while let Some(ended) = pullers.join_next().await {
        ended.context("a feed's puller died")?;
    }
    Ok(())
}

fn source(name: &str, pull: &Pull, folder: &Path) -> anyhow::Result<Box<dyn Source>> {
    let remembered = folder.join(format!("{name}.json"));
    if let Some(url) = &pull.url {
        Ok(Box::new(Http::new(url, pull)?))
    } else if let Some(inbox) = &pull.folder {
        Ok(Box::new(Folder::new(inbox, pull.done, pull.every, remembered)?))
    } else if let Some(url_file) = &pull.database_url_file {
        database(url_file.clone(), pull, remembered)
    } else {
        bail!("says from where by one of url, database_url_file, folder")
    }
}

#[cfg(feature = "databases")]
fn database(url_file: PathBuf, pull: &Pull, remembered: PathBuf) -> anyhow::Result<Box<dyn Source>> {
    Ok(Box::new(source::database::Database::new(url_file, pull, remembered)?))
}

#[cfg(not(feature = "databases"))]
fn database(_: PathBuf, _: &Pull, _: PathBuf) -> anyhow::Result<Box<dyn Source>> {
    bail!("this build reads no databases: build it with the feature `databases`")
}

/// Two pullers on one folder would write over each other's places.
fn lock(folder: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "feeds are pulled into {} by another process: stop that one, or take another data_dir",
                folder.display()
            )
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}
