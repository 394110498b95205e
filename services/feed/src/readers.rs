//! Files become rows, one JSON value each. A row that can't be read is an error of its own, with its number; the rows
//! after it are read. Nothing here knows what a row means.
//!
//! | format | a row is |
//! | --- | --- |
//! | `ndjson` | a line |
//! | `json` | an item of the array that the document is, or that stands in it at [`ReadOptions::items`]; else the document |
//! | `csv` | an object of strings: the header's names, or the names given for a file without header; blank stays `""` |
//! | `gtfs-rt-json`, `gtfs-rt` | one entity of the poll that the file holds, with `poll` added: the poll's time in seconds since 1970; members have the specification's names (`trip_update`), also where the JSON is protobuf's own (`tripUpdate`) |
//!
//! A poll's time is its header's `timestamp`; without one, fourteen digits in the file's name (`20160519080020.json`),
//! read in [`ReadOptions::zone`]; without both, null.

mod encoding;
mod table;

pub use self::encoding::Encoding;
use crate::gtfs_rt;
use crate::input::Order;
use anyhow::{Context, Result};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;
use std::str::FromStr;

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Format {
    Ndjson,
    Json,
    Csv,
    GtfsRt,
    GtfsRtJson,
}

impl Format {
    pub const ALL: [Self; 5] = [Self::Ndjson, Self::Json, Self::Csv, Self::GtfsRt, Self::GtfsRtJson];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::GtfsRt => "gtfs-rt",
            Self::GtfsRtJson => "gtfs-rt-json",
        }
    }

    /// NDJSON holds events in the order in which a gateway got them; tables are sorted by whatever their maker liked.
    pub fn usual_order(self) -> Order {
        match self {
            Self::Ndjson => Order::AsRead,
            Self::Json | Self::Csv | Self::GtfsRt | Self::GtfsRtJson => Order::Time,
        }
    }
}

impl FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|format| format.as_str() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            format!("unknown format {text}; there are {names}")
        })
    }
}

#[derive(Clone, Debug)]
pub struct ReadOptions {
    pub format: Format,
    /// Of the text formats.
    pub encoding: Encoding,
    /// Column names of a CSV file without a header row; None: its first row names them.
    pub columns: Option<Vec<String>>,
    /// Zone of the digits in a poll file's name.
    pub zone: TimeZone,
    /// Where a JSON document has its items, as a JSON pointer (`/data/list`); None: it is an array, or one row.
    pub items: Option<String>,
}

impl ReadOptions {
    pub fn new(format: Format) -> Self {
        Self { format, encoding: Encoding::default(), columns: None, zone: TimeZone::UTC, items: None }
    }
}

/// One row. `number` is what a person looks for: in text that has lines (CSV, NDJSON) the line that it begins on, as an editor counts
/// them, from 1, a header and blank lines too; else its place among the items, from 1.
#[derive(Debug, PartialEq)]
pub struct Row {
    pub number: u64,
    pub value: Value,
}

/// A row that is none. `raw` holds the line where there is one, so that a gateway can judge it.
#[derive(Debug)]
pub struct RowError {
    pub number: u64,
    pub message: String,
    pub raw: Option<String>,
}

/// Why a whole payload isn't what its settings say, in words that repeat nothing of it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotAsSaid(pub String);

pub type Rows = Box<dyn Iterator<Item = Result<Row, RowError>>>;

/// How many bytes of all files were read so far.
pub type BytesRead = Rc<Cell<u64>>;

/// A file that counts what is read of it.
struct Counted {
    file: File,
    read: BytesRead,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        self.read.set(self.read.get() + bytes as u64);
        Ok(bytes)
    }
}

/// Opens a file and reads its rows one by one (a poll file is read whole), adding to `read` what it reads.
pub fn rows(path: &Path, options: &ReadOptions, read: &BytesRead) -> Result<Rows> {
    let file = File::open(path).with_context(|| format!("can't open {}", path.display()))?;
    let mut file = Counted { file, read: Rc::clone(read) };
    let rows = match options.format {
        Format::Ndjson | Format::Json | Format::Csv => text_rows(file, options),
        Format::GtfsRt | Format::GtfsRtJson => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).with_context(|| format!("can't read {}", path.display()))?;
            poll_rows(&bytes, options.format, name_time(path, &options.zone))
        }
    };
    rows.with_context(|| format!("can't read {}", path.display()))
}

/// The rows of what was received at once.
pub fn rows_of(bytes: Vec<u8>, options: &ReadOptions) -> Result<Rows> {
    match options.format {
        Format::Ndjson | Format::Json | Format::Csv => text_rows(io::Cursor::new(bytes), options),
        Format::GtfsRt | Format::GtfsRtJson => poll_rows(&bytes, options.format, None),
    }
}

