//! CSV: a line is a row, or begins one. Its number is the line's, which the reader of CSV doesn't know once lines are blank or end
//! as Windows ends them; so they are counted on their way to it.
//!
//! A quote that nobody closes makes one field of all lines up to the next quote, or of all the rest. Such a row is told as what it is.

use super::{Encoding, NotAsSaid, Row, RowError, Rows};
use anyhow::{Result, bail};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::rc::Rc;

pub(super) fn rows(text: impl Read + 'static, columns: Option<&[String]>, encoding: Encoding) -> Result<Rows> {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let text = Numbered { text, seen: Rc::clone(&seen), line: 1, read: 0, is_begun: false, after_return: false };
    // flexible: a row with too many or too few fields is told with its text, here
    let mut reader = csv::ReaderBuilder::new().has_headers(columns.is_none()).flexible(true).from_reader(text);
    let header = if columns.is_none() { Some(reader.byte_headers()?.clone()) } else { None };
    let names = match &header {
        Some(header) => names(header, encoding)?,
        None => columns.unwrap_or_default().to_vec(),
    };
    if let Some((first, second)) = named_twice(&names) {
        bail!(NotAsSaid(format!("the columns {first} and {second} have one name")));
    }
    let table = Table { header, names, encoding, seen };
    let (mut last, mut records) = (0, reader.into_byte_records());
    Ok(Box::new(std::iter::from_fn(move || {
        let row = match records.next()? {
            Ok(record) => table.row(&record, last),
            Err(error) => Err(RowError { number: last + 1, message: error.to_string(), raw: None }),
        };
        last = match &row {
            Ok(Row { number, .. }) | Err(RowError { number, .. }) => *number,
        };
        Some(row)
    })))
}

/// The columns' names, as a file's first line has them.
fn names(header: &csv::ByteRecord, encoding: Encoding) -> Result<Vec<String>, NotAsSaid> {
    let fault = |why: &str| NotAsSaid(format!("the first line, with the columns' names: {why}"));
    let name = |bytes| {
        let name = str::from_utf8(bytes).map_err(|_| fault(NOT_UTF8))?.trim();
        match encoding.fault(name) {
            Some(why) => Err(fault(&why)),
            None if is_of_lines(name.as_bytes()) => Err(fault(UNCLOSED)),
            None => Ok(name.to_owned()),
        }
    };
    header.iter().map(name).collect()
}

/// Two columns with one name, by their numbers from 1: what stands in a first line that is none may be a person's, and isn't told.
/// Columns without a name are nobody's: tables often end with some.
fn named_twice(names: &[String]) -> Option<(usize, usize)> {
    let named = || names.iter().zip(1..).filter(|(name, _)| !name.is_empty());
    named().find_map(|(name, second)| {
        let (_, first) = named().find(|(other, first)| *first < second && *other == name)?;
        Some((first, second))
    })
}

const NOT_UTF8: &str = "it is not UTF-8: is it GB18030 (encoding)?";
const UNCLOSED: &str = "is a quote not closed?";

/// Only a quoted field holds the end of a line.
fn is_of_lines(field: &[u8]) -> bool {
    field.contains(&b'\n') || field.contains(&b'\r')
}

/// What is known of all rows of a file.
struct Table {
    header: Option<csv::ByteRecord>,
    names: Vec<String>,
    encoding: Encoding,
    seen: Rc<RefCell<Seen>>,
}

