//! One moment after another, for all screens: each tick makes the new view, the delta to the one before, and hands the same bytes to everybody.
//! It must not know the store: a tick never waits for anything.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use tokio::sync::broadcast;
use yiping_event::TimeMs;

use crate::view::{Known, View};

/// A screen that comes back within a minute gets only what it missed.
const RING: usize = 60;
/// A screen that takes longer than this to read is told everything anew.
const BEHIND: usize = 8;

pub(crate) struct Hub {
    /// Tells one life of the server from the next: ids of another one are of no use.
    life: String,
    build: String,
    city: Value,
    told: Mutex<Told>,
    frames: broadcast::Sender<Bytes>,
}

struct Told {
    seq: u64,
    view: View,
    snapshot: Arc<Snapshot>,
    ring: VecDeque<(u64, Bytes)>,
}

/// The whole view as JSON, made when the first one asks for it.
pub(crate) struct Snapshot {
    pub id: String,
    view: View,
    body: OnceLock<Bytes>,
    packed: OnceLock<Option<Bytes>>,
}

impl Hub {
    pub fn new(build: String, city: Value, known: Known, now: TimeMs) -> Self {
        let life = format!("{:x}", now.0);
        let view = View::new(known, now);
        let snapshot = Snapshot::new(format!("{life}-0"), view.clone());
        let told = Told { seq: 0, view, snapshot, ring: VecDeque::with_capacity(RING) };
        Hub { life, build, city, told: Mutex::new(told), frames: broadcast::channel(BEHIND).0 }
    }

    /// Makes `known` as seen at `now` the current view, and tells the screens.
    pub fn tick(&self, known: Known, now: TimeMs) {
        let mut told = self.told();
        let seq = told.seq + 1;
        let id = format!("{}-{seq}", self.life);
        let mut view = View::new(known, now);
        let delta = view.delta(&told.view, &id);
        let snapshot = Snapshot::new(id, view.clone());
        let frame = match delta {
            Some(Ok(body)) => {
                let frame = frame("delta", &snapshot.id, &body);
                if told.ring.len() == RING {
                    told.ring.pop_front();
                }
                told.ring.push_back((seq, frame.clone()));
                frame
            }
            Some(Err(error)) => return tracing::error!(%error, "a delta could not be written"),
            None => {
                told.ring.clear();
                self.snapshot_frame(&snapshot)
            }
        };
        *told = Told { seq, view, snapshot, ring: std::mem::take(&mut told.ring) };
        // Nobody listens: then nobody misses it.
        let _ = self.frames.send(frame);
    }

    /// A sign of life under the id of the newest delta.
    pub fn heartbeat(&self, now: TimeMs) {
        let told = self.told();
        let body = serde_json::json!({ "id": told.snapshot.id, "server_time": now.to_string(), "build": self.build })
            .to_string();
        let _ = self.frames.send(frame("heartbeat", &told.snapshot.id, body.as_bytes()));
    }

    /// What a screen needs first (nothing older than `last_id`, if that can be had), and what comes after it: without a gap, without a repetition.
    pub fn join(&self, last_id: Option<&str>) -> (Vec<Bytes>, broadcast::Receiver<Bytes>) {
        let told = self.told();
        let frames = self.frames.subscribe();
        let missed = last_id.and_then(|id| told.since(id, &self.life));
        let snapshot = Arc::clone(&told.snapshot);
        drop(told);
        (missed.unwrap_or_else(|| vec![self.snapshot_frame(&snapshot)]), frames)
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.told().snapshot)
    }

    pub fn body(&self, snapshot: &Snapshot) -> Bytes {
        let write = || match snapshot.view.snapshot(&snapshot.id, &self.build, &self.city) {
            Ok(body) => Bytes::from(body),
            Err(error) => {
                tracing::error!(%error, "a snapshot could not be written");
                Bytes::from_static(b"{}")
            }
        };
        snapshot.body.get_or_init(write).clone()
    }

    /// The same as gzip, also made once for all who ask; `None`: it couldn't be.
    pub fn packed(&self, snapshot: &Snapshot) -> Option<Bytes> {
        let pack = || {
            let body = self.body(snapshot);
            let mut packed = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
            packed.write_all(&body).and_then(|()| packed.finish()).ok().map(Bytes::from)
        };
        snapshot.packed.get_or_init(pack).clone()
    }

    fn snapshot_frame(&self, snapshot: &Snapshot) -> Bytes {
        frame("snapshot", &snapshot.id, &self.body(snapshot))
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        // Each change is one assignment: there is no half-made state to be afraid of.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn since(&self, id: &str, life: &str) -> Option<Vec<Bytes>> {
        let seq: u64 = id.strip_prefix(life)?.strip_prefix('-')?.parse().ok()?;
        let kept_from = self.seq - self.ring.len() as u64;
        (kept_from..=self.seq)
            .contains(&seq)
            .then(|| self.ring.iter().filter(|(at, _)| *at > seq).map(|(_, frame)| frame.clone()).collect())
    }
}

impl Snapshot {
    fn new(id: String, view: View) -> Arc<Self> {
        Arc::new(Snapshot { id, view, body: OnceLock::new(), packed: OnceLock::new() })
    }
}

/// One event as it goes over the wire. JSON without line breaks is one `data` line.
pub(crate) fn frame(event: &str, id: &str, body: &[u8]) -> Bytes {
    let mut frame = format!("id: {id}\nevent: {event}\ndata: ").into_bytes();
    frame.extend_from_slice(body);
    frame.extend_from_slice(b"\n\n");
    frame.into()
}
