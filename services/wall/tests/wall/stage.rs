//! A wall on a port of its own, in front of a store made of memory, and a screen that reads its events.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use anyhow::bail;
use async_trait::async_trait;
use prometheus::Registry;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_event::TimeMs;
use yiping_wall::source::{
    Breach, Contact, HistoryQuery, Lot, Metric, Orders, Progress, Sos, Source, Spark, Usual, UsualQuery, Vehicle,
};
use yiping_wall::tiles::Tiles;
use yiping_wall::{Cases, WallDeps, WallOptions};

const PATIENCE: Duration = Duration::from_secs(20);

pub fn now() -> TimeMs {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    TimeMs(since_1970.as_millis() as i64)
}

pub fn ago(seconds: i64) -> TimeMs {
    TimeMs(now().0 - seconds * 1000)
}

#[derive(Clone, Default)]
pub struct Answers {
    pub metrics: Vec<Metric>,
    pub progress: Vec<Progress>,
    pub contacts: Vec<Contact>,
    pub vehicles: Vec<Vehicle>,
    pub lots: Vec<Lot>,
    pub sos: Vec<Sos>,
    pub spark: Vec<Spark>,
    pub breaches: Vec<Breach>,
    pub orders: Vec<Orders>,
    pub usual: Vec<Usual>,
}

/// How the store behaves.
#[derive(Clone, Copy, PartialEq)]
pub enum Mood {
    Answers,
    Fails,
    Hangs,
}

pub struct Memory {
    pub answers: Mutex<Answers>,
    mood: Mutex<Mood>,
    pub asked_latest: AtomicUsize,
    pub asked_history: Mutex<Vec<HistoryQuery>>,
}

impl Memory {
    pub fn of(answers: Answers) -> Arc<Self> {
        Arc::new(Memory {
            answers: Mutex::new(answers),
            mood: Mutex::new(Mood::Answers),
            asked_latest: AtomicUsize::new(0),
            asked_history: Mutex::default(),
        })
    }

    pub fn change(&self, change: impl FnOnce(&mut Answers)) {
        change(&mut self.answers.lock().unwrap());
    }

