//! What was refused: its record in the log, the list that a token sees of its own, and the way to the table.
//!
//! A record holds the first bytes of what was sent, for whoever has to find the fault; numbers and plates of persons are masked in
//! them, but names and addresses may stand there: so the record stays in the log. What goes on from here ([`RejectSeen`]) has no bytes.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use yiping_event::{Code, Reject, Stream, TimeMs};
use yiping_log::{Log, NewRecord, Offset, Partition, Poll, Record};

use crate::judge::Hint;
use crate::personal;
use crate::tokens::Token;

/// The log's topic of rejects.
pub const REJECTS_TOPIC: &str = "city.rejects";
/// Of what was refused, so many bytes are kept.
const KEPT_BYTES: usize = 4 << 10;
/// No number or plate is longer.
const LONGEST_FINDING: usize = 128;
/// A token's own list looks at so many newest records of a partition.
const LOOK_BACK: u64 = 5_000;
/// Between two tries of a sink that fails.
const RETRY: Duration = Duration::from_secs(1);

/// A reject as `city.rejects` holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectRecord {
    /// When it was refused.
    #[serde(with = "yiping_event::time::rfc3339")]
    pub time: TimeMs,
    /// Empty where none could be read, or one that the token may not use.
    pub source: String,
    /// The token's name, never the token.
    pub token: String,
    pub stream: Option<Stream>,
    pub code: Code,
    pub pointer: String,
    pub message: String,
    pub id: Option<String>,
    /// Place in its request.
    pub index: usize,
    /// The first 4 KiB of what was sent, base64; with stars for what looks like a person's number or plate.
    pub bytes: String,
    /// How many bytes were sent.
    pub bytes_len: usize,
}

impl RejectRecord {
    pub(crate) fn new(time: TimeMs, token: &Token, index: usize, sent: &[u8], reject: Reject) -> Self {
        let Hint { source, stream } = Hint::of(sent, token);
        let Reject { code, pointer, message, id } = reject;
        // what says where it came from may itself be what must not be kept
        let is_kept = |text: &String| personal::find(text).is_none();
        let (source, id) = (Some(source).filter(is_kept).unwrap_or_default(), id.filter(is_kept));
        Self {
            time,
            source,
            token: token.name.clone(),
            stream,
            code,
            pointer,
            message,
            id,
            index,
            bytes: BASE64.encode(kept(sent)),
            bytes_len: sent.len(),
        }
    }

    /// As it goes into the log.
    pub(crate) fn record(&self) -> serde_json::Result<NewRecord> {
        Ok(NewRecord {
            topic: REJECTS_TOPIC.into(),
            partition: None,
            key: Some(Bytes::copy_from_slice(self.token.as_bytes())),
            payload: serde_json::to_vec(self)?.into(),
        })
    }
}

/// What is kept of the bytes that were sent. Masked before they are cut: a number may stand at the cut.
fn kept(sent: &[u8]) -> Vec<u8> {
    let mut kept = personal::mask(&sent[..sent.len().min(KEPT_BYTES + LONGEST_FINDING)]);
    kept.truncate(KEPT_BYTES);
    kept
}

/// The newest rejects of one token, newest first, at most `limit`, from the newest 5,000 records of each partition.
pub(crate) async fn newest(log: &dyn Log, token: &str, limit: usize) -> yiping_log::Result<Vec<RejectRecord>> {
    let mut own = Vec::new();
    for partition in 0..log.partitions(REJECTS_TOPIC).await? {
        let (first, next) = log.range(REJECTS_TOPIC, partition).await?;
        let mut from = first.max(next.saturating_sub(LOOK_BACK));
        while from < next {
            let records = log.read(REJECTS_TOPIC, partition, from, 1_000).await?;
            let Some(last) = records.last() else { break };
            from = last.offset + 1;
            own.extend(
                records
                    .iter()
                    .filter_map(|r| serde_json::from_slice::<RejectRecord>(&r.payload).ok())
                    .filter(|r| r.token == token),
            );
        }
    }
    own.reverse();
    // Stable: within one time, the last appended stays first.
    own.sort_by_key(|reject| std::cmp::Reverse(reject.time));
    own.truncate(limit);
    Ok(own)
}

/// A reject on its way to the table: where it is in the log, and everything but its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectSeen {
    pub partition: Partition,
    pub offset: Offset,
    pub time: TimeMs,
    pub source: String,
    pub token: String,
    pub stream: Option<Stream>,
    pub code: Code,
    pub pointer: String,
    pub message: String,
    pub id: Option<String>,
    pub bytes_len: u64,
}

impl RejectSeen {
    /// What is no reject is passed over: the topic may be written by later versions.
    fn of(partition: Partition, record: &Record) -> Option<Self> {
        let RejectRecord { time, source, token, stream, code, pointer, message, id, bytes_len, .. } =
            serde_json::from_slice(&record.payload).ok()?;
        let (offset, bytes_len) = (record.offset, bytes_len as u64);
        Some(Self { partition, offset, time, source, token, stream, code, pointer, message, id, bytes_len })
    }
}

/// Follows `city.rejects` from where the group left off and hands the rejects to `sink` until `cancel`. The place is
/// committed after the sink has returned, so that a reject is handed over at least once, with the same
/// (partition, offset). A sink that fails is tried again every second.
pub async fn collect_rejects<S, F>(
    log: Arc<dyn Log>,
    group: &str,
    sink: S,
    cancel: CancellationToken,
) -> anyhow::Result<()>
where
    S: Fn(Vec<RejectSeen>) -> F,
    F: Future<Output = anyhow::Result<()>>,
{
    log.ensure_topic(REJECTS_TOPIC, 1).await.context("the topic of rejects")?;
    let mut consumer = log.consumer(group, &[REJECTS_TOPIC]).await.context("consuming the rejects")?;
    loop {
        let polled = tokio::select! {
            () = cancel.cancelled() => break,
            polled = consumer.poll(1_000, Duration::from_secs(1)) => polled,
        };
        match polled {
            Ok(Poll::Assigned(places)) => {
                for (topic, partition) in places {
                    let from = consumer.committed(&topic, partition).await?.unwrap_or(0);
                    consumer.seek(&topic, partition, from).await?;
                }
            }
            Ok(Poll::Records { topic, partition, records, .. }) => {
                let seen: Vec<_> = records.iter().filter_map(|record| RejectSeen::of(partition, record)).collect();
                while let Err(error) = sink(seen.clone()).await {
                    tracing::warn!(error = format!("{error:#}"), "rejects can't be stored; trying again");
                    tokio::select! {
                        () = cancel.cancelled() => return Ok(consumer.close().await?),
                        () = tokio::time::sleep(RETRY) => {}
                    }
                }
                if let Some(last) = records.last() {
                    consumer.commit(&topic, partition, last.offset + 1).await?;
                }
            }
            Ok(Poll::Revoked(_) | Poll::Idle) => {}
            Err(error) if error.is_retriable() => {
                tracing::warn!(%error, "the rejects can't be read; trying again");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => return Err(error).context("consuming the rejects"),
        }
    }
    Ok(consumer.close().await?)
}
