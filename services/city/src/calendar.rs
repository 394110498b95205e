//! Working days, and the limits of orders that are counted in them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize};

use crate::City;

const HOUR_MS: i64 = 60 * 60 * 1_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The limit for the first contact where a category states none.
const RESPONSE_LIMIT_MS: i64 = 24 * HOUR_MS;

/// Which days are worked: Monday to Friday, less the holidays, and the weekend days that are worked in exchange (调休).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calendar {
    #[serde(deserialize_with = "days")]
    pub holidays: BTreeSet<Date>,
    /// Saturdays and Sundays that are worked.
    #[serde(deserialize_with = "days")]
    pub workdays: BTreeSet<Date>,
}

impl Calendar {
    #[must_use]
    pub fn is_working_day(&self, date: Date) -> bool {
        if is_weekend(date) { self.workdays.contains(&date) } else { !self.holidays.contains(&date) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.holidays.is_empty() && self.workdays.is_empty()
    }

    /// The field and the fault.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        if let Some(date) = self.workdays.iter().find(|date| !is_weekend(**date)) {
            return Err(("calendar.workdays", format!("{date} is no Saturday or Sunday: it is worked anyway")));
        }
        match self.workdays.intersection(&self.holidays).next() {
            Some(date) => Err(("calendar.workdays", format!("{date} is among the holidays too"))),
            None => Ok(()),
        }
    }

    /// The same local time of day, `days` working days later; the day of `from_ms` isn't counted. Times in ms since
    /// 1970.
    #[must_use]
    pub fn working_days_after(&self, from_ms: i64, days: u32, zone: &TimeZone) -> i64 {
        // Outside jiff's years, which decoding refuses, days are 24 hours and all are worked: nothing can panic here.
        self.later(from_ms, days, zone).unwrap_or_else(|| from_ms.saturating_add(i64::from(days) * DAY_MS))
    }

    fn later(&self, from_ms: i64, days: u32, zone: &TimeZone) -> Option<i64> {
        if days == 0 {
            return Some(from_ms);
        }
        let from = zone.to_datetime(Timestamp::from_millisecond(from_ms).ok()?);
        let mut date = from.date();
        let mut left = days;
        while left > 0 {
            date = date.tomorrow().ok()?;
            left -= u32::from(self.is_working_day(date));
        }
        Some(zone.to_timestamp(date.to_datetime(from.time())).ok()?.as_millisecond())
    }
}

fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<Date>, D::Error> {
    let dates = Vec::<String>::deserialize(deserializer)?.into_iter().map(|text| {
        // jiff takes a date with a time of day too, and other forms of a date; one form is enough.
        let date = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
        date.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no date: write it like 2026-10-01")))
    });
    dates.collect()
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

impl City {
    /// The same local time of day, `days` working days after `from_ms` (ms since 1970); its own day isn't counted.
    #[must_use]
    pub fn working_days_after(&self, from_ms: i64, days: u32) -> i64 {
        self.calendar.working_days_after(from_ms, days, &self.zone)
    }

    /// When an order that was created at `created_ms` without a due date has to be closed (ms since 1970), by its
    /// category's `close_days`. None for a category that the profile doesn't know.
    #[must_use]
    pub fn due_ms(&self, stream: &str, category: &str, created_ms: i64) -> Option<i64> {
        let category = self.category(stream, category)?;
        Some(self.working_days_after(created_ms, category.close_days))
    }

    /// How long after dispatch the first contact may take, in ms: the category's `response_h`, else 24 h. These hours
    /// run on at night and on holidays.
    #[must_use]
    pub fn response_limit_ms(&self, stream: &str, category: &str) -> i64 {
        self.category(stream, category).map_or(RESPONSE_LIMIT_MS, |c| i64::from(c.response_h) * HOUR_MS)
    }
}
