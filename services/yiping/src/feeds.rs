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
pub fn doors(config: &Config) -> anyhow::Result<Feeds> {
    let (mut doors, mut faults) = (Feeds::new(), Vec::new());
    for (name, settings) in &config.feeds {
        match read(name, settings) {
            Ok((feed, read)) => {
                let expected_s = settings.expected_s;
                let door = Door { feed: Arc::new(feed), read, expected_s };
                doors.insert(name.clone(), Arc::new(door));
            }
            Err(error) => {
                // (which begins with its setting)
                let text = format!("{error:#}");
                let (key, message) = text.split_once(": ").unwrap_or(("feeds", &text));
                faults.push(Fault { key: key.to_owned(), origin: String::new(), message: message.to_owned() });
            }
        }
    }
    if faults.is_empty() { Ok(doors) } else { Err(ConfigErrors(faults).into()) }
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
pub fn read(name: &str, settings: &config::Feed) -> anyhow::Result<(Feed, ReadOptions)> {
    let key = |key: &str| format!("feeds.{name}.{key}");
    let said = |key: String| move |error: String| anyhow::anyhow!("{key}: {error}");
    let zone = settings.zone.as_deref().map(|zone| jiff::tz::TimeZone::get(zone).with_context(|| key("zone")));
    let zone = zone.transpose()?;
    let mut tables = std::collections::BTreeMap::new();
    for (table, path) in &settings.tables {
        let read = load_table(path).with_context(|| format!("{}: {}", key(&format!("tables.{table}")), path.display()));
        tables.insert(table.clone(), read?);
    }
    let timetable = settings.timetable.as_deref().map(Timetable::load).transpose().with_context(|| key("timetable"))?;
    let means = Means { zone: zone.clone(), tables: Tables::new(tables), timetable };
    let map = match &settings.map {
        Some(path) => {
            let map = Mapping::load_with(path, means);
            Some(map.with_context(|| format!("{}: {}", key("map"), path.display()))?)
        }
        None => None,
    };
    let stream = settings.stream.as_deref().map(str::parse::<Stream>).transpose();
    let datum = settings.datum.as_deref().map(str::parse).transpose();
    let feed = Feed {
        name: name.to_owned(),
        source: settings.source.clone().unwrap_or_else(|| format!("/feed/{name}")),
        map,
        stream: stream.map_err(|error| said(key("stream"))(error.to_string()))?,
        zone: zone.clone(),
        datum: datum.map_err(|error: yiping_event::UnknownWord| said(key("datum"))(error.to_string()))?,
    };
    let read = ReadOptions {
        encoding: settings.encoding.parse().map_err(said(key("encoding")))?,
        columns: settings.columns.clone(),
        zone: zone.unwrap_or(jiff::tz::TimeZone::UTC),
        items: settings.items.clone(),
        ..ReadOptions::new(settings.format.parse().map_err(said(key("format")))?)
    };
    Ok((feed, read))
}
