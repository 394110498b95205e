//! A log and a store that fail at a chosen call: the log counts its appends and commits, the store its writes and checkpoints.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use yiping_log::{Consumer, Log, LogError, MemoryLog, NewRecord, Offset, Partition, Poll, Record};
use yiping_runner::{Origin, Sink};
use yiping_store::{Batch, CheckpointId, GenerationRow, MetricRow, Parts, StoreError};

use crate::support::MemorySink;

/// A call that changes something outside the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    Append,
    Write,
    Checkpoint,
    Commit,
}

/// What befalls a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The service dies before the call did anything.
    CrashBefore,
    /// The service dies when half the rows are there.
    CrashHalf,
    /// It is done, and the service dies before it hears of it.
    CrashAfter,
    /// It does nothing, and answers with an error that passes.
    FailOnce,
    /// It is done, and answers with an error.
    AckLost,
    /// It takes half a minute.
    Slow,
    /// The service dies, and what it sent lands only after three calls of the next one.
    Overtaken,
    /// It is done, and once more when everything else is over.
    Repeated,
}

impl What {
    pub const ALL: [What; 8] = [
        What::CrashBefore,
        What::CrashHalf,
        What::CrashAfter,
        What::FailOnce,
        What::AckLost,
        What::Slow,
        What::Overtaken,
        What::Repeated,
    ];

    /// Whether it means anything for such a call: only writes have halves, and where a commit lands, and when, nobody asks.
    pub fn is_of(self, step: Step) -> bool {
        match self {
            What::CrashHalf => step == Step::Write,
            What::Overtaken | What::Repeated => step != Step::Commit,
            _ => true,
        }
    }
}

/// What befalls the call of this number, from 1, of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub step: Step,
    pub number: usize,
    pub what: What,
}

/// What was sent and has not arrived.
enum Sent {
    Append(Vec<NewRecord>),
    Write(Box<Batch>),
    Checkpoint(String, u32, u16, u64, Parts),
    /// Where work resumes is never asked of commits, so one that is lost is forgotten.
    Commit,
}

#[derive(Default)]
pub struct Progress {
    calls: HashMap<Step, usize>,
    fired: bool,
    /// Lands before so many more calls are done.
    overtaken: Option<(usize, Sent)>,
    /// Lands at the end.
    repeated: Option<Sent>,
}

/// How often the log has records to give, and how long a call to log or store takes: apart enough that the steps of a run come in
/// the same order every time.
const PACE: Duration = Duration::from_millis(7);
const CALL: Duration = Duration::from_millis(1);
const SLOW: Duration = Duration::from_secs(30);

/// One log and one store, and the fault between.
pub struct Scene {
    pub log: Arc<dyn Log>,
    pub store: MemorySink,
    pub fault: Option<Fault>,
    /// Records a poll.
    pub at_once: usize,
    /// Rings when the service has to die.
    pub crash: Notify,
    /// Which start of a service this is: every one has a group of its own, as if the lease of the one before was over.
    pub lives: AtomicU32,
    /// The first offset that retention has left of each partition.
    pub first: Mutex<BTreeMap<u32, Offset>>,
    /// Instead of the log's own.
    pub fingerprint: Option<String>,
    /// The first life stands still when log and store have had so many calls.
    pub freeze_at: Option<usize>,
    /// The first life stands still.
    pub frozen: AtomicBool,
    pub progress: Mutex<Progress>,
}

impl Scene {
    pub fn new(fault: Option<Fault>, at_once: usize) -> Self {
        Scene {
            log: Arc::new(MemoryLog::new()),
            store: MemorySink::default(),
            fault,
            at_once,
            crash: Notify::new(),
            lives: AtomicU32::new(0),
            first: Mutex::default(),
            fingerprint: None,
            freeze_at: None,
            frozen: AtomicBool::new(false),
            progress: Mutex::default(),
        }
    }

    /// Up to where services have stored each partition.
    pub fn heads(&self) -> BTreeMap<u32, Offset> {
        self.store.look(|kept| kept.checkpoints.keys().map(|&(partition, _, offset)| (partition, offset)).collect())
    }

    /// How many calls of each kind there were.
    pub fn calls(&self) -> BTreeMap<Step, usize> {
        self.progress.lock().unwrap().calls.iter().map(|(step, calls)| (*step, *calls)).collect()
    }

    pub fn fired(&self) -> bool {
        self.progress.lock().unwrap().fired
    }

