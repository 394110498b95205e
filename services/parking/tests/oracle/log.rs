//! Logs of three hours of parking, made from a few numbers: what happens at lots, and in sessions. All of it is in time (at most 40
//! minutes on its way), so that the order in which it comes must change nothing.

use proptest::prelude::*;
use serde_json::{Value, json};
use yiping_event::TimeMs;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

/// P005 is open 06:00-22:00, P038 18:00-02:00; X1 is unknown to the profile.
pub const LOTS: [&str; 5] = ["P001", "P005", "P038", "P245", "X1"];

pub const CHANNELS: [&str; 8] = ["wechat", "alipay", "app", "unionpay", "ccb_seamless", "etc", "cash", "waived"];

/// When the day's logs begin: before P005 opens, before it closes, before midnight, in the afternoon.
const BEGINS: [&str; 4] = [
    "2026-11-20T05:10:00+08:00",
    "2026-11-20T20:40:00+08:00",
    "2026-11-20T22:50:00+08:00",
    "2026-11-20T17:00:00+08:00",
];

#[derive(Clone, Debug)]
pub enum What {
    Snapshot { capacity: i64, occupied: i64, floor: Option<&'static str>, open: bool, district: Option<&'static str> },
    Entry { session: usize, floor: Option<&'static str> },
    Exit { session: usize, told: Option<i64> },
    Payment { channel: usize, fen: i64, ok: bool },
    Left { session: usize, fen: i64, due: Option<i64> },
    Settled { session: usize, fen: i64 },
}

#[derive(Clone, Debug)]
pub struct Event {
    pub lot: &'static str,
    pub time: i64,
    /// The event's id: its number in four digits.
    pub id: usize,
    /// When it comes.
    arrives: i64,
    pub what: What,
}

/// Events in the order in which they come; some come twice.
#[derive(Clone, Debug)]
pub struct Log {
    pub events: Vec<Event>,
    pub again: Vec<bool>,
}

impl Event {
    pub fn rank(&self) -> u8 {
        match self.what {
            What::Snapshot { .. } => 0,
            What::Entry { .. } => 1,
            What::Exit { .. } => 2,
            What::Payment { .. } => 3,
            What::Left { .. } => 4,
            What::Settled { .. } => 5,
        }
    }

    fn line(&self) -> String {
        let at = |time: i64| Value::from(TimeMs(time).to_string());
        let named = |session: usize| format!("s{session}");
        let (kind, mut data) = match &self.what {
            What::Snapshot { capacity, occupied, floor, open, district } => (
                "snapshot",
                json!({"capacity": capacity, "occupied": occupied, "floor": floor, "open": open, "district": district}),
            ),
            What::Entry { session, floor } => ("entry", json!({"session_id": named(*session), "floor": floor})),
            What::Exit { session, told } => {
                ("exit", json!({"session_id": named(*session), "entry_time": told.map(at)}))
            }
            What::Payment { channel, fen, ok } => (
                "payment",
                json!({"session_id": "s", "channel": CHANNELS[*channel], "amount_fen": fen, "result": if *ok { "ok" } else { "failed" }}),
            ),
            What::Left { session, fen, due } => (
                "credit",
                json!({"session_id": named(*session), "event": "left_unpaid", "amount_fen": fen, "due": due.map(at)}),
            ),
            What::Settled { session, fen } => {
                ("credit", json!({"session_id": named(*session), "event": "settled", "amount_fen": fen}))
            }
        };
        data["lot_id"] = self.lot.into();
        let (kind, id) = (format!("city.parking.{kind}"), format!("e{:04}", self.id));
        json!({"specversion": "1.0", "id": id, "source": "test", "type": kind, "time": at(self.time), "data": data})
            .to_string()
    }
}

impl Log {
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (event, again) in self.events.iter().zip(&self.again) {
            lines.push(event.line());
            if *again {
                lines.push(event.line());
            }
        }
        lines
    }
}

/// Times in seconds or milliseconds: on the dot of windows and minutes, or anywhere.
fn time(most: i64) -> impl Strategy<Value = i64> {
    prop_oneof![(0..most / MINUTE).prop_map(|minutes| minutes * MINUTE), 0..most]
}

fn delay() -> impl Strategy<Value = i64> {
    prop_oneof![3 => 0..4 * SECOND, 1 => 0..40 * MINUTE]
}

type Part = (usize, i64, i64, What);

fn snapshot() -> impl Strategy<Value = What> {
    let floor = prop::sample::select(vec![None, None, None, Some("F1"), Some("F2")]);
    let district = prop::sample::select(vec![None, None, None, None, None, None, Some("文登区")]);
    let capacity = prop::sample::select(vec![0, 10, 20, 20, 50]);
    let taken = prop::sample::select(vec![-3_i64, 0, 4, 8, 10, 18, 19, 20, 23, 49]);
    (capacity, taken, floor, prop::bool::weighted(0.9), district).prop_map(
        |(capacity, occupied, floor, open, district)| What::Snapshot { capacity, occupied, floor, open, district },
    )
}

fn payment() -> impl Strategy<Value = What> {
    (0..CHANNELS.len(), prop::sample::select(vec![0, 100, 250, 999]), prop::bool::weighted(0.8))
        .prop_map(|(channel, fen, ok)| What::Payment { channel, fen, ok })
}

