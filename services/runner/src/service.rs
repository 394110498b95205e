//! The loop of one stream: partitions come and go with the group's assignment, records are applied as they come, and about once a
//! second what they changed is stored while the next ones are applied.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;
use yiping_catalogue::Catalogue;
use yiping_event::{Stream, TimeMs};
use yiping_log::{Consumer, Log, Offset, Poll};
use yiping_runtime::{Metrics, PartHandle, config::Ticks};
use yiping_store::{Batch, ConfigRow, GenerationRow, Store};
use yiping_window::{Domain, Level, Machine, MetricSpec, Settings, Span};

use crate::{
    checkpoint,
    flush::{Flusher, Job, Snapshot},
    gauges::Gauges,
    partition::{LATE_TOPIC, Owned, own_record},
    rows::Origin,
};

/// What a service needs of its process.
pub struct Deps {
    pub log: Arc<dyn Log>,
    pub store: Store,
    pub catalogue: Arc<Catalogue>,
    pub settings: Settings,
    pub store_config: yiping_runtime::config::Store,
    pub ticks: Ticks,
    /// Partitions of topics that are not there yet.
    pub partitions: u32,
    pub metrics: Metrics,
    pub health: PartHandle,
}

/// Records a poll.
const MOST_RECORDS: usize = 4_000;
const POLL: Duration = Duration::from_millis(100);
const RETRY: Duration = Duration::from_secs(1);

type Flushing = Pin<Box<dyn Future<Output = Option<Vec<(u32, Offset)>>> + Send>>;

/// Runs a stream's domain until it is told to stop; then stores what it has, and leaves the group.
///
/// # Errors
/// When the log is lost for good, or holds a stream that this state doesn't belong to.
pub async fn run<D: Domain + Send + Sync + 'static>(
    stream: Stream,
    deps: Deps,
    cancel: CancellationToken,
) -> anyhow::Result<()> {
    let topic = stream.topic();
    let partitions = deps.log.ensure_topic(topic, deps.partitions).await.context("making the topic")?;
    deps.log.ensure_topic(LATE_TOPIC, deps.partitions).await.context("making the late topic")?;
    let Some(generation) =
        until_stopped(&cancel, "reading generations", &deps.health, || settle_generation(stream, &deps, partitions))
            .await
    else {
        return Ok(());
    };
    let consumer = deps.log.consumer(&format!("yiping-{stream}"), &[topic]).await.context("joining the group")?;
    let stop_storing = CancellationToken::new();
    let health = Arc::new(deps.health);
    let flusher = Arc::new(Flusher {
        store: deps.store.clone(),
        log: Arc::clone(&deps.log),
        metrics: deps.metrics.clone(),
        health: Arc::clone(&health),
        stop: stop_storing.clone(),
    });
    deps.metrics.begin_stream(stream.as_str());
    let specs = deps.catalogue.specs(stream, None);
    let mut service = Service::<D> {
        stream,
        generation,
        specs,
        log: deps.log,
        store: deps.store,
        settings: deps.settings,
        config: deps.store_config,
        ticks: deps.ticks,
        metrics: deps.metrics,
        health,
        flusher,
        consumer,
        owned: BTreeMap::new(),
        gauges: Gauges::default(),
        configs: Vec::new(),
        flushing: None,
        flushed: Instant::now(),
        refresh: Refresh::default(),
        paused: false,
    };
    let result = service.work(&cancel).await;
    // what is in memory can be made again from the log: a store that is away must not hold the end up
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        stop_storing.cancel();
    });
    service.finish().await;
    result
}

struct Service<D: Domain> {
    stream: Stream,
    generation: u16,
    specs: Vec<MetricSpec>,
    log: Arc<dyn Log>,
    store: Store,
    settings: Settings,
    config: yiping_runtime::config::Store,
    ticks: Ticks,
    metrics: Metrics,
    health: Arc<PartHandle>,
    flusher: Arc<Flusher>,
    consumer: Box<dyn Consumer>,
    owned: BTreeMap<u32, Owned<D>>,
    gauges: Gauges,
    configs: Vec<ConfigRow>,
    flushing: Option<Flushing>,
    flushed: Instant,
    refresh: Refresh,
    paused: bool,
}

/// When which newest figures were last written (I10): the city's every second, others every ten; 24h and day, which hardly move,
/// every ten seconds for the city and every minute for others.
#[derive(Default)]
struct Refresh {
    fine: Option<Instant>,
    coarse: Option<Instant>,
}

