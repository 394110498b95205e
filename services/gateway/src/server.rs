//! The HTTP server: routes, and who is asking.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use axum::extract::{MatchedPath, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use yiping_city::City;
use yiping_event::Stream;
use yiping_log::Log;
use yiping_runtime::{Metrics, PartHandle};

use crate::clock::Clock;
use crate::connections::{self, Bounds};
use crate::feeds::{self, Feeds};
use crate::grumble::{Grumbles, NOBODY};
use crate::inlet::{self, Inlets};
use crate::intake;
use crate::judge::Lateness;
use crate::meter::Meters;
use crate::offer::Offer;
use crate::problem::{Problem, Reason};
use crate::pseudonym::Pseudonyms;
use crate::rejects::{self, REJECTS_TOPIC};
use crate::replay;
use crate::room::Room;
use crate::seal::Seal;
use crate::tls::Tls;
use crate::tokens::{Refused, Token, Tokens};

/// A token's list shows so many rejects unless asked for fewer or more.
const LISTED: usize = 100;
const LISTED_MOST: usize = 1_000;

/// What the gateway works with.
pub struct GatewayDeps {
    pub log: Arc<dyn Log>,
    pub city: Arc<City>,
    pub tokens: Arc<Tokens>,
    pub feeds: Feeds,
    /// Departments' own topics; none: nothing is read but what comes over HTTP.
    pub inlets: Inlets,
    /// How late the events of each stream may be: the answers tell what came later.
    pub lateness: Lateness,
    /// Closes what is kept of rejects.
    pub seal: Seal,
    /// Absent: events that need a pseudonym are refused.
    pub pseudonyms: Option<Pseudonyms>,
    pub clock: Clock,
    pub metrics: Metrics,
    pub health: PartHandle,
    pub limits: Limits,
    /// Plain HTTP without.
    pub tls: Option<Tls>,
    /// Partitions of the streams' topics where they have to be made.
    pub partitions: u32,
}

/// What one gateway takes.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Of a body, packed and unpacked.
    pub max_body_bytes: usize,
    /// Of all bodies being worked on.
    pub max_in_flight_bytes: usize,
    /// A body has so long to come in.
    pub body_timeout: Duration,
    /// The log has so long to make a request durable.
    pub append_timeout: Duration,
    /// Connections at once.
    pub max_connections: usize,
    /// A connection on which nothing is worked on is closed after so long; the head of a request is to be there by then.
    pub idle_timeout: Duration,
}

impl From<&yiping_runtime::config::Gateway> for Limits {
    fn from(settings: &yiping_runtime::config::Gateway) -> Self {
        Self {
            max_body_bytes: settings.max_body_bytes,
            max_in_flight_bytes: settings.max_in_flight_bytes,
            body_timeout: settings.body_timeout,
            append_timeout: settings.append_timeout,
            max_connections: settings.max_connections,
            idle_timeout: settings.idle_timeout,
        }
    }
}

/// What requests share.
pub(crate) struct Gateway {
    pub deps: GatewayDeps,
    pub offer: Offer,
    /// Bytes of bodies that may still come in.
    pub room: Arc<Room>,
    /// How many partitions each stream's topic really has.
    pub partitions: BTreeMap<Stream, u32>,
    pub meters: Meters,
    pub grumbles: Grumbles,
    /// The log refused the last request.
    pub cut_off: AtomicBool,
}

/// Serves until `cancel`; requests that are being worked on are answered. Makes the topics that are not there.
///
/// # Errors
/// The log can't be reached at the start.
pub async fn serve(listener: TcpListener, mut deps: GatewayDeps, cancel: CancellationToken) -> anyhow::Result<()> {
    let mut partitions = BTreeMap::new();
    for stream in Stream::ALL {
        let count = deps.log.ensure_topic(stream.topic(), deps.partitions).await;
        partitions.insert(stream, count.with_context(|| format!("topic {}", stream.topic()))?);
    }
    deps.log.ensure_topic(REJECTS_TOPIC, 1).await.with_context(|| format!("topic {REJECTS_TOPIC}"))?;
    let tls = deps.tls.take();
    let bounds = Bounds { connections: deps.limits.max_connections, rest: deps.limits.idle_timeout };
    let room = Room::new(deps.limits.max_in_flight_bytes, deps.limits.max_body_bytes, deps.metrics.clone());
    let (offer, meters, grumbles, cut_off) =
        (Offer::read()?, Meters::default(), Grumbles::default(), AtomicBool::new(false));
    let gateway = Arc::new(Gateway { offer, room, partitions, meters, grumbles, cut_off, deps });
    let router = routes()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .fallback(async || {
            Problem::new(
                StatusCode::NOT_FOUND,
                "there is POST /v1/events, POST /v1/feeds/NAME, GET /v1/streams, GET /v1/rejects",
            )
        })
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method"))
        .layer(from_fn_with_state(gateway.clone(), count_answer))
        .with_state(gateway.clone());
    gateway.deps.health.ready();
    let metrics = gateway.deps.metrics.clone();
    let inlets = inlet::run(gateway, cancel.clone());
    let served = async {
        connections::serve(listener, router, tls, bounds, metrics, cancel).await;
        anyhow::Ok(())
    };
    tokio::try_join!(served, inlets)?;
    Ok(())
}

