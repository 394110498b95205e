//! The life of a process: parts are started by name, the first that fails stops all, and a signal drains them in order.
//!
//! The order of draining is the reverse of starting: what lets events in is started last and stops first, so that what
//! stores them sees everything that was let in. This page knows no part by name.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::admin::Health;

/// The whole drain takes no longer than this, whatever the parts' budgets say.
const DRAIN: Duration = Duration::from_secs(5);
/// As a shell reports a program that ctrl-C ended.
const EXIT_INTERRUPTED: i32 = 130;

/// A part's end that nobody asked for.
#[derive(Debug, thiserror::Error)]
#[error("{part} failed: {error:#}")]
pub struct PartFailed {
    pub part: String,
    pub error: anyhow::Error,
}

/// The running parts of one process.
pub struct Life {
    health: Health,
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    parts: Vec<Part>,
}

struct Part {
    name: String,
    cancel: CancellationToken,
    drain: Duration,
    id: Id,
    abort: AbortHandle,
    running: bool,
}

impl Life {
    pub fn new(health: Health) -> Self {
        Self { health, stop: CancellationToken::new(), tasks: JoinSet::new(), parts: Vec::new() }
    }

    /// Cancelling this stops the process as a signal would; it is cancelled when the process begins to stop.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a part. Its token tells it when to end; it then has `drain` to do so before it is aborted. An `Ok` before
    /// that is a part with nothing left to do, an `Err` or a panic stops the process.
    pub fn spawn<F, Fut>(&mut self, name: impl Into<String>, drain: Duration, part: F)
    where
        F: FnOnce(CancellationToken) -> Fut,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let cancel = CancellationToken::new();
        let abort = self.tasks.spawn(part(cancel.clone()));
        self.parts.push(Part { name: name.into(), cancel, drain, id: abort.id(), abort, running: true });
    }

    /// Runs until ctrl-C, SIGTERM, [`Life::stopping`], the first failure or the end of all parts; then drains. A second
    /// signal ends the process at once.
    pub async fn run(self) -> Result<(), PartFailed> {
        let signals = || Ok::<_, std::io::Error>((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?));
        let (mut interrupt, mut terminate) = match signals() {
            Ok(both) => both,
            Err(error) => return Err(PartFailed { part: "signals".into(), error: error.into() }),
        };
        let stop = self.stop.clone();
        let listening = tokio::spawn(async move {
            for count in 1.. {
                tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => () }
                if count > 1 {
                    std::process::exit(EXIT_INTERRUPTED);
                }
                tracing::info!("stopping; once more ends at once");
                stop.cancel();
            }
        });
        let end = self.run_until_stopped().await;
        listening.abort();
        end
    }

    /// As [`Life::run`], without the signals.
    pub async fn run_until_stopped(mut self) -> Result<(), PartFailed> {
        let mut failure = None;
        while failure.is_none() {
            tokio::select! {
                () = self.stop.cancelled() => break,
                ended = self.tasks.join_next_with_id() => match ended {
                    None => break,
                    Some(ended) => failure = self.ended(ended),
                },
            }
        }
        self.health.drain();
        self.stop.cancel();
        if let Some(failed) = &failure {
            tracing::error!(
                part = failed.part,
                error = format!("{:#}", failed.error),
                "a part failed; stopping the others"
            );
        }
        let later = self.drain().await;
        failure.or(later).map_or(Ok(()), Err)
    }

    /// Stops the parts one by one, last started first.
    async fn drain(&mut self) -> Option<PartFailed> {
        let last = Instant::now() + DRAIN;
        let mut failure = None;
        for index in (0..self.parts.len()).rev() {
            let part = &self.parts[index];
            part.cancel.cancel();
            let until = last.min(Instant::now() + part.drain);
            while self.parts[index].running {
                let Ok(ended) = timeout_at(until, self.tasks.join_next_with_id()).await else {
                    let Part { name, abort, .. } = &self.parts[index];
                    tracing::warn!(part = name, "did not drain in time; cut off");
                    abort.abort();
                    break;
                };
                let Some(ended) = ended else { break };
                failure = failure.or(self.ended(ended));
            }
        }
        failure
    }

    /// Notes a part's end; gives its failure, if it was one.
    fn ended(&mut self, ended: Result<(Id, anyhow::Result<()>), JoinError>) -> Option<PartFailed> {
        let (id, result) = match ended {
            Ok((id, result)) => (id, result),
            Err(error) => {
                (error.id(), if error.is_cancelled() { Ok(()) } else { Err(anyhow::anyhow!("panicked: {error}")) })
            }
        };
        let part = self.parts.iter_mut().find(|part| part.id == id)?;
        part.running = false;
        tracing::debug!(part = part.name, "ended");
        result.err().map(|error| PartFailed { part: part.name.clone(), error })
    }
}
