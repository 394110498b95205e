//! What the drain is held against: the same records only read, by a consumer of the same log that does nothing else, and only decoded,
//! on one thread. On the way back from the log they are counted once more.

use std::{collections::BTreeMap, hint::black_box, time::Duration};

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::time::Instant;
use yiping_event::Stream;
use yiping_log::{Log, Poll};

use super::{
    events::{Content, Filled},
    ground::Ground,
    measure::{Moment, Spent},
    verify::Expected,
};

/// As many as the service takes at once.
const MOST_RECORDS: usize = 4_000;
const POLL: Duration = Duration::from_millis(100);
/// A log that gives nothing for so long has lost something.
const LOST: Duration = Duration::from_secs(60);

/// Reads the topic to where the service had to come to. The clock starts when the partitions are ours, as the drain's does.
pub async fn read_only(ground: &Ground, stream: Stream, filled: &Filled) -> anyhow::Result<Spent> {
    let topic = stream.topic();
    let mut consumer = ground.log.consumer("reader", &[topic]).await.context("joining a group")?;
    let mut began: Option<Moment> = None;
    let mut heard = Instant::now();
    // partitions that are not read to their end yet
    let mut left: BTreeMap<u32, u64> = (0..).zip(filled.ends.iter().copied()).filter(|(_, end)| *end > 0).collect();
    while !left.is_empty() {
        match consumer.poll(MOST_RECORDS, POLL).await.context("reading the log")? {
            Poll::Assigned(places) => {
                began.get_or_insert_with(Moment::now);
                for (_, partition) in places {
                    consumer.seek(topic, partition, 0).await?;
                }
            }
            Poll::Records { partition, records, .. } => {
                heard = Instant::now();
                let next = records.last().map_or(0, |last| last.offset + 1);
                black_box(records);
                if left.get(&partition).is_some_and(|end| next >= *end) {
                    left.remove(&partition);
                }
            }
            Poll::Revoked(_) | Poll::Idle => ensure!(heard.elapsed() < LOST, "the log doesn't give its records back"),
        }
    }
    let spent = began.map(|began| began.spent(Duration::ZERO)).unwrap_or_default();
    consumer.close().await?;
    Ok(spent)
}

/// How long decoding took, and what was read for it.
#[derive(Debug, Default)]
pub struct Decoded {
    pub content: Content,
    /// `serde_json` into its own `Value`.
    pub values: Duration,
    /// `yiping_event::decode`, into the borrowed event that the service works with.
    pub events: Duration,
}

/// Decodes every record in both ways, and lets `expected` count it.
pub async fn decode(
    ground: &Ground,
    stream: Stream,
    filled: &Filled,
    expected: &mut Expected,
) -> anyhow::Result<Decoded> {
    let mut decoded = Decoded::default();
    for (partition, end) in (0..).zip(&filled.ends) {
        let mut next = 0;
        while next < *end {
            let mut records = ground.log.read(stream.topic(), partition, next, MOST_RECORDS).await?;
            records.retain(|record| record.offset < *end);
            let Some(last) = records.last() else { break };
            next = last.offset + 1;
            let began = Instant::now();
            for record in &records {
                black_box(serde_json::from_slice::<Value>(&record.payload).is_ok());
            }
            decoded.values += began.elapsed();
            let began = Instant::now();
            for record in &records {
                black_box(yiping_event::decode(&record.payload).is_ok());
            }
            decoded.events += began.elapsed();
            for record in &records {
                decoded.content.add(&record.payload, record.key.is_none());
                expected.take(partition, &serde_json::from_slice(&record.payload)?)?;
            }
        }
    }
    Ok(decoded)
}

/// What the log gave back must be what was put in.
pub fn differences(filled: &Filled, decoded: &Decoded) -> Option<String> {
    (filled.content != decoded.content)
        .then(|| format!("put into the log: {:?}; read from it: {:?}", filled.content, decoded.content))
}
