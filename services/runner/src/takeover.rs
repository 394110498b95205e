//! Becoming a partition's owner: the newest checkpoint, then the log from there (I4); and what is done where the two don't fit.

use std::sync::Arc;

use anyhow::Context;
use sha2::Digest;
use yiping_event::{Stream, TimeMs};
use yiping_log::{Log, Offset};
use yiping_runtime::config::Ticks;
use yiping_store::{CheckpointId, ConfigRow};
use yiping_window::{Domain, Machine, MetricSpec, Settings};

use crate::{checkpoint, generation::Life, partition::own_record, rows::Origin, sink::Sink};

/// What all partitions of a service share.
pub struct Shared {
    pub stream: Stream,
    pub specs: Vec<MetricSpec>,
    pub log: Arc<dyn Log>,
    pub store: Arc<dyn Sink>,
    pub settings: Settings,
    pub ticks: Ticks,
}

/// A partition ready to be worked on.
pub struct Loaded<D: Domain> {
    pub origin: Origin,
    pub machine: Machine<D>,
    /// The next record to apply.
    pub next: Offset,
    pub head: Offset,
    /// The settings, where they had to be stated.
    pub config: Option<ConfigRow>,
}

pub enum Outcome<D: Domain> {
    Loaded(Box<Loaded<D>>),
    /// The log holds other records than those that the state took in, or fewer: it was made anew under its old name.
    AnotherLog,
}

/// How a log goes on from a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Continuity {
    GoesOn,
    /// So many records between are gone.
    Gap(u64),
    AnotherLog,
}

impl Shared {
    /// A machine at the beginning of its partition.
    ///
    /// # Errors
    /// When the settings can't be used.
    pub fn fresh<D: Domain>(&self) -> anyhow::Result<Machine<D>> {
        Machine::new(self.stream, &self.specs, self.settings.clone())
            .map_err(|error| anyhow::anyhow!("settings: {error}"))
    }