impl Table {
    /// The row behind the one on the line `last`.
    fn row(&self, record: &csv::ByteRecord, last: u64) -> Result<Row, RowError> {
        let mut seen = self.seen.borrow_mut();
        let number = record.position().and_then(|at| seen.line_at(at.byte())).unwrap_or(last + 1);
        let error = |message| RowError { number, message, raw: Some(text_of(self.header.as_ref(), record)) };
        if record.len() != self.names.len() {
            let hint = if record.iter().any(is_of_lines) { format!("; {UNCLOSED}") } else { String::new() };
            return Err(error(format!("{} fields where {} columns are named{hint}", record.len(), self.names.len())));
        }
        // (a quote that closes such a field at the end of a file is the last that stands there)
        if seen.ended && record.iter().next_back().is_some_and(is_of_lines) && seen.last != b'"' {
            return Err(error(format!("the last field goes over all lines to the end: {UNCLOSED}")));
        }
        let mut members = serde_json::Map::new();
        for (name, field) in self.names.iter().zip(record) {
            let field = str::from_utf8(field).map_err(|_| error(NOT_UTF8.to_owned()))?;
            if let Some(message) = self.encoding.fault(field) {
                return Err(error(message));
            }
            members.insert(name.clone(), field.into());
        }
        Ok(Row { number, value: serde_json::Value::Object(members) })
    }
}

