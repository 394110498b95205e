//! When an event of the past is due now: its own time, stretched from the first event's. Pure but for the clock that
//! its caller reads.

use std::time::{Duration, Instant};
use yiping_event::TimeMs;

pub struct Pace {
    /// Data seconds per second.
    factor: f64,
    start: Option<(Instant, TimeMs)>,
}

impl Pace {
    pub fn new(factor: f64) -> Self {
        Self { factor, start: None }
    }

    /// How long to wait, from `now`, until an event of this log time is due. The first one starts the clock.
    pub fn wait(&mut self, log_time: TimeMs, now: Instant) -> Duration {
        self.start.get_or_insert((now, log_time));
        self.left(log_time, now)
    }

    /// The same for a clock that may not run yet: nothing to wait for then.
    pub fn left(&self, log_time: TimeMs, now: Instant) -> Duration {
        let Some((start, first)) = self.start else { return Duration::ZERO };
        let after = Duration::from_secs_f64((log_time.ms() - first.ms()).max(0) as f64 / 1000.0 / self.factor);
        (start + after).saturating_duration_since(now)
    }

    /// The data's time now.
    pub fn data_time(&self, now: Instant) -> Option<TimeMs> {
        let (start, first) = self.start?;
        Some(first.plus((now.saturating_duration_since(start).as_secs_f64() * self.factor * 1000.0) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_speed_sixty_an_hour_takes_a_minute() {
        let start = Instant::now();
        let mut pace = Pace::new(60.0);
        assert_eq!(pace.wait(TimeMs(1_000), start), Duration::ZERO);
        assert_eq!(pace.wait(TimeMs(3_601_000), start), Duration::from_secs(60));
        assert_eq!(pace.wait(TimeMs(3_601_000), start + Duration::from_secs(59)), Duration::from_secs(1));
        assert_eq!(pace.wait(TimeMs(3_601_000), start + Duration::from_secs(99)), Duration::ZERO);
        assert_eq!(pace.data_time(start + Duration::from_secs(1)), Some(TimeMs(61_000)));
    }
}
