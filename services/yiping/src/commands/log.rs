//! `yiping log export`: a stream's records as lines, as `compute` reads them.

use std::time::{Duration, Instant};

use anyhow::Context;
use yiping_event::TimeMs;
use yiping_log::Offset;
use yiping_runner::{export_line, log_time};
use yiping_runtime::Config;

use super::output;
use crate::cli::LogExportArgs;

/// Records a read.
const BATCH: usize = 4_000;
/// How often stderr says how far it is.
const SAY: Duration = Duration::from_secs(2);

pub fn log_export(args: LogExportArgs) -> anyhow::Result<()> {
    let config = Config::load(args.config.config.as_deref())?;
    let url = args.log_url.clone().unwrap_or_else(|| config.log_url());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let topic = args.stream.topic();
    let log = runtime
        .block_on(yiping_log::open_to_read(&url, &config.log_options()))
        .with_context(|| format!("opening the log {url}"))?;
    // what is there now: a log that grows while it is read would have no end
    let ranges: Vec<(Offset, Offset)> = runtime
        .block_on(async {
            let mut ranges = Vec::new();
            for partition in 0..log.partitions(topic).await? {
                ranges.push(log.range(topic, partition).await?);
            }
            Ok::<_, yiping_log::LogError>(ranges)
        })
        .with_context(|| format!("looking at {topic}"))?;
    let mut progress = Progress::new(ranges.iter().map(|(first, next)| next - first).sum());
    output(&args.out, |out| {
        for ((first, next), partition) in ranges.iter().zip(0_u32..) {
            let mut from = *first;
            while from < *next {
                let records = runtime
                    .block_on(log.read(topic, partition, from, BATCH))
                    .with_context(|| format!("reading {topic}, partition {partition} from offset {from} on"))?;
                let Some(last) = records.last() else { break }; // nothing more is kept of what was there
                from = last.offset + 1;
                for record in records.iter().filter(|record| record.offset < *next) {
                    progress.read += 1;
                    let time = log_time(record);
                    if selected(&args, time) {
                        progress.written += 1;
                        out.write_all(&export_line(partition, record, time)?)?;
                    }
                }
                progress.say(false);
            }
        }
        Ok(())
    })?;
    progress.say(true);
    Ok(())
}

fn selected(args: &LogExportArgs, time: TimeMs) -> bool {
    args.from.is_none_or(|from| from <= time) && args.to.is_none_or(|to| time < to)
}

/// How far it is, on stderr.
struct Progress {
    total: u64,
    read: u64,
    written: u64,
    said: Instant,
}

impl Progress {
    fn new(total: u64) -> Self {
        Self { total, read: 0, written: 0, said: Instant::now() }
    }

    fn say(&mut self, done: bool) {
        if done || self.said.elapsed() >= SAY {
            self.said = Instant::now();
            eprintln!("read {} of {} records, written {}", self.read, self.total, self.written);
        }
    }
}