/// What happens at lots by itself.
fn at_lots() -> impl Strategy<Value = Vec<Part>> {
    let what = prop_oneof![3 => snapshot(), 2 => payment()];
    prop::collection::vec((0..LOTS.len(), time(150 * MINUTE), delay(), what), 10..60)
}

/// A stay: entry, exit and what the exit tells may be missing, repeated (5 minutes later), or in the wrong order.
fn stay(session: usize) -> impl Strategy<Value = Vec<Part>> {
    let floor = prop::sample::select(vec![None, None, Some("F1"), Some("F3")]);
    let entry = (prop::bool::weighted(0.8), prop::bool::weighted(0.2), floor);
    let lasts = prop_oneof![1 => -5 * MINUTE..=0, 6 => time(100 * MINUTE)];
    // near its entry, after its exit, hours ago, or not told
    let told = prop_oneof![Just(Some(-MINUTE)), Just(Some(110 * MINUTE)), Just(Some(-300 * MINUTE)), Just(None)];
    let exit = (prop::bool::weighted(0.8), prop::bool::weighted(0.2), lasts, told);
    let delays = prop::collection::vec(delay(), 4);
    (0..LOTS.len(), time(120 * MINUTE), entry, exit, delays).prop_map(move |(lot, base, entry, exit, delays)| {
        let mut parts = Vec::new();
        let went_in = What::Entry { session, floor: entry.2 };
        let told = exit.3.map(|told| base + told);
        let went_out = What::Exit { session, told };
        if entry.0 {
            parts.push((lot, base, delays[0], went_in.clone()));
        }
        if entry.0 && entry.1 {
            parts.push((lot, base + 5 * MINUTE, delays[1], went_in));
        }
        if exit.0 {
            parts.push((lot, base + exit.2, delays[2], went_out.clone()));
        }
        if exit.0 && exit.1 {
            parts.push((lot, base + exit.2 + 5 * MINUTE, delays[3], went_out));
        }
        parts
    })
}

/// A credit: left and settled, either of them perhaps missing or repeated, settled before or after it is due, in part or with a fine.
fn credit(session: usize) -> impl Strategy<Value = Vec<Part>> {
    let due = prop_oneof![1 => Just(None), 4 => (-10 * MINUTE..60 * MINUTE).prop_map(Some), 1 => Just(Some(24 * 60 * MINUTE))];
    let left = (prop::bool::weighted(0.9), prop::bool::weighted(0.2), due);
    let settled = (prop::bool::weighted(0.7), prop::bool::weighted(0.2), -5 * MINUTE..70 * MINUTE, any::<bool>());
    let amounts = prop::sample::select(vec![(0, 0), (100, 100), (100, 40), (100, 130), (700, 700)]);
    (0..LOTS.len(), time(90 * MINUTE), left, settled, amounts, prop::collection::vec(delay(), 4)).prop_map(
        move |(lot, base, left, settled, (owed, paid), delays)| {
            let mut parts = Vec::new();
            // settled exactly when due is in time
            let settles = left.2.filter(|due| settled.3 && *due < 70 * MINUTE).unwrap_or(settled.2);
            if left.0 {
                parts.push((
                    lot,
                    base,
                    delays[0],
                    What::Left { session, fen: owed, due: left.2.map(|due| base + due) },
                ));
            }
            if left.0 && left.1 {
                let due = left.2.map(|due| base + due + 10 * MINUTE);
                parts.push((lot, base + 5 * MINUTE, delays[1], What::Left { session, fen: owed + 50, due }));
            }
            if settled.0 {
                parts.push((lot, base + settles, delays[2], What::Settled { session, fen: paid }));
            }
            if settled.0 && settled.1 {
                parts.push((lot, base + settles + 5 * MINUTE, delays[3], What::Settled { session, fen: paid + 10 }));
            }
            parts
        },
    )
}

pub fn log() -> impl Strategy<Value = Log> {
    let sessions: Vec<_> = (0..24).map(|session| stay(session).boxed()).collect();
    let credits: Vec<_> = (24..36).map(|session| credit(session).boxed()).collect();
    (prop::sample::select(BEGINS.to_vec()), at_lots(), sessions, credits, prop::collection::vec(any::<u8>(), 16))
        .prop_map(|(begins, at_lots, sessions, credits, again)| {
            let begins = TimeMs::parse(begins).unwrap().0;
            let parts = at_lots.into_iter().chain(sessions.into_iter().flatten()).chain(credits.into_iter().flatten());
            let shifted = |what: What| match what {
                What::Exit { session, told } => What::Exit { session, told: told.map(|told| begins + told) },
                What::Left { session, fen, due } => What::Left { session, fen, due: due.map(|due| begins + due) },
                what => what,
            };
            let mut events: Vec<Event> = parts
                .enumerate()
                .map(|(id, (lot, time, delay, what))| {
                    let time = begins + time;
                    Event { lot: LOTS[lot], time, id, arrives: time + delay, what: shifted(what) }
                })
                .collect();
            events.sort_by_key(|event| (event.arrives, event.id));
            let again = (0..events.len()).map(|at| again[at % again.len()] < 16).collect();
            Log { events, again }
        })
}
