//! What a person who waits for a replay sees on stderr: one line, rewritten each second on a terminal, written anew every
//! ten seconds elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};
use yiping_event::TimeMs;

pub struct Progress {
    start: Instant,
    shown: Option<Instant>,
    quiet: bool,
    terminal: bool,
}

/// How far a replay is.
pub struct State {
    pub rows: u64,
    pub sent: u64,
    pub accepted: u64,
    pub rejected: u64,
    /// Part of all that is sent, 0 to 1, as far as it is known.
    pub share: f64,
    /// Log time of the newest event sent.
    pub data_time: Option<TimeMs>,
    /// How long the data's own pace still takes; None at full speed.
    pub pace_left: Option<Duration>,
}

impl Progress {
    pub fn new(quiet: bool) -> Self {
        Self { start: Instant::now(), shown: None, quiet, terminal: std::io::stderr().is_terminal() }
    }

    pub fn show(&mut self, state: &State) {
        let interval = Duration::from_secs(if self.terminal { 1 } else { 10 });
        let now = Instant::now();
        if self.quiet || now.saturating_duration_since(self.shown.unwrap_or(self.start)) < interval {
            return;
        }
        self.shown = Some(now);
        let line = describe(state, now - self.start);
        let mut stderr = std::io::stderr().lock();
        // Whoever closed stderr wants no progress.
        let _ = if self.terminal { write!(stderr, "\r\x1b[K{line}") } else { writeln!(stderr, "{line}") };
    }

    /// Leaves the terminal on a line of its own.
    pub fn done(&self) {
        if self.terminal && self.shown.is_some() {
            let _ = writeln!(std::io::stderr().lock());
        }
    }
}

fn describe(state: &State, elapsed: Duration) -> String {
    let rate = state.sent as f64 / elapsed.as_secs_f64().max(0.001);
    let left = state.pace_left.or_else(|| {
        // Without a share the division gives no duration.
        Duration::try_from_secs_f64(elapsed.as_secs_f64() * (1.0 - state.share).max(0.0) / state.share).ok()
    });
    let mut line = format!("{} rows, {} events sent ({:.0} %)", state.rows, state.sent, state.share * 100.0);
    line += &format!(", {} accepted, {} rejected, {rate:.0} events/s", state.accepted, state.rejected);
    if let Some(time) = state.data_time {
        line += &format!(", at {time}");
    }
    if let Some(left) = left {
        line += &format!(", {} left", readable(left));
    }
    line
}

fn readable(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_how_fast_and_how_long_still() {
        let state = State {
            rows: 60,
            sent: 50,
            accepted: 48,
            rejected: 2,
            share: 0.25,
            data_time: Some(TimeMs(0)),
            pace_left: None,
        };
        let line = describe(&state, Duration::from_secs(30));
        assert_eq!(
            line,
            "60 rows, 50 events sent (25 %), 48 accepted, 2 rejected, 2 events/s, at 1970-01-01T00:00:00.000Z, 1 min 30 s left"
        );
        let paced = State { data_time: None, pace_left: Some(Duration::from_secs(7_320)), ..state };
        assert!(describe(&paced, Duration::from_secs(30)).ends_with("2 h 2 min left"));
    }
}
