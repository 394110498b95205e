//! The Prometheus series that every target has. Names and labels are the contract's; nothing here counts by itself.
//!
//! Labels are bounded: never a vehicle, caller, order or device. Times are timestamps, for an age freezes with its exporter.

use prometheus::{
    GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::clock::ClockStep;

/// What became of an event, as the label `outcome` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    Rejected,
    Late,
    Duplicate,
    Quarantined,
}

impl Outcome {
    pub const ALL: [Self; 5] = [Self::Accepted, Self::Rejected, Self::Late, Self::Duplicate, Self::Quarantined];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Quarantined => "quarantined",
        }
    }
}

/// The series of one process. Clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    /// stream, outcome. Counted where an event is judged: by the services, and by the gateway for what it refuses.
    pub events: IntCounterVec,
    /// stream, partition; event time in seconds.
    pub watermark: GaugeVec,
    /// source; seconds.
    pub source_last_contact: GaugeVec,
    /// source, stream; seconds between its signs of life.
    pub source_expected: GaugeVec,
    /// stream, partition.
    pub consumer_lag: IntGaugeVec,
    pub store_rows: IntCounter,
    pub store_errors: IntCounter,
    /// stream, partition; seconds.
    pub checkpoint: GaugeVec,
    /// From a record's append to its row being stored.
    pub event_to_row: Histogram,
    pub gateway: GatewayMetrics,
    pub elder: ElderMetrics,
}

/// The gateway's own series.
#[derive(Debug, Clone)]
pub struct GatewayMetrics {
    /// status
    pub requests: IntCounterVec,
    /// reason; requests of which nothing was taken
    pub refused: IntCounterVec,
    /// code; single events
    pub rejected: IntCounterVec,
    /// stream; made durable
    pub accepted: IntCounterVec,
    /// Unknown members and extension attributes that were dropped from events.
    pub dropped_members: IntCounter,
    pub in_flight_bytes: IntGauge,
    pub connections: IntGauge,
    /// reason: idle, full, tls, stopping
    pub connections_closed: IntCounterVec,
}

/// Open SOS cases, from the service itself, so that an alert needs no ClickHouse. Label: district.
#[derive(Debug, Clone)]
pub struct ElderMetrics {
    pub sos_open: IntGaugeVec,
    pub sos_unacknowledged: IntGaugeVec,
    pub sos_oldest_unacknowledged: GaugeVec,
}

impl Metrics {
    /// Makes the series and registers them. A registry takes them once.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        registry.register(Box::new(ClockStep::new()?))?;
        let partition = &["stream", "partition"];
        let metrics = Self {
            registry: registry.clone(),
            events: counters(registry, "yiping_events_total", "events by what became of them", &["stream", "outcome"])?,
            watermark: gauges(
                registry,
                "yiping_watermark_timestamp_seconds",
                "event time up to which a partition is complete",
                partition,
            )?,
            source_last_contact: gauges(
                registry,
                "yiping_source_last_contact_timestamp_seconds",
                "when a source last gave a sign of life",
                &["source"],
            )?,
            source_expected: gauges(
                registry,
                "yiping_source_expected_seconds",
                "within which the next sign of life of a source is expected, as it says itself or the city's profile does",
                &["source", "stream"],
            )?,
            consumer_lag: int_gauges(
                registry,
                "yiping_consumer_lag_records",
                "records in the log not yet applied",
                partition,
            )?,
            store_rows: counter(registry, "yiping_store_rows_total", "rows stored")?,
            store_errors: counter(registry, "yiping_store_errors_total", "writes that the store refused or lost")?,
            checkpoint: gauges(
                registry,
                "yiping_checkpoint_timestamp_seconds",
                "when a partition was last checkpointed",
                partition,
            )?,
            event_to_row: event_to_row(registry)?,
            gateway: GatewayMetrics {
                requests: counters(
                    registry,
                    "yiping_gateway_requests_total",
                    "requests by their answer's status",
                    &["status"],
                )?,
                refused: counters(
                    registry,
                    "yiping_gateway_refused_total",
                    "requests of which nothing was taken, by why",
                    &["reason"],
                )?,
                rejected: counters(
                    registry,
                    "yiping_gateway_rejected_total",
                    "events that were rejected, by why",
                    &["code"],
                )?,
                accepted: counters(
                    registry,
                    "yiping_gateway_accepted_total",
                    "events made durable in the log",
                    &["stream"],
                )?,
                dropped_members: counter(
                    registry,
                    "yiping_gateway_dropped_members_total",
                    "unknown members and attributes dropped from events",
                )?,
                in_flight_bytes: int_gauge(
                    registry,
                    "yiping_gateway_in_flight_bytes",
                    "bytes of request bodies being worked on",
                )?,
                connections: int_gauge(registry, "yiping_gateway_connections", "connections of senders")?,
                connections_closed: counters(
                    registry,
                    "yiping_gateway_connections_closed_total",
                    "connections that the gateway ended, by why",
                    &["reason"],
                )?,
            },
            elder: ElderMetrics {
                sos_open: int_gauges(registry, "yiping_elder_sos_open", "open SOS cases", &["district"])?,
                sos_unacknowledged: int_gauges(
                    registry,
                    "yiping_elder_sos_unacknowledged",
                    "open SOS cases that nobody has acknowledged",
                    &["district"],
                )?,
                sos_oldest_unacknowledged: gauges(
                    registry,
                    "yiping_elder_sos_oldest_unacknowledged_timestamp_seconds",
                    "when the oldest unacknowledged SOS case was raised",
                    &["district"],
                )?,
            },
        };
        Ok(metrics)
    }

    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Counts `n` events of a stream.
    pub fn count(&self, stream: &str, outcome: Outcome, n: u64) {
        self.events.with_label_values(&[stream, outcome.as_str()]).inc_by(n);
    }

    /// Shows a stream's counters at 0, so that the first reject is seen as an increase.
    pub fn begin_stream(&self, stream: &str) {
        for outcome in Outcome::ALL {
            self.count(stream, outcome, 0);
        }
    }

    /// Takes away the series of a partition that another process owns now.
    pub fn forget_partition(&self, stream: &str, partition: u32) {
        let partition = partition.to_string();
        let labels = [stream, partition.as_str()];
        // An error means that the series never was: just what is wanted.
        let _ = self.watermark.remove_label_values(&labels);
        let _ = self.consumer_lag.remove_label_values(&labels);
        let _ = self.checkpoint.remove_label_values(&labels);
    }
}

fn event_to_row(registry: &Registry) -> prometheus::Result<Histogram> {
    let options =
        HistogramOpts::new("yiping_event_to_row_seconds", "time from a record's append to its row being stored")
            .buckets(vec![0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0]);
    let histogram = Histogram::with_opts(options)?;
    registry.register(Box::new(histogram.clone()))?;
    Ok(histogram)
}

/// A registered counter.
pub fn counter(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntCounter> {
    let series = IntCounter::new(name, help)?;
    registry.register(Box::new(series.clone()))?;
    Ok(series)
}

/// A registered family of counters.
pub fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    let series = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(series.clone()))?;
    Ok(series)
}

/// A registered family of gauges.
pub fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
    let series = GaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(series.clone()))?;
    Ok(series)
}

/// A registered gauge of whole numbers.
pub fn int_gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    let series = IntGauge::new(name, help)?;
    registry.register(Box::new(series.clone()))?;
    Ok(series)
}

/// A registered family of gauges of whole numbers.
pub fn int_gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
    let series = IntGaugeVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(series.clone()))?;
    Ok(series)
}
