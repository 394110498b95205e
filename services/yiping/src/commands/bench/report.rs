//! The line on stdout.

use std::time::Duration;

use serde::Serialize;
use yiping_event::Stream;

use super::{Measured, verify::Counts};
use crate::cli::{BenchArgs, BenchLog, BenchStore};

#[derive(Debug, Serialize)]
pub struct Report {
    stream: Stream,
    events: u64,
    partitions: u32,
    log: BenchLog,
    store: BenchStore,
    /// Counters, rows and the log's bytes are what the count over the same bytes says.
    verified: bool,
    events_per_s: f64,
    wall_s: f64,
    cpu_s: f64,
    cpu_s_per_million: f64,
    peak_rss_mb: f64,
    /// What was resident when the drain began: the memory log's records, and what making them left behind.
    rss_before_mb: f64,
    /// Of the embedded ClickHouse, another process.
    store_cpu_s: Option<f64>,
    rows_written: u64,
    metric_rows_written: u64,
    checkpoints_written: u64,
    bytes: u64,
    #[serde(flatten)]
    counts: Counts,
    windows_verified: usize,
    decode_only_events_per_s: f64,
    decode_events_per_s: f64,
    read_only_events_per_s: f64,
    ratio_to_decode: f64,
    ratio_to_read: f64,
}

impl Report {
    pub fn new(args: &BenchArgs, log: BenchLog, measured: &Measured) -> Self {
        let Measured { filled, drained, read, decoded, found, windows_verified, wrong } = measured;
        let events = filled.content.events;
        let speed = |took: Duration| events as f64 / took.as_secs_f64().max(1e-9);
        let (drain, decode, read) = (speed(drained.spent.wall), speed(decoded.values), speed(read.wall));
        let cpu_s = drained.spent.cpu.as_secs_f64();
        Report {
            stream: args.stream,
            events,
            partitions: u32::try_from(filled.ends.len()).unwrap_or(u32::MAX),
            log,
            store: args.store,
            verified: wrong.is_empty(),
            events_per_s: round(drain, 0),
            wall_s: round(drained.spent.wall.as_secs_f64(), 3),
            cpu_s: round(cpu_s, 3),
            cpu_s_per_million: round(cpu_s * 1e6 / events as f64, 3),
            peak_rss_mb: round(drained.peak_rss_mb, 1),
            rss_before_mb: round(drained.rss_before_mb, 1),
            store_cpu_s: drained.store_cpu.map(|took| round(took.as_secs_f64(), 2)),
            rows_written: drained.rows,
            metric_rows_written: drained.metric_rows,
            checkpoints_written: drained.checkpoints,
            bytes: filled.content.bytes,
            counts: found.counts,
            windows_verified: *windows_verified,
            decode_only_events_per_s: round(decode, 0),
            decode_events_per_s: round(speed(decoded.events), 0),
            read_only_events_per_s: round(read, 0),
            ratio_to_decode: round(drain / decode, 3),
            ratio_to_read: round(drain / read, 3),
        }
    }
}

fn round(number: f64, digits: i32) -> f64 {
    let unit = 10_f64.powi(digits);
    (number * unit).round() / unit
}
