//! `city.in.*`: topics that departments with a Kafka of their own write to. Only the gateway reads them (I11): each record is one event,
//! judged as over HTTP, and passed on to the stream's topic; what is refused goes to the rejects.
//!
//! The topic's append time is the log time, and the place is committed after what came of it is durable. After a crash records are read
//! again, with the same ids and log times: they count once (I7).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use yiping_event::{Stream, TimeMs};
use yiping_log::{Poll, Record};

use crate::intake::Judged;
use crate::rejects::{Part, Refusals};
use crate::server::Gateway;
use crate::tokens::Token;

/// The consumer group of all gateways.
const GROUP: &str = "yiping-gateway-in";
/// Records judged at once.
const BATCH: usize = 1_000;
/// Between two tries of a log that fails.
const RETRY: Duration = Duration::from_secs(1);

/// The raw topics that are read, each with the permission of whoever writes to it.
pub type Inlets = BTreeMap<Stream, Arc<Token>>;

/// The topic that a department writes a stream's events to.
#[must_use]
pub const fn in_topic(stream: Stream) -> &'static str {
    match stream {
        Stream::Bus => "city.in.bus",
        Stream::Parking => "city.in.parking",
        Stream::Hotline => "city.in.hotline",
        Stream::Elder => "city.in.elder",
    }
}

/// The topics of the streams, each with the sources that may stand in its events (patterns as a token's).
#[must_use]
pub fn inlets(sources: impl IntoIterator<Item = (Stream, Vec<String>)>) -> Inlets {
    let token = |(stream, sources): (Stream, Vec<String>)| {
        let token = Token {
            name: in_topic(stream).to_owned(),
            sha256: [0; 32], // presented by nobody: it is in no file
            streams: vec![stream],
            sources,
            rights: std::collections::BTreeSet::new(),
            expires: None,
            events_per_s: None,
        };
        (stream, Arc::new(token))
    };
    sources.into_iter().map(token).collect()
}

/// Reads them until `cancel`.
pub(crate) async fn run(gateway: Arc<Gateway>, cancel: CancellationToken) -> anyhow::Result<()> {
    let streams: BTreeMap<&str, Stream> =
        gateway.deps.inlets.keys().map(|stream| (in_topic(*stream), *stream)).collect();
    if streams.is_empty() {
        return Ok(());
    }
    let log = &gateway.deps.log;
    for topic in streams.keys() {
        log.ensure_topic(topic, gateway.deps.partitions).await.with_context(|| format!("topic {topic}"))?;
    }
    let topics: Vec<&str> = streams.keys().copied().collect();
    let mut consumer =
        log.consumer(GROUP, &topics).await.with_context(|| format!("consuming {}", topics.join(", ")))?;
    loop {
        let polled = tokio::select! {
            () = cancel.cancelled() => break,
            polled = consumer.poll(BATCH, Duration::from_secs(1)) => polled,
        };
        match polled {
            Ok(Poll::Assigned(places)) => {
                for (topic, partition) in places {
                    let from = consumer.committed(&topic, partition).await?.unwrap_or(0);
                    consumer.seek(&topic, partition, from).await?;
                }
            }
            Ok(Poll::Records { topic, partition, records, .. }) => {
                let (Some(stream), Some(last)) = (streams.get(topic.as_str()), records.last()) else { continue };
                let next = last.offset + 1;
                let records = Arc::new(records);
                while !pass_on(&gateway, *stream, &records).await {
                    tokio::select! {
                        () = cancel.cancelled() => return Ok(consumer.close().await?),
                        () = tokio::time::sleep(RETRY) => {}
                    }
                }
                consumer.commit(&topic, partition, next).await?;
            }
            Ok(Poll::Revoked(_) | Poll::Idle) => {}
            Err(error) if error.is_retriable() => {
                tracing::warn!(%error, "the departments' topics can't be read; trying again");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => return Err(error).context("consuming the departments' topics"),
        }
    }
    Ok(consumer.close().await?)
}

/// Whether what the records became is durable.
async fn pass_on(gateway: &Arc<Gateway>, stream: Stream, records: &Arc<Vec<Record>>) -> bool {
    let judging = {
        let (gateway, records) = (gateway.clone(), records.clone());
        tokio::task::spawn_blocking(move || gateway.judge_records(stream, &records))
    };
    let Ok(mut judged) = judging.await else { return false };
    // (why it failed has been logged, and stands in the readiness)
    if gateway.make_durable(&mut judged).await.is_err() {
        return false;
    }
    gateway.count(&judged);
    true
}

impl Gateway {
    fn judge_records(&self, stream: Stream, records: &[Record]) -> Judged {
        let mut judged = Judged::default();
        let Some(token) = self.deps.inlets.get(&stream) else { return judged };
        for record in records {
            let now = TimeMs(record.append_ms);
            match self.judge_of(token, now).judge(&record.payload) {
                Ok(accepted) => self.place(accepted, &mut judged),
                Err(reject) => {
                    let refusals = Refusals { time: now, token, seal: &self.deps.seal, feed: None };
                    judged.rejects.push(refusals.of(0, Part::Event, &record.payload, reject));
                }
            }
        }
        judged
    }
}
