//! How fresh a stream is, judged by its sources alone (I10): ticks move time, so time is no sign of life. Judged at the moment of telling, never stored:
//! a state that came with the data would stay "fresh" when the data stops coming.

use std::collections::BTreeMap;

use serde::Serialize;
use yiping_event::time::rfc3339;
use yiping_event::{Stream, TimeMs};

use crate::source::{Contact, Progress};

/// What a source is expected to keep where nothing sensible is said.
const EXPECTED_S: f64 = 30.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Heard of within twice its expected interval.
    Fresh,
    /// Within four times.
    Late,
    /// Longer ago.
    Silent,
    /// Never heard of.
    NotConnected,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamView {
    pub state: State,
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub watermark: Option<TimeMs>,
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub last_event: Option<TimeMs>,
    pub sources_online: usize,
    pub sources_total: usize,
    pub sources: Vec<SourceView>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceView {
    pub source: String,
    pub state: State,
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub last_contact: Option<TimeMs>,
    pub expected_s: f64,
}

/// The state of whoever was last heard of at `last_contact`.
pub fn state(last_contact: Option<TimeMs>, expected_s: f64, now: TimeMs) -> State {
    let Some(last_contact) = last_contact else { return State::NotConnected };
    let silence_s = now.0.saturating_sub(last_contact.0) as f64 / 1000.0;
    match silence_s / expected_s {
        spans if spans <= 2.0 => State::Fresh,
        spans if spans <= 4.0 => State::Late,
        _ => State::Silent,
    }
}

/// All streams, also those of which nothing is known yet.
pub fn streams(progress: &[Progress], contacts: &[Contact], now: TimeMs) -> BTreeMap<String, StreamView> {
    let names = Stream::ALL.iter().map(|stream| stream.as_str()).chain(progress.iter().map(|p| p.stream.as_str()));
    let names: std::collections::BTreeSet<&str> = names.chain(contacts.iter().map(|c| c.stream.as_str())).collect();
    names.into_iter().map(|name| (name.to_owned(), stream(name, progress, contacts, now))).collect()
}

fn stream(name: &str, progress: &[Progress], contacts: &[Contact], now: TimeMs) -> StreamView {
    let progress = progress.iter().find(|p| p.stream == name);
    let mut last_event = progress.and_then(|p| p.last_event);
    let mut sources = Vec::new();
    for contact in contacts.iter().filter(|c| c.stream == name) {
        let expected_s =
            if contact.expected_s.is_finite() && contact.expected_s > 0.0 { contact.expected_s } else { EXPECTED_S };
        // An event is a sign of life too, whoever wrote the row.
        let last_contact = contact.last_contact.max(contact.last_event);
        last_event = last_event.max(contact.last_event);
        sources.push(SourceView {
            source: contact.source.clone(),
            state: state(last_contact, expected_s, now),
            last_contact,
            expected_s,
        });
    }
    sources.sort_by(|a, b| a.source.cmp(&b.source));
    let online = sources.iter().filter(|s| matches!(s.state, State::Fresh | State::Late)).count();
    StreamView {
        state: if sources.is_empty() { state(last_event, EXPECTED_S, now) } else { together(&sources) },
        watermark: progress.and_then(|p| p.watermark),
        last_event,
        sources_online: online,
        sources_total: sources.len(),
        sources,
    }
}

/// The worst that is true of the whole: one silent source of twelve makes a stream late (and the count says 11/12), not silent. Sources that never
/// connected show in the count alone: a department that joins next year is no fault of today.
fn together(sources: &[SourceView]) -> State {
    let connected = || sources.iter().map(|s| s.state).filter(|state| *state != State::NotConnected);
    if connected().next().is_none() {
        State::NotConnected
    } else if connected().all(|state| state == State::Silent) {
        State::Silent
    } else if connected().all(|state| state == State::Fresh) {
        State::Fresh
    } else {
        State::Late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(source: &str, last_contact: Option<i64>) -> Contact {
        Contact {
            stream: "bus".into(),
            source: source.into(),
            last_event: None,
            last_contact: last_contact.map(TimeMs),
            expected_s: 10.0,
        }
    }

    fn bus(contacts: &[Contact], now_ms: i64) -> StreamView {
        streams(&[], contacts, TimeMs(now_ms)).remove("bus").unwrap()
    }

    #[test]
    fn a_source_ages_from_fresh_to_late_to_silent_without_any_new_data() {
        let contacts = [contact("a", Some(0))];
        let states = [0, 20_000, 20_001, 40_000, 40_001].map(|now| bus(&contacts, now).state);
        assert_eq!(states, [State::Fresh, State::Fresh, State::Late, State::Late, State::Silent]);
    }

    #[test]
    fn one_silent_source_of_two_makes_the_stream_late_and_the_count_one_of_two() {
        let view = bus(&[contact("a", Some(100_000)), contact("b", Some(0))], 100_000);
        assert_eq!((view.state, view.sources_online, view.sources_total), (State::Late, 1, 2));
    }

    #[test]
    fn a_source_that_never_connected_is_counted_but_is_no_fault() {
        let view = bus(&[contact("a", Some(0)), contact("b", None)], 0);
        assert_eq!((view.state, view.sources_online, view.sources_total), (State::Fresh, 1, 2));
        assert_eq!(bus(&[contact("b", None)], 0).state, State::NotConnected);
    }

    #[test]
    fn a_stream_of_which_nothing_is_known_is_not_connected() {
        let views = streams(&[], &[], TimeMs(0));
        assert!(Stream::ALL.iter().all(|stream| views[stream.as_str()].state == State::NotConnected));
    }

    #[test]
    fn nonsense_in_expectations_does_not_keep_a_source_fresh_for_ever() {
        for expected_s in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
            let odd = Contact { expected_s, ..contact("a", Some(0)) };
            assert_eq!(bus(&[odd], 1_000_000).state, State::Silent);
        }
    }
}
