//! The newest merged figures for alert rules: one Prometheus name a metric, in base units, with bounded labels.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
};

use prometheus::{GaugeVec, IntGauge, IntGaugeVec, Opts, Registry};
use yiping_catalogue::Catalogue;
use yiping_city::{City, OTHER};
use yiping_store::MetricValue;

use crate::judge::Judge;

/// The most series of city figures a process exports.
pub const DEFAULT_MOST_SERIES: usize = 3_000;

/// Figures of the catalogue's entries with `export = true`, at these levels: those whose keys are few.
pub const EXPORTED_LEVELS: [&str; 3] = ["city", "district", "agency"];

pub struct Gauges {
    figures: BTreeMap<String, GaugeVec>,
    judged: GaugeVec,
    open: IntGaugeVec,
    left_out: IntGauge,
    keys: HashSet<String>,
    most: usize,
    /// metric, level, key, span of the series that there are.
    shown: Mutex<HashSet<[String; 4]>>,
}

impl Gauges {
    /// # Errors
    /// When a name is registered already.
    pub fn new(registry: &Registry, catalogue: &Catalogue, city: &City, most: usize) -> prometheus::Result<Self> {
        let mut figures = BTreeMap::new();
        for entry in catalogue.entries.iter().filter(|entry| entry.export) {
            let name = entry.series();
            let help = format!("{} ({}): {}", entry.name_en, entry.unit, entry.formula);
            let gauge = GaugeVec::new(Opts::new(name, help), &["level", "key", "span"])?;
            registry.register(Box::new(gauge.clone()))?;
            figures.insert(entry.id.clone(), gauge);
        }
        let judged = Opts::new("yiping_watch_judged_timestamp_seconds", "Event time up to which figures were judged.");
        let judged = GaugeVec::new(judged, &["stream"])?;
        registry.register(Box::new(judged.clone()))?;
        let open = Opts::new("yiping_watch_breaches_open", "Figures that lie beyond a limit: open breaches.");
        let open = IntGaugeVec::new(open, &["metric", "level", "severity"])?;
        registry.register(Box::new(open.clone()))?;
        let left_out =
            IntGauge::new("yiping_watch_series_left_out", "City figures not exported: there are too many series.")?;
        registry.register(Box::new(left_out.clone()))?;
        let districts = city.districts.iter().map(|district| district.name.clone());
        let zones = city.zones.iter().map(|zone| zone.name.clone());
        let agencies = city.agencies().into_iter().map(str::to_owned);
        let more = ["city", OTHER].map(str::to_owned);
        let keys = districts.chain(zones).chain(agencies).chain(more).collect();
        Ok(Gauges { figures, judged, open, left_out, keys, most, shown: Mutex::default() })
    }

    pub fn judged(&self, stream: &str, until_ms: i64) {
        self.judged.with_label_values(&[stream]).set(until_ms as f64 / 1_000.0);
    }

    /// Shows what a judge holds open: also 0, so that a rule can tell none from not known.
    pub fn open(&self, judge: &Judge) {
        for ((metric, level, severity), count) in judge.open() {
            self.open.with_label_values(&[metric, level, severity]).set(count);
        }
    }

    /// Shows these figures and no others: a key that left has no series, nor has a figure without data. Keys that the profile doesn't
    /// know are left out, so that nobody's typing error becomes a series.
    pub fn show(&self, rows: &[MetricValue]) {
        let mut before = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown = HashSet::new();
        let mut left_out = 0;
        let mut rows: Vec<&MetricValue> = rows
            .iter()
            .filter(|row| EXPORTED_LEVELS.contains(&row.level.as_str()) && self.keys.contains(&row.key))
            .collect();
        // the city's own figures first, should there be too many
        rows.sort_by(|a, b| (a.level != "city", &a.metric, &a.key).cmp(&(b.level != "city", &b.metric, &b.key)));
        for row in rows {
            let (Some(gauge), Some(value)) = (self.figures.get(&row.metric), row.value) else { continue };
            if shown.len() == self.most {
                left_out += 1;
                continue;
            }
            gauge.with_label_values(&[&row.level, &row.key, &row.span]).set(value);
            shown.insert([&row.metric, &row.level, &row.key, &row.span].map(Clone::clone));
        }
        for [metric, level, key, span] in before.difference(&shown) {
            if let Some(gauge) = self.figures.get(metric) {
                let _ = gauge.remove_label_values(&[level, key, span]); // it was there
            }
        }
        *before = shown;
        self.left_out.set(left_out);
    }
}
