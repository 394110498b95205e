//! `POST /v1/events`: a request's events are judged, made durable together with its rejects, and only then answered.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use yiping_event::{Code, Reject, Stream};
use yiping_log::NewRecord;
use yiping_runtime::metrics::Outcome;

use crate::body::{self, Encoding};
use crate::judge::{Accepted, Judge, Place};
use crate::problem::Problem;
use crate::rejects::RejectRecord;
use crate::server::Gateway;
use crate::split::Form;
use crate::tokens::Token;

/// Refused at the door, a sender may come back after so many seconds.
const FULL_RETRY_S: u32 = 1;
/// When the log is slow, it needs longer.
const LOG_RETRY_S: u32 = 5;

/// A request that may send its body. `way`: how its body becomes events.
struct Admitted<W> {
    token: Arc<Token>,
    way: W,
    encoding: Encoding,
    room: InFlight,
}

/// What became of a request's events.
#[derive(Default)]
pub(crate) struct Judged {
    accepted: BTreeMap<Stream, u64>,
    pub accepted_events: u64,
    records: Vec<NewRecord>,
    pub rejects: Vec<RejectRecord>,
    dropped_members: u64,
    /// Why the body could not be taken apart at all.
    pub unreadable: Option<String>,
}

pub async fn post(
    State(gateway): State<Arc<Gateway>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    take(gateway, Form::of, Gateway::judge, query, headers, body).await
}

/// Takes a request in. `way` says from its headers how its body becomes events, `judge` does it.
pub async fn take<W: Send + 'static>(
    gateway: Arc<Gateway>,
    way: impl FnOnce(&HeaderMap) -> Result<W, Problem>,
    judge: impl FnOnce(&Gateway, W, &Token, &Bytes) -> Judged + Send + 'static,
    query: Option<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let limit = gateway.deps.limits.max_body_bytes;
    let Admitted { token, way, encoding, room: _room } = match gateway.admit(&headers, way) {
        Ok(admitted) => admitted,
        Err(problem) => {
            body::discard(&headers, body, limit).await;
            return Err(problem);
        }
    };
    let dry_run = query.is_some_and(|query| query.split('&').any(|pair| pair == "dry_run=true" || pair == "dry_run"));
    let packed = body::receive(body, limit).await?;

    // Tens of milliseconds of work for a large body: not on a thread that serves others.
    let judging = {
        let (gateway, token) = (gateway.clone(), token.clone());
        tokio::task::spawn_blocking(move || {
            body::unpack(packed, encoding, limit).map(|body| judge(&gateway, way, &token, &body))
        })
    };
    let judged = judging
        .await
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "judging broke off; nothing was stored"))?;
    let mut judged = judged?;
    if !dry_run {
        gateway.make_durable(&mut judged).await?;
        gateway.count(&judged);
    }
    // (what the log didn't take was our fault, and comes again)
    gateway.meters.charge(&token, judged.events(), (gateway.deps.clock)());
    Ok(judged.answer(dry_run))
}

impl Gateway {
    /// All that can be said before the body is there.
    fn admit<W>(
        self: &Arc<Self>,
        headers: &HeaderMap,
        way: impl FnOnce(&HeaderMap) -> Result<W, Problem>,
    ) -> Result<Admitted<W>, Problem> {
        let token = self.token(headers)?;
        if let Some(seconds) = self.meters.wait_s(&token, (self.deps.clock)()) {
            let rate = token.events_per_s.map_or(0, NonZeroU32::get);
            let detail = format!("this token may send {rate} events a second; send the same events again later");
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
            return Err(problem.retry_after(seconds).because("token_rate"));
        }
        let way = way(headers)?;
        let encoding = Encoding::of(headers)?;
        let need = body::need(headers, encoding, self.deps.limits.max_body_bytes)?;
        Ok(Admitted { token, way, encoding, room: InFlight::enter(self, need)? })
    }

    fn judge(&self, form: Form, token: &Token, body: &Bytes) -> Judged {
        let mut judged = Judged::default();
        let now = (self.deps.clock)();
        let items = match form.split(body) {
            Ok(items) => items,
            Err(why) => {
                judged.rejects.push(RejectRecord::new(
                    now,
                    token,
                    0,
                    body,
                    Reject::new(Code::BadJson, "", why.clone()),
                ));
                judged.unreadable = Some(why);
                return judged;
            }
        };
        let judge = Judge { city: &self.deps.city, token, now };
        for item in items {
            match judge.judge(item.bytes) {
                Ok(accepted) => self.place(accepted, &mut judged),
                Err(reject) => judged.rejects.push(RejectRecord::new(now, token, item.index, item.bytes, reject)),
            }
        }
        judged
    }

