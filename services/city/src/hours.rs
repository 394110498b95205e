//! Times of a day, and the opening hours of a car park, in the city's local time.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

const DAY_MIN: u16 = 24 * 60;

/// `04:00` as minutes after midnight, 0…1440. `24:00` is the end of the day.
pub(crate) fn minute_of_day(text: &str) -> Result<u16, String> {
    let wrong = || format!("`{text}` is no time of a day: write 00:00 … 24:00");
    let two_digits = |s: &str| {
        let digits = s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit());
        if digits { s.parse::<u16>().ok() } else { None }
    };
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let hour = two_digits(hour).ok_or_else(wrong)?;
    let minute = two_digits(minute).filter(|m| *m < 60).ok_or_else(wrong)?;
    let of_day = hour * 60 + minute;
    if of_day <= DAY_MIN { Ok(of_day) } else { Err(wrong()) }
}

/// The instant at which clocks show `minute` (0…1440) of a date, in ms. A time that a change of clocks skips is as long
/// after the change as it would have been; one that comes twice is the first. None outside the years −9999…9999.
fn instant(date: Date, minute: u16, zone: &TimeZone) -> Option<i64> {
    let local = date.to_datetime(Time::midnight()).checked_add(i64::from(minute).minutes()).ok()?;
    Some(zone.to_timestamp(local).ok()?.as_millisecond())
}

/// The hours in which a car park is open, the same every day; they may pass midnight (`18:00-02:00`).
///
/// On a day when clocks change it opens and closes where clocks show the hour: at the first of two, and as long after
/// the change as it would have been where the hour is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    /// Minutes after midnight, 0…1439.
    opens_min: u16,
    /// Minutes after midnight, 0…1440; of the next day where not after `opens_min`.
    closes_min: u16,
}

impl Hours {
    /// Whether it is open at an instant (ms since 1970). It is open when it opens, and no more when it closes.
    #[must_use]
    pub fn open_at(&self, ms: i64, zone: &TimeZone) -> bool {
        // Decoding refuses times outside jiff's years; open is what a lot without hours is.
        let Some(today) = date_of(ms, zone) else { return true };
        let yesterday = today.yesterday().ok();
        let mut days = yesterday.into_iter().chain([today]).filter_map(|date| self.on(date, zone));
        days.any(|(opens, closes)| opens <= ms && ms < closes)
    }

    /// The first instant after `ms` (both in ms since 1970) at which it opens or closes.
    #[must_use]
    pub fn next_change_after(&self, ms: i64, zone: &TimeZone) -> i64 {
        let Some(today) = date_of(ms, zone) else { return i64::MAX };
        let days = (-1..=3).filter_map(|d| self.on(today.checked_add(d.days()).ok()?, zone));
        let mut changes: Vec<i64> = days.flat_map(|(opens, closes)| [opens, closes]).filter(|t| *t > ms).collect();
        changes.sort_unstable();
        // Where a change of clocks skips the hours in which it is closed, it closes and opens at one instant.
        let real = |t: &i64| self.open_at(*t, zone) != self.open_at(*t - 1, zone);
        changes.into_iter().find(real).unwrap_or(i64::MAX)
    }

    /// When it opens on a date, and when it closes after that.
    fn on(&self, date: Date, zone: &TimeZone) -> Option<(i64, i64)> {
        let closes_on = if self.closes_min > self.opens_min { date } else { date.tomorrow().ok()? };
        Some((instant(date, self.opens_min, zone)?, instant(closes_on, self.closes_min, zone)?))
    }
}

fn date_of(ms: i64, zone: &TimeZone) -> Option<Date> {
    Some(zone.to_datetime(Timestamp::from_millisecond(ms).ok()?).date())
}

impl FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = |message: &str| format!("hours `{text}`: {message}");
        let (opens, closes) =
            text.split_once('-').ok_or_else(|| fault("write 06:00-22:00, or nothing for a lot that is always open"))?;
        let opens_min = minute_of_day(opens).map_err(|m| fault(&m))?;
        let closes_min = minute_of_day(closes).map_err(|m| fault(&m))?;
        if opens_min == DAY_MIN {
            return Err(fault("24:00 is only for closing"));
        }
        if opens_min == closes_min || (opens_min, closes_min) == (0, DAY_MIN) {
            return Err(fault("a lot that is always open has none"));
        }
        Ok(Hours { opens_min, closes_min })
    }
}

impl TryFrom<String> for Hours {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hours { opens_min: a, closes_min: b } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", a / 60, a % 60, b / 60, b % 60)
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> String {
        hours.to_string()
    }
}
