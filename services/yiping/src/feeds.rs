//! `[feeds.NAME]` made real: maps compiled, tables read. What departments send and what is pulled are read alike.

use std::sync::Arc;

use anyhow::Context;
use yiping_event::Stream;
use yiping_feed::{Feed, Mapping, Means, ReadOptions, Tables, Timetable, load_table};
use yiping_gateway::{Door, Feeds};
use yiping_pull::PulledFeed;
use yiping_runtime::{Config, ConfigErrors, config, config::Fault};

/// The feeds that departments send to the gateway: all of them, for what is pulled today may be sent tomorrow.
///
/// # Errors
/// Every feed that can't be used, with why.
pub fn doors(config: &Config) -> Result<Feeds, ConfigErrors> {
    let (mut doors, mut faults) = (Feeds::new(), Vec::new());
    for (name, settings) in &config.feeds {
        match read(name, settings) {
            Ok((feed, read)) => {
                let expected_s = settings.expected_s;
                let door = Door { feed: Arc::new(feed), read, expected_s };
                doors.insert(name.clone(), Arc::new(door));
            }
            Err(ConfigErrors(found)) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(doors) } else { Err(ConfigErrors(faults)) }
}

/// The feeds that are pulled.
pub fn pulled(config: &Config) -> anyhow::Result<Vec<PulledFeed>> {
    let mut pulled = Vec::new();
    for (name, settings) in &config.feeds {
        let Some(pull) = settings.pull.clone() else { continue };
        let (feed, read) = read(name, settings)?;
        let stream = feed.stream.with_context(|| format!("feeds.{name}.stream: a pulled feed says its stream"))?;
        let expected_s = settings.expected_s().unwrap_or(1);
        pulled.push(PulledFeed { feed: Arc::new(feed), read, stream, expected_s, pull });
    }
    Ok(pulled)
}

/// One feed, and how its payload is read.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(name: &str, settings: &config::Feed) -> Result<(Feed, ReadOptions), ConfigErrors> {
    let mut found = Found { name, faults: Vec::new() };
    let zone = found.keep("zone", settings.zone.as_deref().map(jiff::tz::TimeZone::get).transpose());
    let stream = found.keep("stream", settings.stream.as_deref().map(str::parse::<Stream>).transpose());
    let datum = found.keep("datum", settings.datum.as_deref().map(str::parse).transpose());
    let format = found.keep("format", settings.format.parse().map_err(anyhow::Error::msg::<String>));
    let encoding = found.keep("encoding", settings.encoding.parse().map_err(anyhow::Error::msg::<String>));
    let mut tables = std::collections::BTreeMap::new();
    for (table, path) in &settings.tables {
        let rows = load_table(path).with_context(|| path.display().to_string());
        if let Some(rows) = found.keep(&format!("tables.{table}"), rows) {
            tables.insert(table.clone(), rows);
        }
    }
    let timetable = found.keep("timetable", settings.timetable.as_deref().map(Timetable::load).transpose());
    let zone = zone.flatten();
    let means = Means { zone: zone.clone(), tables: Tables::new(tables), timetable: timetable.flatten() };
    let map = settings.map.as_deref().map(|path| {
        let map = Mapping::load_with(path, means);
        map.with_context(|| path.display().to_string())
    });
    let map = found.keep("map", map.transpose());
    let (Some(stream), Some(datum), Some(format), Some(encoding), Some(map), []) =
        (stream, datum, format, encoding, map, &*found.faults)
    else {
        return Err(ConfigErrors(found.faults));
    };
    let feed = Feed {
        name: name.to_owned(),
        source: settings.source.clone().unwrap_or_else(|| format!("/feed/{name}")),
        map,
        stream,
        zone: zone.clone(),
        datum,
    };
    let read = ReadOptions {
        encoding,
        columns: settings.columns.clone(),
        zone: zone.unwrap_or(jiff::tz::TimeZone::UTC),
        items: settings.items.clone(),
        ..ReadOptions::new(format)
    };
    Ok((feed, read))
}

/// What is wrong with a feed so far.
struct Found<'a> {
    name: &'a str,
    faults: Vec<Fault>,
}

impl Found<'_> {
    fn keep<T>(&mut self, key: &str, made: Result<T, impl Into<anyhow::Error>>) -> Option<T> {
        made.map_err(|error| {
            let (key, message) = (format!("feeds.{}.{key}", self.name), format!("{:#}", error.into()));
            self.faults.push(Fault { key, origin: String::new(), message });
        })
        .ok()
    }
}
