//! The puller's series. Label `feed`: the names in the settings, so their number is the operator's.

use prometheus::{GaugeVec, IntCounterVec, Registry};
use yiping_runtime::metrics::{counters, gauges};

use crate::failure::Reason;

/// The series of one process. Clones share them.
#[derive(Debug, Clone)]
pub struct PullMetrics {
    /// feed
    pub attempts: IntCounterVec,
    /// feed, reason
    pub failures: IntCounterVec,
    /// feed
    pub rows: IntCounterVec,
    /// feed, outcome: accepted, rejected, repeated
    pub events: IntCounterVec,
    /// feed, code: why events and rows were rejected
    pub rejected: IntCounterVec,
    /// feed
    pub changeovers: IntCounterVec,
    /// feed; seconds
    pub last_success: GaugeVec,
    /// feed; seconds, 0 while all is well
    pub backoff: GaugeVec,
}

impl PullMetrics {
    /// Makes the series and registers them. A registry takes them once.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let feed = &["feed"];
        Ok(Self {
            attempts: counters(registry, "yiping_pull_attempts_total", "polls of a pulled feed", feed)?,
            failures: counters(
                registry,
                "yiping_pull_failures_total",
                "polls and deliveries that failed, by why",
                &["feed", "reason"],
            )?,
            rows: counters(registry, "yiping_pull_rows_total", "rows of pulled payloads", feed)?,
            events: counters(
                registry,
                "yiping_pull_events_total",
                "events of pulled payloads by what became of them; repeated ones are not sent again",
                &["feed", "outcome"],
            )?,
            rejected: counters(
                registry,
                "yiping_pull_rejected_total",
                "events and rows of pulled payloads that were rejected, by why",
                &["feed", "code"],
            )?,
            changeovers: counters(
                registry,
                "yiping_pull_changeover_events_total",
                "events with a local time in an hour that a clock change repeats or leaves out",
                feed,
            )?,
            last_success: gauges(
                registry,
                "yiping_pull_last_success_timestamp_seconds",
                "when a pulled feed was last fetched, and everything in it accepted",
                feed,
            )?,
            backoff: gauges(
                registry,
                "yiping_pull_backoff_seconds",
                "how long a failing feed waits until its next try; 0 while all is well",
                feed,
            )?,
        })
    }

    /// Shows a feed's series at 0, so that the first failure is seen as an increase.
    pub fn begin(&self, feed: &str) {
        for family in [&self.attempts, &self.rows, &self.changeovers] {
            family.with_label_values(&[feed]).inc_by(0);
        }
        for reason in Reason::ALL {
            self.failures.with_label_values(&[feed, reason.as_str()]).inc_by(0);
        }
        for outcome in ["accepted", "rejected", "repeated"] {
            self.events.with_label_values(&[feed, outcome]).inc_by(0);
        }
        self.backoff.with_label_values(&[feed]).set(0.0);
    }
}
