//! The engine's rows as the store's, and what the store must know to merge them.

use std::{collections::HashMap, sync::Arc};

use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_store::{ExpectedSource, MetricConstant, MetricRow};
use yiping_window::Row;

/// Which life of which partition rows come from.
#[derive(Clone, Debug)]
pub struct Origin {
    pub stream: Arc<str>,
    pub generation: u16,
    pub partition: u32,
}

impl Origin {
    /// The order of results of one window: generation << 48 | offset (I3).
    #[must_use]
    pub fn revision(&self, offset: u64) -> u64 {
        (u64::from(self.generation) << 48) | (offset & 0xffff_ffff_ffff)
    }
}

/// Names that every row repeats, shared.
#[derive(Default)]
pub struct Names(HashMap<String, Arc<str>>);

impl Names {
    pub fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = Arc::from(name);
        self.0.insert(name.to_owned(), Arc::clone(&shared));
        shared
    }
}

/// A row's identity within a partition: metric, level, key, span, end.
pub type RowId = (Arc<str>, Arc<str>, Arc<str>, Arc<str>, i64);

#[must_use]
pub fn row_id(row: &MetricRow) -> RowId {
    let MetricRow { metric, level, key, span, window_end_ms, .. } = row;
    (Arc::clone(metric), Arc::clone(level), Arc::clone(key), Arc::clone(span), *window_end_ms)
}

pub fn store_row(row: Row, origin: &Origin, names: &mut Names) -> MetricRow {
    MetricRow {
        stream: Arc::clone(&origin.stream),
        metric: row.metric.shared(),
        level: names.get(row.level.as_str()),
        key: row.key.shared(),
        span: names.get(row.span.as_str()),
        window_start_ms: row.start.0,
        window_end_ms: row.end.0,
        generation: origin.generation,
        partition: origin.partition,
        revision: origin.revision(row.offset),
        num: row.num,
        den: row.den,
        n: row.n,
        num2: row.num2,
        den2: row.den2,
        hist: row.hist,
        gone: row.gone,
        incomplete: row.incomplete,
    }
}

/// The profile's constants that are joined when rows are merged.
#[must_use]
pub fn constants(catalogue: &Catalogue, city: &City) -> Vec<MetricConstant> {
    catalogue
        .entries
        .iter()
        .filter(|entry| entry.constant.as_deref() == Some("fleet"))
        .map(|entry| MetricConstant {
            metric: entry.id.clone(),
            level: "city".to_owned(),
            key: "city".to_owned(),
            den: i64::from(city.fleet),
        })
        .collect()
}

/// The sources that the profile expects to hear of.
#[must_use]
pub fn expected_sources(city: &City) -> Vec<ExpectedSource> {
    city.sources
        .iter()
        .map(|source| ExpectedSource {
            stream: source.stream.clone(),
            source: source.source.clone(),
            expected_s: source.expected_s,
        })
        .collect()
}
