//! A past day on a screen of its own: the stored figures, as they were known then, told at 1 to 600 times their pace as if it were now. It must not
//! touch the live wall: it has a stream, a state and a bounded number of places of its own.
//!
//! What is not stored has no past: positions of buses, cases and orders. Their places on the map stay empty, which the page says.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::OwnedSemaphorePermit;
use yiping_event::TimeMs;

use crate::api::{Wall, problem};
use crate::hub::frame;
use crate::source::{Breach, Contact, Lot, Metric, Progress};
use crate::view::{Known, MetricKey, StoreView, View};
use crate::{now, page, poll};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// A replay begins with the figures of the quarter of an hour before.
const BEFORE_MS: i64 = 15 * MINUTE_MS;
/// Slower, and figures would come more seldom than live ones; faster, and nobody sees anything.
const SPEEDS: std::ops::RangeInclusive<i64> = 1..=600;
/// Windows end at multiples of these, and the figures of an instant at full minutes; looking closer than a tick goes shows nothing more.
const STEPS_MS: [i64; 3] = [MINUTE_MS, 30_000, 10_000];

/// What a replay is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    from: TimeMs,
    speed: i64,
}

struct Replay {
    wall: Arc<Wall>,
    wanted: Wanted,
    at: TimeMs,
    seq: u64,
    metrics: BTreeMap<MetricKey, Metric>,
    breaches: Vec<Breach>,
    known: Known,
    told: Option<View>,
    next: tokio::time::Instant,
    _place: OwnedSemaphorePermit,
}

pub(crate) async fn stream(State(wall): State<Arc<Wall>>, Query(asked): Query<HashMap<String, String>>) -> Response {
    let wanted = match wanted(&asked, now()) {
        Ok(wanted) => wanted,
        Err(fault) => return problem(StatusCode::BAD_REQUEST, &fault),
    };
    let Ok(place) = Arc::clone(&wall.replays).try_acquire_owned() else {
        let full = problem(StatusCode::SERVICE_UNAVAILABLE, "as many screens replay as may");
        return ([(header::RETRY_AFTER, "10")], full).into_response();
    };
    let replay = Replay {
        wall,
        wanted,
        at: wanted.from,
        seq: 0,
        metrics: BTreeMap::new(),
        breaches: Vec::new(),
        known: Known::default(),
        told: None,
        next: tokio::time::Instant::now(),
        _place: place,
    };
    let frames =
        futures::stream::unfold(replay, async |mut replay| Some((Ok::<_, Infallible>(replay.next().await?), replay)));
    let about = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (about, [("x-accel-buffering", "no")], Body::from_stream(frames)).into_response()
}

fn wanted(asked: &HashMap<String, String>, now: TimeMs) -> Result<Wanted, String> {
    let from = asked.get("from").ok_or("from when? write it like from=2026-11-20T10:41:07Z")?;
    let from = TimeMs::parse(from).map_err(|e| format!("from: {e}; write it like 2026-11-20T10:41:07Z"))?;
    if from.0 >= now.0 {
        return Err("from lies in the future".to_owned());
    }
    let speed = asked.get("speed").map_or("60", String::as_str);
    match speed.parse() {
        Ok(speed) if SPEEDS.contains(&speed) => Ok(Wanted { from, speed }),
        _ => Err(format!("speed: {} to {}", SPEEDS.start(), SPEEDS.end())),
    }
}

/// How close the window ends lie that are looked at.
fn step_ms(speed: i64) -> i64 {
    STEPS_MS.into_iter().find(|step| *step <= speed * 1000).unwrap_or(10_000)
}

