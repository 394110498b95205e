//! `yiping heal`, `rebuild` and `move`: what an operator does to a stream's state beside the service.

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use yiping_catalogue::Catalogue;
use yiping_event::Stream;
use yiping_log::Log;
use yiping_runner::{Healed, Rebuilt, Relocated, Upkeep};
use yiping_runtime::Config;
use yiping_store::embedded::Server;

use crate::{
    assembly,
    cli::{HealArgs, MoveArgs, RebuildArgs},
    clickhouse,
};

/// How often stderr says how far it is.
const SAY: Duration = Duration::from_secs(2);

/// Calls a function of the runner with the stream's domain.
macro_rules! of_stream {
    ($stream:expr, $function:ident, $($argument:expr),*) => {
        match $stream {
            Stream::Bus => yiping_runner::$function::<yiping_bus::Bus>($($argument),*).await,
            Stream::Parking => yiping_runner::$function::<yiping_parking::Parking>($($argument),*).await,
            Stream::Hotline => yiping_runner::$function::<yiping_hotline::Hotline>($($argument),*).await,
            Stream::Elder => yiping_runner::$function::<yiping_elder::Elder>($($argument),*).await,
        }
    };
}

pub async fn heal(args: HealArgs) -> anyhow::Result<()> {
    ensure!(args.from < args.to, "--from must be before --to");
    let config = Config::load(args.config.config.as_deref())?;
    config.check()?;
    let log = open_to_read(&config).await?;
    let (server, upkeep) = upkeep(&config, args.stream, log).await?;
    let done: anyhow::Result<Healed> = of_stream!(args.stream, heal, &upkeep, args.stream, args.from, args.to);
    stop(server).await;
    let Healed { rows, events, waiting, until } = done?;
    writeln!(
        std::io::stdout(),
        "healed {}: all {events} late events of closed windows are in, {rows} rows written",
        args.stream
    )?;
    if waiting > 0 {
        eprintln!(
            "{waiting} more are in windows that end after {until}, which the service still revises: heal again when those have closed"
        );
    }
    Ok(())
}

pub async fn rebuild(args: RebuildArgs) -> anyhow::Result<()> {
    let config = Config::load(args.config.config.as_deref())?;
    config.check()?;
    let log = open_to_read(&config).await?;
    let (server, upkeep) = upkeep(&config, args.stream, log).await?;
    let done: anyhow::Result<Rebuilt> = of_stream!(args.stream, rebuild, &upkeep, args.stream, args.from);
    stop(server).await;
    let Rebuilt { rows, records, from } = done?;
    if from > args.from {
        eprintln!(
            "windows that ended before {from} are of the generation before, whose log is left: they can't be made again"
        );
    }
    writeln!(std::io::stdout(), "rebuilt {} from {from} on: {rows} rows from {records} records", args.stream)?;
    Ok(())
}

pub async fn relocate(args: MoveArgs) -> anyhow::Result<()> {
    let config = Config::load(args.config.config.as_deref())?;
    config.check()?;
    let open = async |url: &str| {
        yiping_log::open(url, &config.log_options()).await.with_context(|| format!("opening the log {url}"))
    };
    let _locks =
        (assembly::lock_log(&args.from)?, if args.to == args.from { None } else { assembly::lock_log(&args.to)? });
    let from = open(&args.from).await?;
    let to = if args.to == args.from { Arc::clone(&from) } else { open(&args.to).await? };
    for stream in &args.stream {
        eprintln!("{stream}: looking whether its service runs");
        let (server, upkeep) = upkeep(&config, *stream, Arc::clone(&from)).await?;
        let done: anyhow::Result<Relocated> =
            of_stream!(*stream, relocate, &upkeep, *stream, Arc::clone(&to), args.partitions);
        stop(server).await;
        let Relocated { generation, from_partitions, partitions, records } =
            done.with_context(|| format!("moving {stream}"))?;
        writeln!(
            std::io::stdout(),
            "moved {stream}: {from_partitions} → {partitions} partitions, generation {generation}; {records} records had not been stored yet"
        )?;
    }
    eprintln!("when all streams are there, set log.url = \"{}\" and start the services", args.to);
    Ok(())
}

/// The configured log, also while its system runs.
async fn open_to_read(config: &Config) -> anyhow::Result<Arc<dyn Log>> {
    let url = config.log_url();
    let log = yiping_log::open_to_read(&url, &config.log_options()).await;
    log.with_context(|| format!("opening the log {url}"))
}

/// The store, migrated, and what the commands need besides; with the server that was started for it.
async fn upkeep(config: &Config, stream: Stream, log: Arc<dyn Log>) -> anyhow::Result<(Option<Server>, Upkeep)> {
    let city = assembly::city(config)?;
    let catalogue = Catalogue::builtin()?;
    let (server, store) = clickhouse::beside(config).await?;
    if let Err(error) = clickhouse::migrate(&store, &catalogue, &city).await {
        stop(server).await;
        return Err(error);
    }
    let settings = config.streams.get(stream.as_str()).context("every stream has settings")?;
    let said = Mutex::new(Instant::now());
    let progress = move |partition: u32, done: u64, all: u64| {
        let mut said = said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if said.elapsed() >= SAY {
            *said = Instant::now();
            eprintln!("{stream}: partition {partition}, {done} of {all} records");
        }
    };
    let upkeep = Upkeep {
        log,
        store: Arc::new(store),
        catalogue: Arc::new(catalogue),
        settings: yiping_runner::settings(settings, &city),
        progress: Box::new(progress),
    };
    Ok((server, upkeep))
}

async fn stop(server: Option<Server>) {
    if let Some(server) = server {
        server.stop().await;
    }
}