    /// Turns an accepted event into the records that it becomes.
    pub(crate) fn place(&self, accepted: Accepted, judged: &mut Judged) {
        let Accepted { streams, place, json, dropped_members } = accepted;
        judged.dropped_members += dropped_members;
        judged.accepted_events += 1;
        let payload = Bytes::from(json);
        for stream in streams {
            *judged.accepted.entry(stream).or_default() += 1;
            let record =
                |partition, key| NewRecord { topic: stream.topic().into(), partition, key, payload: payload.clone() };
            match &place {
                Place::ByKey(key) => judged.records.push(record(None, Some(Bytes::copy_from_slice(key.as_bytes())))),
                Place::EveryPartition => {
                    let count = self.partitions.get(&stream).copied().unwrap_or(0);
                    judged.records.extend((0..count).map(|partition| record(Some(partition), None)));
                }
            }
        }
    }

    /// Appends events and rejects in one go; returns when all are durable.
    async fn make_durable(&self, judged: &mut Judged) -> Result<(), Problem> {
        let mut records = std::mem::take(&mut judged.records);
        for reject in &judged.rejects {
            match reject.record() {
                Ok(record) => records.push(record),
                Err(error) => {
                    tracing::error!(%error, "a reject can't be written");
                    return Err(log_busy());
                }
            }
        }
        let appended = tokio::time::timeout(self.deps.limits.append_timeout, self.deps.log.append(records)).await;
        let why = match appended {
            Ok(Ok(_)) => {
                if self.cut_off.swap(false, Ordering::Relaxed) {
                    self.deps.health.ready();
                }
                return Ok(());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {:?}", self.deps.limits.append_timeout),
        };
        tracing::error!(error = why, "the log takes nothing");
        self.cut_off.store(true, Ordering::Relaxed);
        self.deps.health.not_ready(format!("cut off from the log: {why}"));
        Err(log_busy())
    }

    fn count(&self, judged: &Judged) {
        let metrics = &self.deps.metrics;
        for (stream, count) in &judged.accepted {
            metrics.gateway.accepted.with_label_values(&[stream.as_str()]).inc_by(*count);
        }
        for reject in &judged.rejects {
            metrics.gateway.rejected.with_label_values(&[reject.code.as_str()]).inc();
            metrics.count(reject.stream.map_or("unknown", |stream| stream.as_str()), Outcome::Rejected, 1);
        }
        metrics.gateway.dropped_members.inc_by(judged.dropped_members);
    }
}

/// The answer when the log is slow or away.
pub fn log_busy() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the log can't take more; send the same events again")
        .retry_after(LOG_RETRY_S)
}

impl Judged {
    /// How many events the request had.
    fn events(&self) -> u64 {
        self.accepted_events + self.rejects.len() as u64
    }

    fn answer(self, dry_run: bool) -> Response {
        let rejected: Vec<Value> = self
            .rejects
            .iter()
            .map(
                |r| json!({ "index": r.index, "id": r.id, "code": r.code, "pointer": r.pointer, "message": r.message }),
            )
            .collect();
        let accepted = self.accepted_events;
        // (a feed's map may leave every row out)
        if accepted > 0 || rejected.is_empty() {
            // 202 says durable, which a dry run is not.
            let status = if dry_run { StatusCode::OK } else { StatusCode::ACCEPTED };
            return (status, Json(json!({ "accepted": accepted, "rejected": rejected }))).into_response();
        }
        let all = |codes: &[Code]| self.rejects.iter().all(|reject| codes.contains(&reject.code));
        let (status, detail) = match &self.unreadable {
            Some(why) => (StatusCode::BAD_REQUEST, why.as_str()),
            None if all(&[Code::BadJson]) => (StatusCode::BAD_REQUEST, "nothing readable"),
            None if all(&[Code::WrongStream, Code::WrongSource, Code::NotAllowed]) => {
                (StatusCode::FORBIDDEN, "this token may send none of these events")
            }
            None => (StatusCode::UNPROCESSABLE_ENTITY, "all events were rejected"),
        };
        Problem::new(status, detail).with("accepted", json!(0)).with("rejected", json!(rejected)).into_response()
    }
}

/// The room that a body takes for as long as it is being worked on, also in the gauge.
struct InFlight {
    gateway: Arc<Gateway>,
    bytes: i64,
    _room: OwnedSemaphorePermit,
}

impl InFlight {
    fn enter(gateway: &Arc<Gateway>, bytes: usize) -> Result<Self, Problem> {
        let full =
            || Problem::new(StatusCode::TOO_MANY_REQUESTS, "too much is being worked on").retry_after(FULL_RETRY_S);
        let wanted = u32::try_from(bytes).map_err(|_| full())?;
        let room = gateway.room.clone().try_acquire_many_owned(wanted).map_err(|_| full())?;
        gateway.deps.metrics.gateway.in_flight_bytes.add(i64::from(wanted));
        Ok(Self { gateway: gateway.clone(), bytes: i64::from(wanted), _room: room })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.gateway.deps.metrics.gateway.in_flight_bytes.sub(self.bytes);
    }
}
