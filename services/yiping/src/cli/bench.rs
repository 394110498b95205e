//! `yiping bench`.

use clap::{Args, ValueEnum};
use serde::Serialize;
use yiping_event::Stream;

use super::ConfigArgs;

/// Events are made first, by the synthetic city with its usual faults and a fixed seed, and put into the log as the gateway would put
/// them. Then the clock starts: the stream's own service takes them out, applies them and stores the rows, until every record is applied
/// and every row is acknowledged. One JSON line on stdout; what was found is held against a count of its own over the same bytes, and
/// where they differ "verified" is false and the exit code 1.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// bus, parking, hotline or elder
    #[arg(long, default_value = "bus")]
    pub stream: Stream,
    /// How many, ticks apart
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub events: u64,
    /// Of the stream's topic
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub partitions: u32,
    /// The log that is drained. Memory holds all events, so the peak of memory does too; embedded is in a temporary folder (TMPDIR);
    /// kafka is the one of log.url, with topics of the run's own that are deleted afterwards
    // (a text, as the program's own --log is whose place it takes: clap keeps one value for both)
    #[arg(long, default_value = "memory", value_parser = ["memory", "embedded", "kafka"])]
    pub log: String,
    /// Where rows go. None: they are made, counted and dropped, without being encoded, as are checkpoints. Clickhouse: always an
    /// embedded one in a temporary folder (TMPDIR), never the configured one; it is a process of its own, so its time and memory are
    /// not in cpu_s and peak_rss_mb but in store_cpu_s
    #[arg(long, value_enum, default_value = "none")]
    pub store: BenchStore,
    #[command(flatten)]
    pub config: ConfigArgs,
}

impl BenchArgs {
    /// # Errors
    /// When the program's own --log was given before the command.
    pub fn log(&self) -> anyhow::Result<BenchLog> {
        BenchLog::from_str(&self.log, false).map_err(|_| {
            anyhow::anyhow!(
                "bench takes --log for the log that is drained: memory, embedded or kafka; which log lines is said by RUST_LOG"
            )
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BenchLog {
    Memory,
    Embedded,
    Kafka,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BenchStore {
    None,
    Clickhouse,
}
