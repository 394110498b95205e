//! When the next try is due. Pure: what is random is handed in.
//!
//! After a success the next poll is `every` after the last one began, up to 5 % sooner, so that feeds that started together drift
//! apart. After failures the wait doubles from a second on, up to a minute (five where polls are that rare), and up to
//! half of it is left away by chance, so that many pullers don't come back to a server at once.

use std::time::Duration;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(300));
/// Nobody is left alone for longer, whatever they ask.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
pub struct Pace {
    every: Duration,
    /// In a row.
    failures: u32,
}

impl Pace {
    pub fn new(every: Duration) -> Self {
        Self { every, failures: 0 }
    }

    /// How long to wait after a poll that took `spent`. `draw`: 0 to 1.
    pub fn after_success(&mut self, spent: Duration, draw: f64) -> Duration {
        self.failures = 0;
        self.every.mul_f64(1.0 - 0.05 * draw).saturating_sub(spent)
    }

    /// How long to wait after a failure that may have said how long. `draw`: 0 to 1.
    pub fn after_failure(&mut self, retry_after: Option<Duration>, draw: f64) -> Duration {
        let longest = self.every.clamp(LONGEST_WAIT.0, LONGEST_WAIT.1);
        let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(16)).min(longest).mul_f64(1.0 - 0.5 * draw);
        self.failures = self.failures.saturating_add(1);
        // (never sooner than asked)
        wait.max(retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_a_success_ends_them() {
        let mut pace = Pace::new(Duration::from_secs(10));
        let waits: Vec<u64> = (0..8).map(|_| pace.after_failure(None, 0.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pace.after_success(Duration::from_secs(3), 0.0), Duration::from_secs(7));
        assert_eq!(pace.after_success(Duration::from_secs(30), 0.0), Duration::ZERO);
        assert_eq!(pace.after_failure(None, 0.0), Duration::from_secs(1));
        assert_eq!(
            Pace { failures: 40, ..Pace::new(Duration::from_secs(7_200)) }.after_failure(None, 0.0).as_secs(),
            300
        );
    }

    #[test]
    fn chance_shortens_a_wait_by_half_at_most_and_never_what_was_asked_for() {
        let wait = |retry_after: Option<u64>, draw| {
            Pace { failures: 3, ..Pace::new(Duration::from_secs(10)) }
                .after_failure(retry_after.map(Duration::from_secs), draw)
                .as_secs_f64()
        };
        assert_eq!((wait(None, 0.0), wait(None, 1.0)), (8.0, 4.0));
        assert_eq!((wait(Some(120), 1.0), wait(Some(1), 0.0), wait(Some(1_000_000), 0.0)), (120.0, 8.0, 3_600.0));
        let mut pace = Pace::new(Duration::from_secs(10));
        assert_eq!(pace.after_success(Duration::ZERO, 1.0), Duration::from_millis(9_500));
    }
}
