//! The table of targets. `all` is one more row.

use anyhow::bail;
use yiping_event::Stream;

/// One thing that a process can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Domain(Stream),
    Watch,
    Wall,
    Gateway,
    Pull,
}

pub struct Target {
    pub name: &'static str,
    pub does: &'static str,
    pub parts: &'static [Part],
}

/// Parts in the order in which they start; they stop in the reverse: what lets events in goes first.
pub const TARGETS: [Target; 9] = [
    Target {
        name: "all",
        does: "the whole system",
        parts: &[
            Part::Wall,
            Part::Watch,
            Part::Domain(Stream::Bus),
            Part::Domain(Stream::Parking),
            Part::Domain(Stream::Hotline),
            Part::Domain(Stream::Elder),
            Part::Gateway,
            Part::Pull,
        ],
    },
    Target { name: "gateway", does: "takes events in over HTTP; keeps what it refuses", parts: &[Part::Gateway] },
    Target { name: "pull", does: "fetches feeds: HTTP, GTFS-Realtime, databases, folders", parts: &[Part::Pull] },
    Target {
        name: "bus",
        does: "positions and stops into punctuality, speed, who is online",
        parts: &[Part::Domain(Stream::Bus)],
    },
    Target {
        name: "parking",
        does: "snapshots, entries, exits into spaces and occupancy",
        parts: &[Part::Domain(Stream::Parking)],
    },
    Target {
        name: "hotline",
        does: "12345: calls into load, connect ratio, waiting",
        parts: &[Part::Domain(Stream::Hotline)],
    },
    Target { name: "elder", does: "12349: calls by category, SOS cases", parts: &[Part::Domain(Stream::Elder)] },
    Target {
        name: "watch",
        does: "thresholds over merged figures: breaches, gauges for alert rules",
        parts: &[Part::Watch],
    },
    Target { name: "wall", does: "the city's screen and its API", parts: &[Part::Wall] },
];

impl Part {
    pub fn needs(self) -> &'static [&'static str] {
        match self {
            Part::Domain(_) => &["log", "clickhouse"],
            Part::Watch => &["clickhouse"],
            Part::Wall => &["clickhouse", "wall.listen"],
            Part::Gateway => &["log", "clickhouse", "gateway.listen"],
            Part::Pull => &["gateway"],
        }
    }
}

impl Target {
    pub fn needs(&self) -> Vec<&'static str> {
        let mut needs: Vec<_> = self.parts.iter().flat_map(|part| part.needs()).copied().collect();
        needs.sort_unstable();
        needs.dedup();
        needs
    }
}

/// The parts of the targets named, each once, in the table's order.
pub fn parts(names: &[String]) -> anyhow::Result<Vec<Part>> {
    let mut wanted = Vec::new();
    for name in names {
        let Some(target) = TARGETS.iter().find(|target| target.name == name) else {
            let valid: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            bail!("unknown target '{name}'; there are: {}", valid.join(" "));
        };
        wanted.extend(target.parts);
    }
    Ok(TARGETS[0].parts.iter().filter(|part| wanted.contains(part)).copied().collect())
}