/// All that is answered; `schemas/openapi.yaml` says the same, and a test holds it to this.
fn routes() -> [(&'static str, MethodRouter<Arc<Gateway>>); 5] {
    [
        ("/v1/events", post(intake::post)),
        ("/v1/feeds/{name}", post(feeds::post)),
        ("/v1/streams", get(streams)),
        ("/v1/rejects", get(own_rejects)),
        ("/v1/rejects/replay", post(replay::post)),
    ]
}

/// The paths that are answered, with `{name}` where a name stands.
pub fn paths() -> Vec<&'static str> {
    routes().map(|(path, _)| path).to_vec()
}

impl Gateway {
    /// The permission of whoever sent these headers.
    pub fn token(&self, headers: &HeaderMap) -> Result<Arc<Token>, Problem> {
        let given = headers.get(header::AUTHORIZATION);
        self.token_of(given.ok_or_else(|| unauthorized("send Authorization: Bearer TOKEN"))?)
    }

    fn token_of(&self, given: &HeaderValue) -> Result<Arc<Token>, Problem> {
        let bearer = given
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let (_, token) = bearer.ok_or_else(|| unauthorized("send Authorization: Bearer TOKEN"))?;
        self.deps.tokens.check(token.trim(), (self.deps.clock)()).map_err(|refused| match refused {
            Refused::Unknown => unauthorized("nobody has this token").because("unknown_token"),
            Refused::Expired => unauthorized("this token has expired; ask for a new one").because("expired_token"),
        })
    }
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, detail)
}

/// Counts every answer by its status, and refusals by their reason, and tells those in the log: of requests without a valid token this
/// is all that is kept.
async fn count_answer(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    // (a path that is no route's may be anything)
    let path = request.extensions().get::<MatchedPath>().cloned();
    let credentials = request.headers().get(header::AUTHORIZATION).cloned();
    let answer = next.run(request).await;
    let metrics = &gateway.deps.metrics.gateway;
    metrics.requests.with_label_values(&[answer.status().as_str()]).inc();
    if let Some(Reason(reason)) = answer.extensions().get() {
        metrics.refused.with_label_values(&[*reason]).inc();
        let token = credentials.and_then(|given| gateway.token_of(&given).ok());
        let token = token.as_ref().map_or(NOBODY, |token| &token.name);
        if let Some(times) = gateway.grumbles.due(token, reason, (gateway.deps.clock)()) {
            let (status, path) = (answer.status().as_u16(), path.as_ref().map_or("-", MatchedPath::as_str));
            tracing::warn!(token, reason, status, path, times, "requests refused");
        }
    }
    answer
}

async fn streams(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Result<Response, Problem> {
    let token = if headers.contains_key(header::AUTHORIZATION) { Some(gateway.token(&headers)?) } else { None };
    Ok(Json(gateway.offer.to(token.as_deref(), &gateway.deps.limits)).into_response())
}

async fn own_rejects(
    State(gateway): State<Arc<Gateway>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let token = gateway.token(&headers)?;
    let asked = query.as_deref().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("limit=")));
    let limit = match asked.map(str::parse::<usize>) {
        None => LISTED,
        Some(Ok(limit)) => limit.min(LISTED_MOST),
        Some(Err(_)) => return Err(Problem::bad_request("limit is a number")),
    };
    let newest = rejects::newest(&*gateway.deps.log, &token.name, limit);
    match tokio::time::timeout(gateway.deps.limits.append_timeout, newest).await {
        Ok(Ok(rejects)) => Ok(Json(json!({ "rejects": rejects })).into_response()),
        Ok(Err(error)) => {
            tracing::error!(%error, "the rejects can't be read");
            Err(intake::log_busy())
        }
        Err(_) => Err(intake::log_busy()),
    }
}
