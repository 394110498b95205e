//! A stream's state taken to another log, or to another number of partitions: a new generation (I4).

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use yiping_event::Stream;
use yiping_log::{Log, Offset, partition_for_key};
use yiping_window::{Domain, Machine, Output, repartition};

use super::{Base, Gathered, Upkeep, newest_life, replay};
use crate::{checkpoint, generation, sink::Sink};

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocated {
    pub generation: u16,
    pub from_partitions: u32,
    pub partitions: u32,
    /// Records that the service had not stored yet.
    pub records: u64,
}

/// A service at work publishes its time at least every other second.
const WATCH: Duration = Duration::from_secs(5);

/// Whether somebody publishes the stream's time.
async fn is_running(store: &dyn Sink, stream: Stream) -> anyhow::Result<bool> {
    let before = store.published_until(stream.as_str()).await?;
    tokio::time::sleep(WATCH).await;
    Ok(store.published_until(stream.as_str()).await? != before)
}

/// Reads the old log to its end, writes what that makes, divides the state anew, and begins a generation on the log `to`. The
/// stream's service must not run. `partitions`: of the new topic; `None`: as many as it has, or as the old one had.
///
/// # Errors
/// When a log or the store doesn't answer, the target holds records already, or some state can't be divided.
pub async fn relocate<D: Domain>(
    upkeep: &Upkeep,
    stream: Stream,
    to: Arc<dyn Log>,
    partitions: Option<u32>,
) -> anyhow::Result<Relocated> {
    let shared = upkeep.shared(stream);
    let topic = stream.topic();
    let life = newest_life(&shared).await?;
    let fingerprint = shared.log.fingerprint(topic).await.context("asking which log --from is")?;
    if life.fingerprint != fingerprint {
        if to.fingerprint(topic).await.is_ok_and(|target| target == life.fingerprint) {
            bail!("{stream} is on the log --to already (generation {})", life.number);
        }
        bail!("the state of {stream} is not of the log --from: it is of generation {}", life.number);
    }
    if is_running(&*shared.store, stream).await? {
        bail!("the service of {stream} runs: stop it first");
    }
    let count = to.ensure_topic(topic, partitions.unwrap_or(life.partitions)).await.context("making the topic")?;
    if partitions.is_some_and(|wanted| wanted != count) {
        bail!(
            "topic {topic} of the log --to has {count} partitions already; give --partitions {count}, or make the topic anew"
        );
    }
    let target = to.fingerprint(topic).await?;
    let in_place = target == fingerprint;
    if in_place && count == life.partitions {
        bail!("{stream} is there already, with {count} partitions");
    }
    let mut begins = Vec::new();
    for partition in 0..count {
        let (first, head) = to.range(topic, partition).await?;
        if !in_place && head > first {
            bail!("topic {topic} of the log --to is not empty: partition {partition} has {} records", head - first);
        }
        begins.push(if in_place { first } else { head });
    }

    // the old log to its end, all partitions at the same time
    let mut ends: Vec<(Offset, Machine<D>)> = Vec::new();
    let mut records = 0;
    for partition in 0..life.partitions {
        let (first, head) = shared.log.range(topic, partition).await?;
        let mut base = match shared.newest::<D>(&life, partition).await? {
            Some((id, _)) if id.generation != life.number => {
                bail!(
                    "partition {partition} of {stream} was never stored in generation {}: start the service once",
                    life.number
                )
            }
            Some((id, machine)) if id.offset >= first => Base { machine, next: id.offset },
            Some(_) => {
                bail!("partition {partition}: the log begins after the newest checkpoint: start the service once")
            }
            None => Base { machine: shared.fresh()?, next: first },
        };
        records += head - base.next.min(head);
        let mut gathered = Gathered::new(&shared, &life, partition);
        replay(upkeep, &shared, partition, &mut base, head, async |out| {
            gathered.take(&mut out.rows, |_| true);
            gathered.write(&*shared.store, false).await
        })
        .await?;
        gathered.write(&*shared.store, true).await?;
        ends.push((head, base.machine));
    }
    if let Some(time) = ends.iter().filter_map(|(_, machine)| machine.time()).max() {
        for (partition, (head, machine)) in (0u32..).zip(&mut ends) {
            let mut out = Output::default();
            if machine.time().is_some() {
                machine.advance(time, *head, &mut out);
            }
            let mut gathered = Gathered::new(&shared, &life, partition);
            gathered.take(&mut out.rows, |_| true);
            gathered.write(&*shared.store, true).await?;
        }
    }
    if in_place {
        for (begin, (head, _)) in begins.iter_mut().zip(&ends) {
            *begin = *head; // everything before is in the state
        }
    }

    let place = |key: &str| partition_for_key(key.as_bytes(), count) as usize;
    let machines = ends.into_iter().map(|(_, machine)| machine).collect();
    let (machines, from) = repartition(stream, &shared.specs, machines, count as usize, &place)?;
    let number = life.number + 1;
    for ((partition, machine), begin) in (0u32..).zip(&machines).zip(&begins) {
        let parts = checkpoint::parts(machine).map_err(anyhow::Error::msg).context("writing the state")?;
        shared.store.save_checkpoint(stream.as_str(), partition, number, *begin, parts).await?;
    }
    // only now is it the stream's: whatever failed before leaves the old generation as it was
    let from_ms = from.map(|from| from.0);
    generation::begin(&*shared.store, stream, number, &target, count, from_ms).await?;
    Ok(Relocated { generation: number, from_partitions: life.partitions, partitions: count, records })
}