impl Refresh {
    /// Which are due now; they count as written from here on.
    fn due(&mut self, now: Instant) -> impl Fn(Span, Level) -> bool + Copy + use<> {
        let every = |last: &mut Option<Instant>, seconds: u64| {
            let due = last.is_none_or(|last| now.duration_since(last) >= Duration::from_secs(seconds));
            if due {
                *last = Some(now);
            }
            due
        };
        let fine = every(&mut self.fine, 10);
        let coarse = every(&mut self.coarse, 60);
        move |span, level| match (span, level) {
            (Span::H24 | Span::Day, Level::City) => fine,
            (Span::H24 | Span::Day, _) => coarse,
            (_, level) => fine || level == Level::City,
        }
    }

    /// A partition came: everything is due again.
    fn all(&mut self) {
        self.fine = None;
        self.coarse = None;
    }
}

impl<D: Domain + Send + Sync + 'static> Service<D> {
    async fn work(&mut self, cancel: &CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                stored = stored(&mut self.flushing) => self.stored(stored).await?,
                poll = self.consumer.poll(MOST_RECORDS, POLL) => self.take(poll, cancel).await?,
            }
            self.tick().await;
            self.breathe().await?;
            if self.flushing.is_none() && self.flushed.elapsed() >= self.config.flush {
                self.flush(false);
            }
        }
    }

    async fn take(&mut self, poll: yiping_log::Result<Poll>, cancel: &CancellationToken) -> anyhow::Result<()> {
        match poll {
            Ok(Poll::Records { partition, records, head, .. }) => {
                if let Some(owned) = self.owned.get_mut(&partition) {
                    owned.head = head;
                    owned.apply(&records);
                }
            }
            Ok(Poll::Assigned(partitions)) => {
                for (_, partition) in partitions {
                    self.take_over(partition, cancel).await?;
                }
            }
            Ok(Poll::Revoked(partitions)) => {
                // what is finished before the next poll needn't be done again by the next owner
                self.flush_now().await?;
                for (_, partition) in partitions {
                    self.owned.remove(&partition);
                    self.gauges.forget(&self.metrics, self.stream.as_str(), partition);
                }
            }
            Ok(Poll::Idle) => {}
            Err(error) if error.is_retriable() => {
                self.health.not_ready(format!("reading the log: {error}"));
                tracing::warn!(stream = %self.stream, %error, "reading the log failed, trying again");
                tokio::select! { () = tokio::time::sleep(RETRY) => {} () = cancel.cancelled() => {} }
            }
            Err(error) => return Err(error).context("reading the log"),
        }
        Ok(())
    }

    /// Becomes a partition's owner: the newest checkpoint, then the log from there (I4).
    async fn take_over(&mut self, partition: u32, cancel: &CancellationToken) -> anyhow::Result<()> {
        let stream = self.stream;
        let store = self.store.clone();
        let Some(newest) = until_stopped(cancel, "reading the checkpoint", &self.health, || async {
            Ok(store.newest_checkpoint(stream.as_str(), partition).await?)
        })
        .await
        else {
            return Ok(());
        };
        for bad in &newest.unreadable {
            tracing::error!(%stream, partition, offset = bad.offset, reason = bad.reason, "a checkpoint can't be read, taking the one before");
        }
        let topic = stream.topic();
        let (first, head) = self.log.range(topic, partition).await.context("asking for the log's range")?;
        let (machine, next) = match newest.checkpoint {
            Some(found) => match checkpoint::machine::<D>(stream, &self.specs, &found.parts) {
                Ok(machine) if found.generation == self.generation => (machine, found.offset),
                Ok(machine) => (machine, first), // a log made anew goes on from the newest state
                Err(checkpoint::Unreadable(reason)) => {
                    tracing::error!(%stream, partition, reason, "the checkpoint is of no use, starting from the log's first record");
                    (self.fresh()?, first)
                }
            },
            None => (self.fresh()?, first),
        };
        if next < first {
            tracing::error!(%stream, partition, next, first, "the log starts after the checkpoint: records between were removed unread");
        }
        let origin = Origin { stream: Arc::from(stream.as_str()), generation: self.generation, partition };
        let silent = silent_before(&*self.log, topic, partition, next.max(first), head).await;
        self.state_settings(&machine, &origin, head).await?;
        let (_, head) = self.log.range(topic, partition).await.context("asking for the log's range")?;
        self.consumer.seek(topic, partition, next.max(first)).await.context("seeking")?;
        let owned = Owned::new(origin, machine, next.max(first), head, silent);
        self.gauges.begin(&owned);
        self.owned.insert(partition, owned);
        self.refresh.all();
        self.health.ready();
        tracing::info!(%stream, partition, next, head, "took over a partition");
        Ok(())
    }

    fn fresh(&self) -> anyhow::Result<Machine<D>> {
        Machine::new(self.stream, &self.specs, self.settings.clone())
            .map_err(|error| anyhow::anyhow!("settings: {error}"))
    }

    /// Writes our settings into the partition where it doesn't state them yet: they shape results, so they are data (I1).
    async fn state_settings(&mut self, machine: &Machine<D>, origin: &Origin, head: Offset) -> anyhow::Result<()> {
        if self.ticks != Ticks::Append || machine.recorded_settings() == Some(&self.settings) {
            return Ok(());
        }
        let text = serde_json::to_string(&self.settings)?;
        let hash = hash_of(&text);
        let time = TimeMs(yiping_runtime::clock::unix_ms());
        let id = format!("config-{}-{head}", origin.partition);
        let record = own_record(origin, &id, "city.config", time, serde_json::json!({ "hash": hash, "text": text }));
        let placed = self.log.append(vec![record]).await.context("writing the settings into the log")?;
        if let Some((partition, from_offset)) = placed.first().copied() {
            self.configs.push(ConfigRow {
                stream: Arc::clone(&origin.stream),
                generation: self.generation,
                partition,
                from_offset,
                time_ms: time.0,
                hash,
                text,
            });
        }
        Ok(())
    }

    async fn tick(&mut self) {
        if self.ticks != Ticks::Append {
            return;
        }
        let due: Vec<_> = self.owned.values().filter_map(Owned::tick).collect();
        if !due.is_empty()
            && let Err(error) = self.log.append(due).await
        {
            tracing::warn!(stream = %self.stream, %error, "a tick could not be appended");
        }
    }

    /// Holds consumption while too much waits for the store, and lets it go on after. `elder` never waits (I9).
    async fn breathe(&mut self) -> anyhow::Result<()> {
        let waiting: usize = self.owned.values().map(|owned| owned.pending.metrics.len()).sum();
        let topic = self.stream.topic();
        if !self.paused && waiting > self.config.run_ahead && self.stream != Stream::Elder {
            tracing::warn!(stream = %self.stream, waiting, "the store is behind: holding the log");
            for partition in self.owned.keys() {
                self.consumer.pause(topic, *partition).await.context("pausing")?;
            }
            self.paused = true;
        } else if self.paused && waiting <= self.config.run_ahead / 2 {
            for partition in self.owned.keys() {
                self.consumer.resume(topic, *partition).await.context("resuming")?;
            }
            self.paused = false;
        }
        Ok(())
    }

    /// Hands over what is pending, and goes on. `all`: with a checkpoint of every partition.
    fn flush(&mut self, all: bool) {
        let now = Instant::now();
        self.flushed = now;
        let due = self.refresh.due(now);
        let mut job = Job {
            stream: Arc::from(self.stream.as_str()),
            batch: Batch { configs: std::mem::take(&mut self.configs), ..Batch::default() },
            late: Vec::new(),
            snapshots: Vec::new(),
            oldest_append_ms: None,
        };
        for (partition, owned) in &mut self.owned {
            self.gauges.show(&self.metrics, owned);
            let pending = std::mem::take(&mut owned.pending);
            self.gauges.sos(&self.metrics, pending.live.values());
            job.oldest_append_ms = [job.oldest_append_ms, pending.oldest_append_ms].into_iter().flatten().min();
            job.late.extend(pending.late);
            job.batch.metrics.extend(pending.metrics.into_values());
            job.batch.live.extend(pending.live.into_values());
            job.batch.rejects.extend(pending.rejects);
            let (latest, marks) = owned.latest(&self.specs, due);
            job.batch.latest.extend(latest);
            job.batch.marks.extend(marks);
            job.batch.sources.extend(owned.sources());
            job.batch.status.push(owned.status());
            let changed = owned.next != owned.checkpoint_at;
            if changed && (all || owned.checkpointed.elapsed() >= self.config.checkpoint) {
                match checkpoint::parts(&owned.machine) {
                    Ok(parts) => {
                        owned.checkpointed = now;
                        owned.checkpoint_at = owned.next;
                        let generation = self.generation;
                        job.snapshots.push(Snapshot { partition: *partition, generation, next: owned.next, parts });
                    }
                    Err(error) => {
                        tracing::error!(stream = %self.stream, partition, %error, "the state can't be written as a checkpoint");
                    }
                }
            }
        }
        self.flushing = Some(Box::pin(Arc::clone(&self.flusher).store(job)));
    }

    async fn stored(&mut self, committed: Option<Vec<(u32, Offset)>>) -> anyhow::Result<()> {
        self.flushing = None;
        for (partition, next) in committed.unwrap_or_default() {
            if self.owned.contains_key(&partition) {
                self.consumer.commit(self.stream.topic(), partition, next).await.context("committing")?;
            }
        }
        Ok(())
    }

    /// Stores everything, with checkpoints, and waits for it.
    async fn flush_now(&mut self) -> anyhow::Result<()> {
        if self.flushing.is_some() {
            let done = stored(&mut self.flushing).await;
            self.stored(done).await?;
        }
        if !self.owned.is_empty() {
            self.flush(true);
            let done = stored(&mut self.flushing).await;
            self.stored(done).await?;
        }
        Ok(())
    }

    async fn finish(mut self) {
        if let Err(error) = self.flush_now().await {
            tracing::warn!(stream = %self.stream, error = format!("{error:#}"), "the last rows are left to the next start");
        }
        for partition in self.owned.keys().copied().collect::<Vec<_>>() {
            self.gauges.forget(&self.metrics, self.stream.as_str(), partition);
        }
        if let Err(error) = self.consumer.close().await {
            tracing::warn!(stream = %self.stream, %error, "leaving the group");
        }
    }
}

