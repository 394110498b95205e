//! What only the wall asks: what is usual at a time of day, where open orders pile up, and how it all was at a past moment.

use clickhouse::Row;
use serde::Deserialize;

use crate::read::{Breach, MetricValue};
use crate::{Result, Store};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// How many days are looked back; `watch` looks as far.
const DAYS: i64 = 28;

/// What a figure was at one time of day on the days before.
#[derive(Debug, Clone, PartialEq, Row, Deserialize)]
pub struct UsualPoint {
    pub metric: String,
    pub span: String,
    /// The window end asked for.
    pub at: i64,
    /// A tenth of the days was lower.
    pub low: f64,
    pub median: f64,
    /// A tenth of the days was higher.
    pub high: f64,
    /// Days that had the figure, 28 at most.
    pub days: u64,
}

/// Open orders of one place and category.
#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
pub struct OrderCount {
    pub district: String,
    pub street: String,
    pub category: String,
    pub orders: u64,
}

impl Store {
    /// These metrics, in all their rolling spans, at the same time of day on each of the 28 days before `ends_ms` (window ends within one day).
    /// Figures that are made of others are left out.
    pub async fn usual(&self, metrics: &[&str], level: &str, key: &str, ends_ms: &[i64]) -> Result<Vec<UsualPoint>> {
        let (Some(first), Some(last)) = (ends_ms.iter().min(), ends_ms.iter().max()) else {
            return Ok(Vec::new());
        };
        let past: Vec<i64> = (1..=DAYS).flat_map(|day| ends_ms.iter().map(move |end| end - day * DAY_MS)).collect();
        let sql = "SELECT metric, span,
                toInt64(? + positiveModulo(toUnixTimestamp64Milli(f.window_end) - ?, 86400000)) AS at,
                quantileExactInclusive(0.1)(assumeNotNull(f.value)) AS low,
                quantileExactInclusive(0.5)(assumeNotNull(f.value)) AS median,
                quantileExactInclusive(0.9)(assumeNotNull(f.value)) AS high,
                count() AS days
            FROM (
                SELECT metric, span, window_end, value FROM city.metrics_merged
                WHERE metric IN ? AND level = ? AND key = ? AND span != 'day'
                  AND window_end IN (SELECT fromUnixTimestamp64Milli(arrayJoin(?), 'UTC'))
                  AND window_end >= fromUnixTimestamp64Milli(?, 'UTC') AND window_end <= fromUnixTimestamp64Milli(?, 'UTC')
            ) AS f
            WHERE f.value IS NOT NULL AND isFinite(f.value)
            GROUP BY metric, span, at ORDER BY metric, span, at";
        let query = self.bounded(sql).bind(first).bind(first).bind(metrics).bind(level).bind(key).bind(past);
        self.answer(query.bind(first - DAYS * DAY_MS).bind(last - DAY_MS)).await
    }

    /// Open orders of a stream that were created since, by street and category; what is not known of an order is ''.
    pub async fn open_orders(&self, stream: &str, created_since_ms: i64) -> Result<Vec<OrderCount>> {
        let sql =
            "SELECT ifNull(district, '') AS district, ifNull(street, '') AS street, ifNull(category, '') AS category,
                count() AS orders
            FROM city.orders_open
            WHERE stream = ? AND created >= fromUnixTimestamp64Milli(?, 'UTC')
            GROUP BY district, street, category ORDER BY district, street, category";
        self.answer(self.bounded(sql).bind(stream).bind(created_since_ms)).await
    }

    /// Each figure as it was known at a past moment: of the final windows that end in (after, until], at multiples of `every_ms`, the newest.
    /// Calendar days are left out: what is stored of one tells its end.
    pub async fn figures_past(
        &self,
        levels: &[&str],
        after_ms: i64,
        until_ms: i64,
        every_ms: i64,
    ) -> Result<Vec<MetricValue>> {
        let sql = "SELECT ?fields FROM city.metrics
            WHERE level IN ? AND span != 'day' AND is_final
              AND window_end > fromUnixTimestamp64Milli(?, 'UTC') AND window_end <= fromUnixTimestamp64Milli(?, 'UTC')
              AND toUnixTimestamp64Milli(window_end) % ? = 0
            ORDER BY window_end DESC LIMIT 1 BY metric, level, key, span";
        self.answer(self.bounded(sql).bind(levels).bind(after_ms).bind(until_ms).bind(every_ms.max(1))).await
    }

    /// Breaches that were open at any time in [from, to].
    pub async fn breaches_past(&self, from_ms: i64, to_ms: i64) -> Result<Vec<Breach>> {
        let sql = "SELECT ?fields FROM city.breaches
            WHERE opened_at <= fromUnixTimestamp64Milli(?, 'UTC')
              AND (closed_at IS NULL OR closed_at >= fromUnixTimestamp64Milli(?, 'UTC'))
            ORDER BY opened_at DESC LIMIT 1000";
        self.answer(self.bounded(sql).bind(to_ms).bind(from_ms)).await
    }
}
