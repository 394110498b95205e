//! Days of the city's zone, the course of a day, and what a day's plan still holds.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};

use crate::draws::Draws;

pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
/// Buses and car parks turn their day at 04:00, when least is going on.
pub(crate) const SERVICE_DAY_MS: i64 = 4 * HOUR_MS;

const EPOCH: Date = date(1970, 1, 1);

/// Days of a zone, numbered from 1970-01-01.
#[derive(Clone)]
pub(crate) struct Calendar(TimeZone);

impl Calendar {
    pub(crate) fn new(zone: TimeZone) -> Calendar {
        Calendar(zone)
    }

    /// The calendar day in which an instant lies.
    pub(crate) fn day(&self, at_ms: i64) -> i64 {
        let local = Timestamp::from_millisecond(at_ms).map(|t| self.0.to_datetime(t).date()).unwrap_or(EPOCH);
        local.since((Unit::Day, EPOCH)).map_or(0, |span| i64::from(span.get_days()))
    }

    /// Where a day begins, in ms since 1970.
    pub(crate) fn start(&self, day: i64) -> i64 {
        let noon_utc = Timestamp::from_millisecond(day * DAY_MS + DAY_MS / 2).unwrap_or(Timestamp::UNIX_EPOCH);
        let midnight = TimeZone::UTC.to_datetime(noon_utc).date().at(0, 0, 0, 0);
        self.0.to_timestamp(midnight).map_or(day * DAY_MS, |t| t.as_millisecond())
    }

    pub(crate) fn service_day(&self, at_ms: i64) -> i64 {
        self.day(at_ms - SERVICE_DAY_MS)
    }

    pub(crate) fn service_start(&self, day: i64) -> i64 {
        self.start(day) + SERVICE_DAY_MS
    }
}

/// How lively each half-hour of a calendar day is: 48 weights from midnight on.
pub(crate) type Course = [u32; 48];

/// An instant of the day, in ms from midnight, as likely as its half-hour is lively.
pub(crate) fn moment(course: &Course, draws: &mut Draws) -> i64 {
    let slot = i64::try_from(draws.pick(course)).unwrap_or(0);
    slot * HOUR_MS / 2 + draws.whole(0, HOUR_MS / 2)
}

/// What is planned, by time.
pub(crate) struct Agenda<T> {
    /// Sorted; `next` is the first that has not been taken.
    items: Vec<(i64, T)>,
    next: usize,
}

impl<T: Copy> Agenda<T> {
    pub(crate) fn new() -> Agenda<T> {
        Agenda { items: Vec::new(), next: 0 }
    }

    pub(crate) fn add(&mut self, items: impl IntoIterator<Item = (i64, T)>) {
        self.items.drain(..self.next);
        self.next = 0;
        self.items.extend(items);
        // what falls on the same millisecond may go in any order: the outbox sorts it by identity
        self.items.sort_unstable_by_key(|&(at, _)| at);
    }

    pub(crate) fn take_before(&mut self, until: i64) -> Option<(i64, T)> {
        let &(at, item) = self.items.get(self.next)?;
        if at >= until {
            return None;
        }
        self.next += 1;
        Some((at, item))
    }
}

/// Which days have been planned.
pub(crate) struct Planned {
    next_day: i64,
}

impl Planned {
    /// Nothing yet; `days` before the day of `since` still have effects in it.
    pub(crate) fn from(day_of_since: i64, days: i64) -> Planned {
        Planned { next_day: day_of_since - days }
    }

    /// The next day to plan, if `starts` says that it begins before `until`.
    pub(crate) fn due(&mut self, until: i64, starts: impl Fn(i64) -> i64) -> Option<i64> {
        if starts(self.next_day) >= until {
            return None;
        }
        self.next_day += 1;
        Some(self.next_day - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_of_the_city() {
        let calendar = Calendar::new(TimeZone::get("Asia/Shanghai").unwrap());
        // 2026-11-20T16:00Z is midnight of the 21st in Weihai.
        let midnight = 1_795_190_400_000;
        let day = calendar.day(midnight);
        assert_eq!(calendar.day(midnight - 1), day - 1);
        assert_eq!(calendar.start(day), midnight);
        assert_eq!(calendar.service_day(midnight), day - 1);
        assert_eq!(calendar.service_start(day), midnight + SERVICE_DAY_MS);
    }

    #[test]
    fn a_day_of_daylight_saving_is_an_hour_short() {
        let calendar = Calendar::new(TimeZone::get("Europe/Berlin").unwrap());
        let day = calendar.day(1_774_700_000_000);
        assert_eq!(calendar.start(day + 1) - calendar.start(day), DAY_MS);
        assert_eq!(calendar.start(day + 2) - calendar.start(day + 1), DAY_MS - HOUR_MS);
    }

    #[test]
    fn an_agenda_gives_what_is_due_in_order() {
        let mut agenda = Agenda::new();
        agenda.add([(3, 'c'), (1, 'a')]);
        assert_eq!(agenda.take_before(2), Some((1, 'a')));
        agenda.add([(2, 'b')]);
        assert_eq!(agenda.take_before(2), None);
        assert_eq!(agenda.take_before(9), Some((2, 'b')));
        assert_eq!(agenda.take_before(9), Some((3, 'c')));
    }
}
