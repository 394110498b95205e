//! How long the rows of windows are kept, by span: ClickHouse's own TTL on `city.metric_rows`. A calendar day's rows stay for ever.

/// Days after a window's end; `None`: for ever.
///
/// What is usual at an hour is asked of the 28 days before, so less than five weeks would change figures: who reads settings sees to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeepDays {
    /// `1m` and `5m`, which are nearly all rows.
    pub short: Option<u32>,
    /// `15m` to `24h`, and `now`.
    pub long: Option<u32>,
}

/// Under this name `city.migrations` has the statement that holds.
pub(crate) const NAME: &str = "metric_rows_ttl";

const SPANS: [&str; 2] = ["'1m', '5m'", "'15m', '30m', '1h', '24h', 'now'"];

impl KeepDays {
    /// The statement that makes ClickHouse keep to it; `None` where nothing is ever deleted.
    pub(crate) fn statement(self) -> Option<String> {
        let rules: Vec<String> = [self.short, self.long]
            .into_iter()
            .zip(SPANS)
            .filter_map(|(days, spans)| {
                let days = days?;
                Some(format!("toDateTime(window_end) + INTERVAL {days} DAY DELETE WHERE span IN ({spans})"))
            })
            .collect();
        (!rules.is_empty()).then(|| format!("ALTER TABLE city.metric_rows MODIFY TTL {}", rules.join(", ")))
    }
}

/// The statement that ends all deleting.
pub(crate) const FOR_EVER: &str = "ALTER TABLE city.metric_rows REMOVE TTL";
