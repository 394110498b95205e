//! When an owner ticks: only when everything that waited for it is applied (I2).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::MemorySink;
use tokio::{sync::Mutex, time::Instant};
use tokio_util::sync::CancellationToken;
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_event::{Stream, TimeMs};
use yiping_log::{Consumer, Log, MemoryLog, NewRecord, Offset, Partition, Poll, Record};
use yiping_parking::Parking;
use yiping_runner::Deps;
use yiping_runtime::{Config, Health, Metrics, config::Ticks};

const TOPIC: &str = "city.parking";
const HOUR_MS: i64 = 3_600_000;
/// Counts that wait: the last two hours, one every three minutes.
const WAITING: i64 = 40;
/// The log gives so many at a time.
const AT_ONCE: usize = 10;
/// And so rarely: longer than an owner needs to find a partition silent, or to have settled in.
const EVERY: Duration = Duration::from_secs(8);
const PATIENCE: Duration = Duration::from_secs(300);

/// A log that is slow to read.
struct Slow {
    log: MemoryLog,
    /// Whether it says with what it gives that more waits.
    tells: bool,
}

struct SlowConsumer {
    /// A consumer is for one task alone; the lock is only for the compiler.
    inner: Mutex<Box<dyn Consumer>>,
    next: Instant,
    tells: bool,
}

#[async_trait]
impl Consumer for SlowConsumer {
    async fn poll(&mut self, _: usize, wait: Duration) -> yiping_log::Result<Poll> {
        if Instant::now() < self.next {
            tokio::time::sleep(wait).await;
            return Ok(Poll::Idle);
        }
        let mut poll = self.inner.get_mut().poll(AT_ONCE, wait).await?;
        if let Poll::Records { records, head, .. } = &mut poll {
            self.next = Instant::now() + EVERY;
            if !self.tells {
                *head = records.last().unwrap().offset + 1;
            }
        }
        Ok(poll)
    }
    async fn seek(&mut self, topic: &str, partition: Partition, offset: Offset) -> yiping_log::Result<()> {
        self.inner.get_mut().seek(topic, partition, offset).await
    }
    async fn pause(&mut self, topic: &str, partition: Partition) -> yiping_log::Result<()> {
        self.inner.get_mut().pause(topic, partition).await
    }
    async fn resume(&mut self, topic: &str, partition: Partition) -> yiping_log::Result<()> {
        self.inner.get_mut().resume(topic, partition).await
    }
    async fn commit(&mut self, topic: &str, partition: Partition, next: Offset) -> yiping_log::Result<()> {
        self.inner.get_mut().commit(topic, partition, next).await
    }
    async fn committed(&self, topic: &str, partition: Partition) -> yiping_log::Result<Option<Offset>> {
        self.inner.lock().await.committed(topic, partition).await
    }
    async fn close(self: Box<Self>) -> yiping_log::Result<()> {
        self.inner.into_inner().close().await
    }
}

#[async_trait]
impl Log for Slow {
    async fn consumer(&self, group: &str, topics: &[&str]) -> yiping_log::Result<Box<dyn Consumer>> {
        let inner = Mutex::new(self.log.consumer(group, topics).await?);
        Ok(Box::new(SlowConsumer { inner, next: Instant::now(), tells: self.tells }))
    }
    async fn ensure_topic(&self, topic: &str, partitions: u32) -> yiping_log::Result<u32> {
        self.log.ensure_topic(topic, partitions).await
    }
    async fn partitions(&self, topic: &str) -> yiping_log::Result<u32> {
        self.log.partitions(topic).await
    }
    async fn append(&self, records: Vec<NewRecord>) -> yiping_log::Result<Vec<(Partition, Offset)>> {
        self.log.append(records).await
    }
    async fn range(&self, topic: &str, partition: Partition) -> yiping_log::Result<(Offset, Offset)> {
        self.log.range(topic, partition).await
    }
    async fn read(
        &self,
        topic: &str,
        partition: Partition,
        from: Offset,
        max: usize,
    ) -> yiping_log::Result<Vec<Record>> {
        self.log.read(topic, partition, from, max).await
    }
    async fn fingerprint(&self, topic: &str) -> yiping_log::Result<String> {
        self.log.fingerprint(topic).await
    }
}

