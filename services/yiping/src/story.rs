//! What a demo was started with and how far it has come, kept in its data folder: started again it tells the same story on.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use yiping_event::{Stream, TimeMs};
use yiping_runtime::clock::unix_ms;
use yiping_simulator::{Faults, Incident};

use crate::cli::PlannedIncident;

/// A demo that slept longer than this begins a new day instead of catching up.
const LONGEST_SLEEP_MS: i64 = 6 * HOUR;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// How much of the past a new demo begins with, so that its windows are not empty.
fn history(stream: Stream) -> i64 {
    match stream {
        Stream::Bus => 15 * MINUTE,
        Stream::Parking => 70 * MINUTE,
        Stream::Hotline | Stream::Elder => 24 * HOUR + 10 * MINUTE,
    }
}

/// What a demo was started with and how far it has come: `demo.json` in the data folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Story {
    pub seed: u64,
    pub faults: String,
    /// What goes wrong on purpose, at fixed times: a demo started again goes on with it, and doesn't begin it anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<StoryIncident>,
    /// When each stream's first event was received. `yiping simulate --seed … --start …` tells the same story.
    pub since: BTreeMap<Stream, String>,
    /// Everything received before this is in the log.
    pub sent: BTreeMap<Stream, String>,
}

/// The second that it is.
fn now() -> i64 {
    unix_ms() / 1_000 * 1_000
}

/// An incident in `demo.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoryIncident {
    name: String,
    from: String,
    to: String,
}

impl StoryIncident {
    fn of(incident: Incident) -> Self {
        StoryIncident { name: incident.kind.to_string(), from: incident.from.to_string(), to: incident.to.to_string() }
    }

    /// # Errors
    /// When `demo.json` was changed by hand into something that is none.
    pub fn read(&self) -> anyhow::Result<Incident> {
        let time = |text: &str| TimeMs::parse(text).map_err(|error| anyhow::anyhow!("demo.json: {error}"));
        let kind = self.name.parse().map_err(|error| anyhow::anyhow!("demo.json, incidents: {error}"))?;
        Ok(Incident { kind, from: time(&self.from)?, to: time(&self.to)? })
    }
}

impl Story {
    const FILE: &str = "demo.json";

    /// The story of a data folder, told on; or a new one, with incidents counted from now.
    ///
    /// # Errors
    /// When the folder's `demo.json` can't be read.
    pub fn of(dir: &Path, seed: u64, faults: Faults, incidents: &[PlannedIncident]) -> anyhow::Result<Self> {
        let path = dir.join(Self::FILE);
        if let Ok(text) = std::fs::read(&path) {
            let story: Story = serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?;
            if !incidents.is_empty() {
                tracing::warn!("this folder's demo has begun: its incidents are those of its first start");
            }
            let told = story.sent.values().filter_map(|time| TimeMs::parse(time).ok()).min();
            if told.is_some_and(|told| unix_ms() - told.0 <= LONGEST_SLEEP_MS) {
                return Ok(story);
            }
            tracing::warn!("the demo slept for more than 6 hours: its city goes on from now, with a gap");
            return Ok(Self::new(TimeMs(now()), story.seed, story.faults, story.incidents));
        }
        let now = TimeMs(now());
        let incidents = incidents.iter().map(|planned| StoryIncident::of(planned.after(now))).collect();
        Ok(Self::new(now, seed, faults.to_string(), incidents))
    }

    fn new(now: TimeMs, seed: u64, faults: String, incidents: Vec<StoryIncident>) -> Self {
        let since: BTreeMap<_, _> =
            Stream::ALL.into_iter().map(|stream| (stream, TimeMs(now.0 - history(stream)).to_string())).collect();
        Story { seed, faults, incidents, sent: since.clone(), since }
    }

    /// # Errors
    /// When one of `demo.json` is none.
    pub fn incidents(&self) -> anyhow::Result<Vec<Incident>> {
        self.incidents.iter().map(StoryIncident::read).collect()
    }

    /// # Errors
    /// When the folder can't be written to.
    pub fn save(&self, dir: &Path) -> anyhow::Result<()> {
        let fresh = dir.join("demo.json.new");
        std::fs::write(&fresh, serde_json::to_vec_pretty(self)?)?;
        Ok(std::fs::rename(fresh, dir.join(Self::FILE))?)
    }
}
