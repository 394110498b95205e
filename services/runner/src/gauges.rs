//! What the process says of its partitions to Prometheus: bounded labels, timestamps instead of ages.

use std::collections::HashMap;

use yiping_event::Stream;
use yiping_runtime::{Metrics, metrics::Outcome};
use yiping_store::LiveRow;
use yiping_window::{Counters, Domain};

use crate::{cases::OpenCases, partition::Owned};

/// What was counted up to the last call, by partition: counters in Prometheus only grow.
pub struct Gauges {
    counted: HashMap<u32, Counters>,
    cases: OpenCases,
}

impl Gauges {
    pub fn new(cases: OpenCases) -> Self {
        Gauges { counted: HashMap::new(), cases }
    }

    /// Starts counting a partition from where its machine stands.
    pub fn begin<D: Domain>(&mut self, owned: &Owned<D>) {
        self.counted.insert(owned.origin.partition, owned.machine.counters());
    }

    pub fn forget(&mut self, metrics: &Metrics, stream: &str, partition: u32) {
        self.counted.remove(&partition);
        // the cases are elder's, whoever else counts partitions in this process
        if stream == Stream::Elder.as_str() {
            self.cases.forget(partition);
            self.show_cases(metrics);
        }
        metrics.forget_partition(stream, partition);
    }

    pub fn show<D: Domain>(&mut self, metrics: &Metrics, owned: &Owned<D>) {
        let stream = &*owned.origin.stream;
        let partition = owned.origin.partition.to_string();
        let labels = [stream, partition.as_str()];
        if let Some(watermark) = owned.machine.watermark().filter(|_| owned.is_whole()) {
            metrics.watermark.with_label_values(&labels).set(watermark.0 as f64 / 1_000.0);
        }
        let lag = owned.head.saturating_sub(owned.next);
        metrics.consumer_lag.with_label_values(&labels).set(i64::try_from(lag).unwrap_or(i64::MAX));
        for (source, contact) in owned.machine.contacts() {
            if let Some(time) = contact.last_contact {
                // a source speaks into several partitions: the one that heard it last tells when
                let last = metrics.source_last_contact.with_label_values(&[source]);
                last.set(last.get().max(time.0 as f64 / 1_000.0));
            }
            if let Some(seconds) = contact.expected_s {
                metrics.source_expected.with_label_values(&[source.as_str(), stream]).set(f64::from(seconds));
            }
        }
        let now = owned.machine.counters();
        let before = self.counted.insert(owned.origin.partition, now).unwrap_or_default();
        for (outcome, now, before) in [
            (Outcome::Accepted, now.accepted, before.accepted),
            (Outcome::Duplicate, now.duplicates, before.duplicates),
            (Outcome::Late, now.late, before.late),
            (Outcome::Quarantined, now.quarantined, before.quarantined),
            (Outcome::Rejected, now.rejected, before.rejected),
        ] {
            metrics.count(stream, outcome, now.saturating_sub(before));
        }
    }

    /// Open SOS cases, straight from the service: alert rules must not need ClickHouse (I9).
    pub fn sos<'a>(&mut self, metrics: &Metrics, partition: u32, rows: impl Iterator<Item = &'a LiveRow>) {
        if self.cases.take(partition, rows) {
            self.show_cases(metrics);
        }
    }

    fn show_cases(&self, metrics: &Metrics) {
        let elder = &metrics.elder;
        elder.sos_open.reset();
        elder.sos_unacknowledged.reset();
        elder.sos_oldest_unacknowledged.reset();
        for case in self.cases.list() {
            let district = case.district.as_deref().unwrap_or("other");
            elder.sos_open.with_label_values(&[district]).inc();
            if case.state != "raised" {
                continue;
            }
            elder.sos_unacknowledged.with_label_values(&[district]).inc();
            if let Ok(raised) = yiping_event::TimeMs::parse(&case.raised) {
                let raised = raised.0 as f64 / 1_000.0;
                let oldest = elder.sos_oldest_unacknowledged.with_label_values(&[district]);
                if oldest.get() == 0.0 || raised < oldest.get() {
                    oldest.set(raised);
                }
            }
        }
    }
}
