//! Settings of the Kafka clients: measured defaults, then the user's own, then what this crate's promises rest on.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;

use crate::embedded::TOPIC_OPTION;
use crate::{LogError, Result};

/// What a user may not set, since the log would no longer keep its word.
const OURS: [(&str, &str); 8] = [
    ("acks", "append returns when all in-sync replicas have the record"),
    ("auto.offset.reset", "a seek to what is gone goes on at the first kept"),
    ("bootstrap.servers", "they are in log.url"),
    ("enable.auto.commit", "offsets are committed after the checkpoint"),
    ("enable.auto.offset.store", "offsets are committed after the checkpoint"),
    ("enable.idempotence", "a retry must not append twice or out of order"),
    ("group.id", "each target has its own"),
    ("partition.assignment.strategy", "assignment is cooperative"),
];

/// The options under `log.`: `kafka.*` are librdkafka's own; `replication.factor` is for topics that we make.
pub(super) struct Settings {
    brokers: String,
    passed: BTreeMap<String, String>,
    /// -1: the broker's default.
    pub replication_factor: i32,
    /// Of topics that we make and that are kept for a time of their own, ms.
    pub retention_ms: BTreeMap<String, u64>,
}

impl Settings {
    pub fn read(brokers: &str, options: &BTreeMap<String, String>) -> Result<Self> {
        let mut passed = BTreeMap::new();
        for (option, value) in options {
            let Some(name) = option.strip_prefix("kafka.") else {
                continue;
            };
            if let Some((_, reason)) = OURS.iter().find(|(ours, _)| *ours == name) {
                return Err(bad(option, format!("can't be set: {reason}")));
            }
            passed.insert(name.to_owned(), value.clone());
        }
        let replication_factor = match options.get("replication.factor") {
            None => -1,
            Some(text) => text
                .parse()
                .ok()
                .filter(|factor| *factor == -1 || *factor > 0)
                .ok_or_else(|| bad("replication.factor", format!("{text:?} is neither -1 nor above 0")))?,
        };
        let mut retention_ms = BTreeMap::new();
        for (option, text) in options {
            let Some(topic) = option.strip_prefix(TOPIC_OPTION) else { continue };
            let hours: u64 = text.parse().map_err(|_| bad(option, format!("{text:?} is no number of hours")))?;
            retention_ms.insert(topic.to_owned(), hours.saturating_mul(3_600_000));
        }
        Ok(Self { brokers: brokers.to_owned(), passed, replication_factor, retention_ms })
    }

    fn base(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("client.id", "yiping");
        for (name, value) in defaults {
            config.set(*name, *value);
        }
        for (name, value) in &self.passed {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    pub fn admin(&self) -> ClientConfig {
        self.base(&[])
    }

    pub fn producer(&self) -> ClientConfig {
        let mut config = self.base(&[
            // An append that can't be stored is answered while its sender still waits.
            ("delivery.timeout.ms", "30000"),
            ("linger.ms", "5"),
            ("compression.type", "zstd"),
            // The broker's own default, a little above librdkafka's: our largest record and its frame must fit.
            ("message.max.bytes", "1048588"),
            ("partitioner", "murmur2_random"),
        ]);
        config.set("enable.idempotence", "true").set("acks", "all");
        config
    }

    pub fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.base(&[
            // With the default back-off and a short queue a drain took 15 s instead of 1.
            ("fetch.queue.backoff.ms", "5"),
            ("queued.min.messages", "100000"),
            // A process that died holds its partitions for so long; librdkafka's 45 s would be seen on the wall.
            ("session.timeout.ms", "10000"),
            // Where the head comes from without asking the broker for it at every poll.
            ("statistics.interval.ms", "1000"),
        ]);
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "cooperative-sticky");
        config
    }

    /// A client that reads by place, joins no group and commits nothing; librdkafka wants a group's name all the same.
    pub fn reader(&self) -> ClientConfig {
        let mut config = self.base(&[
            ("fetch.queue.backoff.ms", "5"),
            // Nobody waits at the end of a partition here, and a fetch that does delays the next place by as much.
            ("fetch.wait.max.ms", "10"),
            ("queued.min.messages", "10000"),
        ]);
        config
            .set("group.id", "yiping-reader")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest");
        config
    }
}

fn bad(option: &str, reason: String) -> LogError {
    LogError::BadOption { option: option.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafkas_own_settings_pass_through() {
        let options = BTreeMap::from([("kafka.sasl.mechanism".to_owned(), "PLAIN".to_owned())]);
        let settings = Settings::read("b:9092", &options).unwrap();
        assert_eq!(settings.consumer("g").get("sasl.mechanism"), Some("PLAIN"));
        assert_eq!(settings.producer().get("sasl.mechanism"), Some("PLAIN"));
    }

    #[test]
    fn a_setting_that_breaks_a_promise_is_refused_by_name() {
        let options = BTreeMap::from([("kafka.enable.auto.commit".to_owned(), "true".to_owned())]);
        let message = Settings::read("b:9092", &options).map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("kafka.enable.auto.commit"), "{message}");
    }
}
