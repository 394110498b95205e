//! `POST /v1/feeds/NAME`: a department's own payload, row by row through that feed's map. What the map makes is judged like any event;
//! a row that it can't read is a reject of its own (`bad_feed`).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use yiping_event::{Code, Reject, TimeMs};
use yiping_feed::{Encoding, Feed, Format, NotAsSaid, ReadOptions, Row, rows_of};

use crate::intake::{self, Judged};
use crate::judge::{Accepted, Judge};
use crate::origin;
use crate::problem::Problem;
use crate::rejects::{Part, Refusals, RejectRecord};
use crate::server::Gateway;
use crate::split::MAX_EVENTS;
use crate::tokens::Token;

/// A department's feed: how its payload is read, and what makes events of the rows.
pub struct Door {
    pub feed: Arc<Feed>,
    pub read: ReadOptions,
    /// Seconds within which the next payload is expected: each one is a sign of life that says so.
    pub expected_s: Option<u32>,
}

impl Door {
    /// How this payload is read: rows that were taken apart elsewhere come one a line, whatever the feed's format is.
    fn reading(&self, headers: &HeaderMap) -> Result<Reading, Problem> {
        let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_lines = media.split(';').next().unwrap_or_default().trim() == "application/x-ndjson";
        let options = match self.read.format {
            Format::Ndjson => self.read.clone(),
            _ if is_lines => ReadOptions::new(Format::Ndjson),
            _ => self.read.clone(),
        };
        let tables_rows = is_lines && self.read.format == Format::Csv;
        Ok(Reading { options, part: Part::Body, tables_rows, polled: origin::polled(headers)? })
    }

    /// The sign of life that a payload is, also one without news.
    fn heartbeat(&self, now: TimeMs) -> Option<Vec<u8>> {
        let (stream, expected_s) = self.feed.stream.zip(self.expected_s)?;
        let Feed { name, source, .. } = &*self.feed;
        let data = json!({ "source_name": source, "expected_s": expected_s, "stream": stream });
        let beat = json!({
            "specversion": "1.0", "id": format!("payload-{name:.32}-{}", now.0), "source": source,
            "type": "city.source.heartbeat", "time": now.to_string(), "data": data,
        });
        Some(beat.to_string().into_bytes())
    }
}

/// How one payload is read.
struct Reading {
    options: ReadOptions,
    /// What the payload is, should nothing of it be readable.
    part: Part,
    /// Rows of a table, taken apart elsewhere: one that could not be read comes as its text, a JSON string.
    tables_rows: bool,
    /// When the source was asked for the rows, if it was.
    polled: Option<TimeMs>,
}

/// When something that is judged again was received, and when its source was asked for it.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub received: TimeMs,
    pub polled: Option<TimeMs>,
}

/// A reject knows at most so many ids of its row's other events.
const MOST_IDS: usize = 1_000;

/// The feeds by their names.
pub type Feeds = BTreeMap<String, Arc<Door>>;

pub async fn post(
    State(gateway): State<Arc<Gateway>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let door = match gateway.deps.feeds.get(&name) {
        Some(door) => door.reading(&headers).map(|reading| (reading, door.clone())),
        None => Err(Problem::new(StatusCode::NOT_FOUND, "there is no such feed; the settings name them: [feeds.NAME]")),
    };
    intake::take(gateway, |_| door, Gateway::judge_rows, query, headers, body).await
}

/// A row's events that were accepted, with their ids; and those that were not, as the map made them.
#[derive(Default)]
struct Sorted {
    accepted: Vec<(String, Accepted)>,
    refused: Vec<(String, Reject)>,
}

impl Gateway {
    fn judge_rows(
        &self,
        (reading, door): (Reading, Arc<Door>),
        token: &Token,
        body: &Bytes,
        judged: &mut Judged,
    ) -> Result<(), Problem> {
        let now = (self.deps.clock)();
        self.judge_rows_at(now, &door, &reading, token, body, judged)?;
        if judged.unreadable.is_none()
            && let Some(Ok(beat)) = door.heartbeat(now).map(|beat| self.judge_of(token, now).judge(&beat))
        {
            self.place(beat, judged);
            judged.accepted_events -= 1;
        }
        Ok(())
    }

