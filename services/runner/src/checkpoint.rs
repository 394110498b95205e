//! A machine as named parts, and back: its core in one, the ids it has seen in one part a slice of event time, so that a slice whose
//! time is past is written once.

use yiping_event::Stream;
use yiping_window::{Domain, EntityId, Machine, MetricSpec, checkpoint, dedup::Dedup};

/// The core's name in format 1; later ones are `core/FORMAT`.
const CORE: &str = "core";
const SEEN: &str = "seen/";

/// Why parts are no machine.
#[derive(Debug)]
pub struct Unreadable(pub String);

pub fn parts<D: Domain>(machine: &Machine<D>) -> Result<Vec<(String, Vec<u8>)>, String> {
    let (core, dedup) = machine.state();
    let mut parts = vec![(format!("{CORE}/{}", checkpoint::FORMAT), checkpoint::write(core)?)];
    for (slice, ids) in dedup.slices() {
        parts.push((format!("{SEEN}{slice}"), postcard::to_stdvec(ids).map_err(|error| error.to_string())?));
    }
    Ok(parts)
}

pub fn machine<D: Domain>(
    stream: Stream,
    specs: &[MetricSpec],
    parts: &[(String, Vec<u8>)],
) -> Result<Machine<D>, Unreadable> {
    let unreadable = |what: &str, error: &dyn std::fmt::Display| Unreadable(format!("{what}: {error}"));
    let mut core = None;
    let mut dedup = Dedup::default();
    for (name, bytes) in parts {
        if let Some(slice) = name.strip_prefix(SEEN) {
            let slice: i64 = slice.parse().map_err(|error| unreadable(name, &error))?;
            let ids: Vec<EntityId> = postcard::from_bytes(bytes).map_err(|error| unreadable(name, &error))?;
            dedup.restore(slice, ids);
        } else if let Some(format) = name.strip_prefix(CORE) {
            let format = match format.strip_prefix('/') {
                Some(format) => format.parse().map_err(|error| unreadable(name, &error))?,
                None => 1,
            };
            core = Some(checkpoint::read::<D>(format, bytes).map_err(|error| unreadable(name, &error))?);
        }
    }
    let core = core.ok_or_else(|| Unreadable("it has no core".to_owned()))?;
    Machine::restore(stream, specs, core, dedup).map_err(Unreadable)
}
