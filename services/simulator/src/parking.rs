//! Car parks: a snapshot a minute of each floor, cars that come, pay (or not) and go.

use std::sync::Arc;

use yiping_city::City;
use yiping_event::Stream;

use crate::agenda::{Agenda, Calendar, DAY_MS, HOUR_MS, MINUTE_MS, Planned};
use crate::draws::{Draws, For, below, identity, mix, scaled};
use crate::fate::{Manner, Spells};
use crate::json::Members;
use crate::outbox::{Outbox, Said, Voice};
use crate::stay::{Stay, Usage};
use crate::{Actor, Faults, Options};

const SILENCE: Spells =
    Spells { purpose: For::LotSpell, per_10_000_hours: 40, shortest_ms: 5 * MINUTE_MS, longest_ms: 20 * MINUTE_MS };
/// Exits that nobody saw, in 10,000.
const LOST_EXITS: i64 = 200;
/// Stays up to this are free.
const FREE_MS: i64 = HOUR_MS / 2;

/// The contract's words and how often each is used, in per cent.
const CHANNELS: [(&str, u32); 8] = [
    ("wechat", 46),
    ("alipay", 24),
    ("app", 6),
    ("unionpay", 4),
    ("ccb_seamless", 9),
    ("etc", 6),
    ("cash", 3),
    ("waived", 2),
];

pub(crate) struct Parking {
    seed: u64,
    faults: Faults,
    calendar: Calendar,
    lots: Vec<Lot>,
    planned: Planned,
    agenda: Agenda<Move>,
    /// Instants in a minute, in ms, and whose snapshot is due then.
    rounds: Vec<(i64, usize)>,
    /// The minute since 1970, and the place in `rounds`, of the next snapshot.
    minute: i64,
    next_round: usize,
}

struct Lot {
    lot_id: String,
    district: String,
    voice: Arc<Voice>,
    /// Spaces of each floor.
    floors: Vec<i64>,
    taken: Vec<i64>,
    usage: Usage,
}

/// What a car does, at a time of the agenda.
#[derive(Clone, Copy)]
struct Move {
    lot: u32,
    day: i32,
    /// Number of the stay on that day.
    stay: u32,
    floor: u8,
    act: Act,
}

#[derive(Clone, Copy)]
enum Act {
    Entry,
    Exit { entered: i64 },
    Pay { channel: u8, fen: i32, failed: bool },
    LeaveUnpaid { fen: i32 },
    Settle { fen: i32 },
}

impl Parking {
    pub(crate) fn new(city: &City, options: &Options, calendar: Calendar, since: i64) -> Parking {
        let count = if city.lots.is_empty() { 0 } else { scaled(city.lots.len() as u64, options.scale) };
        let lots: Vec<Lot> = (0..count).map(|number| Lot::new(city, options.seed, number, count)).collect();
        let phase = |lot: usize| below(identity(options.seed, For::Snapshot, lot as u64, -1), MINUTE_MS);
        let mut rounds: Vec<(i64, usize)> = (0..lots.len()).map(|lot| (phase(lot), lot)).collect();
        rounds.sort_unstable();
        let planned = Planned::from(calendar.service_day(since), 1);
        Parking {
            seed: options.seed,
            faults: options.faults,
            calendar,
            lots,
            planned,
            agenda: Agenda::new(),
            rounds,
            minute: since.div_euclid(MINUTE_MS) - 1,
            next_round: 0,
        }
    }

    fn plan(&mut self, day: i64) {
        let start = self.calendar.service_start(day);
        let mut moves = Vec::new();
        for (number, lot) in self.lots.iter().enumerate() {
            let key = number as u64;
            let stays = lot.usage.stays(self.seed, key, day, &lot.floors);
            let mut draws = Draws::new(self.seed, For::Stay, key, day);
            for (nth, stay) in stays.iter().enumerate() {
                moves.extend(acts(stay, &mut draws).map(|(at, act)| {
                    let floor = u8::try_from(stay.floor).unwrap_or(0);
                    let (lot, stay) = (u32::try_from(number).unwrap_or(0), u32::try_from(nth).unwrap_or(0));
                    (start + at, Move { lot, day: i32::try_from(day).unwrap_or(0), stay, floor, act: act.from(start) })
                }));
            }
        }
        self.agenda.add(moves);
    }

