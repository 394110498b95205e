//! The time that the gateway stamps as `receivedtime`.
//!
//! A log time that jumps moves every window of the city, so a step of the machine's clock is not followed but slewed (I2).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use yiping_event::TimeMs;

/// Gives the time now; tests bring their own.
pub type Clock = Arc<dyn Fn() -> TimeMs + Send + Sync>;

/// A difference beyond this between two readings is a step of the clock and no drift, milliseconds.
const STEP_MS: i64 = 5_000;
/// A step is made up for at this many milliseconds a second.
const SLEW_MS_PER_S: i64 = 50;

/// The system's clock, with steps of more than 5 s taken back at 50 ms a second.
pub fn steady_clock() -> Clock {
    let begin = Instant::now();
    let steady = Mutex::new(Steady::default());
    Arc::new(move || {
        let monotonic_ms = i64::try_from(begin.elapsed().as_millis()).unwrap_or(i64::MAX);
        let wall_ms = yiping_runtime::clock::unix_ms();
        // Every field is set in one go at the end of `read`: a panic can't leave half of it.
        let mut steady = steady.lock().unwrap_or_else(PoisonError::into_inner);
        let (time, stepped_ms) = steady.read(monotonic_ms, wall_ms);
        if let Some(stepped_ms) = stepped_ms {
            tracing::error!(stepped_ms, "the machine's clock stepped; log times follow slowly");
        }
        time
    })
}

/// Wall time as read, less what of a step has not been made up for yet.
#[derive(Default)]
struct Steady {
    /// Monotonic and wall time of the last reading.
    last: Option<(i64, i64)>,
    /// What the given time is behind the wall's (ahead: negative).
    behind_ms: i64,
    /// Monotonic time up to which the slew is paid out.
    slewed_ms: i64,
}

impl Steady {
    /// The time to stamp, and the size of a step if the wall clock made one since the last reading.
    fn read(&mut self, monotonic_ms: i64, wall_ms: i64) -> (TimeMs, Option<i64>) {
        let mut stepped = None;
        if let Some((last_monotonic, last_wall)) = self.last {
            let jump = (wall_ms - last_wall) - (monotonic_ms - last_monotonic);
            if jump.abs() > STEP_MS {
                stepped = Some(jump);
                self.behind_ms += jump;
            }
        }
        let due = (monotonic_ms - self.slewed_ms) * SLEW_MS_PER_S / 1_000;
        if due > 0 {
            self.behind_ms -= self.behind_ms.clamp(-due, due);
            self.slewed_ms = monotonic_ms;
        }
        self.last = Some((monotonic_ms, wall_ms));
        (TimeMs(wall_ms - self.behind_ms), stepped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_an_hour_is_reported_and_followed_at_50_ms_a_second() {
        let mut clock = Steady::default();
        assert_eq!(clock.read(0, 1_000_000), (TimeMs(1_000_000), None));
        assert_eq!(clock.read(1_000, 1_001_000), (TimeMs(1_001_000), None));
        let (time, stepped) = clock.read(2_000, 4_602_000);
        assert_eq!(stepped, Some(3_600_000));
        assert_eq!(time, TimeMs(1_002_050));
        assert_eq!(clock.read(3_000, 4_603_000), (TimeMs(1_003_100), None));
        // 3,600,000 ms at 50 ms a second are made up for after 72,000 s
        assert_eq!(clock.read(73_000_000, 77_600_000), (TimeMs(77_600_000), None));
    }

    #[test]
    fn a_step_back_never_sends_time_back() {
        let mut clock = Steady::default();
        let mut last = clock.read(0, 1_000_000).0;
        for s in 1..200 {
            let wall = 1_000_000 + s * 1_000 - if s > 20 { 600_000 } else { 0 };
            let (time, _) = clock.read(s * 1_000, wall);
            assert!(time > last, "at {s} s: {time} after {last}");
            last = time;
        }
    }

    #[test]
    fn drift_below_5_s_is_followed() {
        let mut clock = Steady::default();
        clock.read(0, 0);
        assert_eq!(clock.read(1_000, 4_000), (TimeMs(4_000), None));
    }
}
