//! How an assigned partition becomes one that is worked on: in which generation, from which state. All of it goes on in the background;
//! a store that is away holds nothing else up.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    task::{JoinError, JoinHandle},
    time::Instant,
};
use yiping_event::Stream;
use yiping_runtime::PartHandle;
use yiping_window::Domain;

use super::{Assigned, RETRY, Service};
use crate::{
    generation::{self, Life},
    partition::Owned,
    rows::Origin,
    takeover::{Loaded, Outcome, first_after},
};

/// How often a service looks whether its stream's generation is still the newest.
const LOOK_FOR_LIFE: Duration = Duration::from_secs(10);
/// `elder` waits so long for its state before it works from the log alone (I9).
const BORROW_AFTER: Duration = Duration::from_secs(2);
/// How far back it then reads: an SOS case is closed by then.
const BORROW_MS: i64 = 36 * 60 * 60 * 1_000;

impl<D: Domain + Send + Sync + 'static> Service<D> {
    /// Finds out in which generation we are, in the background: a store that is away holds nothing else up. `lost`: the generation
    /// whose log turned out to be another one.
    pub(super) fn settle(&mut self, lost: Option<Life>) {
        if self.settling.is_some() {
            return;
        }
        let (shared, fingerprint, partitions) = (Arc::clone(&self.shared), self.fingerprint.clone(), self.partitions);
        let health = Arc::clone(&self.health);
        self.settling = Some(tokio::spawn(async move {
            let attempt = || async {
                let (store, settings) = (&*shared.store, &shared.settings);
                match &lost {
                    Some(old) => generation::renew(store, shared.stream, old, &fingerprint, settings).await,
                    None => generation::settle(store, shared.stream, &fingerprint, partitions, settings).await,
                }
            };
            retried("reading generations", &health, attempt).await
        }));
    }

    pub(super) fn settled(&mut self, life: anyhow::Result<Life>) -> anyhow::Result<()> {
        self.settling = None;
        self.looked = Instant::now();
        let life = life?;
        if self.life.as_ref() == Some(&life) {
            return Ok(());
        }
        let renewed = self.life.replace(life).is_some();
        for partition in self.assigned.keys().copied().collect::<Vec<_>>() {
            if renewed {
                self.owned.remove(&partition);
                self.gauges.forget(&self.metrics, self.stream.as_str(), partition);
            }
            self.load(partition);
        }
        Ok(())
    }

    /// Another instance may have begun a new generation.
    pub(super) fn look_for_life(&mut self) {
        if self.life.is_some() && self.looked.elapsed() >= LOOK_FOR_LIFE {
            self.looked = Instant::now();
            self.settle(None);
        }
    }

    /// Fetches a partition's state in the background, as soon as the generation is known.
    pub(super) fn load(&mut self, partition: u32) {
        let (Some(life), Some(assigned)) = (self.life.clone(), self.assigned.get_mut(&partition)) else {
            return;
        };
        if let Some(before) = assigned.loading.take() {
            before.abort();
        }
        let (shared, health) = (Arc::clone(&self.shared), Arc::clone(&self.health));
        assigned.loading = Some(self.loading.spawn(async move {
            loop {
                match retried("taking a partition over", &health, || shared.load::<D>(&life, partition)).await {
                    Ok(outcome) => return (partition, life.number, outcome),
                    Err(error) => {
                        health.not_ready(format!("partition {partition}: {error:#}"));
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
        }));
    }

    /// Begins to work on a partition whose state is here.
    pub(super) async fn loaded(&mut self, loaded: Result<(u32, u16, Outcome<D>), JoinError>) -> anyhow::Result<()> {
        let Ok((partition, generation, outcome)) = loaded else {
            return Ok(()); // taken from us meanwhile
        };
        let Some(assigned) = self.assigned.get_mut(&partition) else {
            return Ok(());
        };
        if self.life.as_ref().is_none_or(|life| life.number != generation) {
            return Ok(());
        }
        assigned.loading = None;
        let loaded = match outcome {
            Outcome::Loaded(loaded) => *loaded,
            Outcome::AnotherLog => {
                tracing::error!(stream = %self.stream, partition, "the log doesn't hold what the state took from it: it was made anew, or cut");
                let lost = self.life.clone();
                self.settle(lost);
                return Ok(());
            }
        };
        let Loaded { origin, machine, next, head, config } = loaded;
        self.configs.extend(config);
        self.gauges.forget(&self.metrics, self.stream.as_str(), partition);
        let owned = Owned::new(origin, machine, next, head);
        self.begin(partition, owned).await?;
        self.health.ready();
        tracing::info!(stream = %self.stream, partition, next, head, "took over a partition");
        Ok(())
    }

    async fn begin(&mut self, partition: u32, owned: Owned<D>) -> anyhow::Result<()> {
        let topic = self.stream.topic();
        self.consumer.seek(topic, partition, owned.next).await.context("seeking")?;
        if self.paused {
            self.consumer.pause(topic, partition).await.context("pausing")?;
        }
        self.gauges.begin(&owned);
        self.owned.insert(partition, owned);
        self.refresh.all();
        Ok(())
    }

    /// While the store is away, `elder` works from the log alone: what it makes of the last hours is not stored, but open SOS cases
    /// are seen (I9). Its true state takes over as soon as it can be read.
    pub(super) async fn borrow(&mut self) -> anyhow::Result<()> {
        if self.stream != Stream::Elder {
            return Ok(());
        }
        let waits = |(partition, assigned): (&u32, &Assigned)| {
            let due = !self.owned.contains_key(partition) && assigned.since.elapsed() >= BORROW_AFTER;
            due.then_some(*partition)
        };
        for partition in self.assigned.iter().filter_map(waits).collect::<Vec<_>>() {
            let (log, topic) = (&self.shared.log, self.stream.topic());
            let range = log.range(topic, partition).await.context("asking for the log's range")?;
            let since = yiping_runtime::clock::unix_ms() - BORROW_MS;
            let next = first_after(&**log, topic, partition, since, range).await.context("reading the log")?;
            let origin = Origin { stream: Arc::from(self.stream.as_str()), generation: 0, partition };
            let owned = Owned::borrowed(origin, self.shared.fresh()?, next, range.1);
            tracing::warn!(stream = %self.stream, partition, "no state from the store: watching SOS cases from the log alone");
            self.begin(partition, owned).await?;
        }
        Ok(())
    }
}

/// The end of the search for the generation; never, when none runs.
pub(super) async fn settled(settling: &mut Option<JoinHandle<anyhow::Result<Life>>>) -> anyhow::Result<Life> {
    match settling {
        Some(running) => running.await.context("finding the generation")?,
        None => std::future::pending().await,
    }
}

/// Tries until it succeeds, or fails in a way that doesn't pass.
async fn retried<T, F: Future<Output = anyhow::Result<T>>>(
    what: &str,
    health: &PartHandle,
    attempt: impl Fn() -> F,
) -> anyhow::Result<T> {
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) if generation::is_final(&error) => return Err(error),
            Err(error) => {
                health.not_ready(format!("{what}: {error:#}"));
                tracing::warn!(error = format!("{error:#}"), "{what} failed, trying again");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
