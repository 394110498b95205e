//! What services hand to the store: plain rows, one struct a table, named as the columns. Times are milliseconds
//! since 1970 UTC. The store knows no domain: what a metric means is said by its [`MetricDef`].

use std::sync::Arc;

use clickhouse::Row;
use serde::{Deserialize, Serialize};

/// What one partition knows of one window (`city.metric_rows`). Absolute, not a difference (I3): writing it again, or an
/// older revision after it, changes nothing. Sums are integers in the smallest unit (I8).
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct MetricRow {
    pub stream: Arc<str>,
    pub metric: Arc<str>,
    pub level: Arc<str>,
    pub key: Arc<str>,
    /// "1m" … "24h", "day", "now".
    pub span: Arc<str>,
    #[serde(rename = "window_start")]
    pub window_start_ms: i64,
    #[serde(rename = "window_end")]
    pub window_end_ms: i64,
    pub generation: u16,
    pub partition: u32,
    /// generation << 48 | offset.
    pub revision: u64,
    pub num: i64,
    pub den: i64,
    pub n: i64,
    /// The second numerator and denominator of figures made of four sums.
    pub num2: i64,
    pub den2: i64,
    /// (bucket, count) of percentiles; each bucket at most once, any order. v < 128 is its own bucket, above that 64 buckets an octave:
    /// e = 63 − leading_zeros(v) − 6, bucket = 64 + e × 64 + (v >> e) − 64.
    pub hist: Vec<(u16, i64)>,
    /// The window's events moved away: hidden, never deleted, so that no stale writer revives it.
    pub gone: bool,
    /// The log had a hole in this window.
    pub incomplete: bool,
}

/// A provisional row of the next-ending window of a span (`city.metric_latest_rows`).
///
/// For every span but `now`, a partition writes a row in **each** window wherever `num`, `den` or `n` is not 0, also where the
/// values are those of the window before: the view adds up the rows of one window, and takes a missing row for 0.
/// For `now` it writes a row when a value changed (also when it became 0): the view adds up the newest row of each partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestMetricRow {
    pub row: MetricRow,
    /// [`LatestMetricRow::slot`]: which of the four kept windows of its span this is.
    pub slot: u8,
    /// The partition's time when the row was made.
    pub partition_time_ms: i64,
    /// The partition's watermark when the row was made.
    pub watermark_ms: i64,
}

impl LatestMetricRow {
    /// Four windows in a row get four slots, so the newest four of each partition are kept. `now` has slot 0.
    pub fn slot(span: &str, window_end_ms: i64, slide_ms: i64) -> u8 {
        if span == "now" || slide_ms <= 0 {
            return 0;
        }
        u8::try_from(window_end_ms.div_euclid(slide_ms).rem_euclid(4)).unwrap_or(0)
    }
}

/// "All my rows of this level and span up to this window are written" (`city.latest_marks`): without it nobody could tell a
/// partition that has nothing to add to a window from one that has not got there (I10). Write it in the same batch as the
/// rows, whenever a level and span was due, also when there was no row to write. For `now`: start and end are the partition's
/// time. (`write` adds the marks that follow from the rows themselves; those of empty windows only the writer knows.)
#[derive(Debug, Clone, PartialEq, Eq, Hash, Row, Serialize, Deserialize)]
pub struct LatestMark {
    pub stream: Arc<str>,
    pub level: Arc<str>,
    pub span: Arc<str>,
    pub generation: u16,
    pub partition: u32,
    #[serde(rename = "window_start")]
    pub window_start_ms: i64,
    #[serde(rename = "window_end")]
    pub window_end_ms: i64,
    pub revision: u64,
}

