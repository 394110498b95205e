//! When the drain begins and when it is done, as the log and the sink see it: the service itself is not told that it is measured.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};
use yiping_log::{Offset, Partition};

use super::measure::{Moment, Spent};

pub struct Watch {
    /// Of each partition, by its number: everything before it is to be drained.
    ends: Vec<Offset>,
    state: Mutex<State>,
    done: Notify,
}

#[derive(Default)]
struct State {
    /// The partitions are the service's: what comes before is the group's way of finding together, of Kafka's some seconds.
    began: Option<Moment>,
    applied: bool,
    storing: bool,
    /// When a write last began or ended.
    stored: Option<Instant>,
    frontier: BTreeMap<Partition, Offset>,
    idle: Duration,
    spent: Option<Spent>,
}

impl Watch {
    pub fn new(ends: Vec<Offset>) -> Self {
        Watch { ends, state: Mutex::default(), done: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reached(&self, next: &BTreeMap<Partition, Offset>) -> bool {
        (0..).zip(&self.ends).all(|(partition, end)| next.get(&partition).copied().unwrap_or(0) >= *end)
    }

    pub fn begin(&self) {
        self.state().began.get_or_insert_with(Moment::now);
    }

    /// The service has applied everything before these.
    pub fn read(&self, next: &BTreeMap<Partition, Offset>) {
        let applied = self.reached(next);
        self.state().applied = applied;
    }

    /// A poll has waited for nothing since `from`. When all is applied and nothing is being stored, that is the wait for the next
    /// flush, which comes every second whatever there is to do: no part of the work.
    pub fn idled(&self, from: Instant) {
        let mut state = self.state();
        if state.applied && !state.storing && state.stored.is_none_or(|stored| stored <= from) {
            state.idle += from.elapsed();
        }
    }

    pub fn storing(&self) {
        let mut state = self.state();
        (state.storing, state.stored) = (true, Some(Instant::now()));
    }

    /// Something is acknowledged; of a batch, where its partitions stand.
    pub fn stored(&self, frontiers: impl Iterator<Item = (Partition, Offset)>) {
        let mut state = self.state();
        (state.storing, state.stored) = (false, Some(Instant::now()));
        state.frontier.extend(frontiers);
        if state.spent.is_none() && self.reached(&state.frontier) {
            state.spent = state.began.map(|began| began.spent(state.idle));
            self.done.notify_one();
        }
    }

    /// How many records are applied and stored.
    pub fn progress(&self) -> Offset {
        self.state().frontier.values().sum()
    }

    /// Returns when every record is applied, and all that came of it acknowledged.
    pub async fn done(&self) -> Spent {
        loop {
            if let Some(spent) = self.state().spent {
                return spent;
            }
            self.done.notified().await;
        }
    }
}
