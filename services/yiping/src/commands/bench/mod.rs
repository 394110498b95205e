//! `yiping bench`: how fast a stream's log is drained, by the service itself, and whether what came out is right.
//!
//! | file | stage |
//! | --- | --- |
//! | `ground.rs` | the log and the store of one run, its own from beginning to end |
//! | `topics.rs` | the log under topics of the run's own; sees what the service has read |
//! | `events.rs` | the synthetic city, judged and appended as the gateway would |
//! | `drain.rs` | the service at work on it |
//! | `sink.rs` | where its rows go: counted, and to ClickHouse |
//! | `watch.rs` | when the drain begins and is done |
//! | `measure.rs` | time, processor time, memory |
//! | `passes.rs` | the same bytes only read, and only decoded: what the drain is held against |
//! | `verify.rs` | what must have come out, counted once more from the bytes alone |
//! | `report.rs` | the line on stdout |

mod drain;
mod events;
mod ground;
mod measure;
mod passes;
mod report;
mod sink;
mod topics;
mod verify;
mod watch;

use std::{io::Write, sync::Arc};

use anyhow::{Context, bail, ensure};
use tokio::signal::unix::{SignalKind, signal};
use yiping_catalogue::Catalogue;
use yiping_runtime::Config;

use crate::{
    assembly,
    cli::{BenchArgs, BenchLog},
};
use drain::Drained;
use events::Filled;
use ground::Ground;
use measure::Spent;
use passes::Decoded;
use report::Report;

pub use verify::{Count, Counts, Expected, Figure, Found, Times, differences};

pub async fn bench(args: BenchArgs) -> anyhow::Result<()> {
    let config = Config::load(args.config.config.as_deref())?;
    config.check()?;
    let log = args.log()?;
    if log == BenchLog::Kafka && !config.log_url().starts_with("kafka://") {
        bail!(
            "--log kafka: the settings name no Kafka (log.url is {}); set log.url or YIPING_LOG__URL to kafka://host:port",
            config.log_url()
        );
    }
    let ground = Ground::open(&args, log, &config).await?;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let done = tokio::select! {
        done = measured(&args, &config, &ground) => done,
        _ = interrupt.recv() => Err(anyhow::anyhow!("stopped by a signal")),
        _ = terminate.recv() => Err(anyhow::anyhow!("stopped by a signal")),
    };
    ground.close().await;
    let measured = done?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&Report::new(&args, log, &measured))?)?;
    for difference in &measured.wrong {
        eprintln!("{difference}");
    }
    ensure!(measured.wrong.is_empty(), "what came out is not what must have come out of these events");
    Ok(())
}

/// One run.
struct Measured {
    filled: Filled,
    drained: Drained,
    read: Spent,
    decoded: Decoded,
    found: Found,
    windows_verified: usize,
    /// In what it differs from the count.
    wrong: Vec<String>,
}

async fn measured(args: &BenchArgs, config: &Config, ground: &Ground) -> anyhow::Result<Measured> {
    let stream = args.stream;
    let city = Arc::new(assembly::city(config)?);
    let catalogue = Arc::new(Catalogue::builtin()?);
    let streams = config.streams.get(stream.as_str()).context("every stream has settings")?;
    let settings = yiping_runner::settings(streams, &city);
    ground.migrate(&catalogue, &city).await?;

    let filled = events::fill(ground, args, &city).await?;
    eprintln!("draining");
    let drained = drain::drain(ground, stream, config, &catalogue, settings.clone(), &filled.ends).await?;
    eprintln!("reading");
    let read = passes::read_only(ground, stream, &filled).await?;
    eprintln!("decoding and counting");
    let times = Times {
        out_of_order_ms: settings.out_of_order_ms,
        lateness_ms: settings.lateness_ms,
        max_skew_ms: settings.max_skew_ms,
    };
    let mut expected = Expected::new(stream, times);
    let decoded = passes::decode(ground, stream, &filled, &mut expected).await?;

    let found = ground.found(stream, &drained).await?;
    let count = expected.count();
    let mut wrong = differences(&count, &found);
    wrong.extend(passes::differences(&filled, &decoded));
    Ok(Measured { filled, drained, read, decoded, found, windows_verified: count.windows.len(), wrong })
}
