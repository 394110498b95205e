//! `city.in.*`: topics that departments with a Kafka of their own write to. Only the gateway reads them (I11): each record is one event,
//! judged as over HTTP, and passed on to the stream's topic; what is refused goes to the rejects.
//!
//! The topic's append time is the log time, and the place is committed after what came of it is durable. After a crash records are read
//! again, with the same ids and log times: they count once (I7).

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use yiping_event::{Stream, TimeMs};
use yiping_log::Record;

use crate::follow::{Batch, follow};
use crate::intake::Judged;
use crate::problem::Problem;
use crate::server::Gateway;
use crate::split::Form;
use crate::tokens::Token;

/// The consumer group of all gateways.
const GROUP: &str = "yiping-gateway-in";

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
    let inlets: BTreeMap<&str, Arc<Token>> =
        gateway.deps.inlets.iter().map(|(stream, token)| (in_topic(*stream), token.clone())).collect();
    if inlets.is_empty() {
        return Ok(());
    }
    let log = gateway.deps.log.clone();
    for topic in inlets.keys() {
        log.ensure_topic(topic, gateway.deps.partitions).await.with_context(|| format!("topic {topic}"))?;
    }
    let topics: Vec<&str> = inlets.keys().copied().collect();
    let take = |Batch { topic, records, .. }: Batch| {
        let (gateway, token) = (gateway.clone(), inlets.get(&*topic).cloned());
        async move {
            match token {
                Some(token) => pass_on(gateway, token, records).await,
                None => true, // nobody asked for this topic
            }
        }
    };
    follow(&*log, GROUP, &topics, take, &cancel).await
}

/// Whether what the records became is durable.
async fn pass_on(gateway: Arc<Gateway>, token: Arc<Token>, records: Arc<Vec<Record>>) -> bool {
    let judging = {
        let gateway = gateway.clone();
        tokio::task::spawn_blocking(move || {
            let mut judged = Judged::default();
            for record in records.iter() {
                gateway.judge_at(TimeMs(record.append_ms), Form::One, &token, &record.payload, &mut judged)?;
            }
            Ok::<_, Problem>(judged)
        })
    };
    let Ok(Ok(mut judged)) = judging.await else { return false };
    // (why it failed has been logged, and stands in the readiness)
    if gateway.make_durable(&mut judged).await.is_err() {
        return false;
    }
    gateway.count(&judged);
    true
}