    fn act(&mut self, at: i64, car: Move, out: &mut Outbox) {
        let lot = &mut self.lots[usize::try_from(car.lot).unwrap_or(0)];
        let floor = usize::from(car.floor);
        let (kind, rank) = match car.act {
            Act::Entry => ("city.parking.entry", 0),
            Act::Exit { .. } => ("city.parking.exit", 1),
            Act::Pay { failed: true, .. } => ("city.parking.payment", 2),
            Act::Pay { failed: false, .. } => ("city.parking.payment", 3),
            Act::LeaveUnpaid { .. } => ("city.parking.credit", 4),
            Act::Settle { .. } => ("city.parking.credit", 5),
        };
        let session =
            identity(self.seed, For::Stay, u64::from(car.lot) << 32 | u64::from(car.stay), i64::from(car.day));
        let said = Said { voice: &lot.voice, kind, time: at, identity: mix(session ^ rank), manner: Manner::Ordinary };
        match car.act {
            Act::Entry => lot.taken[floor] += 1,
            Act::Exit { .. } => {
                lot.taken[floor] -= 1;
                let lost = below(identity(self.seed, For::LostExit, session, 0), 10_000) < LOST_EXITS;
                if lost && self.faults != Faults::None {
                    return;
                }
            }
            _ => {}
        }
        if SILENCE.end(self.seed, self.faults, u64::from(car.lot), at).is_some() {
            return;
        }
        out.say(&said, |data, _| {
            data.text("lot_id", &lot.lot_id);
            data.id("session_id", format_args!("S{session:016x}"));
            match car.act {
                Act::Entry => lot.gate(data, floor, "in"),
                Act::Exit { entered } => {
                    data.time("entry_time", entered);
                    lot.gate(data, floor, "out");
                }
                Act::Pay { channel, fen, failed } => {
                    data.text("channel", CHANNELS[usize::from(channel)].0);
                    data.whole("amount_fen", i64::from(fen));
                    data.text("result", if failed { "failed" } else { "ok" });
                }
                Act::LeaveUnpaid { fen } => {
                    data.text("event", "left_unpaid");
                    data.whole("amount_fen", i64::from(fen));
                    data.time("due", at + 7 * DAY_MS);
                }
                Act::Settle { fen } => {
                    data.text("event", "settled");
                    data.whole("amount_fen", i64::from(fen));
                }
            }
        });
    }

    /// How full each floor of a lot is, at its instant of the minute.
    fn snapshot(&self, number: usize, at: i64, out: &mut Outbox) {
        let lot = &self.lots[number];
        if SILENCE.end(self.seed, self.faults, number as u64, at).is_some() {
            return;
        }
        for (floor, (&capacity, &taken)) in lot.floors.iter().zip(&lot.taken).enumerate() {
            let key = (number as u64) << 8 | floor as u64;
            let said = Said {
                voice: &lot.voice,
                kind: "city.parking.snapshot",
                time: at,
                identity: identity(self.seed, For::Snapshot, key, at),
                manner: Manner::Ordinary,
            };
            out.say(&said, |data, mischief| {
                let occupied = match mischief {
                    0..5 => -1 - i64::from(mischief),
                    5..10 => capacity + 1 + i64::from(mischief),
                    _ => taken,
                };
                data.text("lot_id", &lot.lot_id);
                data.whole("capacity", capacity);
                data.whole("occupied", occupied);
                if lot.floors.len() > 1 {
                    data.id("floor", format_args!("B{}", floor + 1));
                }
                data.text("district", &lot.district);
            });
        }
    }
}

