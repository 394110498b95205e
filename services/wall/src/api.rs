//! The HTTP of the wall: what a screen, a person at the desk and a check may ask. Nothing here computes: bodies come ready from the hub.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::set_header::SetResponseHeaderLayer;
use yiping_event::TimeMs;

use crate::access::{self, Token};
use crate::gauges::{Gauges, Heartbeat};
use crate::hub::Hub;
use crate::profile::Profile;
use crate::source::{HistoryQuery, Source, UsualQuery};
use crate::tiles::{self, Tiles};
use crate::{now, page, replay, screen, usual};

/// The page and everything it needs come from here, and from nowhere else; 天地图's tiles, too.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HEARTBEAT_MAX_BYTES: usize = 4096;
const HISTORY_MAX_ROWS: u32 = 10_000;
const HISTORY_DEFAULT_MS: i64 = 4 * 3600 * 1000;
const USUAL_MAX_SLOTS: usize = 300;
const DAY_MS: i64 = 24 * 3600 * 1000;
const HISTORY_MAX_MS: i64 = 92 * 24 * 3600 * 1000;

pub(crate) struct Wall {
    pub hub: Hub,
    pub source: Arc<dyn Source>,
    pub gauges: Arc<Gauges>,
    pub catalogue: Value,
    pub outline: Value,
    pub tiles: Option<Tiles>,
    /// Places for screens.
    pub screens: Arc<Semaphore>,
    /// Places for questions about history: a curious desk must not slow the wall.
    pub desks: Semaphore,
    /// Places for screens that replay.
    pub replays: Arc<Semaphore>,
    pub profile: Arc<Profile>,
    pub tick: Duration,
    pub token: Option<Token>,
    pub query_timeout: Duration,
    pub cancel: CancellationToken,
}

pub(crate) fn router(wall: Arc<Wall>) -> Router {
    let constant = |name, value| {
        SetResponseHeaderLayer::overriding(HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    // Fonts are compressed already; the stream of events must not wait in a compressor.
    let compressible = DefaultPredicate::new().and(NotForContentType::const_new("font/"));
    Router::new()
        .route("/api/snapshot", get(snapshot))
        .route("/api/stream", get(screen::stream))
        .route("/api/replay", get(replay::stream))
        .route("/api/metrics", get(metrics))
        .route("/api/usual", get(usual_of))
        .route("/api/catalogue", get(async |State(wall): State<Arc<Wall>>| Json(wall.catalogue.clone())))
        .route("/api/outline", get(async |State(wall): State<Arc<Wall>>| Json(wall.outline.clone())))
        .route("/api/tiles/{z}/{x}/{y}", get(tiles::serve))
        .route("/api/heartbeat", post(heartbeat).layer(DefaultBodyLimit::max(HEARTBEAT_MAX_BYTES)))
        .route("/api/{*other}", get(async || problem(StatusCode::NOT_FOUND, "there is no such thing to ask")))
        .fallback(page::serve)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&wall), access::check))
        .layer(CompressionLayer::new().gzip(true).compress_when(compressible))
        .layer(constant("content-security-policy", POLICY))
        .layer(constant("x-content-type-options", "nosniff"))
        .with_state(wall)
}

async fn snapshot(State(wall): State<Arc<Wall>>, headers: HeaderMap) -> Response {
    let snapshot = wall.hub.snapshot();
    let etag = page::etag(&snapshot.id);
    let about = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if page::is_known(&headers, &etag) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    let json = [(header::CONTENT_TYPE, "application/json"), (header::VARY, "accept-encoding")];
    if takes_gzip(&headers)
        && let Some(packed) = wall.hub.packed(&snapshot)
    {
        return (about, json, [(header::CONTENT_ENCODING, "gzip")], Body::from(packed)).into_response();
    }
    (about, json, Body::from(wall.hub.body(&snapshot))).into_response()
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let taken = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    taken.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip")) && !parts.any(|weight| weight == "q=0")
    })
}