/// A row as a CSV file of its own: under its header, where the file has one.
fn text_of(header: Option<&csv::ByteRecord>, record: &csv::ByteRecord) -> String {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let wrote = header.into_iter().chain([record]).all(|record| writer.write_byte_record(record).is_ok());
    // (into memory: nothing fails)
    let bytes = if wrote { writer.into_inner().unwrap_or_default() } else { Vec::new() };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What went by of a text.
#[derive(Default)]
struct Seen {
    /// Where lines with anything on them begin, and their numbers: those that were read and belong to no row yet.
    lines: VecDeque<(u64, u64)>,
    /// The last byte that ends no line.
    last: u8,
    /// There is no more.
    ended: bool,
}

impl Seen {
    /// The line of the row that begins at `byte`, or behind the line ends that stand there.
    fn line_at(&mut self, byte: u64) -> Option<u64> {
        while self.lines.front().is_some_and(|(begins, _)| *begins < byte) {
            self.lines.pop_front();
        }
        self.lines.front().map(|(_, line)| *line)
    }
}

/// Text whose lines are counted while it is read.
struct Numbered<R> {
    text: R,
    seen: Rc<RefCell<Seen>>,
    line: u64,
    read: u64,
    /// Whether the line has anything on it.
    is_begun: bool,
    /// The last byte ended a line as `\r`; a `\n` behind it ends the same one.
    after_return: bool,
}

impl<R: Read> Read for Numbered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.text.read(buffer)?;
        let mut seen = self.seen.borrow_mut();
        seen.ended = bytes == 0 && !buffer.is_empty();
        for byte in &buffer[..bytes] {
            match byte {
                b'\n' if self.after_return => {}
                b'\n' | b'\r' => (self.line, self.is_begun) = (self.line + 1, false),
                _ if !self.is_begun => {
                    self.is_begun = true;
                    seen.lines.push_back((self.read, self.line));
                }
                _ => {}
            }
            if !matches!(byte, b'\n' | b'\r') {
                seen.last = *byte;
            }
            self.after_return = *byte == b'\r';
            self.read += 1;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, ReadOptions, rows_of};

    /// The rows' first fields and numbers, of a file as it is and as Windows ends lines.
    fn numbers(text: &str) -> Vec<(String, u64)> {
        let read = |text: String| -> Vec<(String, u64)> {
            let rows = rows_of(text.into_bytes(), &ReadOptions::new(Format::Csv)).unwrap();
            rows.map(|row| match row {
                Ok(row) => (row.value["a"].as_str().unwrap().to_owned(), row.number),
                Err(fault) => ("?".to_owned(), fault.number),
            })
            .collect()
        };
        let rows = read(text.to_owned());
        let windows = read(text.replace('\n', "\r\n"));
        assert_eq!(
            windows.iter().map(|(_, number)| number).collect::<Vec<_>>(),
            rows.iter().map(|(_, number)| number).collect::<Vec<_>>()
        );
        rows
    }

    fn expected<const N: usize>(rows: [(&str, u64); N]) -> Vec<(String, u64)> {
        rows.map(|(a, number)| (a.to_owned(), number)).into()
    }

    #[test]
    fn a_row_has_the_number_of_its_line_as_an_editor_shows_it() {
        assert_eq!(numbers("a,b\n1,2\n3,4\n"), expected([("1", 2), ("3", 3)]));
        assert_eq!(numbers("a,b\n\n\n1,2\n\n3\n5,6"), expected([("1", 4), ("?", 6), ("5", 7)]));
        // a field over two lines
        assert_eq!(numbers("a,b\n\"x\ny\",2\n3,\"4\n\n\"\n5,6\n"), expected([("x\ny", 2), ("3", 4), ("5", 7)]));
        assert_eq!(numbers("\na,b\n1,2\n"), expected([("1", 3)]));
    }

    #[test]
    fn numbers_hold_over_many_buffers() {
        let rows = 20_000;
        let text: String = (0..rows).map(|n| format!("{n},\"some text\nof two lines\"\n\n")).collect();
        for (n, (_, number)) in numbers(&format!("a,b\n{text}")).into_iter().enumerate() {
            assert_eq!(number, 2 + 3 * n as u64);
        }
    }

    /// The rows' faults with their lines, and how many rows are good.
    fn faults(text: &str) -> (usize, Vec<(u64, String)>) {
        let rows = rows_of(text.into(), &ReadOptions::new(Format::Csv)).unwrap();
        let (good, bad): (Vec<_>, Vec<_>) = rows.partition(Result::is_ok);
        (good.len(), bad.into_iter().filter_map(Result::err).map(|fault| (fault.number, fault.message)).collect())
    }

    #[test]
    fn a_quote_that_nobody_closes_is_told_and_does_not_take_the_rest_for_a_field() {
        let of_last = "the last field goes over all lines to the end: is a quote not closed?".to_owned();
        for end in ["\n", ""] {
            assert_eq!(faults(&format!("a,b\n1,2\n3,\"x\n5,6{end}")), (1, vec![(3, of_last.clone())]));
        }
        let of_first = "1 fields where 2 columns are named; is a quote not closed?".to_owned();
        assert_eq!(faults("a,b\n1,2\n\"3,x\n5,6\n"), (1, vec![(3, of_first)]));
        // closed ones of several lines are fields
        for end in ["\n", "", "\r\n\r\n"] {
            assert_eq!(faults(&format!("a,b\n1,\"x\ny\"\n3,\"x\ny\"{end}")), (2, vec![]));
        }
        let error = rows_of("a,\"b\n1,2\n".into(), &ReadOptions::new(Format::Csv)).err().unwrap();
        assert!(format!("{error:#}").contains("is a quote not closed?"), "{error:#}");
    }

    #[test]
    fn two_columns_of_one_name_are_refused_and_those_without_one_are_nobodys() {
        let read = |text: &str| rows_of(text.into(), &ReadOptions::new(Format::Csv));
        assert_eq!(read("a,b, a\n1,2,3\n").err().unwrap().to_string(), "the columns 1 and 3 have one name");
        assert_eq!(numbers("a,,\n1,,\n"), expected([("1", 2)]));
        let columns = Some(vec!["a".to_owned(), "a".to_owned()]);
        assert!(rows_of("1,2\n".into(), &ReadOptions { columns, ..ReadOptions::new(Format::Csv) }).is_err());
    }

    #[test]
    fn what_is_not_utf8_is_told_with_what_it_may_be() {
        let gb18030 = |text: &str| encoding_rs::GB18030.encode(text).0.into_owned();
        let error = rows_of(gb18030("车场,n\nP1,2\n"), &ReadOptions::new(Format::Csv)).err().unwrap();
        assert!(format!("{error:#}").contains("GB18030"), "{error:#}");
        let mut rows = rows_of(gb18030("lot,n\n车场,2\n"), &ReadOptions::new(Format::Csv)).unwrap();
        assert!(rows.next().unwrap().unwrap_err().message.contains("GB18030"));
    }
}