    /// Counts a call; what befalls it, if anything.
    async fn begin(&self, life: u32, step: Step) -> Option<What> {
        if life == 1 && self.freeze_at == Some(self.calls().values().sum()) {
            self.frozen.store(true, Ordering::Relaxed);
        }
        self.thawed(life).await;
        tokio::time::sleep(CALL).await;
        let (what, landing) = {
            let mut progress = self.progress.lock().unwrap();
            let number = progress.calls.entry(step).or_default();
            *number += 1;
            let what = self.fault.filter(|fault| (fault.step, fault.number) == (step, *number)).map(|fault| fault.what);
            progress.fired |= what.is_some();
            let landing = match progress.overtaken.take() {
                Some((0, sent)) => Some(sent),
                Some((left, sent)) => {
                    progress.overtaken = Some((left - 1, sent));
                    None
                }
                None => None,
            };
            (what, landing)
        };
        if let Some(sent) = landing {
            self.land(sent).await;
        }
        what
    }

    /// Waits while this life stands still.
    async fn thawed(&self, life: u32) {
        while life == 1 && self.frozen.load(Ordering::Relaxed) {
            tokio::time::sleep(PACE).await;
        }
    }

    async fn land(&self, sent: Sent) {
        match sent {
            Sent::Append(records) => {
                self.log.append(records).await.unwrap();
            }
            Sent::Write(batch) => self.store.take(&batch),
            Sent::Checkpoint(stream, partition, generation, offset, parts) => {
                self.store.save_checkpoint(&stream, partition, generation, offset, parts).await.unwrap();
            }
            Sent::Commit => {}
        }
    }

    /// Everything that is still on its way arrives.
    pub async fn land_all(&self) {
        let (overtaken, repeated) = {
            let mut progress = self.progress.lock().unwrap();
            (progress.overtaken.take(), progress.repeated.take())
        };
        for sent in overtaken.map(|(_, sent)| sent).into_iter().chain(repeated) {
            self.land(sent).await;
        }
    }

    async fn die<T>(&self) -> T {
        self.crash.notify_one();
        std::future::pending().await
    }

    /// A call: `sent` is what it carries, `half` what is there of it when the service dies in the middle, `failed` its error.
    async fn call<T, E>(
        &self,
        life: u32,
        step: Step,
        sent: impl FnOnce() -> Sent,
        half: impl FnOnce(),
        call: impl Future<Output = Result<T, E>>,
        failed: impl FnOnce() -> E,
    ) -> Result<T, E> {
        match self.begin(life, step).await {
            None => call.await,
            Some(What::CrashBefore) => self.die().await,
            Some(What::CrashHalf) => {
                half();
                self.die().await
            }
            Some(What::CrashAfter) => {
                call.await?;
                self.die().await
            }
            Some(What::FailOnce) => Err(failed()),
            Some(What::AckLost) => {
                call.await?;
                Err(failed())
            }
            Some(What::Slow) => {
                tokio::time::sleep(SLOW).await;
                call.await
            }
            Some(What::Overtaken) => {
                self.progress.lock().unwrap().overtaken = Some((3, sent()));
                self.die().await
            }
            Some(What::Repeated) => {
                self.progress.lock().unwrap().repeated = Some(sent());
                call.await
            }
        }
    }
}

fn no_answer() -> LogError {
    LogError::Timeout("told to fail")
}

fn no_store() -> StoreError {
    StoreError::Stopped { last: "told to fail".to_owned() }
}

/// The scene's log, as one life of a service has it.
pub struct SceneLog {
    pub scene: Arc<Scene>,
    pub life: u32,
}

struct SceneConsumer {
    scene: Arc<Scene>,
    life: u32,
    /// Never locked: a consumer alone can't be shared, and `committed` shares it.
    inner: Mutex<Box<dyn Consumer>>,
    next: Instant,
}

#[async_trait]
impl Log for SceneLog {
    async fn ensure_topic(&self, topic: &str, partitions: u32) -> yiping_log::Result<u32> {
        self.scene.log.ensure_topic(topic, partitions).await
    }

    async fn partitions(&self, topic: &str) -> yiping_log::Result<u32> {
        self.scene.log.partitions(topic).await
    }

    async fn append(&self, records: Vec<NewRecord>) -> yiping_log::Result<Vec<(Partition, Offset)>> {
        let sent = records.clone();
        let call = self.scene.log.append(records);
        self.scene.call(self.life, Step::Append, || Sent::Append(sent), || {}, call, no_answer).await
    }

    async fn consumer(&self, group: &str, topics: &[&str]) -> yiping_log::Result<Box<dyn Consumer>> {
        let inner = self.scene.log.consumer(&format!("{group}-{}", self.life), topics).await?;
        let inner = Mutex::new(inner);
        Ok(Box::new(SceneConsumer { scene: Arc::clone(&self.scene), life: self.life, inner, next: Instant::now() }))
    }

    async fn range(&self, topic: &str, partition: Partition) -> yiping_log::Result<(Offset, Offset)> {
        let (first, head) = self.scene.log.range(topic, partition).await?;
        let left = self.scene.first.lock().unwrap().get(&partition).copied().unwrap_or(first);
        Ok((first.max(left), head))
    }

