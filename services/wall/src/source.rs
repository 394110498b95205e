//! What the wall asks of the store, in the wall's own words. It must not know SQL, ClickHouse, HTTP or JSON shapes of others: `store.rs` answers these
//! questions from ClickHouse, tests answer them from memory.

use async_trait::async_trait;
use serde::Serialize;
use yiping_event::TimeMs;
use yiping_event::time::rfc3339;

/// One row of `city.metrics` or `city.metrics_latest`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metric {
    pub stream: String,
    pub metric: String,
    pub level: String,
    pub key: String,
    pub span: String,
    #[serde(serialize_with = "rfc3339::serialize")]
    pub window_start: TimeMs,
    #[serde(serialize_with = "rfc3339::serialize")]
    pub window_end: TimeMs,
    /// None where n is below the metric's minimum.
    pub value: Option<f64>,
    pub numerator: f64,
    pub denominator: f64,
    pub n: i64,
    pub is_final: bool,
    /// A string in JSON: 64 bits are more than JavaScript's numbers hold.
    #[serde(serialize_with = "as_text")]
    pub revision: u64,
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub watermark: Option<TimeMs>,
}

/// A stream as its partitions report it together: the lowest watermark, the newest event.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub stream: String,
    pub watermark: Option<TimeMs>,
    pub last_event: Option<TimeMs>,
}

/// A source, and when it last gave a sign of life. Sources that never did have no time.
#[derive(Debug, Clone, PartialEq)]
pub struct Contact {
    pub stream: String,
    pub source: String,
    pub last_event: Option<TimeMs>,
    pub last_contact: Option<TimeMs>,
    /// Seconds within which it should report.
    pub expected_s: f64,
}

/// Where a bus is.
#[derive(Debug, Clone, PartialEq)]
pub struct Vehicle {
    pub id: String,
    pub lon: f64,
    pub lat: f64,
    pub time: TimeMs,
    /// Behind its timetable; negative when early.
    pub delay_s: Option<f64>,
}

/// How full a car park is.
#[derive(Debug, Clone, PartialEq)]
pub struct Lot {
    pub lot_id: String,
    pub capacity: i64,
    /// `None` of one that is closed or silent.
    pub occupied: Option<i64>,
    pub time: TimeMs,
}

/// An open call for help, at street level.
#[derive(Debug, Clone, PartialEq)]
pub struct Sos {
    pub case: String,
    pub district: String,
    pub street: Option<String>,
    pub raised: TimeMs,
    /// As the service says: raised, connected, not_connected, acknowledged, arrived, closed, false_alarm.
    pub state: String,
}

/// A threshold crossed, and not yet crossed back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Breach {
    pub metric: String,
    pub level: String,
    pub key: String,
    pub span: String,
    pub severity: String,
    #[serde(serialize_with = "rfc3339::serialize")]
    pub opened_at: TimeMs,
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub closed_at: Option<TimeMs>,
    /// The value that opened it.
    pub value: Option<f64>,
    pub threshold: f64,
    pub id: String,
    /// The worst value so far.
    pub worst: Option<f64>,
    /// Who acts, and how.
    pub owner: String,
    pub action: String,
}

/// One figure's course: `metric|level|key|span`, and its points in time order.
#[derive(Debug, Clone, PartialEq)]
pub struct Spark {
    pub name: String,
    pub points: Vec<(TimeMs, Option<f64>)>,
}

/// What a figure was at one time of day on the days before (常时).
#[derive(Debug, Clone, PartialEq)]
pub struct Usual {
    pub metric: String,
    pub span: String,
    pub at: TimeMs,
    /// A tenth of the days was lower, a tenth higher.
    pub low: f64,
    pub median: f64,
    pub high: f64,
    /// Days that had the figure.
    pub days: u64,
}

/// Of which figures it is asked what is usual, and at which window ends (within one day).
#[derive(Debug, Clone, PartialEq)]
pub struct UsualQuery {
    pub metrics: Vec<String>,
    pub level: String,
    pub key: String,
    pub ends: Vec<TimeMs>,
}

/// Open orders of one place and category; what is not known is ''.
#[derive(Debug, Clone, PartialEq)]
pub struct Orders {
    pub district: String,
    pub street: String,
    pub category: String,
    pub orders: u64,
}

/// Which rows of `city.metrics` a person at the desk wants to see. Ends are on `window_end`: from `from` on, before `to`.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryQuery {
    pub metric: String,
    /// What is None is not asked for: all levels, all keys, all spans.
    pub level: Option<String>,
    pub key: Option<String>,
    pub span: Option<String>,
    pub from: TimeMs,
    pub to: TimeMs,
    /// Only windows that end at multiples of so many ms.
    pub every_ms: Option<i64>,
    /// The newest ones, where there are more.
    pub max_rows: u32,
}

/// The questions. Errors are for the log: the wall goes on with the answers that it has.
#[async_trait]
pub trait Source: Send + Sync {
    /// At these levels (figures that are made of others may be left out), or all.
    async fn latest(&self, levels: Option<&[&str]>) -> anyhow::Result<Vec<Metric>>;
    async fn streams(&self) -> anyhow::Result<Vec<Progress>>;
    async fn sources(&self) -> anyhow::Result<Vec<Contact>>;
    async fn vehicles(&self) -> anyhow::Result<Vec<Vehicle>>;
    async fn lots(&self) -> anyhow::Result<Vec<Lot>>;
    async fn sos(&self) -> anyhow::Result<Vec<Sos>>;
    /// City-level figures since `from`, and none that end after `until`; at most 72 points each, oldest first.
    async fn spark(&self, from: TimeMs, until: Option<TimeMs>) -> anyhow::Result<Vec<Spark>>;
    async fn breaches(&self) -> anyhow::Result<Vec<Breach>>;
    /// Orders of 12345 that are open and were created since.
    async fn orders(&self, since: TimeMs) -> anyhow::Result<Vec<Orders>>;
    async fn usual(&self, query: &UsualQuery) -> anyhow::Result<Vec<Usual>>;
    async fn history(&self, query: &HistoryQuery) -> anyhow::Result<Vec<Metric>>;
    /// For a replay: the newest final rows of each figure that end in (after, until], at multiples of `every_ms`, without calendar days.
    async fn figures_past(&self, after: TimeMs, until: TimeMs, every_ms: i64) -> anyhow::Result<Vec<Metric>>;
    /// For a replay: breaches that were open at any time between.
    async fn breaches_past(&self, from: TimeMs, to: TimeMs) -> anyhow::Result<Vec<Breach>>;
}

/// An alert of Alertmanager's about the system itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// `critical` or `warning`.
    pub severity: &'static str,
    pub title: String,
    #[serde(serialize_with = "rfc3339::serialize")]
    pub starts_at: TimeMs,
    /// Who acts, and how; may be empty.
    pub owner: String,
    pub action: String,
}

/// What Prometheus and Alertmanager have firing.
#[async_trait]
pub trait Alerts: Send + Sync {
    async fn firing(&self) -> anyhow::Result<Vec<Alert>>;
}

/// The open SOS cases, from the service that knows them itself: an answer that needs no ClickHouse (I9).
#[async_trait]
pub trait Cases: Send + Sync {
    /// All that are open. An error says that nobody knows now: then the store's answer stands.
    async fn open(&self) -> anyhow::Result<Vec<Sos>>;
}

fn as_text<S: serde::Serializer>(value: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}
