//! What was refused: its record in the log, the list that a token sees of its own, and the way to the table.
//!
//! A record holds the first bytes of what was sent, for whoever has to find the fault, and to send it again once that is mended
//! (`replay.rs`). Anything may stand in them, so they are always sealed (`seal.rs`), and kept as long as the log keeps this topic: 7
//! days. What goes on from here ([`RejectSeen`], a token's own list) has no bytes.

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use yiping_event::{Code, Reject, Stream, TimeMs, personal};
use yiping_feed::Feed;
use yiping_log::{Log, NewRecord, Offset, Partition, Record};

use crate::follow::{Batch, follow};
use crate::judge::Hint;
use crate::seal::Seal;
use crate::tokens::Token;

/// The log's topic of rejects.
pub const REJECTS_TOPIC: &str = "city.rejects";
/// Of what was refused, so many bytes are kept: a row or an event that is longer can't be sent again.
pub const KEPT_BYTES: usize = 64 << 10;
/// A token's own list looks at so many newest records of a partition.
const LOOK_BACK: u64 = 5_000;
/// Records a read.
const READ: usize = 1_000;

/// What the kept bytes of a reject are, so that they can go through the same door again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// One event, as it was sent.
    Event,
    /// A whole body of `POST /v1/events` that could not be taken apart: an array …
    Array,
    /// … or lines.
    Lines,
    /// A feed's row as it was read: a JSON value.
    Row,
    /// A feed's row that could not be read: its text, after the header's where there is one, in UTF-8.
    Text,
    /// A feed's whole body.
    Body,
    /// Nothing: another reject of the same row has its bytes.
    #[default]
    Nothing,
}

/// A reject's place in the log: `PARTITION-OFFSET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RejectId {
    pub partition: Partition,
    pub offset: Offset,
}

impl fmt::Display for RejectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.partition, self.offset)
    }
}

impl FromStr for RejectId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.split_once('-').and_then(|(partition, offset)| partition.parse().ok().zip(offset.parse().ok()));
        let (partition, offset) =
            parts.ok_or_else(|| format!("'{text}' is no reject; `yiping rejects list` has them: 0-17"))?;
        Ok(Self { partition, offset })
    }
}

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
    /// Place in its request, from 0.
    pub index: usize,
    /// Of a feed's payload: where a person finds it, from 1 ([`yiping_feed::Row`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// The feed whose payload it was part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<String>,
    /// The file that it stood in, where it was pulled from one; nobody is named in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// When the source was asked for the row, where it was: the map's `$polled`.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "yiping_event::time::rfc3339::option")]
    pub polled: Option<TimeMs>,
    #[serde(default)]
    pub part: Part,
    /// Ids of the row's other events, which were accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<String>,
    /// The first 64 KiB of what was sent, sealed; never in a token's own list.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sealed: String,
    /// Which key opens them: the first 8 hex digits of its public half's SHA-256.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// How many bytes were sent.
    pub bytes_len: usize,
}

/// Makes the rejects of one request.
pub(crate) struct Refusals<'a> {
    pub time: TimeMs,
    pub token: &'a Token,
    pub seal: &'a Seal,
    pub feed: Option<&'a Feed>,
    pub polled: Option<TimeMs>,
}

impl Refusals<'_> {
    /// A reject without its bytes. `about`: where source and stream may be found.
    pub fn note(&self, index: usize, about: &[u8], reject: Reject) -> RejectRecord {
        let Hint { source, stream } = Hint::of(about, self.token);
        // (a row says neither; its feed does)
        let of_feed = self.feed.filter(|feed| source.is_empty() && self.token.may_send_as(&feed.source));
        let source = of_feed.map_or(source, |feed| feed.source.clone());
        let stream = stream.or(self.feed.and_then(|feed| feed.stream));
        let Reject { code, pointer, message, id } = reject;
        // what says where it came from may itself be what must not be kept
        let is_kept = |text: &String| personal::find(text).is_none();
        let (source, id) = (Some(source).filter(is_kept).unwrap_or_default(), id.filter(is_kept));
        RejectRecord {
            time: self.time,
            source,
            token: self.token.name.clone(),
            stream,
            code,
            pointer,
            message,
            id,
            index,
            row: None,
            feed: self.feed.map(|feed| feed.name.clone()),
            file: None,
            polled: self.polled,
            part: Part::Nothing,
            accepted: Vec::new(),
            sealed: String::new(),
            key: String::new(),
            bytes_len: about.len(),
        }
    }

    /// A reject of what was sent.
    pub fn of(&self, index: usize, part: Part, sent: &[u8], reject: Reject) -> RejectRecord {
        self.note(index, sent, reject).keeping(part, sent, self.seal)
    }
}

