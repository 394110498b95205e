//! What `watch` reads and writes: final figures as they come, what they were on earlier days, breaches, and where it stands.

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::{Result, Store};

/// A final, merged figure, as far as it is judged.
#[derive(Debug, Clone, PartialEq, Row, Deserialize)]
pub struct FinalFigure {
    pub metric: String,
    pub level: String,
    pub key: String,
    pub span: String,
    #[serde(rename = "window_end")]
    pub window_end_ms: i64,
    pub value: Option<f64>,
}

/// A row of `city.breach_rows`. The same breach written again, with more known of it, has a higher revision.
#[derive(Debug, Clone, PartialEq, Row, Serialize)]
pub struct BreachRow {
    pub metric: String,
    pub level: String,
    pub key: String,
    pub span: String,
    pub severity: &'static str,
    #[serde(rename = "opened_at")]
    pub opened_at_ms: i64,
    #[serde(rename = "closed_at")]
    pub closed_at_ms: Option<i64>,
    pub value: Option<f64>,
    pub threshold: f64,
    pub revision: u64,
    pub id: String,
    pub worst: Option<f64>,
    pub owner: String,
    pub action: String,
}

/// What is remembered of a series that is or was beyond a limit (`city.watch_states`).
#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
pub struct WatchState {
    pub stream: String,
    pub rule: String,
    pub level: String,
    pub key: String,
    pub span: String,
    #[serde(rename = "since")]
    pub since_ms: Option<i64>,
    #[serde(rename = "opened_at")]
    pub opened_at_ms: Option<i64>,
    pub value: Option<f64>,
    pub worst: Option<f64>,
    pub threshold: Option<f64>,
    #[serde(rename = "seen")]
    pub seen_ms: i64,
    pub revision: u64,
}

#[derive(Row, Serialize)]
struct WatchMark {
    stream: String,
    until: i64,
    revision: u64,
}

impl Store {
    /// The merged watermark of each stream: up to it figures are final.
    pub async fn watermarks(&self) -> Result<Vec<(String, i64)>> {
        let sql =
            "SELECT toString(stream), toUnixTimestamp64Milli(assumeNotNull(watermark)) FROM city.stream_watermarks
            WHERE watermark IS NOT NULL ORDER BY stream";
        self.read(sql).await
    }

    /// Final figures of these metrics and levels whose windows end in (after, until], in the order of their ends.
    pub async fn final_figures(
        &self,
        metrics: &[&str],
        levels: &[&str],
        after_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<FinalFigure>> {
        let sql = "SELECT ?fields FROM city.metrics_merged
            WHERE metric IN ? AND level IN ?
              AND window_end > fromUnixTimestamp64Milli(?, 'UTC') AND window_end <= fromUnixTimestamp64Milli(?, 'UTC')
            ORDER BY window_end, metric, level, key, span";
        self.answer(self.bounded(sql).bind(metrics).bind(levels).bind(after_ms).bind(until_ms)).await
    }

    /// The first instant (ms) at which any of these metrics was something `now`, for the city: about the stream's first event. (Windows may
    /// be older: a trip counts when it was due.)
    pub async fn first_figure(&self, metrics: &[&str]) -> Result<Option<i64>> {
        let sql = "SELECT toUnixTimestamp64Milli(min(window_end)) FROM city.metric_rows WHERE metric IN ? AND level = 'city' AND span = 'now' HAVING count() > 0";
        let found: Vec<i64> = self.answer(self.bounded(sql).bind(metrics)).await?;
        Ok(found.first().copied())
    }

    /// What a metric was at these window ends, for these keys of a level and for the city.
    pub async fn figures_at(
        &self,
        metric: &str,
        level: &str,
        span: &str,
        keys: &[&str],
        ends_ms: &[i64],
    ) -> Result<Vec<FinalFigure>> {
        let sql = "SELECT ?fields FROM city.metrics_merged
            WHERE metric = ? AND level IN (?, 'city') AND span = ? AND (key IN ? OR level = 'city')
              AND window_end IN (SELECT fromUnixTimestamp64Milli(arrayJoin(?), 'UTC'))
              AND window_end >= fromUnixTimestamp64Milli(?, 'UTC') AND window_end <= fromUnixTimestamp64Milli(?, 'UTC')";
        let (Some(first), Some(last)) = (ends_ms.iter().min(), ends_ms.iter().max()) else {
            return Ok(Vec::new());
        };
        let query = self.bounded(sql).bind(metric).bind(level).bind(span).bind(keys).bind(ends_ms);
        self.answer(query.bind(first).bind(last)).await
    }

    /// Up to which window end a stream was judged.
    pub async fn watch_mark(&self, stream: &str) -> Result<Option<i64>> {
        let sql = "SELECT toUnixTimestamp64Milli(until) FROM city.watch_marks FINAL WHERE stream = ?";
        let marks: Vec<i64> = self.answer(self.bounded(sql).bind(stream)).await?;
        Ok(marks.first().copied())
    }

    /// What is remembered of a stream's series: those that are beyond a limit.
    pub async fn watch_states(&self, stream: &str) -> Result<Vec<WatchState>> {
        let sql = "SELECT ?fields FROM city.watch_states FINAL
            WHERE stream = ? AND (since IS NOT NULL OR opened_at IS NOT NULL)";
        self.answer(self.bounded(sql).bind(stream)).await
    }

    /// Writes what was found, and then up to where it was looked: so a mark never claims what isn't stored.
    pub async fn write_watch(
        &self,
        stream: &str,
        breaches: &[BreachRow],
        states: &[WatchState],
        until_ms: i64,
    ) -> Result<()> {
        if !breaches.is_empty() {
            self.insert("breach_rows", &breaches.iter().collect::<Vec<_>>()).await?;
        }
        if !states.is_empty() {
            self.insert("watch_states", &states.iter().collect::<Vec<_>>()).await?;
        }
        let mark = WatchMark { stream: stream.to_owned(), until: until_ms, revision: until_ms.unsigned_abs() };
        self.insert("watch_marks", &[&mark]).await
    }
}
