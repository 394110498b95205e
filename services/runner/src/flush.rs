//! Rows, then checkpoint, then commit (I4): whatever fails in between, a restart begins where everything before it is stored, and
//! writes the same rows again.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use yiping_log::{Log, NewRecord, Offset};
use yiping_runtime::{Metrics, PartHandle};
use yiping_store::Batch;

use crate::sink::Sink;

/// A machine's state as of an offset, to be stored once its rows are.
pub struct Snapshot {
    pub partition: u32,
    pub generation: u16,
    pub next: Offset,
    pub parts: Vec<(String, Vec<u8>)>,
}

/// Everything that a service's partitions have to store at one moment.
pub struct Job {
    pub stream: Arc<str>,
    pub batch: Batch,
    pub late: Vec<NewRecord>,
    pub snapshots: Vec<Snapshot>,
    pub oldest_append_ms: Option<i64>,
}

pub struct Flusher {
    pub store: Arc<dyn Sink>,
    pub log: Arc<dyn Log>,
    pub metrics: Metrics,
    pub health: Arc<PartHandle>,
    pub stop: CancellationToken,
}

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Flusher {
    /// Stores a job, trying again until it is done. Returns the offsets that may be committed: those of its snapshots. `None` when
    /// it was stopped before: nothing may be committed then.
    pub async fn store(self: Arc<Self>, mut job: Job) -> Option<Vec<(u32, Offset)>> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.once(&mut job).await {
                Ok(()) => break,
                Err(error) => {
                    if self.stop.is_cancelled() {
                        return None;
                    }
                    self.metrics.store_errors.inc();
                    self.health.not_ready(format!("storing rows: {error:#}"));
                    tracing::warn!(stream = %job.stream, error = format!("{error:#}"), "storing rows failed, trying again");
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.stop.cancelled() => return None,
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        self.health.ready();
        self.metrics.store_rows.inc_by(job.batch.rows() as u64);
        if let Some(oldest) = job.oldest_append_ms {
            let age = yiping_runtime::clock::unix_ms() - oldest;
            self.metrics.event_to_row.observe(age.max(0) as f64 / 1_000.0);
        }
        Some(job.snapshots.iter().map(|snapshot| (snapshot.partition, snapshot.next)).collect())
    }

    async fn once(&self, job: &mut Job) -> anyhow::Result<()> {
        if !job.late.is_empty() {
            self.log.append(job.late.clone()).await?;
            job.late.clear();
        }
        self.store.write(&job.batch, &self.stop).await?;
        for snapshot in &job.snapshots {
            let Snapshot { partition, generation, next, parts } = snapshot;
            self.store.save_checkpoint(&job.stream, *partition, *generation, *next, parts.clone()).await?;
            let partition = partition.to_string();
            let labels = [&*job.stream, partition.as_str()];
            let now_s = yiping_runtime::clock::unix_ms() as f64 / 1_000.0;
            self.metrics.checkpoint.with_label_values(&labels).set(now_s);
        }
        Ok(())
    }
}
