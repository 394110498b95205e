//! Refused requests, told in the log: whose, and why; never what was sent. One that comes again and again is told once a minute, with
//! how often it came.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use yiping_event::TimeMs;

/// The same is told again after so long, ms.
const QUIET_MS: i64 = 60_000;
/// Requests without a valid token count as one sender.
pub const NOBODY: &str = "-";

#[derive(Default)]
pub struct Grumbles(Mutex<HashMap<(String, &'static str), Told>>);

struct Told {
    at: TimeMs,
    since: u64,
}

impl Grumbles {
    /// How often this came since it was told last, this time too; none while it is too early to tell it again. `token`: its name.
    pub fn due(&self, token: &str, reason: &'static str, now: TimeMs) -> Option<u64> {
        // (tokens and reasons are few, so this stays small)
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = told.entry((token.to_owned(), reason)).or_insert(Told { at: TimeMs(i64::MIN), since: 0 });
        entry.since += 1;
        if now.0.saturating_sub(entry.at.0) < QUIET_MS {
            return None;
        }
        entry.at = now;
        Some(std::mem::take(&mut entry.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_others_once_a_minute_with_their_number() {
        let grumbles = Grumbles::default();
        let due = |token, reason, second: i64| grumbles.due(token, reason, TimeMs(second * 1_000));
        assert_eq!(due("lots", "all_rejected", 0), Some(1));
        assert_eq!((due("lots", "all_rejected", 1), due("lots", "all_rejected", 59)), (None, None));
        assert_eq!((due(NOBODY, "unknown_token", 1), due("lots", "busy", 1)), (Some(1), Some(1)));
        assert_eq!(due("lots", "all_rejected", 60), Some(3));
    }
}
