//! Runs of the synthetic Weihai, for tests that read its lines as a gateway would.
#![allow(dead_code, reason = "each test crate takes what it needs")]

use yiping_city::City;
use yiping_event::{Event, Stream, TimeMs, decode};
use yiping_simulator::{Faults, Line, Options, Simulator};

pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// Local time in Weihai, such as 2026-11-20T08:00:00.
pub fn local(text: &str) -> TimeMs {
    TimeMs::parse(&format!("{text}+08:00")).unwrap()
}

pub fn simulate(options: &Options) -> Simulator {
    Simulator::new(&City::weihai(), options)
}

/// A run of seed 1; `start` is local time.
pub fn options(start: &str, length_ms: i64, scale: f64, faults: Faults, streams: &[Stream]) -> Options {
    Options { duration_ms: Some(length_ms), streams: streams.to_vec(), scale, faults, ..Options::new(1, local(start)) }
}

pub fn event(line: &Line) -> Event<'_> {
    decode(line.json.as_bytes()).unwrap_or_else(|reject| panic!("{reject:?}: {}", line.json))
}

/// `part / whole`; 0 of nothing.
pub fn share(part: usize, whole: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of a test")]
    let share = part as f64 / whole.max(1) as f64;
    share
}
