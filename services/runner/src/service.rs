//! The loop of one stream: partitions come and go with the group's assignment, records are applied as they come, and about once a
//! second what they changed is stored while the next ones are applied.

mod assignment;

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    task::{AbortHandle, JoinHandle, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use yiping_catalogue::Catalogue;
use yiping_event::Stream;
use yiping_log::{Consumer, Log, Offset, Poll};
use yiping_runtime::{Metrics, PartHandle, config::Ticks};
use yiping_store::{Batch, ConfigRow};
use yiping_window::{Domain, Level, Settings, Span};

use assignment::settled;

use crate::{
    cases::OpenCases,
    checkpoint,
    flush::{Flusher, Job, Snapshot},
    gauges::Gauges,
    generation::Life,
    partition::{LATE_TOPIC, Owned},
    sink::Sink,
    takeover::{Outcome, Shared},
};

/// What a service needs of its process.
pub struct Deps {
    pub log: Arc<dyn Log>,
    pub store: Arc<dyn Sink>,
    pub catalogue: Arc<Catalogue>,
    pub settings: Settings,
    pub store_config: yiping_runtime::config::Store,
    pub ticks: Ticks,
    /// Partitions of topics that are not there yet.
    pub partitions: u32,
    pub metrics: Metrics,
    pub health: PartHandle,
    /// Where `elder` says which SOS cases are open.
    pub cases: OpenCases,
}

/// Records a poll.
const MOST_RECORDS: usize = 4_000;
const POLL: Duration = Duration::from_millis(100);
const RETRY: Duration = Duration::from_secs(1);
/// A flush that takes longer than this makes the service not ready.
const UNANSWERED: Duration = Duration::from_secs(10);
/// `elder` at its log's end waits no longer for the store.
const AT_THE_HEAD: Duration = Duration::from_millis(1_500);
/// A partition that was taken from us waits no longer for its rows to be stored: the next owner makes them again.
const LAST_FLUSH: Duration = Duration::from_secs(5);

type Flushing = Pin<Box<dyn Future<Output = Option<Vec<(u32, Offset)>>> + Send>>;

/// Runs a stream's domain until it is told to stop; then stores what it has, and leaves the group.
///
/// # Errors
/// When the log is lost for good, or has another number of partitions than this state.
pub async fn run<D: Domain + Send + Sync + 'static>(
    stream: Stream,
    deps: Deps,
    cancel: CancellationToken,
) -> anyhow::Result<()> {
    let topic = stream.topic();
    let partitions = deps.log.ensure_topic(topic, deps.partitions).await.context("making the topic")?;
    deps.log.ensure_topic(LATE_TOPIC, deps.partitions).await.context("making the late topic")?;
    let fingerprint = deps.log.fingerprint(topic).await.context("asking which log this is")?;
    let consumer = deps.log.consumer(&format!("yiping-{stream}"), &[topic]).await.context("joining the group")?;
    let stop_storing = CancellationToken::new();
    let health = Arc::new(deps.health);
    let flusher = Arc::new(Flusher {
        store: Arc::clone(&deps.store),
        log: Arc::clone(&deps.log),
        metrics: deps.metrics.clone(),
        health: Arc::clone(&health),
        stop: stop_storing.clone(),
    });
    deps.metrics.begin_stream(stream.as_str());
    let shared = Shared {
        stream,
        specs: deps.catalogue.specs(stream, None),
        log: deps.log,
        store: deps.store,
        settings: deps.settings,
        ticks: deps.ticks,
    };
    let mut service = Service::<D> {
        stream,
        shared: Arc::new(shared),
        fingerprint,
        partitions,
        life: None,
        config: deps.store_config,
        metrics: deps.metrics,
        health,
        flusher,
        consumer,
        assigned: BTreeMap::new(),
        loading: JoinSet::new(),
        settling: None,
        looked: Instant::now(),
        owned: BTreeMap::new(),
        gauges: Gauges::new(deps.cases),
        configs: Vec::new(),
        flushing: None,
        flushed: Instant::now(),
        refresh: Refresh::default(),
        paused: false,
    };
    service.settle(None);
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
    shared: Arc<Shared>,
    fingerprint: String,
    partitions: u32,
    /// The generation; `None` as long as the store hasn't said it.
    life: Option<Life>,
    config: yiping_runtime::config::Store,
    metrics: Metrics,
    health: Arc<PartHandle>,
    flusher: Arc<Flusher>,
    consumer: Box<dyn Consumer>,
    /// The partitions that are ours.
    assigned: BTreeMap<u32, Assigned>,
    loading: JoinSet<(u32, u16, Outcome<D>)>,
    settling: Option<JoinHandle<anyhow::Result<Life>>>,
    looked: Instant,
    /// Those that are worked on.
    owned: BTreeMap<u32, Owned<D>>,
    gauges: Gauges,
    configs: Vec<ConfigRow>,
    flushing: Option<Flushing>,
    flushed: Instant,
    refresh: Refresh,
    paused: bool,
}

