//! How much a token sends: what goes beyond its rate is put off (429), never taken and lost.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use yiping_event::TimeMs;

use crate::tokens::Token;

/// A token may be so far ahead of its rate before it is put off: departments send in batches.
const AHEAD_MS: i64 = 5_000;

/// For each token that has a rate: the time (ms) until which what it sent would have taken, at that rate. A request is let in while
/// that is not too far ahead, whatever is in it, and charged when its events are known (GCRA with debts).
#[derive(Debug, Default)]
pub struct Meters(Mutex<HashMap<String, i64>>);

impl Meters {
    /// In how many seconds the token may come again; `None`: it may come now.
    pub fn wait_s(&self, token: &Token, now: TimeMs) -> Option<u32> {
        token.events_per_s?;
        let paid = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&token.name).copied()?;
        let wait_ms = u64::try_from(paid - now.0 - AHEAD_MS).ok().filter(|wait| *wait > 0)?;
        Some(u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(u32::MAX))
    }

    /// The token has sent so many events.
    pub fn charge(&self, token: &Token, events: u64, now: TimeMs) {
        let Some(rate) = token.events_per_s else { return };
        let took = i64::try_from(events).unwrap_or(i64::MAX).saturating_mul(1_000) / i64::from(rate.get());
        let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let paid = meters.entry(token.name.clone()).or_insert(now.0);
        *paid = (*paid).max(now.0).saturating_add(took);
    }
}
