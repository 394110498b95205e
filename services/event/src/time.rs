//! Instants, in milliseconds; text is strict RFC 3339. Knows no clock.
//!
//! Accepted: `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`, upper case, years 1970 to 2099 as written. Refused: a missing
//! offset, lower-case `t` or `z`, a space for the `T`, leap seconds (event time has none: a window of 60 s is 60 s).

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

/// An instant: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// As a number in serde (checkpoints); for text in JSON name [`rfc3339`] or [`rfc3339::option`] at the field.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default, Debug)]
#[serde(transparent)]
pub struct TimeMs(pub i64);

/// The text is no instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {EXPECTED}")]
pub struct TimeError;

const EXPECTED: &str = "an RFC 3339 time with offset, year 1970 to 2099";

impl TimeMs {
    /// Strict RFC 3339; what is below a millisecond is cut off (floored).
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        parse(text.as_bytes()).ok_or(TimeError)
    }

    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// `ms` later, or earlier if negative; stops at the ends of `i64`.
    #[must_use]
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl fmt::Display for TimeMs {
    /// RFC 3339 in UTC with milliseconds: `2026-11-20T10:41:07.000Z`. Beyond the years that jiff knows: its last instant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = text(self.0) {
            return f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?);
        }
        let end = if self.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        write!(f, "{:.3}", jiff::Timestamp::from_millisecond(self.0).unwrap_or(end))
    }
}

/// The usual instant as text, without a formatter: every event that is written has two of them.
fn text(ms: i64) -> Option<[u8; 24]> {
    const DAY_MS: i64 = 86_400_000;
    const YEAR_9999: i64 = 253_370_764_800_000;
    if !(0..YEAR_9999).contains(&ms) {
        return None;
    }
    // days since 1 March of the year 0, in eras of 400 years (146,097 days): a leap day is then a year's last day
    let days = ms / DAY_MS + 719_468;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + days / 146_097 * 400 + i64::from(month <= 2);
    let of_day = ms % DAY_MS;
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let parts = [
        (0..4, year),
        (5..7, month),
        (8..10, day),
        (11..13, of_day / 3_600_000),
        (14..16, of_day / 60_000 % 60),
        (17..19, of_day / 1_000 % 60),
        (20..23, of_day % 1_000),
    ];
    for (place, mut number) in parts {
        for digit in text[place].iter_mut().rev() {
            // (a digit)
            *digit += u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
        }
    }
    Some(text)
}

fn parse(text: &[u8]) -> Option<TimeMs> {
    let (civil, rest) = text.split_at_checked(19)?;
    let shape = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if shape.iter().any(|&(at, mark)| civil[at] != mark) {
        return None;
    }
    let year = digits(&civil[..4])?;
    if !(1970..=2099).contains(&year) {
        return None;
    }
    let two = |at: usize| digits(&civil[at..at + 2]).and_then(|n| i8::try_from(n).ok());
    let seconds = DateTime::new(year, two(5)?, two(8)?, two(11)?, two(14)?, two(17)?, 0).ok()?;
    let (ms, rest) = fraction_ms(rest)?;
    let local_ms = Offset::UTC.to_timestamp(seconds).ok()?.as_millisecond() + ms;
    Some(TimeMs(local_ms - offset_ms(rest)?))
}