fn text_rows(reader: impl Read + 'static, options: &ReadOptions) -> Result<Rows> {
    let encoding = options.encoding;
    let text = encoding.decode(reader)?;
    match options.format {
        Format::Csv => table::rows(text, options.columns.as_deref(), encoding),
        Format::Json => json_rows(text, options.items.as_deref(), encoding),
        _ => Ok(Box::new(ndjson(BufReader::with_capacity(1 << 16, text), encoding))),
    }
}

fn json_rows(mut text: impl Read, items: Option<&str>, encoding: Encoding) -> Result<Rows> {
    let mut document = String::new();
    text.read_to_string(&mut document).context("no JSON document")?;
    if let Some(fault) = encoding.fault(&document) {
        anyhow::bail!(fault);
    }
    let mut document: Value = serde_json::from_str(&document).context("no JSON document")?;
    let found = match items {
        Some(pointer) => document.pointer_mut(pointer).map(Value::take),
        None => Some(document),
    };
    let rows = match (found, items) {
        (Some(Value::Array(rows)), _) => rows,
        (Some(document), None) => vec![document],
        (_, pointer) => anyhow::bail!("the document has no array at {}", pointer.unwrap_or_default()),
    };
    Ok(Box::new(rows.into_iter().zip(1..).map(|(value, number)| Ok(Row { number, value }))))
}

fn poll_rows(bytes: &[u8], format: Format, time: Option<i64>) -> Result<Rows> {
    let poll = match format {
        Format::GtfsRt => gtfs_rt::to_json(bytes),
        _ => serde_json::from_slice(bytes).map(with_spec_names).map_err(|e| e.to_string()),
    };
    let poll = poll.map_err(|e| anyhow::anyhow!("no {} poll: {e}", format.as_str()))?;
    Ok(Box::new(entities(poll, time)))
}

