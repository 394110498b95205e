//! The clock of a process: what stamps data, and what ages are measured by.
//!
//! | file | does |
//! | --- | --- |
//! | `steady.rs` | the core: readings of two clocks in, a time out |
//! | `lib.rs` | one such time for the process, from the machine's clocks; the alarm |
//!
//! A log time that jumps would move every window of the city, so a step of the machine's clock is not followed but
//! slewed, and alarmed (I2). A process that starts takes the clock as it finds it: after a step, starting it again is how
//! one says that the clock is right now.
//!
//! Results never depend on it but through the stamps in the log (I1). This crate must not know what is stamped.

mod steady;

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use nix::time::{ClockId, clock_gettime};

pub use steady::{Reading, SLEW_PARTS, STEP_NS, Steady};

const MS_NS: i64 = 1_000_000;
/// Two readings of one clock that are further apart were interrupted, and what was read between them is worth nothing.
const AT_ONCE_NS: i64 = 100 * MS_NS;

/// Milliseconds since 1970 UTC. Never goes back while the process lives, nor jumps: a step of the machine's clock is made
/// up for at 125 ms a second.
#[must_use]
pub fn unix_ms() -> i64 {
    read().time_ns.div_euclid(MS_NS)
}

/// How far the machine's clock is ahead of [`unix_ms`] (behind: negative), in seconds, to the millisecond. 0 where all is
/// well; after a step, what has not been made up for yet.
#[must_use]
pub fn step_seconds() -> f64 {
    (read().difference_ns / MS_NS) as f64 / 1_000.0
}

fn read() -> Reading {
    static CLOCK: Mutex<Option<Steady>> = Mutex::new(None);
    // A reading is a few assignments: no panic can leave half of one. Read under the lock, so that readings are in order.
    let mut clock = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let (monotonic_ns, wall_ns) = both_clocks();
    let reading = clock.get_or_insert_with(|| Steady::start(monotonic_ns, wall_ns)).read(monotonic_ns, wall_ns);
    drop(clock);
    if let Some(stepped_ns) = reading.stepped_ns {
        alarm(stepped_ns, reading.difference_ns);
    }
    reading
}

fn alarm(stepped_ns: i64, difference_ns: i64) {
    let seconds = |ns: i64| (ns / MS_NS) as f64 / 1_000.0;
    tracing::error!(
        stepped_s = seconds(stepped_ns),
        difference_s = seconds(difference_ns),
        "the machine's clock stepped; this process goes on from its own time and makes up for the difference at 125 ms a \
         second; if the machine's clock is wrong now, set it right; if it is right now, start this process again"
    );
}

/// The machine's monotonic and wall clock at one moment, in nanoseconds. A process that is stopped between the two
/// would see a step that never was.
fn both_clocks() -> (i64, i64) {
    let mut before = since_boot_ns();
    loop {
        let wall = wall_ns();
        let after = since_boot_ns();
        if after - before <= AT_ONCE_NS {
            return (after, wall);
        }
        before = after;
    }
}

/// Time since the machine started, suspension included, which [`std::time::Instant`] leaves out.
#[expect(
    clippy::expect_used,
    reason = "the call fails only for a clock that is not there, and Linux has it since 2.6.39"
)]
fn since_boot_ns() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux counts the time since boot");
    time.tv_sec() * 1_000 * MS_NS + time.tv_nsec()
}

fn wall_ns() -> i64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_has_one_time_which_is_the_machines_and_never_goes_back() {
        let wall_ms = wall_ns() / MS_NS;
        let mut last = unix_ms();
        assert!((last - wall_ms).abs() < 60_000, "{last} is not about {wall_ms}");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut last = unix_ms();
                    for _ in 0..10_000 {
                        let now = unix_ms();
                        assert!(now >= last, "{now} after {last}");
                        last = now;
                    }
                });
            }
        });
        let now = unix_ms();
        assert!(now >= last);
        last = now;
        assert!(unix_ms() >= last);
    }
}
