//! A payload becomes pieces small enough to send: read and mapped on a thread of its own, one piece ahead of the sending, so that
//! memory is a payload and two pieces, and a file's size doesn't matter.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;
use yiping_event::TimeMs;
use yiping_feed::{Feed, Format, Mapped, ReadOptions, Row, RowError, rows_of};

use crate::seen::{Key, key};
use crate::source::Payload;

/// A piece is sent in one request: a thousand events, or a mebibyte.
const MOST_EVENTS: usize = 1_000;
pub const MOST_BYTES: usize = 1 << 20;

/// An event, or a row that is none, as it is sent.
pub struct Line {
    pub key: Key,
    pub json: String,
    /// The row that it is of, where a person could look for it.
    pub row: Option<u64>,
    /// Of an event: its row as it was read, which is kept as the reject should the event be refused.
    pub read: Option<Arc<Value>>,
}

#[derive(Default)]
pub struct Piece {
    pub events: Vec<Line>,
    /// Rows that could not be read or mapped: the gateway keeps them as rejects.
    pub failed: Vec<Line>,
    pub rows: u64,
    /// Events with a local time that a clock change repeats or leaves out.
    pub changeovers: u64,
    bytes: usize,
}

impl Piece {
    fn is_full(&self) -> bool {
        self.events.len() + self.failed.len() >= MOST_EVENTS || self.bytes >= MOST_BYTES
    }

    fn event(&mut self, row: Option<u64>, read: &Arc<Value>, mapped: Mapped) {
        self.changeovers += u64::from(mapped.changeover);
        let text = |member: &str| mapped.event.get(member).and_then(Value::as_str).unwrap_or_default();
        let key = key([text("source"), text("id")]);
        let json = Value::Object(mapped.event).to_string();
        self.push(Line { key, json, row, read: Some(Arc::clone(read)) }, true);
    }

    fn failed(&mut self, row: Option<u64>, json: String) {
        let (key, json) = (key(["", &json]), sendable(json));
        self.push(Line { key, json, row, read: None }, false);
    }

    fn push(&mut self, line: Line, is_event: bool) {
        self.bytes += line.json.len();
        let lines = if is_event { &mut self.events } else { &mut self.failed };
        lines.push(line);
    }
}

/// A row's JSON as the gateway takes it: of one that is very long its beginning, as a text. (It keeps no more anyway.)
pub fn sendable(json: String) -> String {
    const MOST: usize = 4 << 20;
    const BEGINNING: usize = 64 << 10;
    if json.len() <= MOST { json } else { Value::from(&json[..json.floor_char_boundary(BEGINNING)]).to_string() }
}

/// Hands on a payload piece by piece, until nobody listens any more. Blocks.
///
/// # Errors
/// The payload as a whole is not what the feed sends.
pub fn cut(
    feed: &Arc<Feed>,
    read: &ReadOptions,
    payload: Payload,
    polled: TimeMs,
    pieces: &mpsc::Sender<Piece>,
) -> anyhow::Result<()> {
    // (the rows of a query's answer stand nowhere)
    let has_places = !matches!(payload, Payload::Rows(_));
    let is_empty = match &payload {
        Payload::Bytes(bytes) => bytes.is_empty(),
        Payload::File(path) => path.metadata().is_ok_and(|file| file.len() == 0),
        Payload::Rows(_) => false,
    };
    // (what says that there is nothing new has at least a header or brackets)
    anyhow::ensure!(!is_empty, "it is empty");
    let rows: Box<dyn Iterator<Item = Result<Row, RowError>>> = match payload {
        Payload::Bytes(bytes) => rows_of(bytes, read)?,
        Payload::File(path) => yiping_feed::readers::rows(&path, read, &yiping_feed::readers::BytesRead::default())?,
        Payload::Rows(rows) => Box::new(rows.into_iter().zip(1..).map(|(value, number)| Ok(Row { number, value }))),
    };
    let place = |number| has_places.then_some(number);
    let mut piece = Piece::default();
    for row in rows {
        piece.rows += 1;
        match row {
            Ok(Row { number, value }) => {
                let read = Arc::new(value.clone());
                match feed.events_at(value, Some(polled)) {
                    Ok(events) => {
                        for mapped in events {
                            piece.event(place(number), &read, mapped);
                            if piece.is_full() && pieces.blocking_send(std::mem::take(&mut piece)).is_err() {
                                return Ok(());
                            }
                        }
                    }
                    Err(_) => piece.failed(place(number), read.to_string()),
                }
            }
            // (a row that is no text any more is told by its number)
            Err(RowError { number, message, raw }) => {
                let row = match raw {
                    // with its header, and over several lines: as one JSON text, which the gateway knows for what it is
                    Some(text) if read.format == Format::Csv => Value::from(text).to_string(),
                    Some(line) => line,
                    None => serde_json::json!({ "unreadable_row": number, "why": message }).to_string(),
                };
                piece.failed(place(number), row);
            }
        }
        if piece.is_full() && pieces.blocking_send(std::mem::take(&mut piece)).is_err() {
            return Ok(());
        }
    }
    // (an empty last one says that there was a payload)
    let _ = pieces.blocking_send(piece);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_row_that_is_longer_than_a_request_its_beginning_is_sent() {
        assert_eq!(sendable("{}".into()), "{}");
        let long = sendable(format!("[\"{}\"]", "车".repeat(2 << 20)));
        assert!(long.starts_with(r#""[\"车"#) && long.len() < 70_000 && serde_json::from_str::<String>(&long).is_ok());
    }

    #[test]
    fn a_row_of_a_table_that_cant_be_read_keeps_its_text_over_its_lines_and_its_number() {
        let read = ReadOptions::new(Format::Csv);
        let (sender, mut pieces) = mpsc::channel(1);
        let table = Payload::Bytes(b"a,b\n1,\"2\n3\",4\n".to_vec());
        cut(&Arc::new(Feed::default()), &read, table, TimeMs(0), &sender).unwrap();
        let piece = pieces.try_recv().unwrap();
        assert_eq!((piece.failed[0].row, piece.failed[0].json.as_str()), (Some(2), r#""a,b\n1,\"2\n3\",4\n""#));
    }
}
