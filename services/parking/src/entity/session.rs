//! A session of a lot: one car's stay, and what it may owe.
//!
//! Forgotten an hour behind the horizon: when the car has left (one that came in is waited for 7 days) and nothing is owed any
//! more. Nothing that is in time by then can be one of the stay, see [`Stay`].

use serde::{Deserialize, Serialize};
use yiping_event::TimeMs;
use yiping_window::{KeyId, Level};

use crate::entity::{credit::Credit, stay::Stay};

const BEHIND_MS: i64 = 60 * 60 * 1_000;

/// Where a session counts: these events name no district, so it is the profile's of their lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub everywhere: KeyId,
    pub district: KeyId,
    pub lot: KeyId,
}

impl Place {
    pub fn keys(&self) -> [(Level, KeyId); 3] {
        [(Level::City, self.everywhere), (Level::District, self.district), (Level::Lot, self.lot)]
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// As it was when the session was first heard of: what is taken back is taken back where it was counted.
    pub place: Place,
    pub stay: Stay,
    /// Few sessions have one.
    pub credit: Option<Box<Credit>>,
}

impl Session {
    pub fn new(place: Place) -> Self {
        Session { place, stay: Stay::default(), credit: None }
    }

    /// Whether no event that is in time from `horizon` on can be about it, and nothing is owed.
    pub fn is_done(&self, horizon: TimeMs) -> bool {
        let waits = self.stay.newest().is_some() && !self.stay.is_over(horizon);
        let owes = self.credit.as_ref().is_some_and(|credit| !credit.is_done(TimeMs(horizon.0 - BEHIND_MS)));
        !waits && !owes
    }
}
