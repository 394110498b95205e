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
use serde::Serialize;
use yiping_event::{Code, Reject, Stream, TimeMs};
use yiping_log::NewRecord;
use yiping_runtime::metrics::Outcome;

use crate::body::{self, Encoding};
use crate::judge::{Accepted, Judge, Place, Timing};
use crate::origin::Origin;
use crate::problem::Problem;
use crate::rejects::{Mark, Part, Refusals, RejectRecord};
use crate::room::Place as Room;
use crate::server::Gateway;
use crate::split::{Form, check_depth};
use crate::tokens::Token;

/// When the log is slow, it needs longer.
const LOG_RETRY_S: u32 = 5;

/// A request that may send its body. `way`: how its body becomes events.
pub(crate) struct Admitted<W> {
    pub token: Arc<Token>,
    pub way: W,
    pub encoding: Encoding,
    /// Whether its events are only judged.
    pub dry_run: bool,
    /// Whether what is refused becomes a reject: not where whoever sends it has the row that it is of, and sends that next.
    pub keep_rejects: bool,
    pub origin: Origin,
    pub room: Room,
}

/// What became of a request's events.
#[derive(Default)]
pub(crate) struct Judged {
    accepted: BTreeMap<Stream, u64>,
    /// Of a feed's payload: how many were read, also such as became nothing.
    pub rows: Option<u64>,
    pub accepted_events: u64,
    /// Of the accepted ones: too late to be counted, and set aside as of times to come.
    late: u64,
    ahead: u64,
    records: Vec<NewRecord>,
    pub rejects: Vec<RejectRecord>,
    /// The rejects are answered, and neither kept nor counted.
    are_rejects_told_only: bool,
    /// Rejects of before that were sent again and are in.
    pub marks: Vec<Mark>,
    dropped_members: u64,
    /// Why the body could not be taken apart at all.
    pub unreadable: Option<String>,
    /// What the request holds of the gateway's memory, until this is dropped.
    room: Option<Room>,
}

pub async fn post(
    State(gateway): State<Arc<Gateway>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    take(gateway, body::form, Gateway::judge, query, headers, body).await
}

