//! The service over a scene: started, killed where the fault says so, started again, until everything is stored.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use yiping_log::{NewRecord, Offset};
use yiping_runner::{Deps, Sink};
use yiping_runtime::{Config, Health, Metrics, config::Ticks};
use yiping_window::{Counters, Domain};

use crate::{
    scene::{Scene, SceneLog, SceneSink},
    slice::Slice,
};

/// Of the runtime's own time, which jumps where nothing is to be done.
const PATIENCE: Duration = Duration::from_secs(120);
/// A service that dies more often than this will not recover.
const MOST_LIVES: u32 = 6;

/// Runs a future on a runtime whose timers jump.
pub fn paused<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

/// A running service.
pub struct Running {
    pub task: JoinHandle<anyhow::Result<()>>,
    pub cancel: CancellationToken,
    pub life: u32,
}

impl Running {
    /// Ends it as a signal would.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Kills it.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.is_err());
    }
}

impl<D: Domain + Send + Sync + 'static> Slice<D> {
    pub fn deps(&self, scene: &Arc<Scene>, partitions: u32) -> (u32, Deps) {
        let life = scene.next_life();
        let store: Arc<dyn Sink> = Arc::new(SceneSink { scene: Arc::clone(scene), life });
        (life, self.deps_over(scene, life, store, partitions))
    }

    pub fn deps_over(&self, scene: &Arc<Scene>, life: u32, store: Arc<dyn Sink>, partitions: u32) -> Deps {
        let flush = Duration::from_millis(5);
        let store_config =
            yiping_runtime::config::Store { flush, checkpoint: Duration::ZERO, ..Config::default().store };
        Deps {
            log: Arc::new(SceneLog { scene: Arc::clone(scene), life }),
            store,
            catalogue: Arc::clone(&self.catalogue),
            settings: self.settings.clone(),
            store_config,
            ticks: Ticks::Append,
            partitions,
            metrics: Metrics::new(&Default::default()).unwrap(),
            health: Health::default().part(self.stream.as_str()),
            cases: yiping_runner::OpenCases::default(),
        }
    }

    /// Starts a service.
    pub fn begin(&self, scene: &Arc<Scene>, partitions: u32) -> Running {
        let (life, deps) = self.deps(scene, partitions);
        self.begin_with(life, deps)
    }

    pub fn begin_with(&self, life: u32, deps: Deps) -> Running {
        let cancel = CancellationToken::new();
        let task = tokio::spawn(yiping_runner::run::<D>(self.stream, deps, cancel.clone()));
        Running { task, cancel, life }
    }

    /// Puts records into the scene's log; where each partition ends then.
    pub async fn feed(&self, scene: &Scene, partitions: u32, records: Vec<NewRecord>) -> BTreeMap<u32, Offset> {
        let topic = self.stream.topic();
        scene.log.ensure_topic(topic, partitions).await.unwrap();
        scene.log.append(records).await.unwrap();
        let mut heads = BTreeMap::new();
        for partition in 0..partitions {
            heads.insert(partition, scene.log.range(topic, partition).await.unwrap().1);
        }
        heads
    }

    /// Lets services work until everything before `heads` is stored, starting a new one whenever one dies. Nothing may fail but what
    /// the fault makes fail.
    pub async fn drain(&self, scene: &Arc<Scene>, heads: &BTreeMap<u32, Offset>) {
        let partitions = u32::try_from(heads.len()).unwrap();
        let mut running = self.begin(scene, partitions);
        let began = Instant::now();
        loop {
            tokio::select! {
                () = scene.crash.notified() => {
                    running.kill().await;
                    running = self.begin(scene, partitions);
                }
                ended = &mut running.task => {
                    ended.unwrap().unwrap();
                    assert!(running.cancel.is_cancelled(), "{:?}: the service ended by itself", scene.fault);
                    return;
                }
                () = tokio::time::sleep(Duration::from_millis(20)) => {
                    if stored(scene, heads) {
                        running.cancel.cancel();
                    }
                }
            }
            assert!(running.life <= MOST_LIVES, "{:?}: the service does not recover", scene.fault);
            assert!(began.elapsed() < PATIENCE, "{:?}: not everything is stored: {heads:?}", scene.fault);
        }
    }

    /// The whole slice through services with this fault; what is left when everything is over.
    pub async fn play(&self, mut scene: Scene, partitions: u32) -> Arc<Scene> {
        scene.at_once = scene.at_once.max(1);
        let scene = Arc::new(scene);
        let heads = self.feed(&scene, partitions, self.records(partitions)).await;
        self.drain(&scene, &heads).await;
        scene.land_all().await;
        scene
    }

    /// Every record went somewhere, once.
    pub fn counters(&self, scene: &Scene) -> Counters {
        let newest = |kept: &mut crate::support::Kept| -> Counters {
            let generation = kept.status.keys().map(|id| id.0).max().unwrap_or(0);
            let mut all = Counters::default();
            for (_, row) in kept.status.iter().filter(|((of, _), _)| *of == generation) {
                all.accepted += row.accepted;
                all.duplicates += row.duplicates;
                all.late += row.late;
                all.quarantined += row.quarantined;
                all.rejected += row.rejected;
            }
            all
        };
        scene.store.look(newest)
    }
}

/// Whether each partition has a checkpoint at its end.
pub fn stored(scene: &Scene, heads: &BTreeMap<u32, Offset>) -> bool {
    scene.store.look(|kept| {
        heads.iter().all(|(partition, head)| kept.checkpoints.keys().any(|(of, _, to)| of == partition && to >= head))
    })
}
