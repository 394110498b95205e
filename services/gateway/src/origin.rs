//! Where a request's lines come from, as whoever took them apart tells it (the puller, of a file's rows), so that a reject of one says
//! where a person finds it.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use yiping_event::{TimeMs, personal};
use yiping_feed::{FILE_HEADER, POLLED_HEADER, ROWS_HEADER};

use crate::problem::Problem;
use crate::rejects::RejectRecord;

const FILE: HeaderName = HeaderName::from_static(FILE_HEADER);
const ROWS: HeaderName = HeaderName::from_static(ROWS_HEADER);

const POLLED: HeaderName = HeaderName::from_static(POLLED_HEADER);

/// Longer names are cut.
const MOST_CHARS: usize = 200;

/// Nothing, of nearly every request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Origin {
    file: Option<String>,
    rows: Vec<RangeInclusive<u64>>,
}

impl Origin {
    /// # Errors
    /// A header is not what it has to be.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().ok());
        let file = match text(&FILE) {
            None => None,
            Some(encoded) => {
                let decoded = encoded.and_then(|encoded| percent_decode_str(encoded).decode_utf8().ok());
                let name = decoded.ok_or_else(|| Problem::bad_request(format!("{FILE} is percent-encoded UTF-8")))?;
                let cut: String = name.chars().take(MOST_CHARS).collect();
                Some(String::from_utf8_lossy(&personal::mask(cut.as_bytes())).into_owned())
            }
        };
        let rows = text(&ROWS).map_or(Some(Vec::new()), |rows| rows.and_then(ranges));
        let rows = rows.ok_or_else(|| Problem::bad_request(format!("{ROWS} is a list of numbers: 2-501,503")))?;
        Ok(Self { file, rows })
    }

    /// The row that a line is of.
    fn row(&self, line: usize) -> Option<u64> {
        let mut left = u64::try_from(line).ok()?;
        for range in &self.rows {
            let length = range.end() - range.start() + 1;
            if left < length {
                return Some(range.start() + left);
            }
            left -= length;
        }
        None
    }

    /// Says of a reject where it is from.
    pub fn tell(&self, reject: &mut RejectRecord) {
        if self.file.is_some() {
            reject.file.clone_from(&self.file);
        }
        if !self.rows.is_empty() {
            reject.row = self.row(reject.index);
        }
    }
}

/// When the source was asked for a request's rows.
///
/// # Errors
/// The header is no time.
pub fn polled(headers: &HeaderMap) -> Result<Option<TimeMs>, Problem> {
    let time = |value: &HeaderValue| value.to_str().ok().and_then(|text| TimeMs::parse(text).ok());
    let wrong = || Problem::bad_request(format!("{POLLED} is a time: 2026-01-01T08:00:00+08:00"));
    headers.get(&POLLED).map(|value| time(value).ok_or_else(wrong)).transpose()
}

fn ranges(text: &str) -> Option<Vec<RangeInclusive<u64>>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        // (32 bits, so that no sum of lengths overflows)
        let number = |text: &str| text.parse().ok().map(|number: NonZeroU32| u64::from(number.get()));
        let (first, last) = number(first).zip(number(last))?;
        (first <= last).then_some(first..=last)
    };
    text.split(',').map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(file: &str, rows: &str) -> Option<Origin> {
        Origin::of(&[(FILE, file.parse().unwrap()), (ROWS, rows.parse().unwrap())].into_iter().collect()).ok()
    }

    #[test]
    fn each_line_has_its_row() {
        let told = origin("lots.csv", "2-4,9,11-12").unwrap();
        let rows: Vec<_> = (0..7).map(|line| told.row(line)).collect();
        assert_eq!(rows, [Some(2), Some(3), Some(4), Some(9), Some(11), Some(12), None]);
    }

    #[test]
    fn a_file_is_named_but_nobody_in_its_name() {
        let name = |file: &str| origin(file, "1").unwrap().file.unwrap();
        assert_eq!(name("%E8%BD%A6%E5%9C%BA20261123.csv"), "车场20261123.csv");
        assert_eq!(name("13800138000.csv"), "***********.csv");
    }

    #[test]
    fn what_is_no_list_of_rows_or_no_text_is_refused() {
        for rows in ["", "2-", "4-2", "a", "1,,2", "-1", "0", "0-4", "4294967296"] {
            assert_eq!(origin("a", rows), None, "{rows}");
        }
        assert_eq!(origin("%ff", "1"), None);
    }
}