impl RejectRecord {
    pub(crate) fn keeping(mut self, part: Part, sent: &[u8], seal: &Seal) -> Self {
        (self.part, self.bytes_len) = (part, sent.len());
        self.sealed = seal.close(&sent[..sent.len().min(KEPT_BYTES)]);
        self.key = seal.key_id().to_owned();
        self
    }

    /// What it takes of the gateway's memory until it is answered, about: itself, its record, and its part of the answer.
    pub(crate) fn cost(&self) -> usize {
        const BESIDE_BYTES: usize = 1 << 10;
        BESIDE_BYTES + 2 * self.sealed.len()
    }

    /// As it goes into the log.
    pub(crate) fn record(&self) -> serde_json::Result<NewRecord> {
        new_record(&self.token, self)
    }
}

/// "This reject was sent again and is in": beside the rejects, written with the events that it became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Which, as [`RejectId`] is written.
    pub replayed: String,
    #[serde(with = "yiping_event::time::rfc3339")]
    pub time: TimeMs,
    /// How many events it became.
    pub events: u64,
    /// The token that sent it again.
    pub token: String,
}

impl Mark {
    pub fn record(&self) -> serde_json::Result<NewRecord> {
        new_record(&self.token, self)
    }
}

fn new_record(key: &str, value: &impl Serialize) -> serde_json::Result<NewRecord> {
    let payload = serde_json::to_vec(value)?.into();
    Ok(NewRecord {
        topic: REJECTS_TOPIC.into(),
        partition: None,
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        payload,
    })
}

/// A reject that the log still has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReject {
    pub at: RejectId,
    pub reject: RejectRecord,
    /// When it was sent again and accepted.
    pub replayed: Option<TimeMs>,
}

/// The rejects that the log has and that are `wanted`, oldest first.
///
/// # Errors
/// The log can't be read, or has no rejects' topic.
pub async fn kept_rejects(
    log: &dyn Log,
    wanted: impl Fn(RejectId, &RejectRecord) -> bool,
) -> yiping_log::Result<Vec<KeptReject>> {
    let (mut found, mut marks) = (Vec::new(), std::collections::HashMap::new());
    for partition in 0..log.partitions(REJECTS_TOPIC).await? {
        let (mut from, next) = log.range(REJECTS_TOPIC, partition).await?;
        while from < next {
            let records = log.read(REJECTS_TOPIC, partition, from, READ).await?;
            let Some(last) = records.last() else { break };
            from = last.offset + 1;
            for record in &records {
                let at = RejectId { partition, offset: record.offset };
                if let Ok(reject) = serde_json::from_slice::<RejectRecord>(&record.payload) {
                    if wanted(at, &reject) {
                        found.push(KeptReject { at, reject, replayed: None });
                    }
                } else if let Ok(mark) = serde_json::from_slice::<Mark>(&record.payload) {
                    marks.insert(mark.replayed, mark.time);
                }
            }
        }
    }
    for kept in &mut found {
        kept.replayed = marks.get(&kept.at.to_string()).copied();
    }
    found.sort_by_key(|kept| (kept.reject.time, kept.at));
    Ok(found)
}

/// A reject in its token's own list.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    /// What the sender may call it when asking the operator.
    reject: String,
    #[serde(flatten)]
    record: RejectRecord,
}

/// The newest rejects of one token, newest first, at most `limit`, from the newest 5,000 records of each partition; without bytes.
pub(crate) async fn newest(log: &dyn Log, token: &str, limit: usize) -> yiping_log::Result<Vec<Listed>> {
    let mut own = Vec::new();
    for partition in 0..log.partitions(REJECTS_TOPIC).await? {
        let (first, next) = log.range(REJECTS_TOPIC, partition).await?;
        let mut from = first.max(next.saturating_sub(LOOK_BACK));
        while from < next {
            let records = log.read(REJECTS_TOPIC, partition, from, READ).await?;
            let Some(last) = records.last() else { break };
            from = last.offset + 1;
            own.extend(records.iter().filter_map(|record| {
                let reject: RejectRecord = serde_json::from_slice(&record.payload).ok()?;
                let at = RejectId { partition, offset: record.offset };
                let shown = RejectRecord { sealed: String::new(), accepted: Vec::new(), ..reject };
                (shown.token == token).then(|| Listed { reject: at.to_string(), record: shown })
            }));
        }
    }
    own.reverse();
    // Stable: within one time, the last appended stays first.
    own.sort_by_key(|listed| std::cmp::Reverse(listed.record.time));
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
    let take = |Batch { partition, records, .. }: Batch| {
        let taken = sink(records.iter().filter_map(|record| RejectSeen::of(partition, record)).collect());
        async move {
            let taken = taken.await;
            if let Err(error) = &taken {
                tracing::warn!(error = format!("{error:#}"), "rejects can't be stored; trying again");
            }
            taken.is_ok()
        }
    };
    follow(&*log, group, &[REJECTS_TOPIC], take, &cancel).await
}
