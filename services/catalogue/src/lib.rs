//! The metric catalogue as data: what `schemas/metrics.toml` says of each metric, and the one formula that turns merged sums into
//! a published figure. It must not know where rows come from or go to.

mod markdown;
mod publish;
mod threshold;

use serde::{Deserialize, Serialize};
use yiping_event::Stream;
use yiping_window::{Level, MetricSpec, Shape, Span};

pub use publish::{Figure, Sums};
pub use threshold::{Severity, Threshold, When, duration_ms};

/// How the merged sums of a window become its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    Count,
    Gauge,
    Ratio,
    Mean,
    Percentile,
    /// Standard deviation of one thing over the mean of another.
    Deviation,
    /// A mean wait beyond the planned one.
    Excess,
    /// How long the oldest waits.
    Age,
    /// When a state will be used up, if it goes on as it does.
    TimeTo,
    /// What happened in a window, for each unit of a state at its end.
    PerLevel,
}

impl Value {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Value::Count => "count",
            Value::Gauge => "gauge",
            Value::Ratio => "ratio",
            Value::Mean => "mean",
            Value::Percentile => "percentile",
            Value::Deviation => "deviation",
            Value::Excess => "excess",
            Value::Age => "age",
            Value::TimeTo => "time_to",
            Value::PerLevel => "per_level",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ShapeName {
    Flow,
    Level,
    Integral,
    Trend,
    Oldest,
}

/// Which way a figure should go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Better,
    Worse,
    Neutral,
}

/// How partial rows merge over partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    Sum,
    /// Four sums.
    Moments,
    Histogram,
    /// The least, where anything was observed.
    Min,
}

/// A figure that is made of merged rows of another metric: how many of them lie beyond a limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    pub of: String,
    pub level: String,
    pub span: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// Instead of a limit: which lie beyond what the last four weeks let expect; `watch` finds them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub surge: bool,
}

/// One metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub id: String,
    pub stream: Stream,
    pub name_zh: String,
    pub name_en: String,
    pub unit: String,
    pub formula: String,
    pub formula_zh: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shape: Option<ShapeName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<Derived>,
    pub value: Value,
    pub merge: Merge,
    pub levels: Vec<String>,
    pub spans: Vec<String>,
    pub min_n: i64,
    #[serde(default = "one")]
    pub num_scale: f64,
    #[serde(default = "one")]
    pub den_scale: f64,
    #[serde(default = "one")]
    pub value_scale: f64,
    /// Percentiles: which, as a share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    #[serde(default)]
    pub moves: bool,
    /// A constant of the city profile that is the denominator at city level, joined when rows are merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constant: Option<String>,
    /// So long after its stream's first figure no limit judges it: it depends on what was before (`90s`, `65m`, `24h`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<String>,
    pub higher_is: Direction,
    /// Whether it is also a Prometheus gauge.
    #[serde(default)]
    pub export: bool,
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
}

fn one() -> f64 {
    1.0
}

impl Entry {
    /// Whether it adds up a state over time: its n counts steps, and only a denominator of 0 makes it NULL.
    #[must_use]
    pub fn is_integral(&self) -> bool {
        self.shape == Some(ShapeName::Integral)
    }

    /// The quantile in thousandths, as ranks are counted.
    #[must_use]
    pub fn per_mille(&self) -> i64 {
        self.quantile.map_or(0, |quantile| (quantile * 1_000.0).round() as i64)
    }

    /// The warm-up in ms.
    ///
    /// # Errors
    /// When it is no number of seconds, minutes or hours.
    pub fn warm_up_ms(&self) -> Result<i64, String> {
        self.warm_up.as_deref().map_or(Ok(0), duration_ms)
    }

    /// Its spans.
    #[must_use]
    pub fn windows(&self) -> Vec<Span> {
        self.spans.iter().filter_map(|span| span.parse().ok()).collect() // parse() has seen every one succeed
    }

    /// Its name as a Prometheus gauge: seconds are spelt out, as is usual there.
    #[must_use]
    pub fn series(&self) -> String {
        let name = self.id.replace('.', "_");
        match name.strip_suffix("_s") {
            Some(stem) => format!("yiping_{stem}_seconds"),
            None => format!("yiping_{name}"),
        }
    }

    /// What the engine makes of it; `None` for a derived figure.
    fn spec(&self) -> Option<MetricSpec> {
        let shape = match self.shape? {
            ShapeName::Flow => Shape::Flow,
            ShapeName::Level => Shape::Level,
            ShapeName::Integral => Shape::Integral,
            ShapeName::Trend => Shape::Trend,
            ShapeName::Oldest => Shape::Oldest,
        };
        Some(MetricSpec { id: self.id.as_str().into(), shape, spans: self.windows(), moves: self.moves })
    }

