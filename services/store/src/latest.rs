//! The newest figures, asked for every second: merged sums from the view `city.latest_sums`, published by the catalogue's own formula.
//! The views `city.metrics_latest_merged` and `city.metrics_latest` say the same to whoever reads SQL, at two to five times the cost; a
//! test holds the two together.

use std::collections::{BTreeMap, HashMap};

use clickhouse::Row;
use serde::Deserialize;
use yiping_catalogue::{Catalogue, Entry, Merge, Sums};
use yiping_event::TimeMs;

use crate::{MetricConstant, MetricValue, Result, Store};

/// How sums become figures: the catalogue's entries, and the profile's constants.
pub struct Formulas {
    entries: HashMap<String, Entry>,
    /// metric, level, key → the denominator that is the profile's.
    constants: HashMap<(String, String, String), i64>,
}

impl Formulas {
    #[must_use]
    pub fn new(catalogue: &Catalogue, constants: &[MetricConstant]) -> Self {
        let entries = catalogue.entries.iter().map(|entry| (entry.id.clone(), entry.clone())).collect();
        let constants = constants.iter().map(|c| ((c.metric.clone(), c.level.clone(), c.key.clone()), c.den)).collect();
        Formulas { entries, constants }
    }

    /// The figure of merged sums; `None` for a metric that the catalogue doesn't have any more.
    fn publish(&self, row: SumsRow, known: &Known) -> Option<MetricValue> {
        let entry = self.entries.get(&row.metric)?;
        let num = match entry.merge {
            Merge::Min => row.least,
            Merge::Sum | Merge::Moments | Merge::Histogram => row.num,
        };
        let sums = Sums { num, den: row.den, n: row.n, num2: row.num2, den2: row.den2, hist: row.hist };
        let series = (row.metric, row.level, row.key);
        let figure = entry.publish(&sums, TimeMs(row.window_end_ms), self.constants.get(&series).copied());
        let (metric, level, key) = series;
        let watermark_ms = known.watermarks.get(&row.stream).copied();
        Some(MetricValue {
            late: known.late(&row.stream, row.window_start_ms, row.window_end_ms),
            is_final: watermark_ms.is_some_and(|watermark| row.window_end_ms <= watermark),
            watermark_ms,
            stream: row.stream,
            metric,
            level,
            key,
            span: row.span,
            window_start_ms: row.window_start_ms,
            window_end_ms: row.window_end_ms,
            value: figure.value,
            numerator: figure.numerator,
            denominator: figure.denominator,
            n: figure.n,
            revision: row.revision,
            incomplete: row.incomplete,
        })
    }

    /// The figures that are made of these: at each full minute, how many of a metric's keys lie beyond a limit.
    fn derived(&self, figures: &[MetricValue]) -> Vec<MetricValue> {
        let mut made = Vec::new();
        for entry in self.entries.values() {
            let Some(derived) = &entry.derived else { continue };
            let Some((when, limit)) = derived.when.zip(derived.limit) else { continue };
            let of =
                |row: &&MetricValue| row.metric == derived.of && row.level == derived.level && row.span == derived.span;
            let mut minutes: BTreeMap<(&str, i64), MetricValue> = BTreeMap::new();
            for row in figures.iter().filter(of) {
                let minute = minutes.entry((&row.stream, row.window_end_ms)).or_insert_with(|| MetricValue {
                    stream: row.stream.clone(),
                    metric: entry.id.clone(),
                    level: "city".to_owned(),
                    key: "city".to_owned(),
                    span: "now".to_owned(),
                    window_start_ms: row.window_end_ms,
                    window_end_ms: row.window_end_ms,
                    value: None,
                    numerator: 0.0,
                    denominator: 1.0,
                    n: 0,
                    is_final: true,
                    revision: 0,
                    watermark_ms: None,
                    incomplete: false,
                    late: 0,
                });
                minute.n += i64::from(row.value.is_some());
                minute.numerator += f64::from(u8::from(row.value.is_some_and(|value| when.holds(value, limit))));
                minute.is_final &= row.is_final;
                minute.revision = minute.revision.max(row.revision);
                minute.watermark_ms = minute.watermark_ms.max(row.watermark_ms);
                minute.incomplete |= row.incomplete;
                minute.late = minute.late.max(row.late);
            }
            made.extend(minutes.into_values().map(|minute| MetricValue { value: Some(minute.numerator), ..minute }));
        }
        made
    }
}

/// A row of `city.latest_sums`.
#[derive(Debug, Clone, PartialEq, Row, Deserialize)]
struct SumsRow {
    stream: String,
    metric: String,
    level: String,
    key: String,
    span: String,
    #[serde(rename = "window_start")]
    window_start_ms: i64,
    #[serde(rename = "window_end")]
    window_end_ms: i64,
    num: i64,
    den: i64,
    n: i64,
    num2: i64,
    den2: i64,
    /// The least `num` of a partition that observed anything.
    least: i64,
    hist: Vec<(u16, i64)>,
    incomplete: bool,
    revision: u64,
}

/// What is known of the streams when their figures are asked for.
struct Known {
    /// Merged watermarks (ms).
    watermarks: HashMap<String, i64>,
    /// By stream: events that came too late and were not healed, by the minute of their time, added up to and with that minute.
    unhealed: HashMap<String, Vec<(i64, i64)>>,
}

impl Known {
    /// Events of the stream, and of the window's time by minutes, that came too late to be counted.
    fn late(&self, stream: &str, start_ms: i64, end_ms: i64) -> u64 {
        let Some(minutes) = self.unhealed.get(stream) else { return 0 };
        let before = |time_ms: i64| {
            let after = minutes.partition_point(|(minute, _)| *minute < time_ms);
            after.checked_sub(1).map_or(0, |at| minutes[at].1)
        };
        let whole = start_ms.div_euclid(60_000) * 60_000;
        u64::try_from(before(end_ms) - before(whole)).unwrap_or(0)
    }
}

impl Store {
    /// The newest value of each figure, as `city.metrics_latest` has it. `levels`: only at these, without those that are made of others.
    pub async fn newest(&self, formulas: &Formulas, levels: Option<&[&str]>) -> Result<Vec<MetricValue>> {
        // first how far the streams are: a window that was final then has its last sums when they are read
        let (watermarks, unhealed) = tokio::try_join!(self.watermarks(), self.unhealed())?;
        let known = Known { watermarks: watermarks.into_iter().collect(), unhealed };
        let rows: Vec<SumsRow> = match levels {
            Some(levels) => {
                let sql = "SELECT ?fields FROM city.latest_sums WHERE level IN ?";
                self.answer(self.bounded(sql).bind(levels)).await?
            }
            None => self.read("SELECT ?fields FROM city.latest_sums").await?,
        };
        let mut figures: Vec<MetricValue> = rows.into_iter().filter_map(|row| formulas.publish(row, &known)).collect();
        if levels.is_none() {
            figures.extend(formulas.derived(&figures));
        }
        let order = |row: &MetricValue| (row.metric.clone(), row.level.clone(), row.key.clone(), row.span.clone());
        figures.sort_by_cached_key(order);
        Ok(figures)
    }

    async fn unhealed(&self) -> Result<HashMap<String, Vec<(i64, i64)>>> {
        let sql =
            "SELECT toString(stream), toUnixTimestamp64Milli(minute), until FROM city.unhealed ORDER BY stream, minute";
        let mut minutes: HashMap<String, Vec<(i64, i64)>> = HashMap::new();
        for (stream, minute, until) in self.read::<(String, i64, i64)>(sql).await? {
            minutes.entry(stream).or_default().push((minute, until));
        }
        Ok(minutes)
    }
}
