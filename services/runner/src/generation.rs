//! Which life of a stream's log its rows come from (I4).

use std::sync::Arc;

use anyhow::bail;
use tokio_util::sync::CancellationToken;
use yiping_event::Stream;
use yiping_store::{Batch, GenerationRow};
use yiping_window::Settings;

use crate::sink::Sink;

/// The generation that a service works in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    pub number: u16,
    /// Windows that end after this are its own, ms; `None`: all.
    pub from_ms: Option<i64>,
    pub fingerprint: String,
    pub partitions: u32,
}

impl From<&GenerationRow> for Life {
    fn from(row: &GenerationRow) -> Self {
        Life {
            number: row.generation,
            from_ms: row.from_ms,
            fingerprint: row.fingerprint.clone(),
            partitions: row.partitions,
        }
    }
}

/// The newest generation as long as it is of this log with as many partitions; else a new one.
///
/// # Errors
/// When the store doesn't answer, or the number of partitions has changed.
pub async fn settle(
    store: &dyn Sink,
    stream: Stream,
    fingerprint: &str,
    partitions: u32,
    settings: &Settings,
) -> anyhow::Result<Life> {
    let rows = store.generations(stream.as_str()).await?;
    let Some(newest) = rows.first() else {
        return begin(store, stream, 1, fingerprint, partitions, None).await;
    };
    if newest.fingerprint != fingerprint && rows.iter().any(|row| row.fingerprint == fingerprint) {
        bail!(LogLeft { stream, generation: newest.generation });
    }
    if newest.partitions != partitions {
        bail!(PartitionsChanged { stream, partitions, known: newest.partitions });
    }
    if newest.fingerprint == fingerprint {
        return Ok(Life::from(newest));
    }
    renew(store, stream, &Life::from(newest), fingerprint, settings).await
}

/// The generation after `old`: its log was made anew, or lost what the state holds already. Its windows begin where no event can
/// change those of the old one any more.
///
/// # Errors
/// When the store doesn't answer.
pub async fn renew(
    store: &dyn Sink,
    stream: Stream,
    old: &Life,
    fingerprint: &str,
    settings: &Settings,
) -> anyhow::Result<Life> {
    let until = store.published_until(stream.as_str()).await?;
    let from_ms = until.map(|until| until - settings.lateness_ms);
    tracing::warn!(%stream, generation = old.number + 1, "the log is not the one that the state comes from: a new generation begins");
    begin(store, stream, old.number + 1, fingerprint, old.partitions, from_ms).await
}

/// Writes a generation down.
///
/// # Errors
/// When the store doesn't answer.
pub async fn begin(
    store: &dyn Sink,
    stream: Stream,
    number: u16,
    fingerprint: &str,
    partitions: u32,
    from_ms: Option<i64>,
) -> anyhow::Result<Life> {
    let row = GenerationRow {
        stream: Arc::from(stream.as_str()),
        generation: number,
        fingerprint: fingerprint.to_owned(),
        partitions,
        from_ms,
        to_ms: None,
        revision: 1,
    };
    let life = Life::from(&row);
    store.write(&Batch { generations: vec![row], ..Batch::default() }, &CancellationToken::new()).await?;
    Ok(life)
}

/// The stream was moved away from this log.
#[derive(Debug, thiserror::Error)]
#[error(
    "stream {stream} was moved to another log (generation {generation}): set log.url to that one, or take the state back with `yiping move --stream {stream}`"
)]
pub struct LogLeft {
    pub stream: Stream,
    pub generation: u16,
}

/// Whether an error needs an operator: trying again can't help.
#[must_use]
pub fn is_final(error: &anyhow::Error) -> bool {
    error.downcast_ref::<PartitionsChanged>().is_some() || error.downcast_ref::<LogLeft>().is_some()
}

/// The log has another number of partitions than the state: nobody but its operator can say what was meant.
#[derive(Debug, thiserror::Error)]
#[error(
    "topic {} has {partitions} partitions, the stream's state has {known}: set the number back, or take the state along with `yiping move --stream {stream}`",
    stream.topic()
)]
pub struct PartitionsChanged {
    pub stream: Stream,
    pub partitions: u32,
    pub known: u32,
}