/// An assigned partition on its way to being worked on.
struct Assigned {
    since: Instant,
    /// Its state is being fetched.
    loading: Option<AbortHandle>,
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
                stored = stored(&mut self.flushing) => self.stored(stored).await,
                life = settled(&mut self.settling) => self.settled(life)?,
                Some(loaded) = self.loading.join_next() => self.loaded(loaded).await?,
                poll = self.consumer.poll(MOST_RECORDS, POLL) => self.take(poll, cancel).await?,
            }
            self.catch_up();
            self.look_for_life();
            self.borrow().await?;
            self.tick().await;
            self.show_cases();
            // (who catches up makes more in a moment than may wait: no timer is waited for then)
            let due = self.flushed.elapsed() >= self.config.flush || self.waiting() > self.config.run_ahead / 2;
            if self.flushing.is_none() && due {
                self.flush(false);
            } else if self.flushing.is_some() && self.flushed.elapsed() >= UNANSWERED {
                let seconds = self.flushed.elapsed().as_secs();
                self.health.not_ready(format!("storing rows: ClickHouse hasn't answered for {seconds} s"));
            }
            self.breathe().await?;
        }
    }

    async fn take(&mut self, poll: yiping_log::Result<Poll>, cancel: &CancellationToken) -> anyhow::Result<()> {
        match poll {
            Ok(Poll::Records { partition, records, head, .. }) => {
                if let Some(owned) = self.owned.get_mut(&partition) {
                    owned.head = head;
                    owned.take(records);
                }
            }
            Ok(Poll::Assigned(partitions)) => {
                for (_, partition) in partitions {
                    self.assigned.insert(partition, Assigned { since: Instant::now(), loading: None });
                    self.load(partition);
                }
            }
            Ok(Poll::Revoked(partitions)) => {
                // what is finished before the next poll needn't be done again by the next owner
                if tokio::time::timeout(LAST_FLUSH, self.flush_now()).await.is_err() {
                    tracing::warn!(stream = %self.stream, "the store is behind: the next owner makes the last rows again");
                }
                for (_, partition) in partitions {
                    if let Some(Assigned { loading: Some(loading), .. }) = self.assigned.remove(&partition) {
                        loading.abort();
                    }
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

    /// Applies what came, as long as there is room for what it makes.
    fn catch_up(&mut self) {
        let mut waiting = self.waiting();
        for owned in self.owned.values_mut() {
            let before = owned.pending.len();
            if waiting <= self.config.run_ahead {
                owned.catch_up(before + self.config.run_ahead - waiting);
            }
            waiting = waiting - before + owned.pending.len();
        }
    }

    async fn tick(&mut self) {
        if self.shared.ticks != Ticks::Append {
            return;
        }
        let due: Vec<_> = self.owned.values().filter_map(Owned::tick).collect();
        if !due.is_empty()
            && let Err(error) = self.shared.log.append(due).await
        {
            tracing::warn!(stream = %self.stream, %error, "a tick could not be appended");
        }
    }

    /// Holds consumption while too much waits for the store, and lets it go on after. `elder` doesn't wait for a store that is away
    /// (I9): beyond the same bound it lets its rows go, and makes them again from its checkpoint when the store is back.
    async fn breathe(&mut self) -> anyhow::Result<()> {
        let waiting = self.waiting();
        let topic = self.stream.topic();
        let is_away = self.flushing.is_some() && self.flushed.elapsed() >= self.patience();
        if self.stream == Stream::Elder && waiting > self.config.run_ahead && is_away {
            tracing::warn!(stream = %self.stream, waiting, "the store is behind: rows will be made again from the log");
            for partition in self.owned.keys().copied().collect::<Vec<_>>() {
                if let Some(owned) = self.owned.get_mut(&partition) {
                    owned.let_go();
                }
                self.load(partition);
            }
        } else if !self.paused && waiting > self.config.run_ahead {
            tracing::debug!(stream = %self.stream, waiting, "the store is behind: holding the log");
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

    /// Rows that wait to be handed to the store.
    fn waiting(&self) -> usize {
        self.owned.values().map(|owned| owned.pending.len()).sum()
    }

    /// How long `elder` waits for the store with more than may wait: an SOS is to be seen within 2 s; who is far behind the log's end
    /// wouldn't see it sooner by making the same rows twice.
    fn patience(&self) -> Duration {
        let far = |owned: &Owned<D>| owned.head.saturating_sub(owned.next) > MOST_RECORDS as Offset;
        if self.owned.values().any(far) { UNANSWERED } else { AT_THE_HEAD }
    }

    /// Open SOS cases are said at once, also while a flush waits for a store that doesn't answer (I9).
    fn show_cases(&mut self) {
        if self.stream == Stream::Elder {
            for (partition, owned) in &self.owned {
                self.gauges.sos(&self.metrics, *partition, owned.pending.live.values());
            }
        }
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
            self.gauges.sos(&self.metrics, *partition, pending.live.values());
            if owned.borrowed {
                continue; // what comes from the log alone may lack something: it isn't stored
            }
            job.oldest_append_ms = [job.oldest_append_ms, pending.oldest_append_ms].into_iter().flatten().min();
            job.late.extend(pending.late);
            job.batch.late.extend(pending.late_minutes.into_values());
            job.batch.metrics.extend(pending.metrics.into_values());
            job.batch.live.extend(pending.live.into_values());
            job.batch.rejects.extend(pending.rejects);
            let (latest, marks) = owned.latest(&self.shared.specs, due);
            job.batch.latest.extend(latest);
            job.batch.marks.extend(marks);
            job.batch.sources.extend(owned.sources());
            job.batch.status.extend(owned.status());
            let changed = owned.next != owned.checkpoint_at && owned.is_whole();
            if changed && (all || owned.checkpointed.elapsed() >= self.config.checkpoint) {
                match checkpoint::parts(&owned.machine) {
                    Ok(parts) => {
                        owned.checkpointed = now;
                        owned.checkpoint_at = owned.next;
                        let generation = owned.origin.generation;
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

    async fn stored(&mut self, committed: Option<Vec<(u32, Offset)>>) {
        self.flushing = None;
        for (partition, next) in committed.unwrap_or_default() {
            if self.owned.contains_key(&partition)
                && let Err(error) = self.consumer.commit(self.stream.topic(), partition, next).await
            {
                // for people and lag monitors only; the next one says it again, and a log that is lost fails the next poll
                tracing::warn!(stream = %self.stream, partition, %error, "committing failed");
            }
        }
    }

    /// Stores everything, with checkpoints, and waits for it.
    async fn flush_now(&mut self) {
        if self.flushing.is_some() {
            let done = stored(&mut self.flushing).await;
            self.stored(done).await;
        }
        if self.owned.values().any(|owned| !owned.borrowed) {
            self.flush(true);
            let done = stored(&mut self.flushing).await;
            self.stored(done).await;
        }
    }

    async fn finish(mut self) {
        self.flush_now().await;
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
