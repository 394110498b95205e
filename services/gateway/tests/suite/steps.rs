//! A machine whose clock steps while events come in (I2).

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use crate::fixture::{Fixture, NOW, ONE, limits, position};
use serde_json::json;
use yiping_event::{Stream, TimeMs};
use yiping_gateway::Clock;
use yiping_runtime::clock::Steady;

const HOUR_MS: i64 = 3_600_000;
const MS_NS: i64 = 1_000_000;
/// An event is sent so often.
const EVERY_MS: i64 = 10_000;
/// Events in all: five minutes.
const EVENTS: i64 = 30;

/// A machine's clocks, moved by the test.
#[derive(Default)]
struct Machine {
    /// How long it has been running; the real time was [`NOW`] at 0.
    running_ms: AtomicI64,
    /// How far its wall clock is off the real time.
    off_ms: AtomicI64,
}

impl Machine {
    fn real_ms(&self) -> i64 {
        TimeMs::parse(NOW).unwrap().0 + self.running_ms.load(Ordering::SeqCst)
    }

    fn wall_ms(&self) -> i64 {
        self.real_ms() + self.off_ms.load(Ordering::SeqCst)
    }
}

/// Stamps as the wall clock shows it.
fn raw(machine: &Arc<Machine>) -> Clock {
    let machine = Arc::clone(machine);
    Arc::new(move || TimeMs(machine.wall_ms()))
}

/// Stamps as a process does.
fn steady(machine: &Arc<Machine>) -> Clock {
    let machine = Arc::clone(machine);
    let steady = Mutex::new(Steady::start(0, machine.wall_ms() * MS_NS));
    Arc::new(move || {
        let running_ns = machine.running_ms.load(Ordering::SeqCst) * MS_NS;
        TimeMs(steady.lock().unwrap().read(running_ns, machine.wall_ms() * MS_NS).time_ns / MS_NS)
    })
}

/// The log times of events that are sent every ten seconds, less the real time of each. The wall clock is off by `first` from the
/// 10th event on, by `second` from the 20th.
async fn log_times(clock: fn(&Arc<Machine>) -> Clock, first: i64, second: i64) -> Vec<i64> {
    let machine = Arc::new(Machine::default());
    let gateway = Fixture::with_clock(limits(), clock(&machine)).await;
    let token = gateway.token("bus", &[Stream::Bus]);
    let start = machine.real_ms();
    for at in 0..EVENTS {
        machine.running_ms.store(at * EVERY_MS, Ordering::SeqCst);
        machine.off_ms.store(
            if at < 10 {
                0
            } else if at < 20 {
                first
            } else {
                second
            },
            Ordering::SeqCst,
        );
        let mut event = position(&at.to_string());
        event["time"] = json!(TimeMs(machine.real_ms() - 2_000).to_string());
        let (status, answer) = gateway.send(&token, ONE, event.to_string()).await;
        assert_eq!((status, &answer["rejected"]), (202, &json!([])));
    }
    // one vehicle is one key, and one key one partition: in the order in which they were sent
    let events = gateway.records("city.bus").await;
    let received = events.iter().map(|(_, _, event)| TimeMs::parse(event["receivedtime"].as_str().unwrap()).unwrap().0);
    received.zip(0..).map(|(received, at)| received - start - at * EVERY_MS).collect()
}

/// Whether log times go on smoothly: ten seconds come to ten seconds, give or take the slew's eighth, and no event is further from
/// the real time than the 60 s that the services bear with.
fn smooth(off: &[i64]) -> bool {
    off.windows(2).all(|pair| (pair[1] - pair[0]).abs() <= EVERY_MS / 8) && off.iter().all(|off| off.abs() < 60_000)
}

#[tokio::test]
async fn i2_log_times_go_on_smoothly_while_the_machines_clock_steps_an_hour_and_back() {
    for hour in [HOUR_MS, -HOUR_MS] {
        let off = log_times(steady, hour, 0).await;
        assert!(off.len() == EVENTS as usize && smooth(&off), "{off:?}");
        // followed for ten events, 1.25 s each, then back again
        assert_eq!((off[9], off[19], off[29]), (0, hour.signum() * 12_500, 0), "{off:?}");
        // and without coming back: at 20 × 1.25 s
        let off = log_times(steady, hour, hour).await;
        assert!(smooth(&off) && off[29] == hour.signum() * 25_000, "{off:?}");
    }
}

#[tokio::test]
async fn i2_stamps_of_the_wall_clock_itself_would_jump() {
    for hour in [HOUR_MS, -HOUR_MS] {
        let off = log_times(raw, hour, 0).await;
        assert!(!smooth(&off) && off[9] == 0 && off[10] == hour, "{off:?}");
    }
}