/// Protobuf's own JSON has its members in lowerCamelCase.
fn with_spec_names(value: Value) -> Value {
    let snake_case = |name: String| {
        if !name.contains(|c: char| c.is_ascii_uppercase()) {
            return name;
        }
        let lower = |c: char| [c.is_ascii_uppercase().then_some('_'), Some(c.to_ascii_lowercase())];
        name.chars().flat_map(lower).flatten().collect()
    };
    match value {
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (snake_case(name), with_spec_names(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(with_spec_names).collect(),
        plain => plain,
    }
}

fn ndjson(reader: impl BufRead + 'static, encoding: Encoding) -> impl Iterator<Item = Result<Row, RowError>> {
    let lines = reader.split(b'\n').zip(1..);
    lines.filter_map(move |(line, number)| {
        let bytes = match line {
            Ok(bytes) => bytes,
            Err(e) => return Some(Err(RowError { number, message: e.to_string(), raw: None })),
        };
        let line = bytes.trim_ascii();
        if line.is_empty() {
            return None;
        }
        let fault = |message| RowError { number, message, raw: Some(String::from_utf8_lossy(line).into_owned()) };
        if let Some(message) = str::from_utf8(line).ok().and_then(|text| encoding.fault(text)) {
            return Some(Err(fault(message)));
        }
        Some(serde_json::from_slice(line).map(|value| Row { number, value }).map_err(|e| fault(e.to_string())))
    })
}

fn entities(mut poll: Value, name_time: Option<i64>) -> impl Iterator<Item = Result<Row, RowError>> {
    // Some archives keep the answer of the agency's gateway around the poll: {status, response: {header, entity}}.
    if let Some(inner) = poll.get_mut("response") {
        poll = inner.take();
    }
    let stamp = poll.pointer("/header/timestamp");
    // Protobuf's own JSON writes 64-bit numbers as strings.
    let header_time = stamp.and_then(|t| t.as_i64().or_else(|| t.as_str()?.parse().ok())).filter(|t| *t > 0);
    let time = Value::from(header_time.or(name_time));
    let entities = match poll.get_mut("entity").map(Value::take) {
        Some(Value::Array(entities)) => entities,
        _ => Vec::new(),
    };
    entities.into_iter().zip(1..).map(move |(entity, number)| match entity {
        Value::Object(mut members) => {
            members.insert("poll".into(), time.clone());
            Ok(Row { number, value: Value::Object(members) })
        }
        _ => Err(RowError { number, message: "the entity is no object".into(), raw: None }),
    })
}

fn name_time(path: &Path, zone: &TimeZone) -> Option<i64> {
    let stem = path.file_stem()?.to_str()?;
    let digits = stem.get(..14).filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    let local = DateTime::strptime("%Y%m%d%H%M%S", digits).ok()?;
    Some(local.to_zoned(zone.clone()).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object<const N: usize>(members: [(&str, &str); N]) -> Value {
        Value::Object(members.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect())
    }

    fn read(name: &str, content: &[u8], options: &ReadOptions) -> Vec<Result<Row, RowError>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        rows(&path, options, &BytesRead::default()).unwrap().collect()
    }

    fn values(rows: Vec<Result<Row, RowError>>) -> Vec<Value> {
        rows.into_iter().map(|row| row.unwrap().value).collect()
    }

    #[test]
    fn csv_rows_are_objects_of_strings_and_blank_is_not_zero() {
        let text = "\u{feff}lot, n ,at\r\nA,1,\"x, y\"\r\nB,,z\r\n";
        let made = values(read("a.csv", text.as_bytes(), &ReadOptions::new(Format::Csv)));
        assert_eq!(
            made,
            [object([("lot", "A"), ("n", "1"), ("at", "x, y")]), object([("lot", "B"), ("n", ""), ("at", "z")])]
        );
    }

    #[test]
    fn a_csv_without_header_takes_the_names_given_and_a_short_row_fails_alone() {
        let columns = Some(vec!["lat".to_owned(), "lon".to_owned()]);
        let made = read("a.csv", b"1,2\n3\n4,5\n", &ReadOptions { columns, ..ReadOptions::new(Format::Csv) });
        assert_eq!(made[0].as_ref().unwrap().value, object([("lat", "1"), ("lon", "2")]));
        let short = made[1].as_ref().unwrap_err();
        assert_eq!((short.number, short.raw.as_deref()), (2, Some("3\n")));
        assert_eq!(made[2].as_ref().unwrap().value, object([("lat", "4"), ("lon", "5")]));
    }

    #[test]
    fn a_row_of_a_csv_with_too_many_fields_keeps_its_text_under_its_header() {
        let made = read("a.csv", b"lat,lon\n1,\"2, 3\",4\n5,6\n", &ReadOptions::new(Format::Csv));
        let long = made[0].as_ref().unwrap_err();
        assert_eq!(
            (long.message.as_str(), long.raw.as_deref()),
            ("3 fields where 2 columns are named", Some("lat,lon\n1,\"2, 3\",4\n"))
        );
        assert_eq!(made[1].as_ref().unwrap().value, object([("lat", "5"), ("lon", "6")]));
    }

    #[test]
    fn a_bad_line_keeps_its_text_and_blank_lines_are_no_rows() {
        let made = read("a.ndjson", b"{\"a\":1}\n\n{oops\n{\"a\":2}", &ReadOptions::new(Format::Ndjson));
        assert_eq!(made.len(), 3);
        let bad = made[1].as_ref().unwrap_err();
        assert_eq!((bad.number, bad.raw.as_deref()), (3, Some("{oops")));
        assert_eq!(made[2].as_ref().unwrap(), &Row { number: 4, value: json!({"a": 2}) });
    }

    #[test]
    fn a_json_document_is_its_items_and_one_that_has_none_is_refused() {
        let options =
            |items: Option<&str>| ReadOptions { items: items.map(Into::into), ..ReadOptions::new(Format::Json) };
        assert_eq!(values(read("a.json", b"[1, {\"a\": 2}]", &options(None))), [json!(1), json!({"a": 2})]);
        let wrapped = br#"{"code": 0, "data": {"list": [1, 2]}}"#;
        assert_eq!(values(read("a.json", wrapped, &options(Some("/data/list")))), [json!(1), json!(2)]);
        assert_eq!(values(read("a.json", wrapped, &options(None))).len(), 1);
        for text in [&br#"{"data": {"list": null}}"#[..], b"<html>", b""] {
            assert!(rows_of(text.to_vec(), &options(Some("/data/list"))).is_err());
        }
    }

    #[test]
    fn every_entity_carries_the_time_of_its_poll() {
        let options = ReadOptions::new(Format::GtfsRtJson);
        let inner = json!({"header": {"timestamp": 100}, "entity": [{"id": "a"}, {"id": "b"}]});
        let expected = [json!({"id": "a", "poll": 100}), json!({"id": "b", "poll": 100})];
        assert_eq!(values(read("x.json", inner.to_string().as_bytes(), &options)), expected);
        let wrapped = json!({"status": "OK", "response": inner}).to_string();
        assert_eq!(values(read("x.json", wrapped.as_bytes(), &options)), expected);
    }

    #[test]
    fn protobufs_own_json_has_the_specifications_names_for_the_map() {
        let poll = json!({"header": {"timestamp": "100"}, "entity": [{"id": "A", "tripUpdate": {"stopTimeUpdate": [{"stopId": "S"}]}}]});
        let made = values(read("x.json", poll.to_string().as_bytes(), &ReadOptions::new(Format::GtfsRtJson)));
        assert_eq!(made, [json!({"id": "A", "poll": 100, "trip_update": {"stop_time_update": [{"stop_id": "S"}]}})]);
    }

    #[test]
    fn a_poll_without_a_stamp_takes_the_time_in_its_files_name() {
        let zone = TimeZone::get("Pacific/Auckland").unwrap();
        let options = ReadOptions { zone, ..ReadOptions::new(Format::GtfsRtJson) };
        let poll = json!({"header": {}, "entity": [{"id": "a"}]}).to_string();
        assert_eq!(values(read("20160519080020.json", poll.as_bytes(), &options))[0]["poll"], 1_463_601_620);
        assert_eq!(values(read("latest.json", poll.as_bytes(), &options))[0]["poll"], Value::Null);
    }
}
