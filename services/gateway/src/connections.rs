//! Connections: HTTP/1.1 and HTTP/2, plain or TLS; never more than so many, and none that only holds its place.
//!
//! A connection works while a request on it is being answered, and rests otherwise: before its first request, between two, and while
//! the head of one is still coming in. One that rests too long is closed. When all places are taken, a newcomer gets the place of
//! the one that has rested longest: whoever opens thousands and says nothing shuts nobody out.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use yiping_runtime::Metrics;

use crate::tls::Tls;

/// A request's line and headers may have so many bytes (HTTP/1.1: 431 beyond it); also the most that is read from a socket at once.
const HEAD_BYTES: usize = 64 << 10;
/// HTTP/2: requests of one connection at a time.
const STREAMS: u32 = 64;
/// HTTP/2: what a connection may have on its way to us, unread. Bodies are read as they come, so this bounds speed, not sizes.
const WINDOW_BYTES: u32 = 1 << 20;
/// After having been told that it is over, a resting connection has so long.
const FAREWELL: Duration = Duration::from_millis(500);
/// Files that the process needs beside connections: log, tokens, ClickHouse, the wall's screens.
const OTHER_FILES: u64 = 512;
/// When the machine gives no socket, the next try comes after so long.
const NO_SOCKET: Duration = Duration::from_millis(50);

/// What connections are bounded by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub connections: usize,
    pub rest: Duration,
}

/// Serves until `cancel`; then requests that are being worked on are answered, and everything that rests is closed.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Tls>,
    bounds: Bounds,
    metrics: Metrics,
    cancel: CancellationToken,
) {
    let bounds = Bounds { connections: descriptors(bounds.connections), ..bounds };
    let mut builder = Builder::new(TokioExecutor::new());
    // (hyper's own time for a head is switched off: resting includes it)
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES as u32)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    let shared = Arc::new(Shared { router, builder, bounds, metrics, seats: Seats::default(), cancel: cancel.clone() });
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => {
                // (a connection that was closed before it was accepted: reading will say so)
                let _ = socket.set_nodelay(true);
                let tls = tls.as_ref().map(Tls::acceptor);
                shared.admit(socket, tls, &tasks);
            }
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                shared.seats.free_one();
                tokio::time::sleep(NO_SOCKET).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    tasks.wait().await;
}

/// Raises this process's limit of open files as far as it may, and gives how many connections fit under it.
fn descriptors(wanted: usize) -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    let needed = (wanted as u64).saturating_add(OTHER_FILES);
    if soft >= needed {
        return wanted;
    }
    let raised = needed.min(hard);
    let limit = if setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() { raised } else { soft };
    let fits = usize::try_from(limit.saturating_sub(OTHER_FILES)).unwrap_or(wanted).clamp(16, wanted);
    if fits < wanted {
        tracing::warn!(
            open_files = limit,
            connections = fits,
            "gateway.max_connections is {wanted}, but this process may not open so many files (ulimit -n)"
        );
    }
    fits
}

/// What connections share.
struct Shared {
    router: Router,
    builder: Builder<TokioExecutor>,
    bounds: Bounds,
    metrics: Metrics,
    seats: Seats,
    cancel: CancellationToken,
}

impl Shared {
    fn admit(self: &Arc<Self>, socket: TcpStream, tls: Option<TlsAcceptor>, tasks: &TaskTracker) {
        if self.seats.taken() >= self.bounds.connections && !self.seats.free_one() {
            // all of them work: this one finds the door closed, and comes again
            self.metrics.gateway.connections_closed.with_label_values(&["full"]).inc();
            return;
        }
        let taken = self.seats.take(self.clone());
        tasks.spawn(async move {
            let seat = taken.seat.clone();
            let ended = match tls {
                None => taken.shared.serve(socket, &seat).await,
                Some(tls) => {
                    let handshake = timeout(taken.shared.bounds.rest, tls.accept(socket));
                    tokio::select! {
                        () = seat.leave.notified() => Some("full"),
                        accepted = handshake => match accepted {
                            Ok(Ok(socket)) => taken.shared.serve(socket, &seat).await,
                            Ok(Err(_)) | Err(_) => Some("tls"),
                        },
                    }
                }
            };
            if let Some(why) = ended {
                taken.shared.metrics.gateway.connections_closed.with_label_values(&[why]).inc();
            }
        });
    }

