//! `POST /v1/feeds/NAME`: a department's own payload, row by row through that feed's map. What the map makes is judged like any event;
//! a row that it can't read is a reject of its own (`bad_feed`).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use yiping_event::{Code, Reject};
use yiping_feed::{Feed, MapError, ReadOptions, rows_of};

use crate::intake::{self, Judged};
use crate::judge::Judge;
use crate::problem::Problem;
use crate::rejects::RejectRecord;
use crate::server::Gateway;
use crate::split::MAX_EVENTS;
use crate::tokens::Token;

/// A department's feed: how its payload is read, and what makes events of the rows.
pub struct Door {
    pub feed: Feed,
    pub read: ReadOptions,
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
        Some(door) => Ok(door.clone()),
        None => Err(Problem::new(StatusCode::NOT_FOUND, "there is no such feed; the settings name them: [feeds.NAME]")),
    };
    let judge =
        |gateway: &Gateway, door: Arc<Door>, token: &Token, body: &Bytes| gateway.judge_rows(&door, token, body);
    intake::take(gateway, |_| door, judge, query, headers, body).await
}

impl Gateway {
    fn judge_rows(&self, door: &Door, token: &Token, body: &Bytes) -> Judged {
        let mut judged = Judged::default();
        let now = (self.deps.clock)();
        let refuse = |index, sent: &[u8], message: String| {
            RejectRecord::new(now, token, index, sent, Reject::new(Code::BadFeed, "", message))
        };
        let rows = match rows_of(body.to_vec(), &door.read) {
            Ok(rows) => rows,
            Err(_) => {
                // (the reader's own words may repeat what was sent)
                let why = format!("the body is not what this feed sends: {}", door.read.format.as_str());
                judged.rejects.push(refuse(0, body, why.clone()));
                judged.unreadable = Some(why);
                return judged;
            }
        };
        let judge = Judge { city: &self.deps.city, token, now };
        let mut made = 0;
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
        judged
    }
}

/// What went wrong, without what stood in the row: it goes into answers and tables.
fn said(error: &MapError) -> String {
    match error {
        MapError::Missing(member) => format!("the map gave an event without {member}"),
        MapError::BadTime { member, .. } => format!("the map gave a {member} that is no RFC 3339 time with offset"),
        MapError::NotAnObject(_) => "the map gave something that is no object".to_owned(),
        MapError::TooMany => "the map gave too many events".to_owned(),
        MapError::Run(_) | MapError::Read(_) | MapError::Compile(_) => {
            "the map failed on this row; try it with `yiping feed test --map MAP FILE`".to_owned()
        }
    }
}
