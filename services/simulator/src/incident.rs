//! Incidents: what goes wrong in the city on purpose, at a stated time.
//!
//! An incident is (kind, from, to), in absolute time: with the same incidents a run is seekable as without any. What it
//! doesn't touch keeps its bytes: its luck is drawn apart (`For::Incident`), never from an entity's own draws. What it
//! touches:
//!
//! | name | what happens | differs from the run without |
//! | --- | --- | --- |
//! | `bus-bunching` | every second vehicle of the 45 routes with the shortest headways falls back by 0.7 of it: gaps of 1.7 and 0.3 in turn | the vehicles' positions, stops, starts and ends of trips that happen in it |
//! | `lot-full` | the 3 largest car parks fill up within 8 minutes and stay full; their guests leave within a quarter of an hour afterwards | these lots' snapshots from its begin to that quarter's end; and the guests' sessions |
//! | `heating-outage` | 供热 orders ×20 in the two districts with the most callers; long waits and lost calls for all | calls offered in it, with the orders that come of them, for as long as these live |
//! | `sos-unanswered` | an alarm that nobody acknowledges until its end, then closed within minutes | that one case |
//! | `feed-dead` | nothing is received of the last source of buses in the profile, nor its heartbeats | what of that source would have been received in it |
//! | `feed-dead-parking` | the same of parking | the same |
//!
//! With faults other than none, what differs may arrive hours later, as everything may. Cars leave at 04:00, also the
//! guests of a full lot: an incident that lasts longer fills it anew.

use std::fmt;
use std::str::FromStr;

use yiping_event::{Stream, TimeMs};

use crate::Options;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IncidentKind {
    BusBunching,
    LotFull,
    HeatingOutage,
    SosUnanswered,
    FeedDead,
    FeedDeadParking,
}

impl IncidentKind {
    pub const ALL: [IncidentKind; 6] = [
        Self::BusBunching,
        Self::LotFull,
        Self::HeatingOutage,
        Self::SosUnanswered,
        Self::FeedDead,
        Self::FeedDeadParking,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BusBunching => "bus-bunching",
            Self::LotFull => "lot-full",
            Self::HeatingOutage => "heating-outage",
            Self::SosUnanswered => "sos-unanswered",
            Self::FeedDead => "feed-dead",
            Self::FeedDeadParking => "feed-dead-parking",
        }
    }

    /// The stream that it is seen in.
    #[must_use]
    pub const fn stream(self) -> Stream {
        match self {
            Self::BusBunching | Self::FeedDead => Stream::Bus,
            Self::LotFull | Self::FeedDeadParking => Stream::Parking,
            Self::HeatingOutage => Stream::Hotline,
            Self::SosUnanswered => Stream::Elder,
        }
    }
}

impl fmt::Display for IncidentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The name is no incident's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected one of: bus-bunching lot-full heating-outage sos-unanswered feed-dead feed-dead-parking, \
     such as lot-full@10m+45m"
)]
pub struct UnknownIncident;

impl FromStr for IncidentKind {
    type Err = UnknownIncident;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or(UnknownIncident)
    }
}

/// One incident: it begins at `from` and is over at `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Incident {
    pub kind: IncidentKind,
    pub from: TimeMs,
    pub to: TimeMs,
}

/// A half-open span of time in ms since 1970.
pub(crate) type Span = std::ops::Range<i64>;

/// When there is an incident of `kind`: in order, those that touch each other made one.
pub(crate) fn spans(options: &Options, kind: IncidentKind) -> Vec<Span> {
    let of_kind = options.incidents.iter().filter(|incident| incident.kind == kind);
    let mut single: Vec<Span> = of_kind.map(|i| i.from.ms()..i.to.ms()).filter(|span| !span.is_empty()).collect();
    single.sort_unstable_by_key(|span| (span.start, span.end));
    let mut merged: Vec<Span> = Vec::new();
    for span in single {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

/// Numbers of calls and cases that only an incident brings: far above those of any day.
pub(crate) const NUMBERS: u64 = 1_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_incident_is_found_by_its_name_and_others_get_the_list() {
        for kind in IncidentKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert!(UnknownIncident.to_string().contains(kind.as_str()));
        }
        assert_eq!("earthquake".parse::<IncidentKind>(), Err(UnknownIncident));
    }

    #[test]
    fn incidents_that_touch_are_one() {
        let incident = |from, to| Incident { kind: IncidentKind::LotFull, from: TimeMs(from), to: TimeMs(to) };
        let incidents = vec![incident(50, 60), incident(10, 20), incident(20, 30), incident(15, 18), incident(5, 5)];
        let options = Options { incidents, ..Options::new(1, TimeMs(0)) };
        assert_eq!(spans(&options, IncidentKind::LotFull), [10..30, 50..60]);
        assert_eq!(spans(&options, IncidentKind::FeedDead), []);
    }
}
