//! What one core takes in: the gateway over HTTP on loopback, into the embedded log, every batch acknowledged when it is on the disk;
//! and, in the same run, an axum handler that only decodes each line with serde_json, which is what any front door must do.
//!
//! The server is a process of its own on the first core, with everything that belongs to it (the log's thread too); the senders are on
//! the second. Events per second are given by the clock and by the server's processor time: what else runs on the machine slows the
//! one and not the other. At the end the ratio of the two processor times is held against its limit; below it the exit code is 1.
//!
//! `cargo bench -p yiping-gateway`; seconds of each part: `-- --seconds 5`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark that can't go on may panic, and prints its figures"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use yiping_city::City;
use yiping_event::Stream;
use yiping_gateway::{Feeds, GatewayDeps, Inlets, Limits, Seal, SealSecret, Tokens, new_token, serve, steady_clock};
use yiping_runtime::{Health, Metrics};

const ROLE: &str = "YIPING_BENCH_ROLE";
const BATCH: usize = 1_000;
/// Batches that differ from each other, sent in turn.
const BATCHES: usize = 20;
/// Batches on their way at once: while one is being synced, others are read.
const SENDERS: usize = 4;
/// An even load, and how it comes: events a second, events a batch.
const EVEN: [(u64, u64); 2] = [(20_000, 1_000), (20_000, 100)];
/// The gateway's events per second of processor time may not be less than this part of the decoder's.
const RATIO_LIMIT: f64 = 0.25;

fn main() -> ExitCode {
    if let Ok(role) = std::env::var(ROLE) {
        pin(0);
        tokio::runtime::Runtime::new().unwrap().block_on(server(&role));
        return ExitCode::SUCCESS;
    }
    pin(1);
    let arguments: Vec<String> = std::env::args().collect();
    let seconds = arguments.iter().position(|argument| argument == "--seconds").and_then(|at| arguments.get(at + 1));
    let part = Duration::from_secs(seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(10));
    // (one sender's thread is enough, and leaves the core to the kernel)
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut decoder = Server::start("decoder");
        let decoded = decoder.flood(part).await;
        decoder.end();
        let mut gateway = Server::start("gateway");
        let taken = gateway.flood(part).await;
        for (rate, batch) in EVEN {
            let mut waits = gateway.even(rate, batch, part).await;
            waits.sort_unstable();
            let at = |share: usize| waits[(waits.len() - 1) * share / 1_000];
            println!(
                "{rate} events/s in batches of {batch}: p50 {:.1?}, p99 {:.1?}, most {:.1?}",
                at(500),
                at(990),
                at(1_000)
            );
        }
        gateway.end();
        for (name, of) in
            [("only decoded (axum, serde_json::Value)", &decoded), ("taken in (202, on the disk)", &taken)]
        {
            println!("{name}: {:.0} events/s, {:.0} events per second of processor", of.by_clock, of.by_processor);
        }
        let ratio = taken.by_processor / decoded.by_processor;
        println!("ratio {ratio:.2}, limit {RATIO_LIMIT}; by the clock {:.2}", taken.by_clock / decoded.by_clock);
        if ratio < RATIO_LIMIT { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    })
}

/// This process, and what it starts, on one core; where there is but one, there.
fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core).unwrap();
    if let Err(error) = sched_setaffinity(Pid::from_raw(0), &cores) {
        eprintln!("core {core}: {error}; the figures are not those of one core");
    }
}

/// A server in a process of its own.
struct Server {
    child: Child,
    tell: ChildStdin,
    hear: BufReader<ChildStdout>,
    url: String,
    token: String,
    client: reqwest::Client,
    bodies: Vec<Bytes>,
}

struct Rate {
    by_clock: f64,
    by_processor: f64,
}