    async fn read(
        &self,
        topic: &str,
        partition: Partition,
        from: Offset,
        max: usize,
    ) -> yiping_log::Result<Vec<Record>> {
        let (first, _) = self.range(topic, partition).await?;
        self.scene.log.read(topic, partition, from.max(first), max).await
    }

    async fn fingerprint(&self, topic: &str) -> yiping_log::Result<String> {
        match &self.scene.fingerprint {
            Some(fingerprint) => Ok(fingerprint.clone()),
            None => self.scene.log.fingerprint(topic).await,
        }
    }
}

#[async_trait]
impl Consumer for SceneConsumer {
    async fn poll(&mut self, max: usize, wait: Duration) -> yiping_log::Result<Poll> {
        tokio::time::sleep_until(self.next).await;
        self.scene.thawed(self.life).await;
        let poll = self.inner.get_mut().unwrap().poll(max.min(self.scene.at_once), wait).await?;
        if matches!(poll, Poll::Records { .. }) {
            self.next = Instant::now() + PACE;
        }
        Ok(poll)
    }

    async fn seek(&mut self, topic: &str, partition: Partition, offset: Offset) -> yiping_log::Result<()> {
        self.inner.get_mut().unwrap().seek(topic, partition, offset).await
    }

    async fn pause(&mut self, topic: &str, partition: Partition) -> yiping_log::Result<()> {
        self.inner.get_mut().unwrap().pause(topic, partition).await
    }

    async fn resume(&mut self, topic: &str, partition: Partition) -> yiping_log::Result<()> {
        self.inner.get_mut().unwrap().resume(topic, partition).await
    }

    async fn commit(&mut self, topic: &str, partition: Partition, next: Offset) -> yiping_log::Result<()> {
        let scene = Arc::clone(&self.scene);
        let call = self.inner.get_mut().unwrap().commit(topic, partition, next);
        scene.call(self.life, Step::Commit, || Sent::Commit, || {}, call, no_answer).await
    }

    async fn committed(&self, _: &str, _: Partition) -> yiping_log::Result<Option<Offset>> {
        Ok(None)
    }

    async fn close(self: Box<Self>) -> yiping_log::Result<()> {
        self.inner.into_inner().unwrap().close().await
    }
}

/// The scene's store, as one life of a service has it.
pub struct SceneSink {
    pub scene: Arc<Scene>,
    pub life: u32,
}

#[async_trait]
impl Sink for SceneSink {
    async fn write(&self, batch: &Batch, stop: &CancellationToken) -> yiping_store::Result<()> {
        let store = &self.scene.store;
        let half = || store.take(&first_half(batch));
        let call = Sink::write(store, batch, stop);
        self.scene.call(self.life, Step::Write, || Sent::Write(Box::new(batch.clone())), half, call, no_store).await
    }

    async fn save_checkpoint(
        &self,
        stream: &str,
        partition: u32,
        generation: u16,
        offset: u64,
        parts: Parts,
    ) -> yiping_store::Result<()> {
        let sent = Sent::Checkpoint(stream.to_owned(), partition, generation, offset, parts.clone());
        let call = self.scene.store.save_checkpoint(stream, partition, generation, offset, parts);
        // its segments without a manifest: nobody sees it
        self.scene.call(self.life, Step::Checkpoint, || sent, || {}, call, no_store).await
    }

    async fn checkpoints(&self, stream: &str, partition: u32) -> yiping_store::Result<Vec<CheckpointId>> {
        self.scene.store.checkpoints(stream, partition).await
    }

    async fn checkpoint_parts(&self, id: &CheckpointId) -> yiping_store::Result<Result<Parts, String>> {
        self.scene.store.checkpoint_parts(id).await
    }

    async fn generations(&self, stream: &str) -> yiping_store::Result<Vec<GenerationRow>> {
        self.scene.store.generations(stream).await
    }

    async fn published_until(&self, stream: &str) -> yiping_store::Result<Option<i64>> {
        self.scene.store.published_until(stream).await
    }

    async fn metric_rows(&self, origin: &Origin, from_ms: i64, to_ms: i64) -> yiping_store::Result<Vec<MetricRow>> {
        self.scene.store.metric_rows(origin, from_ms, to_ms).await
    }
}

/// What a write that broke off leaves: every other row, and no table after.
fn first_half(batch: &Batch) -> Batch {
    Batch { metrics: batch.metrics.iter().step_by(2).cloned().collect(), ..Batch::default() }
}

impl Scene {
    /// The next life's number, from 1.
    pub fn next_life(&self) -> u32 {
        self.lives.fetch_add(1, Ordering::Relaxed) + 1
    }
}