/// Takes a request in. `way` says from its headers how its body becomes events, `judge` does it.
pub async fn take<W: Send + 'static>(
    gateway: Arc<Gateway>,
    way: impl FnOnce(&HeaderMap) -> Result<W, Problem>,
    judge: impl FnOnce(&Gateway, W, &Token, &Bytes, &mut Judged) -> Result<(), Problem> + Send + 'static,
    query: Option<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (limit, time) = (gateway.deps.limits.max_body_bytes, gateway.deps.limits.body_timeout);
    let Admitted { token, way, encoding, dry_run, keep_rejects, origin, mut room } =
        match gateway.admit(query.as_deref(), &headers, way) {
            Ok(admitted) => admitted,
            Err(problem) => {
                let ended = body::discard(&headers, body, limit, time).await;
                return Err(if ended { problem } else { problem.closing() });
            }
        };
    let packed = body::receive(body, limit, time, &mut room).await?;

    // Tens of milliseconds of work for a large body: not on a thread that serves others.
    let judging = {
        let (gateway, token) = (gateway.clone(), token.clone());
        tokio::task::spawn_blocking(move || {
            let body = body::unpack(packed, encoding, limit, &mut room)?;
            // (what is accepted is about as large as the body, so its room is kept until it is stored)
            let mut judged = Judged { room: Some(room), ..Judged::default() };
            judge(&gateway, way, &token, &body, &mut judged)?;
            judged.rejects.iter_mut().for_each(|reject| origin.tell(reject));
            Ok(judged)
        })
    };
    let judged: Result<_, Problem> = judging
        .await
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "judging broke off; nothing was stored"))?;
    let mut judged = judged?;
    judged.are_rejects_told_only = !keep_rejects;
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
    pub(crate) fn admit<W>(
        self: &Arc<Self>,
        query: Option<&str>,
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
        body::fits(headers, self.deps.limits.max_body_bytes)?;
        let (dry_run, keep_rejects) = (flag(query, "dry_run", false)?, flag(query, "keep_rejects", true)?);
        let origin = Origin::of(headers)?;
        let room = self.room.enter(&token.name);
        Ok(Admitted { token, way, encoding, dry_run, keep_rejects, origin, room })
    }

    fn judge(&self, form: Form, token: &Token, body: &Bytes, judged: &mut Judged) -> Result<(), Problem> {
        self.judge_at((self.deps.clock)(), form, token, body, judged)
    }

    /// The same, as it was received at `now`.
    ///
    /// # Errors
    /// Its rejects don't fit into the gateway's memory now.
    pub(crate) fn judge_at(
        &self,
        now: TimeMs,
        form: Form,
        token: &Token,
        body: &[u8],
        judged: &mut Judged,
    ) -> Result<(), Problem> {
        let refusals = Refusals { time: now, token, seal: &self.deps.seal, feed: None, polled: None };
        let items = match form.split(body) {
            Ok(items) => items,
            Err(why) => {
                let part = match form {
                    Form::One => Part::Event,
                    Form::Array => Part::Array,
                    Form::Lines => Part::Lines,
                };
                let reject = refusals.of(0, part, body, Reject::new(Code::BadJson, "", why.clone()));
                return judged.unreadable(why, reject);
            }
        };
        let judge = self.judge_of(token, now);
        for item in items {
            match check_depth(item.bytes).and_then(|()| judge.judge(item.bytes)) {
                Ok(accepted) => self.place(accepted, judged),
                Err(reject) => judged.refuse(refusals.of(item.index, Part::Event, item.bytes, reject))?,
            }
        }
        Ok(())
    }

    /// What a token's events are judged by that were received at `now`.
    pub(crate) fn judge_of<'a>(&'a self, token: &'a Token, now: TimeMs) -> Judge<'a> {
        Judge {
            city: &self.deps.city,
            pseudonyms: self.deps.pseudonyms.as_ref(),
            token,
            now,
            lateness: &self.deps.lateness,
        }
    }

    /// Turns an accepted event into the records that it becomes.
    pub(crate) fn place(&self, accepted: Accepted, judged: &mut Judged) {
        let Accepted { streams, place, json, timing, dropped_members } = accepted;
        judged.late += u64::from(timing == Timing::Late);
        judged.ahead += u64::from(timing == Timing::Ahead);
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
    pub(crate) async fn make_durable(&self, judged: &mut Judged) -> Result<(), Problem> {
        let mut records = std::mem::take(&mut judged.records);
        let kept = if judged.are_rejects_told_only { &mut [] } else { judged.rejects.as_mut_slice() };
        let rejects = kept.iter_mut().map(|reject| {
            let record = reject.record();
            reject.sealed = String::new(); // (large, and in the record now)
            record
        });
        for record in rejects.chain(judged.marks.iter().map(Mark::record)) {
            match record {
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

    pub(crate) fn count(&self, judged: &Judged) {
        let metrics = &self.deps.metrics;
        for (stream, count) in &judged.accepted {
            metrics.gateway.accepted.with_label_values(&[stream.as_str()]).inc_by(*count);
        }
        for reject in judged.rejects.iter().filter(|_| !judged.are_rejects_told_only) {
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
    /// The body could not be taken apart.
    pub fn unreadable(&mut self, why: String, reject: RejectRecord) -> Result<(), Problem> {
        self.unreadable = Some(why);
        self.refuse(reject)
    }

    /// Nothing has been judged yet.
    pub fn clear(&mut self) {
        *self = Self { room: self.room.take(), ..Self::default() };
    }

    /// Adds a reject, and takes its room: of a body of nothing but faults much more than its bytes.
    ///
    /// # Errors
    /// There is none now.
    pub fn refuse(&mut self, reject: RejectRecord) -> Result<(), Problem> {
        if let Some(room) = &mut self.room {
            room.stretch(reject.cost())?;
        }
        self.rejects.push(reject);
        Ok(())
    }

    /// How many events the request had.
    pub fn events(&self) -> u64 {
        self.accepted_events + self.rejects.len() as u64
    }

    pub fn accepted(&self) -> u64 {
        self.accepted_events
    }

    /// Adds what another part of the same request became.
    pub fn add(&mut self, other: Judged) {
        let Judged { accepted, accepted_events, late, ahead, records, rejects, marks, dropped_members, .. } = other;
        self.late += late;
        self.ahead += ahead;
        for (stream, count) in accepted {
            *self.accepted.entry(stream).or_default() += count;
        }
        self.accepted_events += accepted_events;
        self.records.extend(records);
        self.rejects.extend(rejects);
        self.marks.extend(marks);
        self.dropped_members += dropped_members;
    }

    fn answer(self, dry_run: bool) -> Response {
        let rejected: Vec<Told<'_>> = self.rejects.iter().map(Told::of).collect();
        let accepted = self.accepted_events;
        // (a feed's map may leave every row out)
        if accepted > 0 || rejected.is_empty() {
            // 202 says durable, which a dry run is not.
            let status = if dry_run { StatusCode::OK } else { StatusCode::ACCEPTED };
            let Self { rows, late, ahead, .. } = self;
            return (status, Json(Answer { accepted, rejected, rows, late, ahead })).into_response();
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
        Problem::new(status, detail).with("accepted", &0).with("rejected", &rejected).into_response()
    }
}

/// The answer to a request of which something is in.
#[derive(Serialize)]
struct Answer<'a> {
    accepted: u64,
    rejected: Vec<Told<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "is_zero")]
    late: u64,
    #[serde(skip_serializing_if = "is_zero")]
    ahead: u64,
}

/// What a sender is told of a reject.
#[derive(Serialize)]
struct Told<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<u64>,
    id: Option<&'a str>,
    code: Code,
    pointer: &'a str,
    message: &'a str,
}

impl<'a> Told<'a> {
    fn of(reject: &'a RejectRecord) -> Self {
        let RejectRecord { index, row, id, code, pointer, message, .. } = reject;
        Self { index: *index, row: *row, id: id.as_deref(), code: *code, pointer, message }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What a request asks for by `name=true` or `name=false`. A word that isn't understood is refused: what was meant as a trial would
/// be stored.
fn flag(query: Option<&str>, name: &str, usual: bool) -> Result<bool, Problem> {
    let pairs = query.unwrap_or_default().split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "true")));
    let mut asked = pairs.filter(|(asked, _)| *asked == name);
    match (asked.next(), asked.next()) {
        (None, _) => Ok(usual),
        (Some((_, "true")), None) => Ok(true),
        (Some((_, "false")), None) => Ok(false),
        _ => Err(Problem::bad_request(format!("{name} is true or false"))),
    }
}