async fn heartbeat(State(wall): State<Arc<Wall>>, body: Bytes) -> Response {
    // Whatever content type: a beacon sends text/plain.
    match serde_json::from_slice::<Heartbeat>(&body) {
        Ok(beat) => {
            wall.gauges.heartbeat(&beat, now());
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => problem(
            StatusCode::BAD_REQUEST,
            &format!("this is no heartbeat {{page, heap_bytes, fps, last_id}}: {error}"),
        ),
    }
}

async fn metrics(State(wall): State<Arc<Wall>>, Query(asked): Query<HashMap<String, String>>) -> Response {
    let query = match history_query(&asked, now()) {
        Ok(query) => query,
        Err(fault) => return problem(StatusCode::BAD_REQUEST, &fault),
    };
    answered(&wall, wall.source.history(&query), |rows| json!({ "rows": rows })).await
}

/// What a figure is usually, at the times asked for: `{days, points: [[ms, low, median, high], …]}`.
async fn usual_of(State(wall): State<Arc<Wall>>, Query(asked): Query<HashMap<String, String>>) -> Response {
    let query = match history_query(&asked, now()) {
        Ok(query) => query,
        Err(fault) => return problem(StatusCode::BAD_REQUEST, &fault),
    };
    let (Some(span), true) = (query.span.clone(), query.to.0 - query.from.0 <= DAY_MS) else {
        return problem(StatusCode::BAD_REQUEST, "which span? and from must lie before to, by a day at most");
    };
    let ends = usual::between(query.from, query.to, query.every_ms.unwrap_or(30 * 60 * 1000));
    if ends.len() > USUAL_MAX_SLOTS {
        return problem(StatusCode::BAD_REQUEST, &format!("at most {USUAL_MAX_SLOTS} times: a larger `every`"));
    }
    let city = || "city".to_owned();
    let wanted = UsualQuery {
        metrics: vec![query.metric],
        level: query.level.unwrap_or_else(city),
        key: query.key.unwrap_or_else(city),
        ends,
    };
    answered(&wall, wall.source.usual(&wanted), |points| {
        let points: Vec<_> = points.into_iter().filter(|point| point.span == span).collect();
        let days = points.iter().map(|point| point.days).max().unwrap_or(0);
        let points: Vec<_> = points.iter().map(|p| (p.at.0, p.low, p.median, p.high)).collect();
        json!({ "days": days, "points": points })
    })
    .await
}

/// A question of the desk's: bounded in number and in time.
async fn answered<T>(
    wall: &Wall,
    question: impl Future<Output = anyhow::Result<T>>,
    told: impl FnOnce(T) -> Value,
) -> Response {
    let answer = async {
        let _place = wall.desks.acquire().await?;
        question.await
    };
    match tokio::time::timeout(wall.query_timeout, answer).await {
        Ok(Ok(answer)) => ([(header::CACHE_CONTROL, "no-store")], Json(told(answer))).into_response(),
        Ok(Err(error)) => {
            tracing::warn!(error = format!("{error:#}"), "the store did not answer a question about history");
            problem(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer")
        }
        Err(_) => problem(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer in time"),
    }
}

/// Says what is wrong in words for a person. An empty member counts as absent.
fn history_query(asked: &HashMap<String, String>, now: TimeMs) -> Result<HistoryQuery, String> {
    const MEMBERS: [&str; 7] = ["metric", "level", "key", "span", "from", "to", "every"];
    if let Some(unknown) = asked.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(format!("{unknown:?} can't be asked; there are {}", MEMBERS.join(", ")));
    }
    let text = |name: &str| asked.get(name).filter(|value| !value.is_empty()).cloned();
    let time = |name: &str| match text(name) {
        Some(value) => {
            TimeMs::parse(&value).map(Some).map_err(|e| format!("{name}: {e}; write it like 2026-11-20T10:41:07Z"))
        }
        None => Ok(None),
    };
    let to = time("to")?.unwrap_or(now);
    let from = time("from")?.unwrap_or(TimeMs(to.0.saturating_sub(HISTORY_DEFAULT_MS)));
    let long_ms = to.0.saturating_sub(from.0);
    if long_ms <= 0 || long_ms > HISTORY_MAX_MS {
        return Err(format!("from must lie before to, by {} days at most", HISTORY_MAX_MS / 86_400_000));
    }
    let every_ms = match text("every") {
        None => None,
        Some(seconds) => match seconds.parse::<i64>() {
            Ok(seconds @ 10..=86_400) => Some(seconds * 1000),
            _ => return Err("every: seconds, 10 to 86400".to_owned()),
        },
    };
    Ok(HistoryQuery {
        metric: text("metric").ok_or("which metric? /api/catalogue has them all")?,
        level: text("level"),
        key: text("key"),
        span: text("span"),
        from,
        to,
        every_ms,
        max_rows: HISTORY_MAX_ROWS,
    })
}

pub(crate) fn problem(status: StatusCode, detail: &str) -> Response {
    let body = json!({ "title": status.canonical_reason(), "status": status.as_u16(), "detail": detail }).to_string();
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &[(&str, &str)]) -> Result<HistoryQuery, String> {
        history_query(&query.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(), TimeMs(100 * 86_400_000))
    }

    #[test]
    fn a_question_without_times_is_about_the_last_four_hours() {
        let query = asked(&[("metric", "bus.online_ratio"), ("level", "city"), ("key", "")]).unwrap();
        assert_eq!(query.to.0 - query.from.0, 4 * 3600 * 1000);
        assert_eq!((query.level.as_deref(), query.key), (Some("city"), None));
    }

    #[test]
    fn a_wrong_question_is_told_what_is_wrong() {
        assert!(asked(&[]).unwrap_err().contains("which metric"));
        assert!(asked(&[("metric", "m"), ("from", "yesterday")]).unwrap_err().contains("from"));
        assert!(asked(&[("metric", "m"), ("every", "1")]).unwrap_err().contains("every"));
        assert!(asked(&[("metric", "m"), ("form", "x")]).unwrap_err().contains("form"));
        assert!(
            asked(&[("metric", "m"), ("from", "1970-01-01T00:00:00Z"), ("to", "2026-01-01T00:00:00Z")])
                .unwrap_err()
                .contains("92 days")
        );
    }
}
