//! The bytes of bodies that are being worked on, and of the rejects that they become: never more than the gateway has room for, and no
//! token holds more than half of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use yiping_runtime::Metrics;

use crate::problem::Problem;

/// Refused for want of room, a sender may come back after so many seconds.
const RETRY_S: u32 = 1;

/// The room of one gateway.
pub struct Room {
    all: usize,
    /// Of one token.
    share: usize,
    held: Mutex<Held>,
    metrics: Metrics,
}

#[derive(Default)]
struct Held {
    all: usize,
    by_token: HashMap<String, usize>,
}

impl Room {
    /// `all` bytes at once; a token gets half of it, or one largest body where that is more.
    pub fn new(all: usize, largest_body: usize, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self { all, share: (all / 2).max(largest_body), held: Mutex::default(), metrics })
    }

    /// Nothing yet, for a request of this token.
    pub fn enter(self: &Arc<Self>, token: &str) -> Place {
        Place { room: self.clone(), token: token.to_owned(), bytes: 0 }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one request holds: as much as has come in of it, not what it says will come. A sender that dawdles holds little.
pub struct Place {
    room: Arc<Room>,
    token: String,
    bytes: usize,
}

impl Place {
    /// Takes so many bytes more.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        self.take(bytes)
    }

    /// Takes so many bytes more for what was made of the request. Of the token's only request no more is counted than is there: it
    /// would never fit better.
    pub fn stretch(&mut self, bytes: usize) -> Result<(), Problem> {
        self.take(bytes.min(self.room.share.saturating_sub(self.bytes)))
    }

    fn take(&mut self, bytes: usize) -> Result<(), Problem> {
        let mut held = self.room.lock();
        let own = held.by_token.get(&self.token).copied().unwrap_or(0);
        if held.all + bytes > self.room.all || own + bytes > self.room.share {
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too much is being worked on");
            return Err(problem.retry_after(RETRY_S));
        }
        held.all += bytes;
        match held.by_token.get_mut(&self.token) {
            Some(own) => *own += bytes,
            None => {
                held.by_token.insert(self.token.clone(), bytes);
            }
        }
        self.bytes += bytes;
        self.room.metrics.gateway.in_flight_bytes.add(gauge(bytes));
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.room.lock();
        held.all -= self.bytes;
        if let Some(own) = held.by_token.get_mut(&self.token) {
            *own -= self.bytes;
            if *own == 0 {
                held.by_token.remove(&self.token);
            }
        }
        self.room.metrics.gateway.in_flight_bytes.sub(gauge(self.bytes));
    }
}

fn gauge(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
