//! CSV: a line is a row, or begins one. Its number is the line's, which the reader of CSV doesn't know once lines are blank or end
//! as Windows ends them; so they are counted on their way to it.

use super::{Encoding, Row, RowError, Rows};
use anyhow::Result;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::rc::Rc;

pub(super) fn rows(text: impl Read + 'static, columns: Option<&[String]>, encoding: Encoding) -> Result<Rows> {
    let lines = Lines::default();
    let text = Numbered { text, lines: Rc::clone(&lines), line: 1, read: 0, is_begun: false, after_return: false };
    // flexible: a row with too many or too few fields is told with its text, here
    let mut reader = csv::ReaderBuilder::new().has_headers(columns.is_none()).flexible(true).from_reader(text);
    let header = if columns.is_none() { Some(reader.byte_headers()?.clone()) } else { None };
    let names: Vec<String> = match columns {
        Some(names) => names.to_vec(),
        None => reader.headers()?.iter().map(|name| name.trim().to_owned()).collect(),
    };
    let mut last = 0;
    Ok(Box::new(reader.into_byte_records().map(move |record| {
        let record = record.map_err(|e| RowError { number: last + 1, message: e.to_string(), raw: None })?;
        let number = record.position().and_then(|at| line_at(&lines, at.byte())).unwrap_or(last + 1);
        last = number;
        let error = |message| RowError { number, message, raw: Some(text_of(header.as_ref(), &record)) };
        if record.len() != names.len() {
            return Err(error(format!("{} fields where {} columns are named", record.len(), names.len())));
        }
        let mut members = serde_json::Map::new();
        for (name, field) in names.iter().zip(&record) {
            let field =
                str::from_utf8(field).map_err(|_| error(format!("a field is not {}", Encoding::Utf8.as_str())))?;
            if let Some(message) = encoding.fault(field) {
                return Err(error(message));
            }
            members.insert(name.clone(), field.into());
        }
        Ok(Row { number, value: serde_json::Value::Object(members) })
    })))
}

/// A row as a CSV file of its own: under its header, where the file has one.
fn text_of(header: Option<&csv::ByteRecord>, record: &csv::ByteRecord) -> String {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let wrote = header.into_iter().chain([record]).all(|record| writer.write_byte_record(record).is_ok());
    // (into memory: nothing fails)
    let bytes = if wrote { writer.into_inner().unwrap_or_default() } else { Vec::new() };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Where lines with anything on them begin, and their numbers: those that were read and belong to no row yet.
type Lines = Rc<RefCell<VecDeque<(u64, u64)>>>;

/// The line of the row that begins at `byte`, or behind the line ends that stand there.
fn line_at(lines: &Lines, byte: u64) -> Option<u64> {
    let mut lines = lines.borrow_mut();
    while lines.front().is_some_and(|(begins, _)| *begins < byte) {
        lines.pop_front();
    }
    lines.front().map(|(_, line)| *line)
}

/// Text whose lines are counted while it is read.
struct Numbered<R> {
    text: R,
    lines: Lines,
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
        let mut lines = self.lines.borrow_mut();
        for byte in &buffer[..bytes] {
            match byte {
                b'\n' if self.after_return => {}
                b'\n' | b'\r' => (self.line, self.is_begun) = (self.line + 1, false),
                _ if !self.is_begun => {
                    self.is_begun = true;
                    lines.push_back((self.read, self.line));
                }
                _ => {}
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
}