/// The running flush's end; never, when none runs.
async fn stored(flushing: &mut Option<Flushing>) -> Option<Vec<(u32, Offset)>> {
    match flushing {
        Some(running) => {
            let done = running.as_mut().await;
            *flushing = None;
            done
        }
        None => std::future::pending().await,
    }
}

/// Tries until it succeeds; `None` when told to stop.
async fn until_stopped<T, F: Future<Output = anyhow::Result<T>>>(
    cancel: &CancellationToken,
    what: &str,
    health: &PartHandle,
    attempt: impl Fn() -> F,
) -> Option<T> {
    loop {
        let result = tokio::select! { result = attempt() => result, () = cancel.cancelled() => return None };
        match result {
            Ok(value) => return Some(value),
            Err(error) => {
                health.not_ready(format!("{what}: {error:#}"));
                tracing::warn!(error = format!("{error:#}"), "{what} failed, trying again");
                tokio::select! { () = tokio::time::sleep(RETRY) => {} () = cancel.cancelled() => return None }
            }
        }
    }
}

/// How long the partition's last record lies back, by the log's own times.
async fn silent_before(log: &dyn Log, topic: &str, partition: u32, next: Offset, head: Offset) -> Duration {
    if head == 0 || next < head {
        return Duration::ZERO; // records to come tell the time themselves
    }
    let last = log.read(topic, partition, head - 1, 1).await;
    let append = last.ok().and_then(|records| records.first().map(|record| record.append_ms));
    let gone = append.map_or(0, |append| (yiping_runtime::clock::unix_ms() - append).max(0));
    Duration::from_millis(u64::try_from(gone).unwrap_or(0))
}

