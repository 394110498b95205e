//! One feed: poll, map, send until all of it is durable, remember that, tell that the source lives, wait.
//!
//! Nothing that was fetched is given up while the process lives: a gateway that is away or refuses is asked again, with the
//! same events, and the source is not asked for more meanwhile. After a crash the source gives the same again, or what is newer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use yiping_event::{Stream, TimeMs};
use yiping_feed::{Feed, Origin, ReadOptions, Verdict};
use yiping_runtime::PartHandle;

use crate::door::Door;
use crate::failure::{Failure, Reason};
use crate::metrics::PullMetrics;
use crate::pace::Pace;
use crate::pieces::{Line, MOST_BYTES, Piece, cut, sendable};
use crate::seen::Seen;
use crate::source::{Fetched, Payload, Source};

pub struct Puller {
    pub feed: Arc<Feed>,
    pub read: ReadOptions,
    pub stream: Stream,
    /// Seconds within which the source's next sign of life is expected.
    pub expected_s: u32,
    pub every: Duration,
    pub source: Box<dyn Source>,
    pub door: Box<dyn Door>,
    pub metrics: PullMetrics,
    /// Of the part, which all its feeds share: what cuts one off from the gateway cuts off all.
    pub health: PartHandle,
    pub seen: Seen,
    /// Milliseconds since 1970.
    pub clock: fn() -> i64,
    /// From 0 to 1.
    pub chance: fn() -> f64,
}

/// What is sent: events, or rows that became none or one that was refused.
#[derive(Clone, Copy)]
enum What {
    Events,
    Rows,
}

/// Where a payload is from: its file, if it is one, and when it was asked for.
struct Of {
    file: Option<String>,
    polled: TimeMs,
}

/// The rows that events are of, each once, in their order. Neighbours of one row share it.
fn rows_of(events: &[&Line]) -> Vec<Line> {
    let mut rows: Vec<(&Line, &Arc<Value>)> =
        events.iter().filter_map(|event| Some((*event, event.read.as_ref()?))).collect();
    rows.dedup_by(|(_, later), (_, earlier)| Arc::ptr_eq(earlier, later));
    let line = |(event, read): (&Line, &Arc<Value>)| Line {
        key: event.key,
        json: sendable(read.to_string()),
        row: event.row,
        read: None,
    };
    rows.into_iter().map(line).collect()
}

/// What became of a payload.
#[derive(Default)]
struct Told {
    rows: u64,
    /// Events that are durable, now or since an earlier poll.
    good: usize,
    /// Events that were rejected, and rows that are none.
    bad: usize,
}

