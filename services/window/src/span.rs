//! Spans: how long a window is and how often it moves. Boundaries are multiples of the slide since 1970 UTC; `day` is the
//! calendar day of the city's zone; `now` is an instant, taken every full minute.

use std::{
    fmt,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::{Timestamp, ToSpan, Unit, tz::TimeZone};
use serde::{Deserialize, Serialize};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// A window's span, in the order in which rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Span {
    M1,
    M5,
    M15,
    M30,
    H1,
    H24,
    Day,
    Now,
}

impl Span {
    pub const ALL: [Span; 8] = [Span::M1, Span::M5, Span::M15, Span::M30, Span::H1, Span::H24, Span::Day, Span::Now];

    /// The name in rows and settings: `1m 5m 15m 30m 1h 24h day now`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Span::M1 => "1m",
            Span::M5 => "5m",
            Span::M15 => "15m",
            Span::M30 => "30m",
            Span::H1 => "1h",
            Span::H24 => "24h",
            Span::Day => "day",
            Span::Now => "now",
        }
    }

    /// Length in ms; `None` for `day` (23 to 25 hours where clocks change) and 0 for `now`.
    #[must_use]
    pub fn size_ms(self) -> Option<i64> {
        match self {
            Span::M1 => Some(MINUTE),
            Span::M5 => Some(5 * MINUTE),
            Span::M15 => Some(15 * MINUTE),
            Span::M30 => Some(30 * MINUTE),
            Span::H1 => Some(HOUR),
            Span::H24 => Some(24 * HOUR),
            Span::Day => None,
            Span::Now => Some(0),
        }
    }

    /// How often a window of this span ends, in ms. `day` ends once a day; its current value is refreshed every minute.
    #[must_use]
    pub fn slide_ms(self) -> i64 {
        match self {
            Span::M1 => 10 * SECOND,
            Span::M5 => 30 * SECOND,
            Span::M15 | Span::M30 | Span::H1 | Span::Now | Span::Day => MINUTE,
            Span::H24 => 5 * MINUTE,
        }
    }

    /// The newest boundary at or before `t` (ms).
    #[must_use]
    pub fn boundary_at_or_before(self, t: i64, days: &Days) -> i64 {
        match self {
            Span::Day => days.start_of(t),
            _ => t.div_euclid(self.slide_ms()) * self.slide_ms(),
        }
    }

    /// The first boundary after `t` (ms).
    #[must_use]
    pub fn boundary_after(self, t: i64, days: &Days) -> i64 {
        match self {
            Span::Day => days.next_after(t),
            _ => (t.div_euclid(self.slide_ms()) + 1) * self.slide_ms(),
        }
    }

    /// Where the window that ends at the boundary `end` starts.
    #[must_use]
    pub fn start_of(self, end: i64, days: &Days) -> i64 {
        match self.size_ms() {
            Some(size) => end - size,
            None => days.start_of(end - 1),
        }
    }

    /// The end of the last window that holds the instant `t`; for `now`, the last full minute at or before it.
    #[must_use]
    pub fn last_end_holding(self, t: i64, days: &Days) -> i64 {
        match self.size_ms() {
            Some(size) => self.boundary_at_or_before(t, days) + size,
            None => days.next_after(t),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A span's name that isn't one of the eight.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown span '{0}' (1m 5m 15m 30m 1h 24h day now)")]
pub struct UnknownSpan(pub String);

impl FromStr for Span {
    type Err = UnknownSpan;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Span::ALL.into_iter().find(|span| span.as_str() == s).ok_or_else(|| UnknownSpan(s.to_owned()))
    }
}

/// The calendar of the city's zone. `offset_ms` shifts where a day starts (the service day starts at 04:00).
#[derive(Clone, Debug)]
pub struct Days {
    zone: TimeZone,
    offset_ms: i64,
    /// A start and an end of a day that were asked for last: most questions are about the same day. Each tells of the hours next to
    /// it by itself, so that they need not belong together.
    known: Arc<[AtomicI64; 2]>,
}

/// No day is shorter, whatever clocks do (but for those that a zone leaves out as a whole).
const SHORTEST_DAY_MS: i64 = 23 * HOUR;

impl Days {
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Days::starting_at(zone, 0)
    }

    /// Days that start `offset_ms` after midnight.
    #[must_use]
    pub fn starting_at(zone: TimeZone, offset_ms: i64) -> Self {
        Days { zone, offset_ms, known: Arc::new([AtomicI64::new(i64::MAX), AtomicI64::new(i64::MAX)]) }
    }

    /// The start of the day that holds `t`.
    #[must_use]
    pub fn start_of(&self, t: i64) -> i64 {
        let known = self.known[0].load(Ordering::Relaxed);
        if known <= t && t < known.saturating_add(SHORTEST_DAY_MS) {
            return known;
        }
        let start = self.midnight(t - self.offset_ms, 0) + self.offset_ms;
        self.known[0].store(start, Ordering::Relaxed);
        start
    }

    /// The start of the day after the one that holds `t`.
    #[must_use]
    pub fn next_after(&self, t: i64) -> i64 {
        let known = self.known[1].load(Ordering::Relaxed);
        if known != i64::MAX && t < known && known - SHORTEST_DAY_MS <= t {
            return known;
        }
        let end = self.midnight(t - self.offset_ms, 1) + self.offset_ms;
        self.known[1].store(end, Ordering::Relaxed);
        end
    }

    /// Midnight, `days` calendar days after the date that `t` falls on. Times outside jiff's years −9999…9999 (decoding
    /// refuses them) count in UTC days, so that nothing can panic here.
    fn midnight(&self, t: i64, days: i64) -> i64 {
        const DAY: i64 = 24 * HOUR;
        let utc = || (t.div_euclid(DAY) + days) * DAY;
        let Ok(instant) = Timestamp::from_millisecond(t) else {
            return utc();
        };
        instant
            .to_zoned(self.zone.clone())
            .start_of_day()
            .and_then(|midnight| midnight.checked_add(days.days()))
            .and_then(|midnight| midnight.start_of_day())
            .and_then(|midnight| midnight.timestamp().round(Unit::Millisecond))
            .map_or_else(|_| utc(), |midnight| midnight.as_millisecond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shanghai() -> Days {
        Days::new(TimeZone::get("Asia/Shanghai").unwrap())
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn boundaries_are_half_open_before_1970_too() {
        let days = shanghai();
        assert_eq!(Span::M1.boundary_at_or_before(-1, &days), -10_000);
        assert_eq!(Span::M1.boundary_after(-1, &days), 0);
        assert_eq!(Span::M1.boundary_at_or_before(10_000, &days), 10_000);
        assert_eq!(Span::M1.boundary_after(10_000, &days), 20_000);
    }

    #[test]
    fn a_day_is_the_city_zones_calendar_day() {
        let days = shanghai();
        let t = ms("2026-11-20T15:59:59.999Z"); // 23:59:59.999 in Weihai
        assert_eq!(days.start_of(t), ms("2026-11-19T16:00:00Z"));
        assert_eq!(days.next_after(t), ms("2026-11-20T16:00:00Z"));
        assert_eq!(days.start_of(t + 1), ms("2026-11-20T16:00:00Z"));
        assert_eq!(Span::Day.start_of(days.next_after(t), &days), days.start_of(t));
    }

    #[test]
    fn a_day_has_25_hours_where_clocks_go_back() {
        let days = Days::new(TimeZone::get("Europe/London").unwrap());
        let noon = ms("2016-10-30T12:00:00Z");
        assert_eq!(days.next_after(noon) - days.start_of(noon), 25 * HOUR);
    }

    #[test]
    fn a_service_day_starts_at_four() {
        let days = Days::starting_at(TimeZone::get("Asia/Shanghai").unwrap(), 4 * HOUR);
        let t = ms("2026-11-20T19:59:00Z"); // 03:59 on the 21st
        assert_eq!(days.start_of(t), ms("2026-11-19T20:00:00Z"));
        assert_eq!(days.next_after(t), ms("2026-11-20T20:00:00Z"));
    }

    #[test]
    fn the_last_window_that_holds_an_instant_starts_at_or_before_it() {
        let days = shanghai();
        let t = ms("2026-11-20T10:41:07Z");
        assert_eq!(Span::H1.last_end_holding(t, &days), ms("2026-11-20T11:41:00Z"));
        assert_eq!(Span::Now.last_end_holding(t, &days), ms("2026-11-20T10:41:00Z"));
        assert_eq!(Span::Day.last_end_holding(t, &days), ms("2026-11-20T16:00:00Z"));
    }
}
