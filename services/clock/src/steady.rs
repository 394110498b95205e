//! The core of the clock: two readings in, a time out. Pure, so that a test can let an hour go by.

/// A difference beyond this is no drift: 5 s in nanoseconds. The watermark stays as far behind, so what is smaller can
/// make nothing late.
pub const STEP_NS: i64 = 5 * SECOND_NS;
/// A difference is made up for at one part in so many of the time that goes by: 125 ms a second.
///
/// NTP's own slew, 0.5 ms a second, would take 83 days for an hour. This one takes a working day of eight hours, and
/// still leaves eight minutes to put the clock right before the time is 60 s off, which is when sources whose clocks are
/// right begin to be quarantined (I6).
pub const SLEW_PARTS: i64 = 8;
const SECOND_NS: i64 = 1_000_000_000;

/// A time that goes on with the monotonic clock and draws near to the wall clock without ever jumping or going back.
#[derive(Clone, Debug)]
pub struct Steady {
    monotonic_ns: i64,
    time_ns: i64,
    /// Wall clock less time, as of the last reading.
    difference_ns: i64,
    /// What is left of the steps that were told: a difference that is no news.
    told_ns: i64,
}

/// What a reading of the clocks comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Nanoseconds since 1970 UTC.
    pub time_ns: i64,
    /// How far the wall clock is ahead of the time (behind: negative), nanoseconds.
    pub difference_ns: i64,
    /// By how much the wall clock has stepped since the last step that was told, nanoseconds; `None` almost always.
    pub stepped_ns: Option<i64>,
}

impl Steady {
    /// Begins at the wall clock's time, whatever it is: there is nothing to compare it with.
    #[must_use]
    pub fn start(monotonic_ns: i64, wall_ns: i64) -> Self {
        Self { monotonic_ns, time_ns: wall_ns, difference_ns: 0, told_ns: 0 }
    }