/// A lot counts its cars; the gateway took it in when it happened.
fn count(time: i64) -> NewRecord {
    let event = json!({
        "specversion": "1.0", "id": time.to_string(), "source": "test/P001", "type": "city.parking.snapshot",
        "time": TimeMs(time).to_string(), "receivedtime": TimeMs(time).to_string(),
        "data": { "lot_id": "P001", "capacity": 100, "occupied": 40 },
    });
    NewRecord { topic: TOPIC.to_owned(), partition: Some(0), key: None, payload: Bytes::from(event.to_string()) }
}

/// The ticks from an offset on.
async fn ticks(log: &dyn Log, from: Offset) -> Vec<i64> {
    let records = log.read(TOPIC, 0, from, 10_000).await.unwrap();
    let events = records.iter().map(|record| serde_json::from_slice::<Value>(&record.payload).unwrap());
    let ticks = events.filter(|event| event["type"] == "city.tick");
    ticks.map(|tick| TimeMs::parse(tick["time"].as_str().unwrap()).unwrap().0).collect()
}

/// An owner from its take-over until it has ticked three times behind `from`. How long that took, and what it counted.
async fn own(log: &Arc<dyn Log>, store: &MemorySink, from: Offset) -> (Duration, Metrics) {
    let config = Config::default();
    let settings = config.streams.get("parking").unwrap();
    let metrics = Metrics::new(&Default::default()).unwrap();
    let deps = Deps {
        log: Arc::clone(log),
        store: Arc::new(store.clone()),
        catalogue: Arc::new(Catalogue::builtin().unwrap()),
        settings: yiping_runner::settings(settings, &City::weihai()),
        store_config: config.store.clone(),
        ticks: Ticks::Append,
        partitions: 1,
        metrics: metrics.clone(),
        health: Health::default().part("parking"),
        cases: yiping_runner::OpenCases::default(),
    };
    let (cancel, began) = (CancellationToken::new(), Instant::now());
    let service = tokio::spawn(yiping_runner::run::<Parking>(Stream::Parking, deps, cancel.clone()));
    while ticks(&**log, from).await.len() < 3 {
        assert!(began.elapsed() < PATIENCE && !service.is_finished(), "no tick came");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let took = began.elapsed();
    cancel.cancel();
    service.await.unwrap().unwrap();
    (took, metrics)
}

/// An owner goes after its first count, and comes again three hours later, three times the lateness, when two hours of counts wait.
/// The newest of them, and what it then says of time.
async fn taken_over(tells: bool) -> (i64, Vec<i64>) {
    let log: Arc<dyn Log> = Arc::new(Slow { log: MemoryLog::new(), tells });
    let store = MemorySink::default();
    log.ensure_topic(TOPIC, 1).await.unwrap();
    let start = TimeMs::parse("2026-11-20T10:00:00+08:00").unwrap().0;
    log.append(vec![count(start)]).await.unwrap();
    own(&log, &store, 0).await;

    let newest = start + 3 * HOUR_MS;
    let waiting = (0..WAITING).map(|at| count(newest - (WAITING - 1 - at) * HOUR_MS / 20)).collect();
    let (_, last) = log.append(waiting).await.unwrap().pop().unwrap();
    let (took, metrics) = own(&log, &store, last).await;
    let counted = |outcome: &str| metrics.events.with_label_values(&["parking", outcome]).get();
    if tells {
        assert!(took > EVERY * 3, "four polls had to bring what waited: {took:?}");
        assert_eq!((counted("accepted"), counted("late")), (WAITING as u64, 0));
    }
    (newest, ticks(&*log, last).await)
}

#[tokio::test(start_paused = true)]
async fn i2_an_owner_that_takes_over_ticks_only_when_all_that_waited_is_applied() {
    let (newest, said) = taken_over(true).await;
    assert!(said.iter().all(|tick| *tick > newest), "{said:?}, but {newest} waited");
}

#[tokio::test(start_paused = true)]
async fn i2_an_owner_that_took_itself_to_be_at_the_head_would_tick_before() {
    let (newest, said) = taken_over(false).await;
    assert!(said[0] < newest, "{said:?} after {newest}");
}