/// Which life of the stream's log this is (I4): the newest one as long as log and partition count are the same, else a new one
/// that covers what comes after everything published so far.
async fn settle_generation(stream: Stream, deps: &Deps, partitions: u32) -> anyhow::Result<u16> {
    let fingerprint = deps.log.fingerprint(stream.topic()).await?;
    let newest = deps.store.newest_generation(stream.as_str()).await?;
    let row = match newest {
        Some(row) if row.fingerprint == fingerprint && row.partitions == partitions => {
            return Ok(row.generation);
        }
        Some(row) if row.partitions != partitions => bail!(
            "topic {} has {partitions} partitions, the stream's state has {}: set the count back, or begin with a new data folder",
            stream.topic(),
            row.partitions
        ),
        Some(row) => GenerationRow {
            stream: row.stream,
            generation: row.generation + 1,
            fingerprint,
            partitions,
            from_ms: deps.store.published_until(stream.as_str()).await?,
            to_ms: None,
            revision: 1,
        },
        None => GenerationRow {
            stream: Arc::from(stream.as_str()),
            generation: 1,
            fingerprint,
            partitions,
            from_ms: None,
            to_ms: None,
            revision: 1,
        },
    };
    let generation = row.generation;
    let batch = Batch { generations: vec![row], ..Batch::default() };
    deps.store.write(&batch, &CancellationToken::new()).await?;
    Ok(generation)
}

fn hash_of(text: &str) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(text))
}
