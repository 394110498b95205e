//! `POST /v1/feeds/NAME`: a department's own payload, row by row through that feed's map. What the map makes is judged like any event;
//! a row that it can't read is a reject of its own (`bad_feed`).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::json;
use yiping_event::{Code, Reject, TimeMs};
use yiping_feed::{Feed, Format, MapError, ReadOptions, UnknownCode, rows_of};

use crate::intake::{self, Judged};
use crate::judge::Judge;
use crate::personal;
use crate::problem::Problem;
use crate::rejects::RejectRecord;
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
    fn reading(&self, headers: &HeaderMap) -> ReadOptions {
        let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match media.split(';').next().unwrap_or_default().trim() {
            "application/x-ndjson" if self.read.format != Format::Ndjson => ReadOptions::new(Format::Ndjson),
            _ => self.read.clone(),
        }
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
        Some(door) => Ok((door.reading(&headers), door.clone())),
        None => Err(Problem::new(StatusCode::NOT_FOUND, "there is no such feed; the settings name them: [feeds.NAME]")),
    };
    let judge = |gateway: &Gateway, (read, door): (ReadOptions, Arc<Door>), token: &Token, body: &Bytes| {
        gateway.judge_rows(&door, &read, token, body)
    };
    intake::take(gateway, |_| door, judge, query, headers, body).await
}

impl Gateway {
    fn judge_rows(&self, door: &Door, read: &ReadOptions, token: &Token, body: &Bytes) -> Judged {
        let mut judged = Judged::default();
        let now = (self.deps.clock)();
        let refuse = |index, sent: &[u8], message: String| {
            RejectRecord::new(now, token, index, sent, Reject::new(Code::BadFeed, "", message))
        };
        let rows = match rows_of(body.to_vec(), read) {
            Ok(rows) => rows,
            Err(_) => {
                // (the reader's own words may repeat what was sent)
                let why = format!("the body is not what this feed sends: {}", read.format.as_str());
                judged.rejects.push(refuse(0, body, why.clone()));
                judged.unreadable = Some(why);
                return judged;
            }
        };
        let judge = Judge { city: &self.deps.city, token, now };
        let (mut made, mut changeovers) = (0, 0);
        for row in rows {
            let (index, raw, events) = match row {
                Ok(row) => {
                    let raw = row.value.to_string();
                    (row.number, raw, door.feed.events(row.value).map_err(|error| said(&error)))
                }
                Err(fault) => (fault.number, fault.raw.unwrap_or_default(), Err("the row can't be read".to_owned())),
            };
            let index = usize::try_from(index).unwrap_or(usize::MAX).saturating_sub(1);
            made += events.as_ref().map_or(1, Vec::len);
            if made > MAX_EVENTS {
                let why = format!("a body may have {MAX_EVENTS} events");
                let mut none = Judged::default();
                none.rejects.push(refuse(0, body, why.clone()));
                none.unreadable = Some(why);
                return none;
            }
            match events {
                Ok(events) => {
                    changeovers += events.iter().filter(|mapped| mapped.changeover).count();
                    for mapped in events {
                        let json = serde_json::Value::Object(mapped.event).to_string();
                        match judge.judge(json.as_bytes()) {
                            Ok(accepted) => self.place(accepted, &mut judged),
                            Err(reject) => {
                                judged.rejects.push(RejectRecord::new(now, token, index, json.as_bytes(), reject));
                            }
                        }
                    }
                }
                Err(message) => judged.rejects.push(refuse(index, raw.as_bytes(), message)),
            }
        }
        if changeovers > 0 {
            let feed = &door.feed.name;
            tracing::warn!(
                feed,
                events = changeovers,
                "local times in an hour that a clock change repeats or leaves out"
            );
        }
        // (a token that may not speak for the feed's source has been told so by its events)
        if let Some(Ok(beat)) = door.heartbeat(now).map(|beat| judge.judge(&beat)) {
            self.place(beat, &mut judged);
            judged.accepted_events -= 1;
        }
        judged
    }
}

/// What went wrong, without what stood in the row: it goes into answers and tables.
fn said(error: &MapError) -> String {
    match error {
        MapError::Missing(member) => format!("the map gave an event without {member}"),
        MapError::BadTime { member, .. } => format!("the map gave a {member} that is no RFC 3339 time with offset"),
        MapError::NotAnObject(_) => "the map gave something that is no object".to_owned(),
        MapError::OtherStream { wanted, found } => {
            format!("the map gave an event of {found}; this feed is of {wanted}")
        }
        MapError::UnknownCode(UnknownCode { table, code }) if code.len() <= 40 && personal::find(code).is_none() => {
            format!("the table {table:?} has no code {code:?}")
        }
        MapError::UnknownCode(UnknownCode { table, .. }) => format!("the table {table:?} has no such code"),
        MapError::TooMany => "the map gave too many events".to_owned(),
        MapError::Run(_) | MapError::Read(_) | MapError::Compile(_) => {
            "the map failed on this row; try it with `yiping feed test --map MAP FILE`".to_owned()
        }
    }
}