impl Server {
    fn start(role: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, mut hear) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut line = || {
            let mut line = String::new();
            hear.read_line(&mut line).unwrap();
            line.trim().to_owned()
        };
        let (url, token) = (line(), line());
        let bodies = (0..BATCHES).map(|batch| lines(batch * BATCH, BATCH)).collect();
        Self { child, tell, hear, url, token, client: reqwest::Client::new(), bodies }
    }

    /// Sends as fast as answers come.
    async fn flood(&mut self, time: Duration) -> Rate {
        let next = AtomicU64::new(0);
        self.burst(&next, Instant::now() + Duration::from_secs(1)).await;
        let (processor, begin, before) = (self.processor(), Instant::now(), next.load(Ordering::Relaxed));
        self.burst(&next, begin + time).await;
        let (processor, wall) = (self.processor() - processor, begin.elapsed());
        let events = (next.load(Ordering::Relaxed) - before) as f64 * BATCH as f64;
        Rate { by_clock: events / wall.as_secs_f64(), by_processor: events / processor.as_secs_f64() }
    }

    async fn burst(&self, next: &AtomicU64, until: Instant) {
        let sender = || async {
            while Instant::now() < until {
                let batch = next.fetch_add(1, Ordering::Relaxed);
                self.send(self.bodies[batch as usize % BATCHES].clone()).await;
            }
        };
        futures::future::join_all((0..SENDERS).map(|_| sender())).await;
    }

    /// Sends at its own pace, whatever the answers do. How long each batch waited for its answer from when it was due.
    async fn even(&self, rate: u64, batch: u64, time: Duration) -> Vec<Duration> {
        let bodies: Vec<Bytes> = (0..BATCHES).map(|n| lines(n * BATCH, batch as usize)).collect();
        let count = time.as_secs() * rate / batch;
        let begin = Instant::now();
        let sends = (0..count).map(|n| {
            let (body, due) =
                (bodies[n as usize % BATCHES].clone(), begin + Duration::from_nanos(n * batch * 1_000_000_000 / rate));
            async move {
                tokio::time::sleep_until(due.into()).await;
                self.send(body).await;
                due.elapsed()
            }
        });
        futures::future::join_all(sends).await
    }

    async fn send(&self, body: Bytes) {
        let request =
            self.client.post(&self.url).bearer_auth(&self.token).header("content-type", "application/x-ndjson");
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        answer.bytes().await.unwrap();
    }

    /// The processor time that the server has had.
    fn processor(&mut self) -> Duration {
        self.tell.write_all(b"?\n").unwrap();
        let mut line = String::new();
        self.hear.read_line(&mut line).unwrap();
        Duration::from_nanos(line.trim().parse().unwrap())
    }

    fn end(self) {
        let Self { mut child, tell, .. } = self;
        drop(tell);
        child.wait().unwrap();
    }
}

/// Positions of a fleet as its platform writes them, with what a platform writes.
fn lines(from: usize, count: usize) -> Bytes {
    let mut text = String::new();
    for n in from..from + count {
        let (vehicle, east, north) = (n % 1_400, n % 977, n % 499);
        writeln!(
            text,
            r#"{{"specversion":"1.0","id":"bus-{n:08}","source":"weihai/bus/dispatch","type":"city.bus.position","time":"2026-11-20T10:41:{:02}.{:03}+08:00","data":{{"vehicle_id":"WH{vehicle:04}","route_id":"{}","direction":{},"lon":122.{:06},"lat":37.{:06},"speed_kmh":{}.5,"bearing":{},"passengers":{}}}}}"#,
            n % 60, n % 1_000, vehicle % 150, n % 2, 50_000 + east * 101, 400_000 + north * 97, n % 50, n % 360, n % 60,
        )
        .unwrap();
    }
    text.into()
}

async fn server(role: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let cancel = CancellationToken::new();
    let made = new_token("bench", vec![Stream::Bus], vec!["*".into()], BTreeSet::new()).unwrap();
    println!("http://{address}/v1/events\n{}", made.secret);
    let serving = if role == "decoder" {
        let router = Router::new().route("/v1/events", post(decode_only));
        let stop = cancel.clone();
        tokio::spawn(async move {
            axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await.unwrap();
        })
    } else {
        let tokens = dir.path().join("tokens.toml");
        made.save(&tokens).unwrap();
        let deps = GatewayDeps {
            log: yiping_log::open(&format!("embedded:{}", dir.path().join("log").display()), &Default::default())
                .await
                .unwrap(),
            city: Arc::new(City::weihai()),
            tokens: Arc::new(Tokens::open(&tokens).unwrap()),
            feeds: Feeds::new(),
            inlets: Inlets::new(),
            lateness: Stream::ALL.map(|stream| (stream, 3_600_000)).into(),
            seal: Seal::to(SealSecret::new().unwrap().public()).unwrap(),
            pseudonyms: None,
            clock: steady_clock(),
            metrics: Metrics::new(&Default::default()).unwrap(),
            health: Health::default().part("gateway"),
            limits: Limits::from(&yiping_runtime::Config::default().gateway),
            tls: None,
            partitions: 4,
        };
        let serving = serve(listener, deps, cancel.clone());
        tokio::spawn(async move { serving.await.unwrap() })
    };
    // questions until the one who asks has gone
    tokio::task::spawn_blocking(|| {
        for _ in std::io::stdin().lines().map_while(Result::ok) {
            println!("{}", Duration::from(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap()).as_nanos());
        }
    })
    .await
    .unwrap();
    cancel.cancel();
    serving.await.unwrap();
}

async fn decode_only(body: Bytes) -> (axum::http::StatusCode, String) {
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let events = lines.filter(|line| serde_json::from_slice::<serde_json::Value>(line).is_ok()).count();
    (axum::http::StatusCode::ACCEPTED, events.to_string())
}