impl Lot {
    /// The `number`th of `count` lots: spread over the profile's, and from its end on over them once more.
    fn new(city: &City, seed: u64, number: u64, count: u64) -> Lot {
        let all = city.lots.len() as u64;
        let (of_profile, round) = if count <= all { (number * all / count, 0) } else { (number % all, number / all) };
        let lot = &city.lots[usize::try_from(of_profile).unwrap_or(0)];
        let lot_id = if round == 0 { lot.lot_id.clone() } else { format!("{}-{}", lot.lot_id, round + 1) };
        let (capacity, count) = (i64::from(lot.capacity), i64::from(lot.floors.clamp(1, lot.capacity.min(200))));
        let floors: Vec<i64> = (0..count).map(|i| capacity * (i + 1) / count - capacity * i / count).collect();
        let usage = Usage::of(seed, number, &floors);
        Lot {
            lot_id,
            district: lot.district.clone(),
            voice: Arc::new(Voice::of(city, Stream::Parking, &lot.district)),
            taken: usage.residents.clone(),
            floors,
            usage,
        }
    }

    fn gate(&self, data: &mut Members<'_>, floor: usize, gate: &str) {
        if self.floors.len() > 1 {
            data.id("floor", format_args!("B{}", floor + 1));
        }
        data.text("gate", gate);
    }
}

/// What follows from a stay, in ms from the start of the service day.
fn acts(stay: &Stay, draws: &mut Draws) -> impl Iterator<Item = (i64, Act)> + use<> {
    let hours = i32::try_from((stay.exit - stay.entry) / HOUR_MS).unwrap_or(24) + 1;
    let fen = (300 + 200 * (hours - 1)).min(3_000);
    let (unpaid, settles, fails) = (draws.chance(0.03), draws.chance(0.7), draws.chance(0.015));
    let channel = u8::try_from(draws.pick(&CHANNELS.map(|c| c.1))).unwrap_or(0);
    let before = draws.whole(6_000, 40_000);
    let later = draws.whole(HOUR_MS, 20 * HOUR_MS);
    let owes = stay.exit - stay.entry > FREE_MS;
    let pays = owes && !unpaid;
    let failed = Act::Pay { channel, fen, failed: true };
    let paid =
        Act::Pay { channel, fen: if CHANNELS[usize::from(channel)].0 == "waived" { 0 } else { fen }, failed: false };
    [
        Some((stay.entry, Act::Entry)),
        (pays && fails).then_some((stay.exit - before - 8_000, failed)),
        pays.then_some((stay.exit - before, paid)),
        Some((stay.exit, Act::Exit { entered: stay.entry })),
        (owes && unpaid).then_some((stay.exit, Act::LeaveUnpaid { fen })),
        (owes && unpaid && settles).then_some((stay.exit + later, Act::Settle { fen })),
    ]
    .into_iter()
    .flatten()
}

impl Act {
    /// The same with instants since 1970 instead of since the day's start.
    fn from(self, start: i64) -> Act {
        match self {
            Act::Exit { entered } => Act::Exit { entered: start + entered },
            other => other,
        }
    }
}

impl Actor for Parking {
    fn speak(&mut self, until: i64, out: &mut Outbox) {
        loop {
            let calendar = self.calendar.clone();
            let Some(day) = self.planned.due(until, |day| calendar.service_start(day)) else { break };
            self.plan(day);
        }
        // In order of time, so that a snapshot counts exactly the cars that came before it.
        loop {
            let due = self.rounds.get(self.next_round).map(|&(phase, lot)| (self.minute * MINUTE_MS + phase, lot));
            let (at, lot) = due.unwrap_or((until, 0));
            while let Some((at, car)) = self.agenda.take_before(until.min(at)) {
                self.act(at, car, out);
            }
            if at >= until {
                return;
            }
            self.snapshot(lot, at, out);
            self.next_round += 1;
            if self.next_round == self.rounds.len() {
                self.next_round = 0;
                self.minute += 1;
            }
        }
    }
}