    /// Serves one connection to its end; says why if the end was ours.
    async fn serve(
        self: &Arc<Self>,
        socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        seat: &Arc<Seat>,
    ) -> Option<&'static str> {
        let service = service_fn(|request: Request<Incoming>| {
            let (router, work) = (self.router.clone(), Work::begin(seat));
            async move {
                let answer = router.oneshot(request.map(Body::new)).await;
                drop(work);
                answer
            }
        });
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(socket), service));
        let rest = self.bounds.rest;
        let mut look = pin!(sleep_until(Instant::now() + rest));
        let mut farewell = None;
        loop {
            tokio::select! {
                _ = connection.as_mut() => return farewell,
                () = seat.leave.notified() => return Some("full"),
                () = self.cancel.cancelled(), if farewell.is_none() => {
                    farewell = Some("end");
                    connection.as_mut().graceful_shutdown();
                    look.as_mut().reset(Instant::now() + FAREWELL);
                }
                () = look.as_mut() => match seat.rested() {
                    // what is being answered is answered, whatever its time
                    None => look.as_mut().reset(Instant::now() + if farewell.is_some() { FAREWELL } else { rest }),
                    Some(_) if farewell.is_some() => return farewell,
                    Some(rested) if rested < rest => look.as_mut().reset(Instant::now() + (rest - rested)),
                    Some(_) => {
                        farewell = Some("idle");
                        connection.as_mut().graceful_shutdown();
                        look.as_mut().reset(Instant::now() + FAREWELL);
                    }
                },
            }
        }
    }
}

/// The places of connections.
#[derive(Default)]
struct Seats(Mutex<HashMap<u64, Arc<Seat>>>, AtomicU64);

/// One connection's place.
struct Seat {
    made: Instant,
    /// Requests being worked on.
    working: AtomicUsize,
    /// When the last of them ended, ms after `made`.
    rests_since_ms: AtomicU64,
    /// Its place is needed.
    leave: Notify,
}

impl Seats {
    fn taken(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn take(&self, shared: Arc<Shared>) -> Taken {
        let id = self.1.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat {
            made: Instant::now(),
            working: AtomicUsize::new(0),
            rests_since_ms: AtomicU64::new(0),
            leave: Notify::new(),
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, seat.clone());
        shared.metrics.gateway.connections.inc();
        Taken { id, seat, shared }
    }

    /// Sends away the one that has rested longest; `false`: none rests.
    fn free_one(&self) -> bool {
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let longest = seats.iter().filter_map(|(id, seat)| Some((seat.rested()?, *id))).max().map(|(_, id)| id);
        let Some(seat) = longest.and_then(|id| seats.remove(&id)) else { return false };
        seat.leave.notify_one();
        true
    }
}

impl Seat {
    /// How long it has rested; `None` while it works.
    fn rested(&self) -> Option<Duration> {
        if self.working.load(Ordering::Acquire) > 0 {
            return None;
        }
        Some(self.made.elapsed().saturating_sub(Duration::from_millis(self.rests_since_ms.load(Ordering::Acquire))))
    }
}

/// A place that is given back when the connection has ended.
struct Taken {
    id: u64,
    seat: Arc<Seat>,
    shared: Arc<Shared>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.shared.seats.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        self.shared.metrics.gateway.connections.dec();
    }
}

/// A request that is being worked on.
struct Work(Arc<Seat>);

impl Work {
    fn begin(seat: &Arc<Seat>) -> Self {
        seat.working.fetch_add(1, Ordering::AcqRel);
        Self(seat.clone())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let now_ms = u64::try_from(self.0.made.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.rests_since_ms.fetch_max(now_ms, Ordering::AcqRel);
        self.0.working.fetch_sub(1, Ordering::AcqRel);
    }
}
