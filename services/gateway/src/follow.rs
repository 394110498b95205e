//! Topics read to their end and beyond, each record at least once: the place is committed after what came of it is done.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use yiping_log::{Log, Partition, Poll, Record};

/// Records handed over at once.
const BATCH: usize = 1_000;
/// Between two tries, of the log or of whoever takes the records.
const RETRY: Duration = Duration::from_secs(1);

/// Records of one partition, in their order.
#[derive(Clone)]
pub(crate) struct Batch {
    pub topic: Arc<str>,
    pub partition: Partition,
    pub records: Arc<Vec<Record>>,
}

/// Hands the topics' records to `take`, from where the group left off, until `cancel`. Records that it could not take are handed over
/// again every second.
pub(crate) async fn follow<F: Future<Output = bool>>(
    log: &dyn Log,
    group: &str,
    topics: &[&str],
    take: impl Fn(Batch) -> F,
    cancel: &CancellationToken,
) -> anyhow::Result<()> {
    let what = || format!("consuming {}", topics.join(", "));
    let mut consumer = log.consumer(group, topics).await.with_context(what)?;
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
                let Some(last) = records.last() else { continue };
                let next = last.offset + 1;
                let batch = Batch { topic: topic.as_str().into(), partition, records: Arc::new(records) };
                while !take(batch.clone()).await {
                    tokio::select! {
                        () = cancel.cancelled() => return Ok(consumer.close().await?),
                        () = tokio::time::sleep(RETRY) => {}
                    }
                }
                consumer.commit(&topic, partition, next).await?;
            }
            Ok(Poll::Revoked(_) | Poll::Idle) => {}
            Err(error) if error.is_retriable() => {
                tracing::warn!(%error, topics = topics.join(", "), "the log can't be read; trying again");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => return Err(error).with_context(what),
        }
    }
    Ok(consumer.close().await?)
}