    fn check(&self, catalogue: &Catalogue) -> Result<(), CatalogueError> {
        let stream = self.stream.as_str();
        if !self.id.starts_with(&format!("{stream}.")) {
            return Err(self.fault(format!("its id should start with '{stream}.'")));
        }
        for span in &self.spans {
            span.parse::<Span>().map_err(|error| self.fault(error.to_string()))?;
        }
        if let Some(level) = self.levels.iter().find(|name| !Level::ALL.iter().any(|level| level.as_str() == **name)) {
            return Err(self.fault(format!("unknown level '{level}'")));
        }
        if (self.value == Value::Percentile) != self.quantile.is_some() {
            return Err(self.fault("percentiles have a quantile, others have none".to_owned()));
        }
        let merge = match (self.value, self.shape) {
            (Value::Percentile, _) => Merge::Histogram,
            (Value::Deviation | Value::Excess, _) => Merge::Moments,
            (_, Some(ShapeName::Oldest)) => Merge::Min,
            _ => Merge::Sum,
        };
        if self.merge != merge {
            return Err(self.fault(format!("its merge should be {merge:?}")));
        }
        self.warm_up_ms().map_err(|error| self.fault(error))?;
        if self.shape.is_some() == self.derived.is_some() {
            return Err(self.fault("a metric has a shape, or is derived".to_owned()));
        }
        if let Some(derived) = &self.derived {
            let of = catalogue.entry(&derived.of);
            if !of.is_some_and(|of| of.levels.contains(&derived.level) && of.spans.contains(&derived.span)) {
                return Err(
                    self.fault(format!("there is no {} at {} over {}", derived.of, derived.level, derived.span))
                );
            }
            if derived.surge == (derived.when.is_some() && derived.limit.is_some()) {
                return Err(self.fault("a derived metric has `when` and `limit`, or is a surge".to_owned()));
            }
        }
        self.thresholds.iter().try_for_each(|threshold| threshold.check(self, |id| catalogue.entry(id).is_some()))
    }

    fn fault(&self, message: String) -> CatalogueError {
        CatalogueError::Entry { id: self.id.clone(), message }
    }
}

/// What is wrong with a catalogue's text.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error("the metric catalogue can't be read: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("metric {id}: {message}")]
    Entry { id: String, message: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    #[serde(rename = "metric")]
    pub entries: Vec<Entry>,
}

impl Catalogue {
    /// Reads a catalogue's text and checks it.
    ///
    /// # Errors
    /// Names the entry that is wrong, and why.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let catalogue: Catalogue = toml::from_str(text)?;
        for (at, entry) in catalogue.entries.iter().enumerate() {
            if catalogue.entries[..at].iter().any(|other| other.id == entry.id) {
                return Err(entry.fault("stands twice".to_owned()));
            }
            entry.check(&catalogue)?;
        }
        Ok(catalogue)
    }

    /// The catalogue that ships with the program.
    ///
    /// # Errors
    /// None in a tested build: a test reads it.
    pub fn builtin() -> Result<Self, CatalogueError> {
        Self::parse(include_str!("../../../schemas/metrics.toml"))
    }

    #[must_use]
    pub fn entry(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// What the engine needs of a stream's metrics. `spans`: only these, when given.
    #[must_use]
    pub fn specs(&self, stream: Stream, spans: Option<&[Span]>) -> Vec<MetricSpec> {
        self.entries
            .iter()
            .filter(|entry| entry.stream == stream)
            .filter_map(Entry::spec)
            .map(|mut spec| {
                spec.spans.retain(|span| spans.is_none_or(|wanted| wanted.contains(span)));
                spec
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_catalogue_reads() {
        let catalogue = Catalogue::builtin().unwrap();
        for stream in Stream::ALL {
            assert!(catalogue.specs(stream, None).len() > 10, "{}", stream.as_str());
        }
        let limits = catalogue.entries.iter().flat_map(|entry| &entry.thresholds);
        assert!(
            limits.clone().all(|limit| !limit.owner.is_empty() && !limit.action.is_empty() && !limit.source.is_empty())
        );
    }

    #[test]
    fn a_metric_that_stands_twice_is_named() {
        let text = include_str!("../../../schemas/metrics.toml");
        let error = Catalogue::parse(&format!("{text}\n{text}")).unwrap_err().to_string();
        assert!(error.contains("bus.online_ratio") && error.contains("twice"), "{error}");
    }
}
