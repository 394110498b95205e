//! The synthetic city, received by the real gateway as a department's platform would send it: in batches, again after a failure, and
//! after a restart from where the gateway had last said yes. What is sent twice is counted once (I7).

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use axum::{Router, extract, http::StatusCode, routing::post};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use yiping_city::City;
use yiping_event::{Stream, TimeMs};
use yiping_feed::Poster;
use yiping_runtime::clock::unix_ms;
use yiping_simulator::{Faults, Line, Options, Simulator};

use crate::story::Story;

/// Events a request.
const BATCH: usize = 1_000;
/// A batch waits so long for more.
const LINGER: Duration = Duration::from_millis(250);
/// The gateway may be away so long; then the demo fails.
const PATIENCE: Duration = Duration::from_secs(120);
/// A feed further back than this is catching up.
const BEHIND_MS: i64 = 2_000;

/// Stops and starts single streams' feeds, to show what the wall makes of a silent one.
#[derive(Clone, Default)]
pub struct Valves(Arc<BTreeMap<Stream, AtomicBool>>);

impl Valves {
    pub fn new() -> Self {
        Valves(Arc::new(Stream::ALL.into_iter().map(|stream| (stream, AtomicBool::new(false))).collect()))
    }

    fn closed(&self, stream: Stream) -> bool {
        self.0.get(&stream).is_some_and(|closed| closed.load(Ordering::Relaxed))
    }

    /// `POST /demo/feeds/{stream}/stop` and `/start`.
    pub fn routes(&self) -> Router {
        let valves = self.clone();
        let turn = move |extract::Path((stream, action)): extract::Path<(String, String)>| {
            let valves = valves.clone();
            async move {
                let closed = match action.as_str() {
                    "stop" => true,
                    "start" => false,
                    _ => return StatusCode::NOT_FOUND,
                };
                match stream.parse::<Stream>().ok().and_then(|stream| valves.0.get(&stream)) {
                    Some(valve) => {
                        valve.store(closed, Ordering::Relaxed);
                        StatusCode::NO_CONTENT
                    }
                    None => StatusCode::NOT_FOUND,
                }
            }
        };
        Router::new().route("/demo/feeds/{stream}/{action}", post(turn))
    }
}

pub struct Feeder {
    pub dir: PathBuf,
    pub story: Story,
    pub city: Arc<City>,
    pub gateway: String,
    pub token: String,
    /// Simulated seconds a second.
    pub speed: f64,
    pub valves: Valves,
}

impl Feeder {
    /// Feeds all streams until cancelled.
    pub async fn run(self, cancel: CancellationToken) -> anyhow::Result<()> {
        self.story.save(&self.dir)?;
        let faults: Faults = self.story.faults.parse().map_err(|_| anyhow::anyhow!("demo.json: unknown faults"))?;
        let incidents = self.story.incidents()?;
        let story = Arc::new(Mutex::new(self.story.clone()));
        let began = unix_ms();
        let mut streams = tokio::task::JoinSet::new();
        for (stream, from) in &self.story.sent {
            let options = Options {
                start: TimeMs::parse(from).map_err(|error| anyhow::anyhow!("demo.json: {error}"))?,
                streams: vec![*stream],
                faults,
                incidents: incidents.clone(),
                ..Options::new(self.story.seed, TimeMs(0))
            };
            let line = Telling {
                stream: *stream,
                options,
                city: Arc::clone(&self.city),
                poster: Poster::new(&self.gateway, &self.token, false, PATIENCE)?,
                speed: self.speed,
                began,
                valves: self.valves.clone(),
                story: Arc::clone(&story),
            };
            streams.spawn(line.run());
        }
        let mut saving = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(ended) = streams.join_next() => return ended.context("a feed died")?,
                _ = saving.tick() => {
                    let told = story.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    told.save(&self.dir)?;
                }
            }
        }
        streams.shutdown().await;
        let told = story.lock().unwrap_or_else(PoisonError::into_inner).clone();
        told.save(&self.dir)
    }
}

/// One stream's part of the story.
struct Telling {
    stream: Stream,
    options: Options,
    city: Arc<City>,
    poster: Poster,
    speed: f64,
    /// When the telling began, by the process's clock: the city's follows it, and so the gateway's stamps.
    began: i64,
    valves: Valves,
    story: Arc<Mutex<Story>>,
}

impl Telling {
    async fn run(mut self) -> anyhow::Result<()> {
        let (queue, mut lines) = mpsc::channel::<Line>(4 * BATCH);
        let (city, options) = (Arc::clone(&self.city), self.options.clone());
        // the simulator is a plain iterator: it runs on a thread of its own, as far ahead as the queue lets it
        std::thread::spawn(move || {
            for line in Simulator::new(&city, &options) {
                if queue.blocking_send(line).is_err() {
                    return; // nobody listens any more
                }
            }
        });
        let mut batch = String::new();
        let (mut count, mut newest) = (0, self.options.start);
        let mut behind = true;
        let mut line = lines.recv().await;
        while let Some(next) = line {
            let wait = self.until(next.receive);
            let closed = self.valves.closed(self.stream);
            if !closed && count > 0 && (count >= BATCH || wait > LINGER) {
                // with nothing more due, all that was received until now is told
                let told = if wait > LINGER { newest.max(self.now()) } else { newest };
                // who has just caught up says so once: a partition without an event since would stay where its last one was
                let caught_up = std::mem::replace(&mut behind, unix_ms() - newest.0 > BEHIND_MS) && !behind;
                if self.speed != 1.0 || behind || caught_up {
                    batch.push_str(&self.tick(told));
                }
                self.poster.send(std::mem::take(&mut batch)).await?;
                self.told(newest);
                count = 0;
            }
            if closed || wait > LINGER {
                tokio::time::sleep(wait.clamp(Duration::from_millis(20), LINGER)).await;
                line = Some(next);
                continue;
            }
            batch.push_str(&next.json);
            batch.push('\n');
            count += 1;
            newest = next.receive;
            line = lines.recv().await;
        }
        Ok(())
    }

    /// What the city's clock shows.
    fn now(&self) -> TimeMs {
        TimeMs(self.began + ((unix_ms() - self.began) as f64 * self.speed) as i64)
    }

    /// How long it is until the city's clock shows `receive`.
    fn until(&self, receive: TimeMs) -> Duration {
        Duration::from_secs_f64(((receive.0 - self.now().0) as f64 / 1_000.0 / self.speed).max(0.0))
    }

    /// Where the city's time is not the machine's, the feed brings it along (I2).
    fn tick(&self, time: TimeMs) -> String {
        let id = format!("tick-{}", time.0);
        let data = serde_json::json!({ "stream": self.stream });
        let tick = serde_json::json!({
            "specversion": "1.0", "id": id, "source": "weihai/simulator", "type": "city.tick", "time": time.to_string(), "data": data,
        });
        format!("{tick}\n")
    }

    fn told(&self, newest: TimeMs) {
        let mut story = self.story.lock().unwrap_or_else(PoisonError::into_inner);
        story.sent.insert(self.stream, newest.to_string());
    }
}