    pub fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    async fn answer<T>(&self, of: impl FnOnce(&Answers) -> T) -> anyhow::Result<T> {
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Answers => Ok(of(&self.answers.lock().unwrap())),
            Mood::Fails => bail!("connection refused"),
            Mood::Hangs => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Source for Memory {
    async fn latest(&self, _: Option<&[&str]>) -> anyhow::Result<Vec<Metric>> {
        self.asked_latest.fetch_add(1, SeqCst);
        self.answer(|a| a.metrics.clone()).await
    }
    async fn streams(&self) -> anyhow::Result<Vec<Progress>> {
        self.answer(|a| a.progress.clone()).await
    }
    async fn sources(&self) -> anyhow::Result<Vec<Contact>> {
        self.answer(|a| a.contacts.clone()).await
    }
    async fn vehicles(&self) -> anyhow::Result<Vec<Vehicle>> {
        self.answer(|a| a.vehicles.clone()).await
    }
    async fn lots(&self) -> anyhow::Result<Vec<Lot>> {
        self.answer(|a| a.lots.clone()).await
    }
    async fn sos(&self) -> anyhow::Result<Vec<Sos>> {
        self.answer(|a| a.sos.clone()).await
    }
    async fn spark(&self, _: TimeMs, _: Option<TimeMs>) -> anyhow::Result<Vec<Spark>> {
        self.answer(|a| a.spark.clone()).await
    }
    async fn breaches(&self) -> anyhow::Result<Vec<Breach>> {
        self.answer(|a| a.breaches.clone()).await
    }
    async fn history(&self, query: &HistoryQuery) -> anyhow::Result<Vec<Metric>> {
        self.asked_history.lock().unwrap().push(query.clone());
        self.answer(|a| a.metrics.iter().filter(|m| m.metric == query.metric).cloned().collect()).await
    }
    async fn orders(&self, _: TimeMs) -> anyhow::Result<Vec<Orders>> {
        self.answer(|a| a.orders.clone()).await
    }
    async fn usual(&self, query: &UsualQuery) -> anyhow::Result<Vec<Usual>> {
        self.answer(|a| a.usual.iter().filter(|u| query.metrics.contains(&u.metric)).cloned().collect()).await
    }
    async fn figures_past(&self, after: TimeMs, until: TimeMs, every_ms: i64) -> anyhow::Result<Vec<Metric>> {
        let ends = |m: &&Metric| m.window_end > after && m.window_end <= until && m.window_end.0 % every_ms == 0;
        self.answer(|a| a.metrics.iter().filter(ends).cloned().collect()).await
    }
    async fn breaches_past(&self, _: TimeMs, _: TimeMs) -> anyhow::Result<Vec<Breach>> {
        self.answer(|a| a.breaches.clone()).await
    }
}

/// `elder` itself: None does not answer.
pub struct Elder(pub Mutex<Option<Vec<Sos>>>);

#[async_trait]
impl Cases for Elder {
    async fn open(&self) -> anyhow::Result<Vec<Sos>> {
        self.0.lock().unwrap().clone().ok_or_else(|| anyhow::anyhow!("connection refused"))
    }
}

pub fn metric(id: &str, key: &str, value: Option<f64>, revision: u64) -> Metric {
    Metric {
        stream: id.split('.').next().unwrap().to_owned(),
        metric: id.to_owned(),
        level: if key == "city" { "city" } else { "route" }.to_owned(),
        key: key.to_owned(),
        span: "now".to_owned(),
        window_start: TimeMs(1_000),
        window_end: TimeMs(11_000),
        value,
        numerator: 1386.0,
        denominator: 1400.0,
        n: 1400,
        is_final: false,
        revision,
        watermark: Some(TimeMs(6_000)),
    }
}

pub fn contact(stream: &str, source: &str, last_contact: Option<TimeMs>, expected_s: f64) -> Contact {
    Contact { stream: stream.to_owned(), source: source.to_owned(), last_event: None, last_contact, expected_s }
}

pub fn vehicle(id: &str, lon: f64, lat: f64, time: TimeMs) -> Vehicle {
    Vehicle { id: id.to_owned(), lon, lat, time, delay_s: None }
}

/// As on any wall, at a twentieth of the usual pace of a second.
pub fn fast() -> WallOptions {
    WallOptions {
        tick: Duration::from_millis(50),
        heartbeat: Duration::from_millis(200),
        spark_every: Duration::from_millis(100),
        ..WallOptions::default()
    }
}

pub struct Wall {
    pub url: String,
    pub http: reqwest::Client,
    pub registry: Registry,
    cancel: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Wall {
    pub async fn up(source: Arc<Memory>, options: WallOptions) -> Wall {
        Wall::beside(source, None, options).await
    }

    pub async fn beside(source: Arc<Memory>, cases: Option<Arc<dyn Cases>>, options: WallOptions) -> Wall {
        Wall::whole(source, cases, None, options).await
    }

    /// A wall with 天地图 under its map.
    pub async fn over(tiles: Tiles) -> Wall {
        Wall::whole(Memory::of(Answers::default()), None, Some(tiles), fast()).await
    }

    async fn whole(
        source: Arc<Memory>,
        cases: Option<Arc<dyn Cases>>,
        tiles: Option<Tiles>,
        options: WallOptions,
    ) -> Wall {
        static CRYPTO: Once = Once::new();
        CRYPTO.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let registry = Registry::new();
        let cancel = CancellationToken::new();
        let catalogue = Arc::new(Catalogue::builtin().unwrap());
        let city = Arc::new(City::weihai());
        let deps = WallDeps { source, cases, alerts: None, tiles, city, catalogue, metrics: registry.clone(), options };
        let task = tokio::spawn(yiping_wall::serve(listener, deps, cancel.clone()));
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        Wall { url, http, registry, cancel, task }
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    pub async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    pub async fn screen(&self, last_id: Option<&str>) -> Screen {
        self.stream("/api/stream", last_id).await
    }

    pub async fn stream(&self, path: &str, last_id: Option<&str>) -> Screen {
        let mut request = self.http.get(format!("{}{path}", self.url));
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Screen { response, read: Vec::new() }
    }

    pub fn gauge(&self, name: &str) -> Option<f64> {
        let family = self.registry.gather().into_iter().find(|family| family.name() == name)?;
        Some(family.get_metric()[0].get_gauge().get_value())
    }

    /// Waits for something that comes true by itself.
    pub async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !condition() {
            assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn down(self) {
        self.cancel.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.expect("the wall stops").unwrap().unwrap();
    }
}

#[derive(Debug)]
pub struct Told {
    pub event: String,
    pub id: String,
    pub body: Value,
}

pub struct Screen {
    response: reqwest::Response,
    read: Vec<u8>,
}

impl Screen {
    /// The next event; None when the wall ends the stream.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\n\n") {
                let text = String::from_utf8(self.read.drain(..end + 2).collect()).unwrap();
                let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let Some(data) = field("data: ") else { continue };
                return Some(Told {
                    event: field("event: ").unwrap(),
                    id: field("id: ").unwrap(),
                    body: serde_json::from_str(&data).unwrap(),
                });
            }
            self.read.extend_from_slice(&self.response.chunk().await.ok()??);
        }
    }

    /// The first event that a test waits for.
    pub async fn find(&mut self, what: &str, wanted: impl Fn(&Told) -> bool) -> Told {
        let search = async {
            loop {
                let told = self.next().await.unwrap_or_else(|| panic!("the stream ended before: {what}"));
                if wanted(&told) {
                    return told;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
    }
}