    /// The time at these readings of the monotonic and the wall clock, in nanoseconds. The monotonic clock counts time
    /// in suspension too: then a machine that slept has not stepped.
    pub fn read(&mut self, monotonic_ns: i64, wall_ns: i64) -> Reading {
        let gone = (monotonic_ns - self.monotonic_ns).max(0);
        self.monotonic_ns = self.monotonic_ns.max(monotonic_ns);
        let slew = gone / SLEW_PARTS;
        let off = wall_ns.saturating_sub(self.time_ns + gone);

        let news = off.saturating_sub(self.told_ns);
        let stepped_ns = (news.saturating_abs() > STEP_NS).then_some(news);
        if stepped_ns.is_some() {
            self.told_ns = off;
        }
        self.told_ns -= self.told_ns.clamp(-slew, slew);
        // slower or faster by an eighth at most: time can't go back
        let correction = off.clamp(-slew, slew);
        self.time_ns += gone + correction;
        self.difference_ns = off - correction;
        Reading { time_ns: self.time_ns, difference_ns: self.difference_ns, stepped_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const HOUR: i64 = 3_600 * SECOND_NS;
    /// Some time in 2026.
    const START: i64 = 1_795_000_000 * SECOND_NS;

    /// A machine whose clocks are read once a second; its monotonic clock began at 0 when the real time was [`START`].
    struct Machine {
        steady: Steady,
        now: i64,
        last: i64,
        /// What was told as a step, in whole seconds, and when.
        told: Vec<(i64, i64)>,
    }

    impl Machine {
        fn new() -> Self {
            Self { steady: Steady::start(0, START), now: 0, last: START, told: Vec::new() }
        }

        /// `seconds` go by with the wall clock so far off the real time; returns how far the time is off it.
        fn go(&mut self, seconds: i64, wall_off: i64) -> i64 {
            for _ in 0..seconds {
                self.now += SECOND_NS;
                let reading = self.steady.read(self.now, START + self.now + wall_off);
                let went = reading.time_ns - self.last;
                assert!((875 * MS..=1_125 * MS).contains(&went), "a second of {went} ns");
                assert_eq!(reading.difference_ns, START + self.now + wall_off - reading.time_ns);
                self.told.extend(reading.stepped_ns.map(|by| (self.now / SECOND_NS, by / SECOND_NS)));
                self.last = reading.time_ns;
            }
            self.last - START - self.now
        }
    }

    #[test]
    fn without_a_step_the_time_is_the_wall_clock() {
        let mut machine = Machine::new();
        assert_eq!(machine.go(3_600, 0), 0);
        assert_eq!(machine.told, []);
    }

    #[test]
    fn a_step_of_an_hour_is_told_once_and_made_up_for_in_eight_hours() {
        for hour in [HOUR, -HOUR] {
            let mut machine = Machine::new();
            assert_eq!(machine.go(10, 0), 0);
            // 125 ms a second: a minute after eight minutes, the hour after 8 h
            assert_eq!(machine.go(1, hour), hour.signum() * 125 * MS);
            assert_eq!(machine.go(479, hour), hour.signum() * 60 * SECOND_NS);
            assert_eq!(machine.go(8 * 3_600 - 480, hour), hour);
            assert_eq!(machine.go(3_600, hour), hour, "and stays there");
            assert_eq!(machine.told, [(11, hour / SECOND_NS)]);
        }
    }

    #[test]
    fn a_step_that_is_taken_back_leaves_only_what_was_followed_meanwhile() {
        let mut machine = Machine::new();
        machine.go(10, 0);
        assert_eq!(machine.go(80, HOUR), 10 * SECOND_NS);
        assert_eq!(machine.go(80, 0), 0);
        assert_eq!(machine.told, [(11, 3_600), (91, -3_600)]);
    }

    #[test]
    fn what_is_smaller_than_a_step_is_followed_smoothly_and_not_told() {
        let mut machine = Machine::new();
        machine.go(10, 0);
        // 4 s either way, made up for in 32 s; `go` holds that no second is shorter than 875 ms
        assert_eq!(machine.go(32, 4 * SECOND_NS), 4 * SECOND_NS);
        assert_eq!(machine.go(32, 0), 0);
        assert_eq!(machine.told, []);
    }

    #[test]
    fn a_clock_that_runs_wrong_by_a_little_is_followed_to_the_nanosecond() {
        // 500 ppm, NTP's own limit, for an hour
        let mut machine = Machine::new();
        for second in 1..=3_600 {
            assert_eq!(machine.go(1, second * SECOND_NS / 2_000), second * SECOND_NS / 2_000);
        }
        assert_eq!(machine.told, []);
    }

    #[test]
    fn many_small_steps_are_told_when_they_come_to_a_large_one() {
        let mut machine = Machine::new();
        for second in 1..=10 {
            machine.go(1, second * 4 * SECOND_NS);
        }
        // 8 s after two of them, of which 125 ms are made up for; then 8 s more each time, for what was told is no news
        assert_eq!(machine.told, [(2, 7), (4, 8), (6, 8), (8, 8), (10, 8)]);
    }

    #[test]
    fn a_second_step_while_the_first_is_made_up_for_is_told_by_its_own_size() {
        let mut machine = Machine::new();
        machine.go(800, HOUR);
        machine.go(10, HOUR + 60 * SECOND_NS);
        assert_eq!(machine.told, [(1, 3_600), (801, 60)]);
    }

    #[test]
    fn a_machine_that_slept_has_not_stepped() {
        let mut machine = Machine::new();
        machine.go(10, 0);
        // two hours in which nobody read: both clocks went on
        machine.now += 2 * HOUR;
        let reading = machine.steady.read(machine.now, START + machine.now);
        assert_eq!(reading, Reading { time_ns: START + machine.now, difference_ns: 0, stepped_ns: None });
        // a monotonic clock that stood still meanwhile, as of a virtual machine that was paused, makes it a step
        let reading = machine.steady.read(machine.now, START + machine.now + 2 * HOUR);
        assert_eq!(reading.stepped_ns, Some(2 * HOUR));
    }

    #[test]
    fn however_often_it_is_read_the_slew_is_the_same() {
        let (mut often, mut once) = (Steady::start(0, START), Steady::start(0, START));
        for at in 1..=1_000_000 {
            often.read(at * 1_000, START + at * 1_000 + HOUR);
        }
        let after_a_second = once.read(SECOND_NS, START + SECOND_NS + HOUR);
        assert_eq!(often.read(SECOND_NS, START + SECOND_NS + HOUR).time_ns, after_a_second.time_ns);
    }

    #[test]
    fn a_monotonic_clock_that_went_back_and_a_wall_clock_at_its_end_do_no_harm() {
        let mut steady = Steady::start(SECOND_NS, START);
        assert_eq!(steady.read(0, START).time_ns, START);
        assert_eq!(steady.read(2 * SECOND_NS, i64::MAX).time_ns, START + 1_125 * MS);
        assert_eq!(steady.read(3 * SECOND_NS, 0).time_ns, START + 2_000 * MS);
    }
}
