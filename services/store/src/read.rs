//! Typed reads for the wall and the watch: what the contract's views say, bounded in time.

use std::time::Duration;

use clickhouse::{Row, RowOwned, RowRead, query::Query};
use serde::Deserialize;

use crate::{MetricRow, Result, Store};

/// A row of `city.metrics` or `city.metrics_latest`.
#[derive(Debug, Clone, PartialEq, Row, Deserialize)]
pub struct MetricValue {
    pub stream: String,
    pub metric: String,
    pub level: String,
    pub key: String,
    pub span: String,
    #[serde(rename = "window_start")]
    pub window_start_ms: i64,
    #[serde(rename = "window_end")]
    pub window_end_ms: i64,
    /// None where n is below the metric's minimum.
    pub value: Option<f64>,
    pub numerator: f64,
    pub denominator: f64,
    pub n: i64,
    pub is_final: bool,
    pub revision: u64,
    /// Merged watermark of the stream.
    #[serde(rename = "watermark")]
    pub watermark_ms: Option<i64>,
    /// Records of its time were gone before they were read (I4).
    pub incomplete: bool,
    /// Events of its stream and time that came too late to be counted, and were not healed since (I5).
    pub late: u64,
}

/// Which rows of `city.metrics`: an absent member takes all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricFilter {
    pub metric: Option<String>,
    pub level: Option<String>,
    pub key: Option<String>,
    pub span: Option<String>,
    /// window_end ≥.
    pub from_ms: Option<i64>,
    /// window_end <.
    pub to_ms: Option<i64>,
    /// Only windows that end at multiples of so many ms: a long history in few rows, each of them exact.
    pub every_ms: Option<i64>,
    /// At most so many rows, the newest; default 10,000.
    pub limit: Option<u32>,
}

/// A row of `city.stream_status`.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct StreamStatus {
    pub stream: String,
    pub partition: u32,
    pub generation: u16,
    #[serde(rename = "watermark")]
    pub watermark_ms: Option<i64>,
    #[serde(rename = "time")]
    pub time_ms: Option<i64>,
    #[serde(rename = "last_event")]
    pub last_event_ms: Option<i64>,
    pub frontier: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub late: u64,
    pub duplicates: u64,
    pub quarantined: u64,
}

/// A row of `city.source_status`. `state`: fresh, late, silent, not_connected.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct SourceStatus {
    pub source: String,
    pub stream: String,
    #[serde(rename = "last_event")]
    pub last_event_ms: Option<i64>,
    #[serde(rename = "last_contact")]
    pub last_contact_ms: Option<i64>,
    pub expected_s: u32,
    pub state: String,
}

/// A live entity: vehicle, lot, order, SOS case.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct LiveEntity {
    pub stream: String,
    pub kind: String,
    pub key: String,
    #[serde(rename = "time")]
    pub time_ms: i64,
    /// A JSON object.
    pub attrs: String,
}

/// One point of a city-level figure's last hours.
#[derive(Debug, Clone, PartialEq, Row, Deserialize)]
pub struct SparkPoint {
    pub metric: String,
    pub key: String,
    pub span: String,
    #[serde(rename = "window_end")]
    pub window_end_ms: i64,
    pub value: Option<f64>,
}

/// A row of `city.breaches`.
#[derive(Debug, Clone, PartialEq, Row, Deserialize)]
pub struct Breach {
    pub metric: String,
    pub level: String,
    pub key: String,
    pub span: String,
    pub severity: String,
    #[serde(rename = "opened_at")]
    pub opened_at_ms: i64,
    #[serde(rename = "closed_at")]
    pub closed_at_ms: Option<i64>,
    /// When it opened.
    pub value: Option<f64>,
    pub threshold: f64,
    pub id: String,
    pub worst: Option<f64>,
    pub owner: String,
    pub action: String,
}

/// The year 2200: no window ends later.
const FAR_MS: i64 = 7_258_118_400_000;
/// Rows of an answer when a [`MetricFilter`] doesn't say.
const DEFAULT_LIMIT: u32 = 10_000;

impl Store {
    /// `city.metrics_latest`: the newest value of each figure. [`Store::newest`] says the same at a fraction of the cost.
    pub async fn latest(&self) -> Result<Vec<MetricValue>> {
        self.read("SELECT ?fields FROM city.metrics_latest ORDER BY metric, level, key, span").await
    }