/// The live state of one entity (`city.live_rows`): a vehicle, a lot, an open order, an open SOS case. No personal data.
///
/// The views read these members of `attrs` (all optional):
/// kind `vehicle` (`bus_latest`): route_id, direction, lon, lat, speed_kmh, district;
/// kind `bus_delay` (`bus_latest`; key the vehicle's): delay_s;
/// kind `lot` (`parking_latest`; key `lot` or `lot/floor`): lot_id, floor, district, capacity, occupied, free, open;
/// kind `order` (`orders_open`): category, district, street, agency, created, due, state;
/// kind `sos` (`sos_open`): district, street, raised, connected, acknowledged, arrived, state. Times are RFC 3339 strings.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct LiveRow {
    pub stream: Arc<str>,
    pub kind: Arc<str>,
    pub key: Arc<str>,
    #[serde(rename = "time")]
    pub time_ms: i64,
    pub revision: u64,
    /// Closed, or away: hidden by the views.
    pub gone: bool,
    /// A JSON object.
    pub attrs: String,
}

/// Where one partition of a stream stands (`city.status_rows`). Counters count from the start of the generation.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct StatusRow {
    pub stream: Arc<str>,
    pub partition: u32,
    pub generation: u16,
    pub revision: u64,
    /// None before the partition has time.
    #[serde(rename = "watermark")]
    pub watermark_ms: Option<i64>,
    #[serde(rename = "time")]
    pub time_ms: Option<i64>,
    #[serde(rename = "last_event")]
    pub last_event_ms: Option<i64>,
    /// Offset up to which everything is stored.
    pub frontier: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub late: u64,
    pub duplicates: u64,
    pub quarantined: u64,
}

/// What one partition knows of one source (`city.source_rows`).
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct SourceRow {
    pub stream: Arc<str>,
    pub source: Arc<str>,
    pub partition: u32,
    pub revision: u64,
    #[serde(rename = "last_event")]
    pub last_event_ms: Option<i64>,
    /// Event, heartbeat or successful poll, by the log's time.
    #[serde(rename = "last_contact")]
    pub last_contact_ms: Option<i64>,
    /// None: 30 s, or what the profile says.
    pub expected_s: Option<u32>,
}

/// A record or event that was refused (`city.rejects`). The bytes stay in the log (`city.rejects` topic), not here: they
/// may hold personal data, and this table is for counting and finding.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct RejectRow {
    pub stream: Arc<str>,
    pub generation: u16,
    pub partition: u32,
    pub offset: u64,
    #[serde(rename = "time")]
    pub time_ms: i64,
    pub source: String,
    pub event_id: String,
    pub code: Arc<str>,
    pub pointer: String,
    pub message: String,
}

/// Settings that change results, and from which offset they apply (`city.configs`).
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct ConfigRow {
    pub stream: Arc<str>,
    pub generation: u16,
    pub partition: u32,
    pub from_offset: u64,
    #[serde(rename = "time")]
    pub time_ms: i64,
    pub hash: String,
    pub text: String,
}

/// One continuous life of a stream's log and partitioning (`city.generations`).
///
/// **A stream's rows are visible only once its generation is written**, in the same or an earlier batch.
/// A window is read from the newest generation that covers it: `from < window_end ≤ to`. Who opens a generation answers
/// for it: every row of every covered window must be (or become) written under it, also those that did not change.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct GenerationRow {
    pub stream: Arc<str>,
    pub generation: u16,
    pub fingerprint: String,
    pub partitions: u32,
    /// None: since ever.
    #[serde(rename = "from")]
    pub from_ms: Option<i64>,
    /// None: still running.
    #[serde(rename = "to")]
    pub to_ms: Option<i64>,
    /// A later statement about the same generation has a higher revision.
    pub revision: u64,
}

/// Events of a minute that came too late for their windows.
#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
pub struct LateRow {
    pub stream: Arc<str>,
    pub generation: u16,
    pub partition: u32,
    /// The minute of event time.
    #[serde(rename = "minute")]
    pub minute_ms: i64,
    pub events: u64,
    pub revision: u64,
}

