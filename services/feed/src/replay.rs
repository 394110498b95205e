//! Recorded data into a running gateway: batches of NDJSON at the data's own pace, with ticks, so that the log's time
//! follows the data's (I2). Reading and mapping go on in a thread of their own, a bounded queue ahead of the sending.
//!
//! Nothing is resumed: ids make a repeat harmless (I7), so a replay that broke off is started again from its beginning.

use crate::input::{Fault, Input, Item, Outlook, Tally};
use crate::pace::Pace;
use crate::post::Poster;
use crate::progress::{Progress, State};
use crate::tick::{SETTLE_MS, Ticker};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use yiping_event::TimeMs;

/// Well below the gateway's limit of 8 MiB a body.
const BATCH_BYTES: usize = 4 << 20;
/// Events due within this time go together, early by so much at most: else a fast pace would send single events.
const SLACK: Duration = Duration::from_millis(100);
/// Faults and rejects that the summary quotes.
const QUOTED: usize = 10;

/// A slower pace than this is a slip of the pen.
const SLOWEST: f64 = 0.001;

#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Speed {
    Max,
    /// Data seconds per second.
    Times(f64),
}

impl FromStr for Speed {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.trim_end_matches(['x', 'X', '×']).parse::<f64>() {
            Ok(factor) if factor.is_finite() && factor >= SLOWEST => Ok(Self::Times(factor)),
            _ => Err(format!("speed {text} is neither a number from {SLOWEST} on nor max")),
        }
    }
}

pub struct ReplayOptions {
    /// Its `stream` says whose time the ticks move: it must be given.
    pub input: Input,
    /// The gateway, such as `http://127.0.0.1:8081`.
    pub to: String,
    pub token: String,
    pub speed: Speed,
    /// Log time follows the data: `receivedtime` is sent (the map's, else the event's own time), and ticks are. The
    /// token needs `set_received`. Without it the gateway stamps the events with its own time.
    pub own_time: bool,
    /// Data time that may pass between two ticks while events flow, ms.
    pub tick_every_ms: i64,
    /// How far the last tick goes beyond the newest event, ms; None: no last tick. See [`crate::replay::DEFAULT_SETTLE_MS`].
    pub settle_ms: Option<i64>,
    /// Events in a batch, at the most.
    pub batch: usize,
    pub gzip: bool,
    /// How long a gateway that can't be reached, or takes nothing, is waited for.
    pub patience: Duration,
    /// No progress on stderr.
    pub quiet: bool,
}

/// 24 h and the watermark's 5 s: all windows that hold an event become final, and no deadline fires that `compute`
/// would not fire at the end of a file.
pub const DEFAULT_SETTLE_MS: i64 = SETTLE_MS;

impl ReplayOptions {
    pub fn new(input: Input, to: &str, token: &str) -> Self {
        Self {
            input,
            to: to.into(),
            token: token.into(),
            speed: Speed::Max,
            own_time: true,
            tick_every_ms: 60_000,
            settle_ms: Some(DEFAULT_SETTLE_MS),
            batch: 1_000,
            gzip: false,
            patience: Duration::from_secs(300),
            quiet: false,
        }
    }
}

/// What a replay did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    pub tally: Tally,
    pub accepted: u64,
    pub rejected: u64,
    pub rejected_by_code: BTreeMap<String, u64>,
    pub ticks: u64,
    pub rejected_ticks: u64,
    /// The gateway's answers by status code; 0: no answer at all.
    pub answers: BTreeMap<u16, u64>,
    /// The first rejects and faults, in words.
    pub quoted: Vec<String>,
    pub elapsed: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { rows, empty_rows, failed_rows, other_streams, raw_lines, .. } = self.tally;
        writeln!(f, "rows {rows}: {empty_rows} without an event, {failed_rows} failed, {raw_lines} sent as they are")?;
        for (kind, count) in &self.tally.events {
            writeln!(f, "events {kind}: {count}")?;
        }
        if other_streams > 0 {
            writeln!(f, "events of other streams, not sent: {other_streams}")?;
        }
        writeln!(
            f,
            "accepted {}, rejected {}; ticks {}, of them rejected {}",
            self.accepted, self.rejected, self.ticks, self.rejected_ticks
        )?;
        for (code, count) in &self.rejected_by_code {
            writeln!(f, "rejected as {code}: {count}")?;
        }
        for (status, count) in &self.answers {
            match status {
                0 => writeln!(f, "requests without an answer: {count}")?,
                _ => writeln!(f, "answers {status}: {count}")?,
            }
        }
        for line in &self.quoted {
            writeln!(f, "  {line}")?;
        }
        let sent = self.accepted + self.rejected;
        let seconds = self.elapsed.as_secs_f64();
        write!(f, "{seconds:.1} s, {:.0} events/s", sent as f64 / seconds.max(0.001))
    }
}

