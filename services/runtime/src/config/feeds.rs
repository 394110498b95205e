//! `[feeds.NAME]`: departments' own payloads, sent by them or pulled from where they have them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::read;

/// A department's own payload, which a map makes events of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Feed {
    /// `ndjson`, `json`, `csv`, `gtfs-rt` or `gtfs-rt-json`.
    pub format: String,
    /// `utf-8` or `gb18030`.
    pub encoding: String,
    /// The jq file; absent: rows are events.
    pub map: Option<PathBuf>,
    /// The stream of its events: an event of another one is refused.
    pub stream: Option<String>,
    /// The `source` of events whose map names none; absent: `/feed/NAME`.
    pub source: Option<String>,
    /// The IANA name of the zone of local times.
    pub zone: Option<String>,
    /// The datum of places whose event names none: `wgs84`, `cgcs2000` or `gcj02`.
    pub datum: Option<String>,
    /// Names of the columns of a CSV without a header row.
    pub columns: Option<Vec<String>>,
    /// Where a JSON document has its items, such as `/data/list`.
    pub items: Option<String>,
    /// Code tables by their names: a CSV or TOML file each.
    pub tables: BTreeMap<String, PathBuf>,
    /// A folder with a static GTFS timetable.
    pub timetable: Option<PathBuf>,
    /// Seconds within which its next payload is expected; absent: as the city's profile says, for a pulled one its `every`.
    pub expected_s: Option<u32>,
    /// Where it is fetched from; absent: its department sends it.
    pub pull: Option<Pull>,
}

/// How a feed is fetched. One of `url`, `database_url_file` and `folder` says from where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pull {
    /// An HTTP address.
    pub url: Option<String>,
    /// `Name: value` lines that are sent to it, such as an API key.
    pub headers_file: Option<PathBuf>,
    /// Largest answer, bytes.
    pub max_bytes: usize,

    /// A file with `postgres://…` or `mysql://…`.
    pub database_url_file: Option<PathBuf>,
    /// What is read there: a SELECT.
    pub query: Option<String>,
    /// Its column that grows.
    pub cursor: Option<String>,
    /// The cursor's value from which on the first poll reads; absent: from the beginning.
    pub since: Option<String>,
    /// How far behind the newest cursor a poll begins, for rows that are committed late.
    pub overlap: Option<Overlap>,
    /// Rows in one query.
    pub rows: usize,

    /// A folder into which files are put.
    pub folder: Option<PathBuf>,
    /// What becomes of a file that was taken.
    pub done: Done,

    /// Between two polls.
    #[serde(with = "read::span")]
    pub every: Duration,
    /// What one answer may take.
    #[serde(with = "read::span")]
    pub timeout: Duration,
    /// A file with the gateway's token for this feed.
    pub token_file: Option<PathBuf>,
}

/// How far back: a length of time (`"10m"`) for a cursor that is a time, else a number of the cursor's own values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Overlap {
    Values(u64),
    Time(#[serde(with = "read::span")] Duration),
}

/// What becomes of a file that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Done {
    /// It goes into the folder `done` beside it.
    Move,
    /// It stays; what was taken is remembered in the data folder.
    Keep,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            format: "ndjson".into(),
            encoding: "utf-8".into(),
            map: None,
            stream: None,
            source: None,
            zone: None,
            datum: None,
            columns: None,
            items: None,
            tables: BTreeMap::new(),
            timetable: None,
            expected_s: None,
            pull: None,
        }
    }
}

impl Default for Pull {
    fn default() -> Self {
        Self {
            url: None,
            headers_file: None,
            max_bytes: 16 << 20,
            database_url_file: None,
            query: None,
            cursor: None,
            since: None,
            overlap: None,
            rows: 1_000,
            folder: None,
            done: Done::Move,
            every: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            token_file: None,
        }
    }
}

impl Feed {
    /// Within how many seconds a sign of life is expected, where these settings say so.
    #[must_use]
    pub fn expected_s(&self) -> Option<u32> {
        let every = |pull: &Pull| u32::try_from(pull.every.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
        self.expected_s.or_else(|| self.pull.as_ref().map(every))
    }
}
