//! The admin server of a process: `/metrics`, `/healthz`, `/readyz`, and `/` for people.
//!
//! Alive means that the process answers. Ready means that every part says so; a part that is starting, draining or cut
//! off from what it needs is named with its reason.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus::{Encoder, Registry, TextEncoder};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Whether a part can do its work now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartState {
    Ready,
    /// Starting, or cut off: the reason, for people.
    NotReady(String),
}

/// The readiness of a process: the parts that registered. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<Parts>>);

#[derive(Debug, Default)]
struct Parts {
    draining: bool,
    states: BTreeMap<String, PartState>,
}

/// By which one part says how it is.
#[derive(Debug, Clone)]
pub struct PartHandle {
    name: String,
    health: Health,
}

impl Health {
    /// Registers a part; it counts as starting until it says otherwise.
    pub fn part(&self, name: impl Into<String>) -> PartHandle {
        let handle = PartHandle { name: name.into(), health: self.clone() };
        handle.set(PartState::NotReady("starting".into()));
        handle
    }

    /// From now on nothing is ready: the process is on its way out.
    pub fn drain(&self) {
        self.lock().draining = true;
    }

    /// What keeps the process from being ready, part by part; empty when it is ready.
    pub fn wanting(&self) -> BTreeMap<String, String> {
        let parts = self.lock();
        let mut wanting: BTreeMap<String, String> = parts
            .states
            .iter()
            .filter_map(|(name, state)| match state {
                PartState::Ready => None,
                PartState::NotReady(why) => Some((name.clone(), why.clone())),
            })
            .collect();
        if parts.draining {
            wanting.insert("process".into(), "draining".into());
        } else if parts.states.is_empty() {
            wanting.insert("process".into(), "starting".into());
        }
        wanting
    }

    fn lock(&self) -> MutexGuard<'_, Parts> {
        // A panic elsewhere must not take the health page with it; the map is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartHandle {
    pub fn set(&self, state: PartState) {
        self.health.lock().states.insert(self.name.clone(), state);
    }

    pub fn ready(&self) {
        self.set(PartState::Ready);
    }

    pub fn not_ready(&self, why: impl Into<String>) {
        self.set(PartState::NotReady(why.into()));
    }
}

/// The admin server, before it listens.
pub struct Admin {
    router: Router,
}

impl Admin {
    pub fn new(registry: Registry, health: Health) -> Self {
        let router = Router::new()
            .route("/", get(for_people).with_state((registry.clone(), health.clone())))
            .route("/healthz", get(|| async { "alive\n" }))
            .route("/metrics", get(metrics).with_state(registry))
            .route("/readyz", get(readyz).with_state(health));
        Self { router }
    }

    /// Adds routes of one target's own.
    #[must_use]
    pub fn merge(mut self, routes: Router) -> Self {
        self.router = self.router.merge(routes);
        self
    }

    /// Serves until `cancel`.
    pub async fn serve(self, listener: TcpListener, cancel: CancellationToken) -> std::io::Result<()> {
        crate::net::serve(listener, self.router, cancel).await
    }
}

async fn metrics(State(registry): State<Registry>) -> Response {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    match encoder.encode(&registry.gather(), &mut text) {
        Ok(()) => ([(header::CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics can't be written: {error}\n")).into_response()
        }
    }
}

async fn for_people(State((registry, health)): State<(Registry, Health)>) -> Html<String> {
    Html(crate::page::page(&registry, &health, crate::clock::unix_ms() as f64 / 1_000.0))
}

async fn readyz(State(health): State<Health>) -> Response {
    let wanting = health.wanting();
    let status = if wanting.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": wanting.is_empty(), "waiting_for": wanting }))).into_response()
}