    /// `city.metrics`, filtered, by window_end. Filter by metric, span and time: the table is large.
    pub async fn metrics(&self, filter: &MetricFilter) -> Result<Vec<MetricValue>> {
        let mut sql = "SELECT ?fields FROM city.metrics WHERE 1".to_owned();
        let texts =
            [("metric", &filter.metric), ("level", &filter.level), ("key", &filter.key), ("span", &filter.span)];
        for (column, text) in texts {
            if text.is_some() {
                sql += &format!(" AND {column} = ?");
            }
        }
        let times = [(">=", filter.from_ms), ("<", filter.to_ms)];
        for (sign, time) in times {
            if time.is_some() {
                sql += &format!(" AND window_end {sign} fromUnixTimestamp64Milli(?, 'UTC')");
            }
        }
        if filter.every_ms.is_some() {
            sql += " AND toUnixTimestamp64Milli(window_end) % ? = 0";
        }
        sql += " ORDER BY window_end DESC, metric, level, key, span LIMIT ?";
        let mut query = self.bounded(&sql);
        for text in texts.into_iter().filter_map(|(_, text)| text.as_deref()) {
            query = query.bind(text);
        }
        for time in times.into_iter().filter_map(|(_, time)| time) {
            query = query.bind(time);
        }
        if let Some(every) = filter.every_ms {
            query = query.bind(every.max(1));
        }
        let mut rows: Vec<MetricValue> = self.answer(query.bind(filter.limit.unwrap_or(DEFAULT_LIMIT))).await?;
        rows.reverse();
        Ok(rows)
    }

    /// A partition's own rows of one generation whose windows end in (from, to], newest revision of each.
    pub async fn metric_rows(
        &self,
        stream: &str,
        generation: u16,
        partition: u32,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<MetricRow>> {
        let sql = "SELECT ?fields FROM city.metric_rows FINAL
            WHERE stream = ? AND generation = ? AND partition = ?
              AND window_end > fromUnixTimestamp64Milli(?, 'UTC') AND window_end <= fromUnixTimestamp64Milli(?, 'UTC')";
        let query = self.client().query(sql).bind(stream).bind(generation).bind(partition).bind(from_ms).bind(to_ms);
        Ok(query.fetch_all().await?)
    }

    /// `city.stream_status`: a row a stream and partition.
    pub async fn streams(&self) -> Result<Vec<StreamStatus>> {
        self.read("SELECT ?fields FROM city.stream_status ORDER BY stream, partition").await
    }

    /// `city.source_status`: a row a source, also of those never heard of.
    pub async fn sources(&self) -> Result<Vec<SourceStatus>> {
        self.read("SELECT ?fields FROM city.source_status ORDER BY stream, source").await
    }

    /// The entities of a kind (`vehicle`, `lot`, `order`, `sos`) that are not gone.
    pub async fn live(&self, kind: &str) -> Result<Vec<LiveEntity>> {
        let sql = "SELECT ?fields FROM city.live_rows FINAL WHERE kind = ? AND NOT gone ORDER BY stream, key";
        self.answer(self.bounded(sql).bind(kind)).await
    }

    /// City-level figures since a time: final rows, thinned to at most 72 points each (the last of equal slices of time), oldest first.
    /// `until`: none that ends after it.
    pub async fn spark(&self, since_ms: i64, until_ms: Option<i64>) -> Result<Vec<SparkPoint>> {
        let sql =
            "SELECT metric, key, span, max(f.window_end) AS window_end, argMax(tuple(f.value), f.window_end).1 AS value
            FROM (
                SELECT metric, key, span, window_end, value,
                    max(window_end) OVER (PARTITION BY metric, key, span) AS newest
                FROM city.metrics
                WHERE level = 'city' AND is_final AND window_end >= fromUnixTimestamp64Milli(?, 'UTC')
                    AND window_end <= fromUnixTimestamp64Milli(?, 'UTC')) AS f
            GROUP BY metric, key, span, least(71, intDiv(
                72 * (toUnixTimestamp64Milli(f.window_end) - ?),
                greatest(72, toUnixTimestamp64Milli(newest) - ?)))
            ORDER BY metric, key, span, window_end";
        let query = self.bounded(sql).bind(since_ms).bind(until_ms.unwrap_or(FAR_MS)).bind(since_ms).bind(since_ms);
        self.answer(query).await
    }

    /// Open breaches, and those closed within the last day.
    pub async fn breaches(&self) -> Result<Vec<Breach>> {
        self.read(
            "SELECT ?fields FROM city.breaches
             WHERE closed_at IS NULL OR closed_at > now() - INTERVAL 1 DAY ORDER BY opened_at DESC LIMIT 1000",
        )
        .await
    }

    pub(crate) async fn read<R: RowOwned + RowRead>(&self, sql: &str) -> Result<Vec<R>> {
        self.answer(self.bounded(sql)).await
    }

    /// Where ClickHouse itself is not to be heard, we give up a moment after it would have.
    pub(crate) async fn answer<R: RowOwned + RowRead>(&self, query: Query) -> Result<Vec<R>> {
        let patience = self.options().read_timeout + Duration::from_secs(2);
        let answer = tokio::time::timeout(patience, query.fetch_all()).await;
        Ok(answer.unwrap_or(Err(clickhouse::error::Error::TimedOut))?)
    }

    /// ClickHouse gives up after the read timeout, and works no longer for who has gone.
    pub(crate) fn bounded(&self, sql: &str) -> Query {
        let seconds = self.options().read_timeout.as_secs().max(1);
        self.client().query(sql).with_setting("max_execution_time", seconds.to_string())
    }
}