/// Replays the input, to its end or to the first thing that can't pass.
pub async fn replay(options: ReplayOptions) -> Result<Summary> {
    let Some(stream) = options.input.stream else {
        bail!("a replay is of one stream: bus, parking, hotline or elder");
    };
    let start = Instant::now();
    let mut sender = Sender {
        poster: Poster::new(&options.to, &options.token, options.gzip, options.patience)?,
        ticker: options.own_time.then(|| Ticker::new(stream, &options.input.feed.source, options.tick_every_ms)),
        pace: match options.speed {
            Speed::Max => None,
            Speed::Times(factor) => Some(Pace::new(factor)),
        },
        progress: Progress::new(options.quiet),
        limit: options.batch.max(1),
        lines: String::new(),
        kinds: Vec::new(),
        newest: None,
        outlook: Outlook::default(),
        summary: Summary::default(),
    };
    let (queue, mut items) = mpsc::channel(4 * sender.limit);
    let input = options.input;
    let reader = tokio::task::spawn_blocking(move || {
        let mut quoted = Vec::new();
        let mut fault = |Fault { file, row, message }: Fault| {
            if quoted.len() < QUOTED {
                quoted.push(format!("{} row {row}: {message}", file.display()));
            }
        };
        let mut sink = |item, outlook| queue.blocking_send((item, outlook)).context("the sending has ended");
        input.each(&mut sink, &mut fault).map(|tally| (tally, quoted))
    });
    while let Some((item, outlook)) = items.recv().await {
        sender.outlook = outlook;
        sender.take(item).await?;
    }
    let (tally, quoted) = reader.await.context("the reader died")??;
    sender.summary.quoted.extend(quoted);
    if let (Some(settle_ms), Some(newest)) = (options.settle_ms, tally.newest) {
        sender.tick_at(newest.plus(settle_ms));
    }
    sender.flush().await?;
    sender.progress.done();
    Ok(Summary { tally, answers: sender.poster.answers, elapsed: start.elapsed(), ..sender.summary })
}

#[derive(Copy, Clone, PartialEq)]
enum Kind {
    Event,
    Tick,
}

/// Gathers lines into batches and sends them when they are full or due.
struct Sender {
    poster: Poster,
    /// None: the gateway's time is the log's time.
    ticker: Option<Ticker>,
    /// None: as fast as the gateway takes them.
    pace: Option<Pace>,
    progress: Progress,
    limit: usize,
    lines: String,
    kinds: Vec<Kind>,
    /// Log time of the newest event taken.
    newest: Option<TimeMs>,
    outlook: Outlook,
    summary: Summary,
}

impl Sender {
    async fn take(&mut self, item: Item) -> Result<()> {
        let line = match item {
            Item::Raw(line) => line,
            Item::Event(mut mapped) => {
                self.keep_pace(mapped.log_time).await?;
                if let Some(tick) = self.ticker.as_mut().and_then(|ticker| ticker.before(mapped.log_time)) {
                    self.push(&tick.to_string(), Kind::Tick);
                }
                self.newest = self.newest.max(Some(mapped.log_time));
                if self.ticker.is_none() {
                    mapped.event.remove("receivedtime");
                } else if !mapped.event.contains_key("receivedtime") {
                    let own = mapped.event.get("time").cloned().unwrap_or_default();
                    mapped.event.insert("receivedtime".into(), own);
                }
                Value::Object(mapped.event).to_string()
            }
        };
        self.push(&line, Kind::Event);
        if self.kinds.len() >= self.limit || self.lines.len() >= BATCH_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Waits until an event of this log time is due; time goes on in ticks while the data is silent.
    async fn keep_pace(&mut self, log_time: TimeMs) -> Result<()> {
        let Some(pace) = &mut self.pace else { return Ok(()) };
        if pace.wait(log_time, Instant::now()) <= SLACK {
            return Ok(());
        }
        self.flush().await?;
        while let Some(pace) = &mut self.pace {
            let wait = pace.wait(log_time, Instant::now());
            if wait.is_zero() {
                break;
            }
            tokio::time::sleep(wait.min(Duration::from_secs(1))).await;
            if let Some(data_time) = pace.data_time(Instant::now()).filter(|data_time| *data_time < log_time) {
                self.tick_at(data_time);
                self.flush().await?;
            }
        }
        Ok(())
    }

    fn tick_at(&mut self, log_time: TimeMs) {
        if let Some(tick) = self.ticker.as_mut().and_then(|ticker| ticker.at(log_time)) {
            self.push(&tick.to_string(), Kind::Tick);
        }
    }

    fn push(&mut self, line: &str, kind: Kind) {
        self.lines.push_str(line);
        self.lines.push('\n');
        self.kinds.push(kind);
    }

    async fn flush(&mut self) -> Result<()> {
        if self.kinds.is_empty() {
            return Ok(());
        }
        let kinds = std::mem::take(&mut self.kinds);
        let verdict = self.poster.send(std::mem::take(&mut self.lines)).await?;
        let ticks = kinds.iter().filter(|kind| **kind == Kind::Tick).count() as u64;
        let summary = &mut self.summary;
        let mut rejected_ticks = 0;
        for reject in &verdict.rejected {
            if kinds.get(reject.index) == Some(&Kind::Tick) {
                rejected_ticks += 1;
            } else {
                summary.rejected += 1;
                *summary.rejected_by_code.entry(reject.code.clone()).or_default() += 1;
            }
            if summary.quoted.len() < QUOTED {
                summary.quoted.push(format!("{} at {:?}: {}", reject.code, reject.pointer, reject.message));
            }
        }
        summary.ticks += ticks;
        summary.rejected_ticks += rejected_ticks;
        summary.accepted += verdict.accepted.saturating_sub(ticks - rejected_ticks);
        let state = self.state();
        self.progress.show(&state);
        Ok(())
    }

    fn state(&self) -> State {
        let Summary { accepted, rejected, .. } = self.summary;
        let pace_left =
            self.pace.as_ref().zip(self.outlook.last_log_time).map(|(pace, last)| pace.left(last, Instant::now()));
        State {
            rows: self.outlook.rows,
            sent: accepted + rejected,
            accepted,
            rejected,
            share: match self.outlook.total {
                Some(total) => (accepted + rejected) as f64 / total.max(1) as f64,
                None => self.outlook.read_share,
            },
            data_time: self.newest,
            pace_left,
        }
    }
}
