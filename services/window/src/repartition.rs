//! State for another number of partitions (I4): every entity goes where its records will go, and nothing is counted twice.
//!
//! A series' panes are sums, and rows are merged over partitions by adding up, so a pane may lie in any partition: an event taken
//! back by the entity's new owner makes a negative part there, and the sum is right. Only what is asked of an entity or a record
//! must be in one place: entities and their timers go by their records' key, ids seen go everywhere.

use yiping_event::{Stream, TimeMs};

use crate::{
    checkpoint,
    dedup::Dedup,
    domain::Domain,
    key::{KeyId, Keys, translated},
    machine::{Core, Machine},
    metric::MetricSpec,
    table::NoKey,
};

/// Why a stream's state can't be given to another number of partitions.
#[derive(Debug, thiserror::Error)]
pub enum CannotRepartition {
    #[error(transparent)]
    NoKey(#[from] NoKey),
    #[error("the state can't be read back: {0}")]
    State(String),
}

/// The state of all partitions of a stream, as that of `count` partitions of a new generation; `place` says which partition a record
/// key goes to. All machines must have come to the same time ([`Machine::advance`]). Returns also from when on the new generation's
/// windows count; `None` before a first event.
///
/// # Errors
/// See [`CannotRepartition`].
pub fn repartition<D: Domain>(
    stream: Stream,
    specs: &[MetricSpec],
    machines: Vec<Machine<D>>,
    count: usize,
    place: &dyn Fn(&str) -> usize,
) -> Result<(Vec<Machine<D>>, Option<TimeMs>), CannotRepartition> {
    let from = machines.iter().filter_map(Machine::horizon).max();
    let mut keys = Keys::default();
    let mut olds: Vec<Core<D>> = Vec::new();
    let mut seen = Dedup::default();
    for machine in machines {
        let to: Vec<KeyId> = machine.core.board.keys.names().map(|name| keys.intern(name)).collect();
        let bytes = checkpoint::write(&machine.core).map_err(CannotRepartition::State)?;
        let core = translated(to, || checkpoint::read::<D>(checkpoint::FORMAT, &bytes));
        olds.push(core.map_err(CannotRepartition::State)?);
        for (slice, ids) in machine.dedup.slices() {
            seen.restore(slice, ids.to_vec());
        }
    }
    let mut news: Vec<Core<D>> = (0..count).map(|_| Core::default()).collect();
    let mut domains: Vec<D> = (0..count).map(|_| D::default()).collect();
    for new in &mut news {
        new.board.keys = keys.clone();
        new.board.attach(specs, None, &crate::span::Days::new(jiff::tz::TimeZone::UTC));
    }
    for (at, old) in olds.into_iter().enumerate() {
        for timer in &old.timers {
            let to = old.domain.key_of(timer).map(place);
            if let Some(new) = to.and_then(|to| news.get_mut(to)) {
                new.timers.insert(*timer);
            }
        }
        old.domain.scatter(place, &mut domains)?;
        for new in &mut news {
            new.clock.event_time(old.clock.time());
            new.last_event = new.last_event.max(old.last_event);
            new.append = new.append.max(old.append);
            new.moved = new.moved.max(old.moved);
            new.settings = new.settings.take().or_else(|| old.settings.clone());
            new.holes.extend(&old.holes);
        }
        let Some(new) = news.get_mut(at % count.max(1)) else {
            continue;
        };
        new.board.absorb(old.board);
        new.counters.add(old.counters);
        for (minute, events) in old.late_minutes {
            *new.late_minutes.entry(minute).or_default() += events;
        }
        for (name, contact) in old.contacts {
            new.contacts.entry(name).or_default().merge(&contact);
        }
    }
    let mut made = Vec::new();
    for (mut core, domain) in news.into_iter().zip(domains) {
        core.domain = domain;
        let mut machine = Machine::restore(stream, specs, core, seen.clone()).map_err(CannotRepartition::State)?;
        if let Some(from) = from {
            machine.begin_generation(from);
        }
        made.push(machine);
    }
    Ok((made, from))
}
