//! The wall's own figures for alert rules: the pages that report, the screens that listen, the questions that failed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use prometheus::{GaugeVec, IntCounterVec, IntGauge, Opts, Registry};
use yiping_event::TimeMs;

/// A heartbeat's page names itself: so many names, and no more, become series.
const PAGES: usize = 64;
/// A page that reported within an hour keeps its place: when it falls silent, its old time is the alarm.
const KEPT_MS: i64 = 3600 * 1000;
const OTHER: &str = "other";

pub(crate) struct Gauges {
    last_heartbeat: GaugeVec,
    heap: GaugeVec,
    fps: GaugeVec,
    pages: Mutex<HashMap<String, TimeMs>>,
    query_errors: IntCounterVec,
    pub screens: IntGauge,
}

#[derive(Debug, serde::Deserialize)]
pub(crate) struct Heartbeat {
    page: String,
    heap_bytes: Option<f64>,
    fps: Option<f64>,
}

impl Gauges {
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let by_page = |name: &str, help: &str| -> prometheus::Result<GaugeVec> {
            let gauge = GaugeVec::new(Opts::new(name, help), &["page"])?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let query_errors =
            Opts::new("yiping_wall_query_errors_total", "Questions of the wall that the store did not answer.");
        let query_errors = IntCounterVec::new(query_errors, &["query"])?;
        registry.register(Box::new(query_errors.clone()))?;
        let screens = IntGauge::new("yiping_wall_screens", "Open event streams to screens.")?;
        registry.register(Box::new(screens.clone()))?;
        Ok(Gauges {
            last_heartbeat: by_page(
                "yiping_wall_page_last_heartbeat_timestamp_seconds",
                "When a page last said that it lives.",
            )?,
            heap: by_page("yiping_wall_page_heap_bytes", "JavaScript heap in use, as the page says.")?,
            fps: by_page("yiping_wall_page_fps", "Frames drawn per second, as the page says.")?,
            pages: Mutex::new(HashMap::new()),
            query_errors,
            screens,
        })
    }

    pub fn query_failed(&self, query: &str) {
        self.query_errors.with_label_values(&[query]).inc();
    }

    pub fn heartbeat(&self, beat: &Heartbeat, now: TimeMs) {
        let page = self.place_for(&beat.page, now);
        self.last_heartbeat.with_label_values(&[&page]).set(now.0 as f64 / 1000.0);
        let sane = |value: Option<f64>| value.filter(|value| value.is_finite() && *value >= 0.0);
        if let Some(heap) = sane(beat.heap_bytes) {
            self.heap.with_label_values(&[&page]).set(heap);
        }
        if let Some(fps) = sane(beat.fps) {
            self.fps.with_label_values(&[&page]).set(fps);
        }
    }

    fn place_for(&self, page: &str, now: TimeMs) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if page.is_empty() || page.len() > 40 || !page.chars().all(plain) {
            return OTHER.to_owned();
        }
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if !pages.contains_key(page) && pages.len() >= PAGES {
            let oldest = pages.iter().min_by_key(|(_, seen)| **seen).map(|(page, seen)| (page.clone(), *seen));
            match oldest {
                Some((gone, seen)) if now.0.saturating_sub(seen.0) > KEPT_MS => {
                    pages.remove(&gone);
                    for gauge in [&self.last_heartbeat, &self.heap, &self.fps] {
                        // A page that never told its heap has no such series.
                        let _ = gauge.remove_label_values(&[&gone]);
                    }
                }
                _ => return OTHER.to_owned(),
            }
        }
        pages.insert(page.to_owned(), now);
        page.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(registry: &Registry, name: &str) -> usize {
        registry.gather().iter().find(|family| family.name() == name).map_or(0, |family| family.get_metric().len())
    }

    fn beat(page: &str) -> Heartbeat {
        Heartbeat { page: page.to_owned(), heap_bytes: Some(5e6), fps: Some(f64::NAN) }
    }

    #[test]
    fn a_flood_of_page_names_makes_a_bounded_number_of_series() {
        let registry = Registry::new();
        let gauges = Gauges::new(&registry).unwrap();
        for page in 0..1000 {
            gauges.heartbeat(&beat(&format!("page-{page}")), TimeMs(1000));
        }
        gauges.heartbeat(&beat("no {good} \"name\""), TimeMs(1000));
        assert_eq!(series(&registry, "yiping_wall_page_last_heartbeat_timestamp_seconds"), PAGES + 1);
        assert_eq!(series(&registry, "yiping_wall_page_fps"), 0, "not a number is no rate");
    }

    #[test]
    fn a_page_long_gone_makes_room_for_a_new_one() {
        let registry = Registry::new();
        let gauges = Gauges::new(&registry).unwrap();
        for page in 0..PAGES {
            gauges.heartbeat(&beat(&format!("page-{page}")), TimeMs(page as i64));
        }
        assert_eq!(gauges.place_for("new", TimeMs(KEPT_MS + 1)), "new");
        assert_eq!(
            series(&registry, "yiping_wall_page_last_heartbeat_timestamp_seconds"),
            PAGES - 1,
            "the oldest left, the new one has not reported yet"
        );
    }
}
