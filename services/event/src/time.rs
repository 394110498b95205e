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
        let end = if self.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        write!(f, "{:.3}", jiff::Timestamp::from_millisecond(self.0).unwrap_or(end))
    }
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
        to.collect_str(time)
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
                Some(time) => to.collect_str(time),
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
    fn instants_beyond_all_calendars_still_print() {
        assert!(TimeMs(i64::MAX).to_string().starts_with("9999-12-3"));
        assert_eq!(TimeMs(i64::MAX).plus(1), TimeMs(i64::MAX));
    }
}
