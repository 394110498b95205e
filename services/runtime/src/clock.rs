//! The process's time, and for Prometheus how far the machine's clock is off it.
//!
//! For what may depend on it: stamps on what comes in, ages in gauges. Results never do (I1).

use prometheus::{
    Gauge,
    core::{Collector, Desc},
    proto::MetricFamily,
};

pub use yiping_clock::{Steady, unix_ms};

/// The series `yiping_clock_step_seconds`. Both clocks are read when it is asked for, so a step is told within a scrape
/// also where nothing is stamped.
pub struct ClockStep(Gauge);

impl ClockStep {
    /// # Errors
    /// None but those of a bad name.
    pub fn new() -> prometheus::Result<Self> {
        let help =
            "how far the machine's clock is ahead of the time in use: 0, or what of a step is not made up for yet";
        Ok(Self(Gauge::new("yiping_clock_step_seconds", help)?))
    }
}

impl Collector for ClockStep {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.0.set(yiping_clock::step_seconds());
        self.0.collect()
    }
}
