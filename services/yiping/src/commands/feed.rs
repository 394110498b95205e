//! `yiping replay` and `yiping feed test`: departments' recorded rows through a map.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context;
use yiping_event::TimeMs;
use yiping_feed::{Encoding, Fault, Feed, Format, Input, Mapping, Means, ReadOptions, ReplayOptions, Tally, map_file};
use yiping_runtime::{Config, Endpoints, clock::unix_ms};

use super::output;
use crate::cli::{FeedArgs, FeedTestArgs, ReplayArgs, Settle};

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
    let input = Input { files: args.files, read, feed, stream: Some(args.stream), order, polled: None, decode: false };
    let usual = ReplayOptions::new(input, &to, &token);
    let settle_ms = match args.settle {
        None => usual.settle_ms,
        Some(Settle::Nothing) => None,
        Some(Settle::Ms(ms)) => Some(ms),
    };
    let summary = yiping_feed::replay(ReplayOptions { speed: args.speed, settle_ms, ..usual }).await?;
    eprintln!("{summary}");
    Ok(())
}

pub fn feed_test(args: FeedTestArgs) -> anyhow::Result<()> {
    let (feed, read) = match &args.of_settings {
        Some(name) => {
            let config = Config::load_part(args.config.config.as_deref(), &[&format!("feeds.{name}")])?;
            let settings = config.feeds.get(name).with_context(|| format!("the settings have no feed {name:?}"))?;
            crate::feeds::read(name, settings)?
        }
        None => feed(args.feed)?,
    };
    let is_text = read.encoding == Encoding::Utf8 && read.format != Format::GtfsRt;
    let mut fault = |fault: Fault| eprintln!("{} row {}: {}", fault.file.display(), fault.row, fault.message);
    let mut tally = None;
    output(Path::new("-"), |out| {
        tally = Some(map_file(feed, read, &args.file, TimeMs(unix_ms()), out, &mut fault)?);
        Ok(())
    })?;
    if let Some(tally) = tally {
        let Tally { rows, failed_rows, empty_rows, invalid, .. } = tally;
        eprintln!(
            "rows {rows}, failed {failed_rows}, without an event {empty_rows}; events that are not valid {invalid}"
        );
        for (kind, count) in &tally.events {
            eprintln!("  {kind}: {count}");
        }
        if tally.changeovers > 0 {
            let told = "with a local time in an hour that a clock change repeats (taken as the first one) or leaves out (moved on)";
            eprintln!("events {told}: {}", tally.changeovers);
        }
        if tally.rows > 0 && tally.failed_rows == tally.rows {
            let hint = if is_text && !is_utf8(&args.file)? {
                "the file is no UTF-8: is it --encoding gb18030?"
            } else {
                "is --format right (ndjson, json, csv, gtfs-rt, gtfs-rt-json)?"
            };
            anyhow::bail!("no row could be read: {hint}");
        }
    }
    Ok(())
}

/// Whether the beginning of a file is text in UTF-8.
fn is_utf8(path: &Path) -> anyhow::Result<bool> {
    let mut beginning = Vec::new();
    std::fs::File::open(path)?.take(1 << 16).read_to_end(&mut beginning)?;
    // (the last character may be cut)
    Ok(str::from_utf8(&beginning).err().is_none_or(|error| error.error_len().is_none()))
}

fn feed(args: FeedArgs) -> anyhow::Result<(Feed, ReadOptions)> {
    let map = args.map.as_deref();
    let named = map.and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    let name = args.name.or(named).unwrap_or_else(|| "replay".to_owned());
    let zone = args.zone.map(|zone| jiff::tz::TimeZone::get(&zone).with_context(|| format!("the zone {zone}")));
    let zone = zone.transpose()?;
    let means = Means { zone: zone.clone(), ..Means::default() };
    let compiled =
        map.map(|path| Mapping::load_with(path, means).with_context(|| format!("the map {}", path.display())));
    let source = args.source.unwrap_or_else(|| format!("/feed/{name}"));
    let read = ReadOptions {
        encoding: args.encoding,
        columns: args.columns,
        zone: zone.clone().unwrap_or(jiff::tz::TimeZone::UTC),
        ..ReadOptions::new(args.format)
    };
    Ok((Feed { name, source, map: compiled.transpose()?, zone, ..Feed::default() }, read))
}