impl Replay {
    /// None ends the stream: the server stops.
    async fn next(&mut self) -> Option<Bytes> {
        let cancel = self.wall.cancel.clone();
        tokio::select! {
            () = cancel.cancelled() => return None,
            () = tokio::time::sleep_until(self.next) => {}
        }
        self.next = tokio::time::Instant::now() + self.wall.tick;
        if self.told.is_some() {
            let tick_ms = i64::try_from(self.wall.tick.as_millis()).unwrap_or(1000);
            // It ends where the present begins.
            self.at = TimeMs((self.at.0 + self.wanted.speed * tick_ms).min(now().0));
        }
        tokio::select! {
            () = cancel.cancelled() => return None,
            read = self.read() => {
                let well = match read {
                    Ok(()) => true,
                    Err(error) => {
                        tracing::warn!(error = format!("{error:#}"), "the store did not answer a replay");
                        false
                    }
                };
                if self.known.store.ok != well || self.known.store.since.is_none() {
                    self.known.store = StoreView { ok: well, since: Some(self.at) };
                }
            }
        }
        self.tell()
    }

    /// The figures up to now, of the replay's time.
    async fn read(&mut self) -> anyhow::Result<()> {
        let source = Arc::clone(&self.wall.source);
        let (step, at) = (step_ms(self.wanted.speed), self.at);
        let reached = self.metrics.values().map(|row| row.window_end.0).max();
        let began = self.told.is_none() || reached.is_none();
        let after = if began { at.0 - BEFORE_MS } else { reached.unwrap_or(at.0).max(at.0 - BEFORE_MS) };
        // A first look takes every window, so that figures with long slides are there.
        let rows = source.figures_past(TimeMs(after), at, if began { MINUTE_MS } else { step }).await?;
        let fresh = !rows.is_empty();
        for row in rows {
            let key = (row.metric.clone(), row.level.clone(), row.key.clone(), row.span.clone());
            self.metrics.insert(key, row);
        }
        if self.told.is_none() {
            self.breaches = source.breaches_past(at, TimeMs(at.0 + 2 * DAY_MS)).await?;
            let from = TimeMs(at.0 - poll::SPARK_SPAN_MS);
            let curves = source.spark(from, Some(at)).await?;
            self.known.spark = Arc::new(curves.into_iter().map(|curve| (curve.name, curve.points)).collect());
        }
        if fresh || self.told.is_none() {
            self.known.metrics = Arc::new(self.metrics.clone());
            self.known.lots = Arc::new(self.wall.profile.lots(lots(&self.metrics)));
            let mut curves = (*self.known.spark).clone();
            grow(&mut curves, &self.metrics);
            self.known.spark = Arc::new(curves);
        }
        let open: Vec<Breach> = open_at(&self.breaches, at);
        if open != *self.known.breaches {
            self.known.breaches = Arc::new(open);
        }
        self.known.progress = Arc::new(progress(&self.metrics));
        self.known.contacts = Arc::new(contacts(&self.known.progress, step));
        Ok(())
    }

    fn tell(&mut self) -> Option<Bytes> {
        self.seq += 1;
        let id = format!("replay-{}", self.seq);
        let mut view = View::new(self.known.clone(), self.at);
        let delta = self.told.as_ref().and_then(|before| view.delta(before, &id));
        let (event, body) = match delta {
            Some(body) => ("delta", body),
            None => ("snapshot", view.snapshot(&id, &page::build(), &self.wall.profile.about(false))),
        };
        self.told = Some(view);
        match body {
            Ok(body) => Some(frame(event, &id, &body)),
            Err(error) => {
                tracing::error!(%error, "a moment of a replay could not be written");
                None
            }
        }
    }
}

/// A breach that closed later was open then, and nobody knew how bad it would become.
fn open_at(breaches: &[Breach], at: TimeMs) -> Vec<Breach> {
    let open = breaches.iter().filter(|b| b.opened_at <= at && b.closed_at.is_none_or(|closed| closed > at));
    open.map(|breach| Breach { closed_at: None, worst: None, ..breach.clone() }).collect()
}