impl Puller {
    /// Pulls until cancelled.
    pub async fn run(mut self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => {}
            () = self.pull() => {}
        }
    }

    async fn pull(&mut self) {
        self.metrics.begin(&self.feed.name);
        let mut pace = Pace::new(self.every);
        loop {
            let began = Instant::now();
            let wait = match self.poll().await {
                Ok(true) => Duration::ZERO,
                Ok(false) => pace.after_success(began.elapsed(), (self.chance)()),
                Err(failure) => self.failed(&mut pace, &failure),
            };
            tokio::time::sleep(wait).await;
            self.metrics.backoff.with_label_values(&[&self.feed.name]).set(0.0);
        }
    }

    /// One poll, to its end; whether the next one need not wait.
    async fn poll(&mut self) -> Result<bool, Failure> {
        self.metrics.attempts.with_label_values(&[&self.feed.name]).inc();
        let polled = TimeMs((self.clock)());
        let more = match self.source.fetch().await? {
            Fetched::Nothing => false,
            Fetched::Something { payload, more } => {
                let file = payload.file_name();
                let why = match self.deliver(payload, polled).await {
                    Err(error) => Some(format!("{error:#}")),
                    // (whoever put a file there looks into the folder, not into the log)
                    Ok(Told { good: 0, bad: 1.., .. }) if file.is_some() => Some(
                        "not one of its rows became an event; they are kept as rejects, each with the reason".into(),
                    ),
                    Ok(Told { rows, good, bad }) => {
                        if let Some(file) = &file {
                            tracing::info!(
                                feed = self.feed.name,
                                file,
                                rows,
                                events = good,
                                rejected = bad,
                                "file taken"
                            );
                        }
                        None
                    }
                };
                if let Some(why) = why {
                    self.source.unreadable().await?;
                    let what = file.map_or_else(|| "payload".to_owned(), |name| format!("file {name}"));
                    let message = format!("the {what} is not what this feed sends: {why}");
                    return Err(Failure::new(Reason::Unreadable, message));
                }
                self.source.taken().await?;
                more
            }
        };
        self.heartbeat(polled).await;
        self.metrics.last_success.with_label_values(&[&self.feed.name]).set((self.clock)() as f64 / 1_000.0);
        Ok(more)
    }

    /// Sends everything in a payload; when it returns, all of it is durable.
    ///
    /// # Errors
    /// The payload can't be taken apart.
    async fn deliver(&mut self, payload: Payload, polled: TimeMs) -> anyhow::Result<Told> {
        let of = Of { file: payload.file_name(), polled };
        let (sender, mut pieces) = mpsc::channel(1);
        let (feed, read) = (Arc::clone(&self.feed), self.read.clone());
        let cutting = tokio::task::spawn_blocking(move || cut(&feed, &read, payload, polled, &sender));
        let mut told = Told::default();
        while let Some(piece) = pieces.recv().await {
            self.send(piece, &of, &mut told).await;
        }
        cutting.await??;
        Ok(told)
    }

    async fn send(&mut self, piece: Piece, of: &Of, told: &mut Told) {
        let Piece { events, failed, rows, changeovers, .. } = piece;
        let (name, file) = (self.feed.name.clone(), of.file.as_deref());
        self.metrics.rows.with_label_values(&[&name]).inc_by(rows);
        if changeovers > 0 {
            self.metrics.changeovers.with_label_values(&[&name]).inc_by(changeovers);
        }
        let all = events.len();
        let new = self.unseen(events);
        self.count("repeated", all - new.len());
        told.rows += rows;
        told.good += all - new.len();
        if !new.is_empty() {
            let verdict = self.insist(What::Events, of, &new).await;
            for reject in &verdict.rejected {
                self.metrics.rejected.with_label_values(&[name.as_str(), &reject.code]).inc();
            }
            let refused: Vec<&Line> = verdict.rejected.iter().filter_map(|reject| new.get(reject.index)).collect();
            if let Some(first) = verdict.rejected.first() {
                let (rejected, row) = (verdict.rejected.len(), refused.first().and_then(|line| line.row));
                tracing::warn!(
                    feed = name,
                    file,
                    rejected,
                    row,
                    code = first.code,
                    first.pointer,
                    first.message,
                    "events rejected"
                );
            }
            self.keep(of, &rows_of(&refused)).await;
            self.count("rejected", verdict.rejected.len());
            let accepted = new.len().saturating_sub(verdict.rejected.len());
            self.count("accepted", accepted);
            told.good += accepted;
            told.bad += verdict.rejected.len();
            let is_refused = |index| verdict.rejected.iter().any(|reject| reject.index == index);
            let known = new.iter().enumerate().filter(|(index, _)| file.is_none() || !is_refused(*index));
            known.for_each(|(_, line)| self.seen.note(line.key));
        }
        told.bad += failed.len();
        let failed = self.unseen(failed);
        if !failed.is_empty() {
            let first = self.keep(of, &failed).await.unwrap_or_default();
            let (rows, row) = (failed.len(), failed.first().and_then(|line| line.row));
            tracing::warn!(feed = name, file, rows, row, first, "rows that the map can't read");
            self.metrics.rejected.with_label_values(&[name.as_str(), "bad_feed"]).inc_by(failed.len() as u64);
            // (a file is taken once: the same row in another one is a fault of that one)
            if file.is_none() {
                failed.iter().for_each(|line| self.seen.note(line.key));
            }
        }
    }

    fn unseen(&mut self, lines: Vec<Line>) -> Vec<Line> {
        lines.into_iter().filter(|line| !self.seen.has(&line.key)).collect()
    }

    /// Has rows kept as rejects, a mebibyte at a time; why the first one is refused.
    async fn keep(&mut self, of: &Of, rows: &[Line]) -> Option<String> {
        let (mut rest, mut first) = (rows, None);
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|row| {
                bytes += row.json.len();
                bytes <= MOST_BYTES
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            let verdict = self.insist(What::Rows, of, now).await;
            first = first.or_else(|| verdict.rejected.into_iter().next().map(|reject| reject.message));
            rest = later;
        }
        first
    }

    /// Offers lines until they are taken.
    async fn insist(&mut self, what: What, of: &Of, lines: &[Line]) -> Verdict {
        let rows = lines.iter().filter_map(|line| line.row).collect();
        let polled = match what {
            What::Events => None,
            What::Rows => Some(of.polled),
        };
        let origin = Origin { file: of.file.as_deref(), rows, polled };
        let body = lines.iter().fold(String::new(), |body, line| body + &line.json + "\n");
        // (the gateway is near, and many wait for it)
        let mut pace = Pace::new(Duration::from_secs(1));
        loop {
            let answer = match what {
                What::Events => self.door.events(&body, &origin).await,
                What::Rows => self.door.rows(&body, &origin).await,
            };
            match answer {
                Ok(verdict) => {
                    self.health.ready();
                    return verdict;
                }
                Err(failure) => {
                    // (a token that is refused is this feed's own matter)
                    if failure.reason == Reason::GatewayAway {
                        self.health.not_ready(failure.message.clone());
                    }
                    let wait = self.failed(&mut pace, &failure);
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// "I live": also where nothing is new.
    async fn heartbeat(&mut self, polled: TimeMs) {
        let Feed { name, source, .. } = &*self.feed;
        let data = json!({ "source_name": source, "expected_s": self.expected_s, "stream": self.stream });
        let beat = json!({
            "specversion": "1.0", "id": format!("pull-{name:.32}-{}", polled.0), "source": source,
            "type": "city.source.heartbeat", "time": polled.to_string(), "data": data,
        });
        let line = Line { key: Default::default(), json: beat.to_string(), row: None, read: None };
        let verdict = self.insist(What::Events, &Of { file: None, polled }, &[line]).await;
        if let Some(reject) = verdict.rejected.first() {
            let name = &self.feed.name;
            tracing::warn!(feed = name, code = reject.code, reject.message, "the heartbeat was rejected");
        }
    }

    /// Counts and tells a failure; how long to wait.
    fn failed(&self, pace: &mut Pace, failure: &Failure) -> Duration {
        let name = &self.feed.name;
        let wait = pace.after_failure(failure.retry_after, (self.chance)());
        self.metrics.failures.with_label_values(&[name.as_str(), failure.reason.as_str()]).inc();
        self.metrics.backoff.with_label_values(&[name]).set(wait.as_secs_f64());
        let (reason, wait_s) = (failure.reason.as_str(), wait.as_secs_f64());
        tracing::warn!(feed = name, reason, wait_s, "{failure}");
        wait
    }

    fn count(&self, outcome: &str, events: usize) {
        self.metrics.events.with_label_values(&[self.feed.name.as_str(), outcome]).inc_by(events as u64);
    }
}
