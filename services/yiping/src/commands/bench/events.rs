//! The synthetic city with its usual faults, through the gateway's own judge into the log: receipt stamped, by key into its partition,
//! and behind every batch a tick for each partition, as a feed sends them whose time is not the machine's.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hasher},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use bytes::Bytes;
use tokio::{sync::mpsc, time::Instant};
use yiping_city::City;
use yiping_event::{Stream, TimeMs};
use yiping_gateway::{Accepted, Judge, Lateness, Place, Pseudonyms, Right, Token, new_token};
use yiping_log::{Log, NewRecord, Offset};
use yiping_runner::LATE_TOPIC;
use yiping_simulator::{Faults, Options, Simulator};

use super::ground::Ground;
use crate::cli::BenchArgs;

const SEED: u64 = 1;
/// 2026-11-20T06:00+08:00: the fleet drives out.
const START: TimeMs = TimeMs(1_795_125_600_000);
/// Events an append, as a feed sends them in a request.
const BATCH: usize = 1_000;
/// How often stderr says how far it is.
const SAY: Duration = Duration::from_secs(2);

/// What is in the log.
#[derive(Debug, Default)]
pub struct Filled {
    pub content: Content,
    /// Of each partition, by its number: where the service is to come to.
    pub ends: Vec<Offset>,
}

/// What tells records from others, whatever their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Content {
    /// Ticks apart.
    pub events: u64,
    pub ticks: u64,
    pub bytes: u64,
    /// The sum of their payloads' hashes.
    pub sum: u64,
}

impl Content {
    pub fn add(&mut self, payload: &[u8], is_tick: bool) {
        let mut hasher = DefaultHasher::new();
        hasher.write(payload);
        self.sum = self.sum.wrapping_add(hasher.finish());
        self.bytes += payload.len() as u64;
        *(if is_tick { &mut self.ticks } else { &mut self.events }) += 1;
    }
}

pub async fn fill(ground: &Ground, args: &BenchArgs, city: &Arc<City>) -> anyhow::Result<Filled> {
    let (stream, wanted) = (args.stream, args.events);
    let topic = stream.topic();
    let partitions = ground.log.ensure_topic(topic, args.partitions).await.context("making the topic")?;
    ground.log.ensure_topic(LATE_TOPIC, args.partitions).await.context("making the late topic")?;
    let source = Source {
        stream,
        wanted,
        partitions,
        token: new_token("bench", vec![stream], vec!["*".to_owned()], BTreeSet::from([Right::SetReceived]))?.token,
        // one of everybody's, so that the same arguments give the same bytes
        pseudonyms: Pseudonyms::of([0; 32]),
    };
    let (queue, mut batches) = mpsc::channel(4);
    let city = Arc::clone(city);
    let telling = tokio::task::spawn_blocking(move || source.tell(&city, &queue));
    let mut filled = Filled::default();
    let mut said = Instant::now();
    while let Some(records) = batches.recv().await {
        for record in &records {
            filled.content.add(&record.payload, record.key.is_none());
        }
        ground.log.append(records).await.context("appending events")?;
        let done = filled.content.events;
        if said.elapsed() >= SAY || done == wanted {
            said = Instant::now();
            eprintln!("generated {} of {}", thousands(done), thousands(wanted));
        }
    }
    telling.await.context("the synthetic city died")??;
    for partition in 0..partitions {
        filled.ends.push(ground.log.range(topic, partition).await?.1);
    }
    Ok(filled)
}

struct Source {
    stream: Stream,
    wanted: u64,
    partitions: u32,
    token: Token,
    pseudonyms: Pseudonyms,
}

impl Source {
    /// Runs on a thread of its own, as far ahead of the log as the queue lets it.
    fn tell(&self, city: &City, queue: &mpsc::Sender<Vec<NewRecord>>) -> anyhow::Result<()> {
        let options = Options { streams: vec![self.stream], faults: Faults::Usual, ..Options::new(SEED, START) };
        let mut batch = Vec::new();
        let mut told = 0;
        for line in Simulator::new(city, &options) {
            self.place(city, line.receive, line.json.as_bytes(), &mut batch)?;
            told += 1;
            let is_last = told == self.wanted;
            if batch.len() < BATCH && !is_last {
                continue;
            }
            // what came late is written as the next second begins: the last tick lets it begin
            let now = if is_last { line.receive.plus(1_000) } else { line.receive };
            self.place(city, now, self.tick(now).as_bytes(), &mut batch)?;
            if queue.blocking_send(std::mem::take(&mut batch)).is_err() || is_last {
                break;
            }
        }
        Ok(())
    }

    /// What the gateway would append for an event that it received at `now`.
    fn place(&self, city: &City, now: TimeMs, json: &[u8], batch: &mut Vec<NewRecord>) -> anyhow::Result<()> {
        let judge =
            Judge { city, pseudonyms: Some(&self.pseudonyms), token: &self.token, now, lateness: &Lateness::new() };
        let Accepted { place, json, .. } = judge
            .judge(json)
            .map_err(|reject| anyhow::anyhow!("the gateway would refuse this event: {}", reject.message))?;
        let payload = Bytes::from(json);
        let record = |partition, key| NewRecord {
            topic: self.stream.topic().to_owned(),
            partition,
            key,
            payload: payload.clone(),
        };
        match place {
            Place::ByKey(key) => batch.push(record(None, Some(Bytes::from(key)))),
            Place::EveryPartition => batch.extend((0..self.partitions).map(|partition| record(Some(partition), None))),
        }
        Ok(())
    }

    fn tick(&self, time: TimeMs) -> String {
        serde_json::json!({
            "specversion": "1.0", "id": format!("tick-{}", time.0), "source": "yiping/bench", "type": "city.tick",
            "time": time.to_string(), "data": { "stream": self.stream },
        })
        .to_string()
    }
}

/// 1234567 as 1,234,567.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