    /// A payload's rows, as they were received at `now`.
    fn judge_rows_at(
        &self,
        now: TimeMs,
        door: &Door,
        reading: &Reading,
        token: &Token,
        body: &[u8],
        judged: &mut Judged,
    ) -> Result<(), Problem> {
        let refusals =
            Refusals { time: now, token, seal: &self.deps.seal, feed: Some(&door.feed), polled: reading.polled };
        let whole = |why: String, judged: &mut Judged| {
            let reject = refusals.of(0, reading.part, body, Reject::new(Code::BadFeed, "", why.clone()));
            judged.clear();
            judged.unreadable(why, reject)
        };
        // (what says that there is nothing new has at least a header or brackets)
        if body.trim_ascii().is_empty() {
            return whole("the body is empty".to_owned(), judged);
        }
        let rows = match rows_of(body.to_vec(), &reading.options) {
            Ok(rows) => rows,
            // (the reader's own words may repeat what was sent)
            Err(error) => {
                let format = reading.options.format.as_str();
                let why = error.downcast_ref().map(|NotAsSaid(why)| format!("; {why}")).unwrap_or_default();
                return whole(format!("the body is not what this feed sends: {format}{why}"), judged);
            }
        };
        let judge = self.judge_of(token, now);
        let (mut rows_read, mut made, mut changeovers) = (0_u64, 0, 0);
        for row in rows {
            let (number, part, raw, events) = match row {
                Ok(Row { number, value: Value::String(text) }) if reading.tables_rows => {
                    let message = unreadable(read_again(&text, door).as_deref());
                    (number, Part::Text, text, Err(message))
                }
                Ok(row) => {
                    let raw = row.value.to_string();
                    (
                        row.number,
                        Part::Row,
                        raw,
                        door.feed.events_at(row.value, reading.polled).map_err(|error| error.without_values()),
                    )
                }
                Err(fault) => {
                    let message = unreadable(Some(&fault.message));
                    (fault.number, Part::Text, fault.raw.unwrap_or_default(), Err(message))
                }
            };
            rows_read += 1;
            let index = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
            made += events.as_ref().map_or(1, Vec::len);
            if made > MAX_EVENTS {
                return whole(format!("a body may have {MAX_EVENTS} events"), judged);
            }
            let events = match events {
                Ok(events) => events,
                Err(message) => {
                    let reject = Reject::new(Code::BadFeed, "", message);
                    let record = refusals.of(index, part, raw.as_bytes(), reject);
                    judged.refuse(RejectRecord { row: Some(number), ..record })?;
                    continue;
                }
            };
            changeovers += events.iter().filter(|mapped| mapped.changeover).count();
            let Sorted { accepted, refused } = sort(&judge, events);
            let ids = if refused.is_empty() { Vec::new() } else { accepted.iter().map(|(id, _)| id.clone()).collect() };
            for (n, (json, reject)) in refused.into_iter().enumerate() {
                let mut record = RejectRecord { row: Some(number), ..refusals.note(index, json.as_bytes(), reject) };
                if n == 0 {
                    // once for the whole row
                    record = record.keeping(part, raw.as_bytes(), &self.deps.seal);
                    record.accepted.clone_from(&ids);
                    record.accepted.truncate(MOST_IDS);
                }
                judged.refuse(record)?;
            }
            for (_, accepted) in accepted {
                self.place(accepted, judged);
            }
        }
        if rows_read == 0 && reading.part == Part::Text {
            return whole(unreadable(None), judged);
        }
        judged.rows = Some(rows_read);
        if changeovers > 0 {
            let feed = &door.feed.name;
            tracing::warn!(
                feed,
                events = changeovers,
                "local times in an hour that a clock change repeats or leaves out"
            );
        }
        Ok(())
    }

    /// A row that was refused, again, as it was received then: all of its events, but those of `had`, or none.
    pub(crate) fn judge_row_again(
        &self,
        Times { received, polled }: Times,
        door: &Door,
        token: &Token,
        row: &[u8],
        had: &[String],
    ) -> Judged {
        let mut judged = Judged::default();
        let refusals = Refusals { time: received, token, seal: &self.deps.seal, feed: Some(&door.feed), polled };
        let refuse = |message| refusals.note(0, row, Reject::new(Code::BadFeed, "", message));
        let events = serde_json::from_slice(row)
            .map_err(|_| "the row can't be read".to_owned())
            .and_then(|row| door.feed.events_at(row, polled).map_err(|error| error.without_values()));
        match events {
            Ok(events) => {
                let Sorted { accepted, refused } = sort(&self.judge_of(token, received), events);
                judged.rejects =
                    refused.into_iter().map(|(json, reject)| refusals.note(0, json.as_bytes(), reject)).collect();
                if judged.rejects.is_empty() {
                    let fresh = accepted.into_iter().filter(|(id, _)| !had.contains(id));
                    fresh.for_each(|(_, accepted)| self.place(accepted, &mut judged));
                }
            }
            Err(message) => judged.rejects.push(refuse(message)),
        }
        judged
    }

    /// A payload that could not be read, again: its rows as if it had been sent now, but for the time.
    pub(crate) fn judge_payload_again(
        &self,
        Times { received, polled }: Times,
        door: &Door,
        token: &Token,
        part: Part,
        body: &[u8],
        judged: &mut Judged,
    ) -> Result<(), Problem> {
        let options = if part == Part::Text { of_text(door) } else { door.read.clone() };
        let reading = Reading { options, part, tables_rows: false, polled };
        self.judge_rows_at(received, door, &reading, token, body, judged)
    }
}

/// How the text of a row is read again, which is UTF-8 by now.
fn of_text(door: &Door) -> ReadOptions {
    ReadOptions { encoding: Encoding::Utf8, ..door.read.clone() }
}

/// What is wrong with a table's row of which there is the text.
fn read_again(text: &str, door: &Door) -> Option<String> {
    let mut rows = rows_of(text.as_bytes().to_vec(), &of_text(door)).ok()?;
    rows.find_map(Result::err).map(|fault| fault.message)
}

/// `why`: what is wrong with the row's form, and nothing of what stands in it.
fn unreadable(why: Option<&str>) -> String {
    why.map_or_else(|| "the row can't be read".to_owned(), |why| format!("the row can't be read: {why}"))
}

fn sort(judge: &Judge<'_>, events: Vec<yiping_feed::Mapped>) -> Sorted {
    let mut sorted = Sorted::default();
    for mapped in events {
        let id = mapped.event.get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
        let json = Value::Object(mapped.event).to_string();
        match judge.judge(json.as_bytes()) {
            Ok(accepted) => sorted.accepted.push((id, accepted)),
            Err(reject) => sorted.refused.push((json, reject)),
        }
    }
    sorted
}
