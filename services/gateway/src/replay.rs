//! `POST /v1/rejects/replay`: what was refused, through the same door again: as the token that sent it, with the map that its feed has
//! now, and received when it was received. What is taken is marked in the same append, so that it isn't sent a third time.
//!
//! The bytes come from an operator who can open them (`yiping rejects replay`); the gateway can't. An event or a row is taken whole or
//! not at all, and what is refused again leaves no further reject.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use yiping_event::{Code, TimeMs};

use crate::body;
use crate::feeds::Times;
use crate::intake::{Admitted, Judged};
use crate::problem::Problem;
use crate::rejects::{Mark, Part, RejectId};
use crate::server::Gateway;
use crate::split::Form;
use crate::tokens::{Right, Token};

/// A reject as it is sent again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReplayItem {
    /// Which it was.
    pub reject: String,
    /// The token's name that sent it; its streams and sources of now hold.
    pub token: String,
    pub feed: Option<String>,
    pub part: Part,
    /// When it was refused; the log time of what it becomes.
    #[serde(with = "yiping_event::time::rfc3339")]
    pub time: TimeMs,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "yiping_event::time::rfc3339::option")]
    pub polled: Option<TimeMs>,
    #[serde(default)]
    pub accepted: Vec<String>,
    /// What was sent, base64.
    pub bytes: String,
}

impl ReplayItem {
    /// `bytes`: what was sealed in it.
    #[must_use]
    pub fn of(at: RejectId, reject: &crate::RejectRecord, bytes: &[u8]) -> Self {
        Self {
            reject: at.to_string(),
            token: reject.token.clone(),
            feed: reject.feed.clone(),
            part: reject.part,
            time: reject.time,
            polled: reject.polled,
            accepted: reject.accepted.clone(),
            bytes: BASE64.encode(bytes),
        }
    }
}

/// What became of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    pub reject: String,
    /// How many events went into the log.
    pub accepted: u64,
    /// Why not: empty where it is in, also where it became no event.
    pub rejected: Vec<Again>,
}

/// Why something is refused again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    pub code: Code,
    pub pointer: String,
    pub message: String,
}

pub async fn post(State(gateway): State<Arc<Gateway>>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let (limit, time) = (gateway.deps.limits.max_body_bytes, gateway.deps.limits.body_timeout);
    let admitted = gateway.admit(None, &headers, |_| Ok(())).and_then(|admitted| {
        let may = admitted.token.has(Right::Replay);
        let refuse =
            || Problem::new(StatusCode::FORBIDDEN, "sending rejects again needs a token with the right replay");
        if may { Ok(admitted) } else { Err(refuse()) }
    });
    let Admitted { token, encoding, mut room, .. } = match admitted {
        Ok(admitted) => admitted,
        Err(problem) => {
            let ended = body::discard(&headers, body, limit, time).await;
            return Err(if ended { problem } else { problem.closing() });
        }
    };
    let packed = body::receive(body, limit, time, &mut room).await?;
    let judging = {
        let (gateway, token) = (gateway.clone(), token.clone());
        tokio::task::spawn_blocking(move || {
            let body = body::unpack(packed, encoding, limit, &mut room)?;
            let items: Vec<ReplayItem> = serde_json::from_slice(&body).map_err(|fault| {
                Problem::bad_request(format!("not a list of rejects: line {}, column {}", fault.line(), fault.column()))
            })?;
            let mut judged = Judged::default();
            let told = items.iter().map(|item| gateway.again(item, &token, &mut judged));
            let told = told.collect::<Result<Vec<_>, Problem>>()?;
            Ok::<_, Problem>((judged, told, room))
        })
    };
    let (mut judged, told, _room) = judging
        .await
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "judging broke off; nothing was stored"))??;
    gateway.make_durable(&mut judged).await?;
    gateway.count(&judged);
    Ok((StatusCode::ACCEPTED, Json(serde_json::json!({ "replayed": told }))).into_response())
}

impl Gateway {
    /// Judges one, and adds what it becomes.
    fn again(&self, item: &ReplayItem, by: &Token, judged: &mut Judged) -> Result<Replayed, Problem> {
        let told = |accepted, rejected| Ok(Replayed { reject: item.reject.clone(), accepted, rejected });
        let refuse =
            |code, message: &str| told(0, vec![Again { code, pointer: String::new(), message: message.to_owned() }]);
        let Some(token) = self.token_named(&item.token) else {
            return refuse(Code::NotAllowed, "the token that sent it is no more: make one of that name");
        };
        let Ok(bytes) = BASE64.decode(&item.bytes) else {
            return refuse(Code::BadJson, "its bytes are no base64");
        };
        let now = (self.deps.clock)();
        let received = item.time.min(now);
        let door = match &item.feed {
            None => None,
            Some(name) => match self.deps.feeds.get(name) {
                Some(door) => Some(door),
                None => return refuse(Code::BadFeed, "its feed is in the settings no more"),
            },
        };
        let mut one = Judged::default();
        match (item.part, door) {
            (Part::Event, None) => self.judge_at(received, Form::One, &token, &bytes, &mut one)?,
            (Part::Array, None) => self.judge_at(received, Form::Array, &token, &bytes, &mut one)?,
            (Part::Lines, None) => self.judge_at(received, Form::Lines, &token, &bytes, &mut one)?,
            (Part::Row, Some(door)) => {
                let times = Times { received, polled: item.polled };
                one = self.judge_row_again(times, door, &token, &bytes, &item.accepted);
            }
            (Part::Text | Part::Body, Some(door)) => {
                let times = Times { received, polled: item.polled };
                self.judge_payload_again(times, door, &token, item.part, &bytes, &mut one)?;
            }
            _ => return refuse(Code::BadJson, "nothing is kept of it that could be sent again"),
        }
        let rejected: Vec<_> = one
            .rejects
            .iter()
            .map(|r| Again { code: r.code, pointer: r.pointer.clone(), message: r.message.clone() })
            .collect();
        // a whole body that can be read now is in, and what is refused of it has rejects of its own
        let whole = matches!(item.part, Part::Array | Part::Lines | Part::Body) && one.unreadable.is_none();
        if rejected.is_empty() || whole {
            let events = one.accepted();
            judged.add(one);
            judged.marks.push(Mark { replayed: item.reject.clone(), time: now, events, token: by.name.clone() });
            return told(events, rejected);
        }
        told(0, rejected)
    }

    /// The permission of whoever sent something, as it is now.
    fn token_named(&self, name: &str) -> Option<Arc<Token>> {
        let inlet = self.deps.inlets.values().find(|token| token.name == name).cloned();
        inlet.or_else(|| self.deps.tokens.named(name))
    }
}