/// How full lots were: the figures of their free spaces.
fn lots(metrics: &BTreeMap<MetricKey, Metric>) -> Vec<Lot> {
    let free = metrics.values().filter(|row| row.metric == "parking.free_ratio" && row.level == "lot");
    free.map(|row| Lot {
        lot_id: row.key.clone(),
        capacity: row.denominator as i64,
        occupied: Some((row.denominator - row.numerator) as i64),
        time: row.window_end,
    })
    .collect()
}

/// A stream is as far as the newest of its figures.
fn progress(metrics: &BTreeMap<MetricKey, Metric>) -> Vec<Progress> {
    let mut streams: BTreeMap<&str, TimeMs> = BTreeMap::new();
    for row in metrics.values() {
        let newest = streams.entry(&row.stream).or_insert(row.window_end);
        *newest = row.window_end.max(*newest);
    }
    let stream = |(stream, end): (&str, TimeMs)| Progress {
        stream: stream.to_owned(),
        watermark: Some(end),
        last_event: Some(end),
    };
    streams.into_iter().map(stream).collect()
}

/// A stream speaks as often as its figures come.
fn contacts(progress: &[Progress], step_ms: i64) -> Vec<Contact> {
    let contact = |progress: &Progress| Contact {
        stream: progress.stream.clone(),
        source: "replay".to_owned(),
        last_event: progress.last_event,
        last_contact: progress.last_event,
        expected_s: (step_ms.max(MINUTE_MS) / 1000) as f64,
    };
    progress.iter().map(contact).collect()
}

/// The city's newest figures behind their curves, not closer than the curves' own points.
fn grow(curves: &mut BTreeMap<String, crate::view::Points>, metrics: &BTreeMap<MetricKey, Metric>) {
    const APART_MS: i64 = poll::SPARK_SPAN_MS / 72;
    const POINTS: usize = 72;
    for row in metrics.values().filter(|row| row.level == "city") {
        let curve = curves.entry(format!("{}|city|{}|{}", row.metric, row.key, row.span)).or_default();
        if curve.last().is_none_or(|(last, _)| row.window_end.0 - last.0 >= APART_MS) {
            curve.push((row.window_end, row.value));
        }
        if curve.len() > POINTS {
            curve.drain(..curve.len() - POINTS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &[(&str, &str)]) -> Result<Wanted, String> {
        wanted(&query.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(), TimeMs(1_000_000))
    }

    #[test]
    fn a_replay_needs_a_time_that_has_been_and_a_speed_that_can_be_followed() {
        let from = ("from", "1970-01-01T00:00:05Z");
        assert_eq!(asked(&[from]), Ok(Wanted { from: TimeMs(5_000), speed: 60 }));
        assert!(asked(&[]).unwrap_err().contains("from when"));
        assert!(asked(&[("from", "1970-01-02T00:00:00Z")]).unwrap_err().contains("future"));
        for speed in ["0", "601", "fast"] {
            assert!(asked(&[from, ("speed", speed)]).unwrap_err().contains("1 to 600"));
        }
    }

    #[test]
    fn a_step_is_one_at_which_windows_end_and_no_longer_than_a_minute() {
        assert_eq!([1, 10, 45, 60, 600].map(step_ms), [10_000, 10_000, 30_000, 60_000, 60_000]);
    }

    #[test]
    fn a_breach_is_shown_while_it_was_open_and_without_what_came_after() {
        let breach = Breach {
            metric: "m".into(),
            level: "city".into(),
            key: "city".into(),
            span: "1h".into(),
            severity: "warning".into(),
            opened_at: TimeMs(10),
            closed_at: Some(TimeMs(20)),
            value: Some(1.0),
            threshold: 2.0,
            id: "b".into(),
            worst: Some(9.0),
            owner: "o".into(),
            action: "a".into(),
        };
        let all = [breach];
        assert_eq!([9, 10, 19, 20].map(|at| open_at(&all, TimeMs(at)).len()), [0, 1, 1, 0]);
        assert_eq!(open_at(&all, TimeMs(15)).first().map(|b| (b.closed_at, b.worst)), Some((None, None)));
    }
}