/// Events of a minute that came too late and that `heal` has counted in since.
#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
pub struct HealedRow {
    pub stream: Arc<str>,
    pub generation: u16,
    pub partition: u32,
    /// The minute of event time.
    #[serde(rename = "minute")]
    pub minute_ms: i64,
    pub events: u64,
    pub revision: u64,
}

/// All that a service has to write at one moment. Written in the order: generations, configs, metrics, late, healed, latest, live,
/// rejects, sources, marks, status; so that status and marks never claim what is not stored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    pub metrics: Vec<MetricRow>,
    pub late: Vec<LateRow>,
    pub healed: Vec<HealedRow>,
    pub latest: Vec<LatestMetricRow>,
    pub marks: Vec<LatestMark>,
    pub live: Vec<LiveRow>,
    pub status: Vec<StatusRow>,
    pub sources: Vec<SourceRow>,
    pub rejects: Vec<RejectRow>,
    pub configs: Vec<ConfigRow>,
    pub generations: Vec<GenerationRow>,
}

impl Batch {
    /// Rows of all tables.
    pub fn rows(&self) -> usize {
        self.metrics.len()
            + self.late.len()
            + self.healed.len()
            + self.latest.len()
            + self.marks.len()
            + self.live.len()
            + self.status.len()
            + self.sources.len()
            + self.rejects.len()
            + self.configs.len()
            + self.generations.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }
}

/// How a metric's partial rows become the published value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// value = Σnum × num_scale, denominator 1.
    Count,
    /// As count; n = Σden: how many lots, cases … stand behind it.
    Gauge,
    /// value = numerator / denominator × value_scale, n = Σden (as it is summed, or the constant).
    Ratio,
    /// value = numerator / denominator × value_scale, n = Σn.
    Mean,
    /// As mean, but NULL only where the denominator is 0.
    Integral,
    /// value = quantile of the merged histogram × value_scale, numerator 0, denominator n.
    Percentile,
    /// numerator = the population standard deviation of what num and num2 are the sum and the sum of squares of; denominator =
    /// den / n; value = numerator / denominator.
    Deviation,
    /// numerator = num / (2 den), denominator = num2 / (2 den2), value = numerator − denominator.
    Excess,
    /// value = numerator = window end − the least num of rows with n > 0, × num_scale; 0 where there is none.
    Age,
    /// As mean, NULL where the denominator isn't positive.
    TimeTo,
    /// As mean, with numerator and denominator exchanged.
    PerLevel,
}

impl MetricKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Gauge => "gauge",
            Self::Ratio => "ratio",
            Self::Mean => "mean",
            Self::Integral => "integral",
            Self::Percentile => "percentile",
            Self::Deviation => "deviation",
            Self::Excess => "excess",
            Self::Age => "age",
            Self::TimeTo => "time_to",
            Self::PerLevel => "per_level",
        }
    }
}

/// What the merging view has to know of a metric (`city.metric_defs`), from the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricDef {
    pub metric: String,
    pub stream: String,
    pub kind: MetricKind,
    /// Below it `value` is NULL; only for ratios, means, percentiles.
    pub min_n: i64,
    /// numerator = Σnum × num_scale.
    pub num_scale: f64,
    /// denominator = Σden × den_scale.
    pub den_scale: f64,
    pub value_scale: f64,
    /// 0…1, only of percentiles.
    pub quantile: f64,
}

/// A figure without rows of its own: how many merged rows of another metric lie beyond a limit, at each full minute.
#[derive(Debug, Clone, PartialEq)]
pub struct DerivedDef {
    pub metric: String,
    pub of: String,
    pub level: String,
    pub span: String,
    /// `<`, `<=`, `>` or `>=`.
    pub when: String,
    pub limit: f64,
}

/// A constant of the profile, joined at the merge and never summed (`city.metric_constants`): it takes the place of Σden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricConstant {
    pub metric: String,
    pub level: String,
    pub key: String,
    pub den: i64,
}

/// A source that the profile says there should be: `not_connected` until it was heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedSource {
    pub stream: String,
    pub source: String,
    pub expected_s: u32,
}