    /// The newest state that can be read, of this generation or one before.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn newest<D: Domain>(
        &self,
        life: &Life,
        partition: u32,
    ) -> anyhow::Result<Option<(CheckpointId, Machine<D>)>> {
        let ids = self.store.checkpoints(self.stream.as_str(), partition).await?;
        for id in ids.into_iter().filter(|id| id.generation <= life.number) {
            match self.read(&id).await? {
                Ok(machine) => return Ok(Some((id, machine))),
                Err(reason) => {
                    tracing::error!(stream = %self.stream, partition, offset = id.offset, reason, "a checkpoint can't be read, taking the one before");
                }
            }
        }
        Ok(None)
    }

    /// A checkpoint's machine; the inner error says why it is none.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn read<D: Domain>(&self, id: &CheckpointId) -> anyhow::Result<Result<Machine<D>, String>> {
        Ok(match self.store.checkpoint_parts(id).await? {
            Ok(parts) => checkpoint::machine::<D>(self.stream, &self.specs, &parts).map_err(|error| error.0),
            Err(reason) => Err(reason),
        })
    }

    /// Takes a partition over.
    ///
    /// # Errors
    /// When the store or the log doesn't answer.
    pub async fn load<D: Domain>(&self, life: &Life, partition: u32) -> anyhow::Result<Outcome<D>> {
        let (stream, topic) = (self.stream, self.stream.topic());
        let found = self.newest::<D>(life, partition).await.context("reading the checkpoint")?;
        let (first, head) = self.log.range(topic, partition).await.context("asking for the log's range")?;
        let (machine, next) = match found {
            None => (self.fresh()?, first),
            Some((id, mut machine)) if id.generation < life.number => {
                let next = self.first_of_new_life(life, &id, machine.append(), partition, (first, head)).await?;
                machine.hole(None); // what the old log got after this state is lost
                if let Some(from) = life.from_ms.map(TimeMs).or(machine.horizon()) {
                    machine.begin_generation(from);
                }
                (machine, next)
            }
            Some((id, mut machine)) => {
                match self.continuity(partition, id.offset, machine.append(), (first, head)).await? {
                    Continuity::GoesOn => {}
                    Continuity::AnotherLog => return Ok(Outcome::AnotherLog),
                    Continuity::Gap(records) => {
                        tracing::error!(%stream, partition, records, next = id.offset, first, "the log starts after the checkpoint: records were removed unread; figures of their time are marked incomplete");
                        machine.hole(Some(records));
                    }
                }
                (machine, id.offset.max(first))
            }
        };
        let origin = Origin { stream: Arc::from(stream.as_str()), generation: life.number, partition };
        let config = self.state_settings(&machine, &origin, head).await?;
        let (_, head) = self.log.range(topic, partition).await.context("asking for the log's range")?;
        Ok(Outcome::Loaded(Box::new(Loaded { origin, machine, next, head, config })))
    }

    /// Whether the log goes on where the state ends: the record before it must be the one that the state took in last.
    async fn continuity(
        &self,
        partition: u32,
        next: Offset,
        append: Option<TimeMs>,
        (first, head): (Offset, Offset),
    ) -> anyhow::Result<Continuity> {
        if head < next {
            return Ok(Continuity::AnotherLog);
        }
        if first > next {
            return Ok(Continuity::Gap(first - next));
        }
        if first == next {
            return Ok(Continuity::GoesOn); // the record before is gone, as it may be
        }
        let last = self.log.read(self.stream.topic(), partition, next - 1, 1).await.context("reading the log")?;
        let same = match (last.first(), append) {
            (Some(last), Some(append)) if last.offset < next => last.append_ms <= append.0,
            _ => true, // nothing to compare
        };
        Ok(if same { Continuity::GoesOn } else { Continuity::AnotherLog })
    }

    /// Where reading begins in a log that is not the state's: at its first record, or, where the same log only lost its end, after
    /// what the state has.
    async fn first_of_new_life(
        &self,
        life: &Life,
        id: &CheckpointId,
        append: Option<TimeMs>,
        partition: u32,
        (first, head): (Offset, Offset),
    ) -> anyhow::Result<Offset> {
        let lives = self.store.generations(self.stream.as_str()).await?;
        let same = lives.iter().any(|row| row.generation == id.generation && row.fingerprint == life.fingerprint);
        match append.filter(|_| same) {
            Some(append) => Ok(first_after(&*self.log, self.stream.topic(), partition, append.0, (first, head)).await?),
            None => Ok(first),
        }
    }

    /// Writes our settings into the partition where it doesn't state them yet: they shape results, so they are data (I1).
    async fn state_settings<D: Domain>(
        &self,
        machine: &Machine<D>,
        origin: &Origin,
        head: Offset,
    ) -> anyhow::Result<Option<ConfigRow>> {
        if self.ticks != Ticks::Append || machine.recorded_settings() == Some(&self.settings) {
            return Ok(None);
        }
        let text = serde_json::to_string(&self.settings)?;
        let hash = hex::encode(sha2::Sha256::digest(&text));
        let time = TimeMs(yiping_runtime::clock::unix_ms());
        let id = format!("config-{}-{head}", origin.partition);
        let record = own_record(origin, &id, "city.config", time, serde_json::json!({ "hash": hash, "text": text }));
        let placed = self.log.append(vec![record]).await.context("writing the settings into the log")?;
        Ok(placed.first().map(|&(partition, from_offset)| ConfigRow {
            stream: Arc::clone(&origin.stream),
            generation: origin.generation,
            partition,
            from_offset,
            time_ms: time.0,
            hash,
            text,
        }))
    }
}

/// The first record that the log took in after `append_ms`; its end where there is none.
pub async fn first_after(
    log: &dyn Log,
    topic: &str,
    partition: u32,
    append_ms: i64,
    (first, head): (Offset, Offset),
) -> yiping_log::Result<Offset> {
    let (mut low, mut high) = (first, head);
    while low < high {
        let middle = low + (high - low) / 2;
        match log.read(topic, partition, middle, 1).await?.first() {
            Some(record) if record.append_ms <= append_ms => low = record.offset + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
