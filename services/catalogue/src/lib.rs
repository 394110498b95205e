//! The metric catalogue as data: what `schemas/metrics.toml` says of each metric, and the one formula that turns merged sums into
//! a published figure. It must not know where rows come from or go to.

mod publish;

use serde::{Deserialize, Serialize};
use yiping_event::Stream;
use yiping_window::{MetricSpec, Shape, Span};

pub use publish::{Figure, Sums};

/// How the merged sums of a window become its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    Count,
    Gauge,
    Ratio,
    Mean,
    Percentile,
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
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ShapeName {
    Flow,
    Level,
    Integral,
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
    Histogram,
}

/// A limit that the city profile may override.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// `w` or `c`.
    pub severity: String,
    /// `<`, `<=`, `>` or `>=`.
    pub when: String,
    pub limit: f64,
    /// What the limit is a share of, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The spans it is judged over; all when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<String>,
    pub source: String,
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
    shape: ShapeName,
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
    pub higher_is: Direction,
    pub thresholds: Vec<Threshold>,
}

fn one() -> f64 {
    1.0
}

impl Entry {
    /// Whether it adds up a state over time: its n counts steps, and only a denominator of 0 makes it NULL.
    #[must_use]
    pub fn is_integral(&self) -> bool {
        self.shape == ShapeName::Integral
    }

    /// The quantile in thousandths, as ranks are counted.
    #[must_use]
    pub fn per_mille(&self) -> i64 {
        self.quantile.map_or(0, |quantile| (quantile * 1_000.0).round() as i64)
    }

    fn spec(&self) -> Result<MetricSpec, CatalogueError> {
        let spans = self.spans.iter().map(|span| span.parse::<Span>().map_err(|error| self.fault(error.to_string())));
        Ok(MetricSpec {
            id: self.id.clone(),
            shape: match self.shape {
                ShapeName::Flow => Shape::Flow,
                ShapeName::Level => Shape::Level,
                ShapeName::Integral => Shape::Integral,
            },
            spans: spans.collect::<Result<_, _>>()?,
            moves: self.moves,
        })
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
            entry.spec()?;
            if !entry.id.starts_with(&format!("{}.", entry.stream.as_str())) {
                return Err(entry.fault(format!("its id should start with '{}.'", entry.stream.as_str())));
            }
            if catalogue.entries[..at].iter().any(|other| other.id == entry.id) {
                return Err(entry.fault("stands twice".to_owned()));
            }
            if (entry.value == Value::Percentile) != entry.quantile.is_some() {
                return Err(entry.fault("percentiles have a quantile, others have none".to_owned()));
            }
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
            .filter_map(|entry| entry.spec().ok()) // parse() has seen every one succeed
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
        assert_eq!(catalogue.entries.len(), 12);
        assert_eq!(catalogue.specs(Stream::Bus, None).len(), 3);
    }

    #[test]
    fn a_metric_that_stands_twice_is_named() {
        let text = include_str!("../../../schemas/metrics.toml");
        let error = Catalogue::parse(&format!("{text}\n{text}")).unwrap_err().to_string();
        assert!(error.contains("bus.online_ratio") && error.contains("twice"), "{error}");
    }
}
