//! `yiping replay` and `yiping feed test`: departments' recorded rows through a map.

use std::path::Path;

use anyhow::Context;
use yiping_feed::{Fault, Feed, Input, Mapping, ReadOptions, ReplayOptions, map_file};
use yiping_runtime::Endpoints;

use super::output;
use crate::cli::{FeedArgs, FeedTestArgs, ReplayArgs};

pub async fn replay(args: ReplayArgs) -> anyhow::Result<()> {
    let (feed, read) = feed(args.feed)?;
    let running = || {
        Endpoints::read(&args.data_dir).with_context(|| {
            format!("no --to and --token, and nothing runs in {} (it has no endpoints.json)", args.data_dir.display())
        })
    };
    let to = match args.to {
        Some(to) => to,
        None => running()?.gateway.context("no gateway runs there: say --to")?,
    };
    let token = match args.token {
        Some(token) => token,
        None => running()?.token.context("there is no token: say --token (yiping token new makes one)")?,
    };
    let order = read.format.usual_order();
    let input = Input { files: args.files, read, feed, stream: Some(args.stream), order };
    let summary =
        yiping_feed::replay(ReplayOptions { speed: args.speed, ..ReplayOptions::new(input, &to, &token) }).await?;
    eprintln!("{summary}");
    Ok(())
}

pub fn feed_test(args: FeedTestArgs) -> anyhow::Result<()> {
    let (feed, read) = feed(args.feed)?;
    let mut fault = |fault: Fault| eprintln!("{} row {}: {}", fault.file.display(), fault.row, fault.message);
    let mut tally = None;
    output(Path::new("-"), |out| {
        tally = Some(map_file(feed, read, &args.file, out, &mut fault)?);
        Ok(())
    })?;
    if let Some(tally) = tally {
        eprintln!("rows {}, failed {}, without an event {}", tally.rows, tally.failed_rows, tally.empty_rows);
        for (kind, count) in &tally.events {
            eprintln!("  {kind}: {count}");
        }
        if tally.rows > 0 && tally.failed_rows == tally.rows {
            anyhow::bail!("no row could be read: is --format right (ndjson, csv, gtfs-rt, gtfs-rt-json)?");
        }
    }
    Ok(())
}

fn feed(args: FeedArgs) -> anyhow::Result<(Feed, ReadOptions)> {
    let map = args.map.as_deref();
    let named = map.and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    let name = args.name.or(named).unwrap_or_else(|| "replay".to_owned());
    let compiled =
        map.map(|path| Mapping::load(path).with_context(|| format!("the map {}", path.display()))).transpose()?;
    let source = args.source.unwrap_or_else(|| format!("/feed/{name}"));
    let zone = jiff::tz::TimeZone::get(&args.zone).with_context(|| format!("the zone {}", args.zone))?;
    let read = ReadOptions { encoding: args.encoding, columns: args.columns, zone, ..ReadOptions::new(args.format) };
    Ok((Feed { name, source, map: compiled }, read))
}