/// The milliseconds of an optional `.ddd…`, and what comes after it.
fn fraction_ms(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(fraction) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let length = fraction.iter().take_while(|c| c.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let ms = (0..3).fold(0, |ms, at| ms * 10 + if at < length { i64::from(fraction[at] - b'0') } else { 0 });
    Some((ms, &fraction[length..]))
}

fn offset_ms(text: &[u8]) -> Option<i64> {
    let sign = match text {
        b"Z" => return Some(0),
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    let (hours, minutes) = (digits(&text[1..3])?, digits(&text[4..6])?);
    (hours <= 23 && minutes <= 59).then(|| sign * (i64::from(hours) * 60 + i64::from(minutes)) * 60_000)
}

/// At most four ASCII digits as a number.
fn digits(text: &[u8]) -> Option<i16> {
    text.iter().try_fold(0, |n, c| c.is_ascii_digit().then(|| n * 10 + i16::from(c - b'0')))
}

/// `#[serde(with = "yiping_event::time::rfc3339")]` on a [`TimeMs`]: text in JSON.
pub mod rfc3339 {
    use std::fmt;

    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    use super::{EXPECTED, TimeMs};

    pub fn serialize<S: Serializer>(time: &TimeMs, to: S) -> Result<S::Ok, S::Error> {
        match super::text(time.0) {
            Some(text) => to.serialize_str(str::from_utf8(&text).map_err(serde::ser::Error::custom)?),
            None => to.collect_str(time),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TimeMs, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = TimeMs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<TimeMs, E> {
                TimeMs::parse(text).map_err(E::custom)
            }
        }
        from.deserialize_str(Text)
    }

    /// The same for `Option<TimeMs>`; add `#[serde(default)]` for a member that may be missing.
    pub mod option {
        use serde::Deserialize;
        use serde::de::Deserializer;
        use serde::ser::Serializer;

        use super::TimeMs;

        pub fn serialize<S: Serializer>(time: &Option<TimeMs>, to: S) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => super::serialize(time, to),
                None => to.serialize_none(),
            }
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TimeMs>, D::Error> {
            #[derive(Deserialize)]
            struct Text(#[serde(with = "super")] TimeMs);
            Ok(Option::<Text>::deserialize(from)?.map(|Text(time)| time))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> Option<i64> {
        TimeMs::parse(text).ok().map(TimeMs::ms)
    }

    #[test]
    fn offsets_name_the_same_instant() {
        let noon = ms("2026-11-20T10:41:07Z");
        assert_eq!(noon, Some(1_795_171_267_000));
        assert_eq!(ms("2026-11-20T18:41:07+08:00"), noon);
        assert_eq!(ms("2026-11-20T05:11:07-05:30"), noon);
        assert_eq!(ms("2026-11-20T10:41:07-00:00"), noon);
        assert_eq!(ms("1970-01-01T00:00:00+08:00"), Some(-28_800_000));
    }

    #[test]
    fn fractions_are_cut_to_milliseconds_also_before_1970() {
        assert_eq!(ms("1970-01-01T00:00:01.5Z"), Some(1_500));
        assert_eq!(ms("1970-01-01T00:00:01.05Z"), Some(1_050));
        assert_eq!(ms("1970-01-01T00:00:01.9999999999999Z"), Some(1_999));
        assert_eq!(ms("1970-01-01T00:00:00.0009+00:01"), Some(-60_000));
    }

    #[test]
    fn what_is_not_strict_rfc_3339_is_refused() {
        for text in [
            "",
            "2026-11-20",
            "2026-11-20T10:41:07",
            "2026-11-20t10:41:07Z",
            "2026-11-20T10:41:07z",
            "2026-11-20 10:41:07Z",
            "2026-11-20T10:41Z",
            "2026-11-20T10:41:07.Z",
            "2026-11-20T10:41:07,5Z",
            "2026-11-20T10:41:60Z",
            "2016-12-31T23:59:60Z",
            "2026-11-20T24:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-11-20T10:41:07+0800",
            "2026-11-20T10:41:07+08",
            "2026-11-20T10:41:07+24:00",
            "2026-11-20T10:41:07+08:60",
            "2026-11-20T10:41:07Z ",
            " 2026-11-20T10:41:07Z",
            "+026-11-20T10:41:07Z",
            "2026-1１-20T10:41:07Z",
            "1969-12-31T23:59:59Z",
            "2100-01-01T00:00:00Z",
            "1795171267",
        ] {
            assert_eq!(ms(text), None, "{text}");
        }
        assert!(ms("2024-02-29T00:00:00Z").is_some());
    }

    #[test]
    fn text_is_utc_with_milliseconds_and_reads_back() {
        let time = TimeMs(1_795_171_267_000);
        assert_eq!(time.to_string(), "2026-11-20T10:41:07.000Z");
        assert_eq!(TimeMs(1_795_171_267_089).to_string(), "2026-11-20T10:41:07.089Z");
        assert_eq!(TimeMs::parse(&time.plus(1).to_string()), Ok(time.plus(1)));
        assert_eq!(TimeMs(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn the_short_way_to_a_text_says_what_jiff_says() {
        let jiff = |ms: i64| format!("{:.3}", jiff::Timestamp::from_millisecond(ms).unwrap());
        let mut ms = 0;
        // every day until 2500, at another time of it
        while ms < 16_725_225_600_000 {
            assert_eq!(TimeMs(ms).to_string(), jiff(ms));
            ms += 86_400_000 + 12_345;
        }
        for ms in [0, 951_782_399_999, 951_782_400_000, 951_868_800_000, 253_370_764_799_999] {
            assert_eq!(TimeMs(ms).to_string(), jiff(ms));
        }
    }

    #[test]
    fn instants_beyond_all_calendars_still_print() {
        assert!(TimeMs(i64::MAX).to_string().starts_with("9999-12-3"));
        assert_eq!(TimeMs(i64::MAX).plus(1), TimeMs(i64::MAX));
    }
}
