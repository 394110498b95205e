//! What the views must know of the catalogue to merge its rows.

use yiping_catalogue::{Catalogue, Entry, Value};

use crate::{DerivedDef, MetricDef, MetricKind};

impl MetricDef {
    /// Every metric that has rows of its own.
    #[must_use]
    pub fn all(catalogue: &Catalogue) -> Vec<MetricDef> {
        catalogue
            .entries
            .iter()
            .filter(|entry| entry.derived.is_none())
            .map(|entry| MetricDef {
                metric: entry.id.clone(),
                stream: entry.stream.as_str().to_owned(),
                kind: kind(entry),
                min_n: entry.min_n,
                num_scale: entry.num_scale,
                den_scale: entry.den_scale,
                value_scale: entry.value_scale,
                quantile: entry.quantile.unwrap_or(0.0),
            })
            .collect()
    }
}

impl DerivedDef {
    /// The figures that the views make of others. (Surges are `watch`'s.)
    #[must_use]
    pub fn all(catalogue: &Catalogue) -> Vec<DerivedDef> {
        let counts = catalogue.entries.iter().filter_map(|entry| {
            let derived = entry.derived.as_ref()?;
            Some(DerivedDef {
                metric: entry.id.clone(),
                of: derived.of.clone(),
                level: derived.level.clone(),
                span: derived.span.clone(),
                when: derived.when?.as_str().to_owned(),
                limit: derived.limit?,
            })
        });
        counts.collect()
    }
}

fn kind(entry: &Entry) -> MetricKind {
    match entry.value {
        Value::Count => MetricKind::Count,
        Value::Gauge => MetricKind::Gauge,
        Value::Ratio if entry.is_integral() => MetricKind::Integral,
        Value::Ratio => MetricKind::Ratio,
        Value::Mean => MetricKind::Mean,
        Value::Percentile => MetricKind::Percentile,
        Value::Deviation => MetricKind::Deviation,
        Value::Excess => MetricKind::Excess,
        Value::Age => MetricKind::Age,
        Value::TimeTo => MetricKind::TimeTo,
        Value::PerLevel => MetricKind::PerLevel,
    }
}
