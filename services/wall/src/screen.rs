//! One screen's stream of server-sent events: what it missed, then what everybody gets, as the hub made it.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus::IntGauge;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::api::{Wall, problem};

/// A browser that reconnects by itself waits so long.
const RETRY: &[u8] = b"retry: 2000\n\n";

struct Screen {
    wall: Arc<Wall>,
    waiting: VecDeque<Bytes>,
    frames: broadcast::Receiver<Bytes>,
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

/// Counts a screen for as long as it listens.
struct Counted(IntGauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// `Last-Event-ID` comes from a browser that reconnects by itself; a page that opens a new EventSource can't set it, and says `?last_id=`.
pub(crate) async fn stream(
    State(wall): State<Arc<Wall>>,
    headers: HeaderMap,
    Query(asked): Query<HashMap<String, String>>,
) -> Response {
    let Ok(place) = Arc::clone(&wall.screens).try_acquire_owned() else {
        let full = problem(StatusCode::SERVICE_UNAVAILABLE, "as many screens listen as may");
        return ([(header::RETRY_AFTER, "10")], full).into_response();
    };
    let last_id =
        headers.get("last-event-id").and_then(|id| id.to_str().ok()).or(asked.get("last_id").map(String::as_str));
    let (missed, frames) = wall.hub.join(last_id);
    let screens = wall.gauges.screens.clone();
    screens.inc();
    let waiting = std::iter::once(Bytes::from_static(RETRY)).chain(missed).collect();
    let screen = Screen { wall, waiting, frames, _place: place, _counted: Counted(screens) };
    let frames =
        futures::stream::unfold(screen, async |mut screen| Some((Ok::<_, Infallible>(screen.next().await?), screen)));
    let about = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    // nginx and its kin would collect events before they pass them on.
    (about, [("x-accel-buffering", "no")], Body::from_stream(frames)).into_response()
}

impl Screen {
    /// None ends the stream: the server stops.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.waiting.pop_front() {
                return Some(frame);
            }
            let frame = tokio::select! {
                () = self.wall.cancel.cancelled() => return None,
                frame = self.frames.recv() => frame,
            };
            match frame {
                Ok(frame) => return Some(frame),
                Err(RecvError::Lagged(_)) => {
                    // Too slow to be told every change: it gets the whole anew.
                    let (whole, frames) = self.wall.hub.join(None);
                    self.waiting.extend(whole);
                    self.frames = frames;
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}
