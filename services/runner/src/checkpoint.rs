//! A machine as named parts, and back: its core in one, the ids it has seen in one part a slice of event time, so that a slice whose
//! time is past is written once.

use yiping_event::Stream;
use yiping_window::{Core, Domain, EntityId, Machine, MetricSpec, dedup::Dedup};

const CORE: &str = "core";
const SEEN: &str = "seen/";

/// Why parts are no machine.
#[derive(Debug)]
pub struct Unreadable(pub String);

pub fn parts<D: Domain>(machine: &Machine<D>) -> Result<Vec<(String, Vec<u8>)>, postcard::Error> {
    let (core, dedup) = machine.state();
    let mut parts = vec![(CORE.to_owned(), postcard::to_stdvec(core)?)];
    for (slice, ids) in dedup.slices() {
        parts.push((format!("{SEEN}{slice}"), postcard::to_stdvec(ids)?));
    }
    Ok(parts)
}

pub fn machine<D: Domain>(
    stream: Stream,
    specs: &[MetricSpec],
    parts: &[(String, Vec<u8>)],
) -> Result<Machine<D>, Unreadable> {
    let unreadable = |what: &str, error: &dyn std::fmt::Display| Unreadable(format!("{what}: {error}"));
    let mut core: Option<Core<D>> = None;
    let mut dedup = Dedup::default();
    for (name, bytes) in parts {
        if name == CORE {
            core = Some(postcard::from_bytes(bytes).map_err(|error| unreadable(name, &error))?);
        } else if let Some(slice) = name.strip_prefix(SEEN) {
            let slice: i64 = slice.parse().map_err(|error| unreadable(name, &error))?;
            let ids: Vec<EntityId> = postcard::from_bytes(bytes).map_err(|error| unreadable(name, &error))?;
            dedup.restore(slice, ids);
        }
    }
    let core = core.ok_or_else(|| Unreadable("it has no core".to_owned()))?;
    Machine::restore(stream, specs, core, dedup).map_err(Unreadable)
}
