//! What can be wrong with a feed's settings.

use std::path::Path;
use std::time::Duration;

use super::super::{Feed, Pull};
use super::Faults;

const SECOND: Duration = Duration::from_secs(1);
const STREAMS: [&str; 4] = ["bus", "parking", "hotline", "elder"];
const DATUMS: [&str; 3] = ["wgs84", "cgcs2000", "gcj02"];

pub(super) fn check(name: &str, feed: &Feed, faults: &mut Faults) {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        faults.add(
            "feeds",
            format!("{name:?}: a feed's name has letters, digits, - and _, since it is part of an address"),
        );
    }
    let key = |key: &str| format!("feeds.{name}.{key}");
    there(key("map"), feed.map.as_deref(), faults);
    for (table, file) in &feed.tables {
        there(key(&format!("tables.{table}")), Some(file), faults);
    }
    if let Some(folder) = feed.timetable.as_deref().filter(|folder| !folder.is_dir()) {
        faults.add(key("timetable"), format!("there is no folder {} (the GTFS archive, unpacked)", folder.display()));
    }
    one_of(key("stream"), feed.stream.as_deref(), &STREAMS, faults);
    one_of(key("datum"), feed.datum.as_deref(), &DATUMS, faults);
    if let Some(zone) = feed.zone.as_deref().filter(|zone| jiff::tz::TimeZone::get(zone).is_err()) {
        faults.add(key("zone"), format!("there is no zone {zone:?}; such as \"Asia/Shanghai\""));
    }
    if feed.items.as_deref().is_some_and(|pointer| !pointer.starts_with('/')) {
        faults.add(key("items"), "is a JSON pointer such as \"/data/list\"");
    }
    if let Some(seconds) = feed.expected_s {
        faults.range(&key("expected_s"), seconds, 1, 604_800);
    }
    if let Some(pull) = &feed.pull {
        check_pull(&key("pull"), feed, pull, faults);
    }
}

fn check_pull(at: &str, feed: &Feed, pull: &Pull, faults: &mut Faults) {
    let key = |key: &str| format!("{at}.{key}");
    let from = [pull.url.is_some(), pull.database_url_file.is_some(), pull.folder.is_some()];
    if from.iter().filter(|said| **said).count() != 1 {
        faults.add(at, "says from where by one of url, database_url_file, folder");
    }
    if feed.stream.is_none() {
        faults.add(at.trim_end_matches("pull").to_owned() + "stream", "a pulled feed says its stream");
    }
    // (files and folders are looked for at each poll: what is missing then is that feed's failure, and nobody else's)
    if pull.token_file.is_none() {
        faults.add(key("token_file"), "a pulled feed has a token: `yiping token new … > FILE` makes one");
    }
    if pull.url.as_deref().is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        faults.add(key("url"), "is no http:// or https:// address");
    }
    if pull.database_url_file.is_some() && (pull.query.is_none() || pull.cursor.is_none()) {
        faults.add(at, "a database has a query, and a cursor: the name of its column that grows");
    }
    if pull.query.as_deref().is_some_and(|query| query.contains(';')) {
        faults.add(key("query"), "is one SELECT, without a semicolon");
    }
    faults.range(&key("rows"), pull.rows, 1, 100_000);
    faults.range(&key("max_bytes"), pull.max_bytes, 1_024, 1 << 30);
    faults.span(key("every"), pull.every, SECOND, SECOND * 86_400);
    faults.span(key("timeout"), pull.timeout, SECOND, SECOND * 3_600);
}

fn there(key: String, file: Option<&Path>, faults: &mut Faults) {
    if let Some(file) = file.filter(|file| !file.is_file()) {
        faults.add(key, format!("there is no file {}", file.display()));
    }
}

fn one_of(key: String, value: Option<&str>, known: &[&str], faults: &mut Faults) {
    if let Some(value) = value.filter(|value| !known.contains(value)) {
        faults.add(key, format!("{value:?} is none of {}", known.join(", ")));
    }
}
