//! Car parks: a snapshot a minute of each floor, cars that come, pay (or not) and go.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::tz::TimeZone;
use yiping_city::{City, Hours};
use yiping_event::Stream;

use crate::agenda::{Agenda, Calendar, DAY_MS, HOUR_MS, MINUTE_MS, Planned};
use crate::crowd::{filling, guests, within_day};
use crate::draws::{Draws, For, below, identity, mix, ms, scaled};
use crate::fate::{Manner, Spells};
use crate::incident::{IncidentKind, Span, spans};
use crate::json::Members;
use crate::outbox::{Outbox, Said, Voice};
use crate::stay::{Stay, Usage};
use crate::{Actor, Faults, Options};

const SILENCE: Spells =
    Spells { purpose: For::LotSpell, per_10_000_hours: 40, shortest_ms: 5 * MINUTE_MS, longest_ms: 20 * MINUTE_MS };
/// Exits that nobody saw, in 10,000.
const LOST_EXITS: i64 = 200;
/// Service days after which a stay has no more effects: a debt may be settled days after it was due.
const DAYS: i64 = 14;
/// A debt is due so long after leaving.
const DUE_MS: i64 = 7 * DAY_MS;
/// Numbers of stays that incidents bring begin here.
const GUESTS: usize = 1 << 24;
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
    zone: TimeZone,
    lots: Vec<Lot>,
    /// Places of lots that fill up in incidents, and when.
    filling: Vec<usize>,
    crowds: Vec<Span>,
    planned: Planned,
    /// Of the days before this one only debts are left.
    first_day: i64,
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
    hours: Option<Hours>,
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
        let first_day = calendar.service_day(since) - 1;
        Parking {
            seed: options.seed,
            faults: options.faults,
            filling: filling(lots.iter().map(|lot| (lot.floors.iter().sum(), lot.hours.is_some()))),
            crowds: spans(options, IncidentKind::LotFull),
            planned: Planned::from(first_day, DAYS),
            first_day,
            calendar,
            zone: city.zone.clone(),
            lots,
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
            let open = |at: i64| lot.hours.is_none_or(|hours| hours.open_at(start + at, &self.zone));
            let stays = lot.usage.stays(self.seed, key, day, &lot.floors, open);
            let mut draws = Draws::new(self.seed, For::Stay, key, day);
            let mut add = |nth: usize, stay: &Stay, bill: &Bill| {
                moves.extend(bill.acts(stay, start).filter(|(_, act)| day >= self.first_day || act.is_late()).map(
                    |(at, act)| {
                        let floor = u8::try_from(stay.floor).unwrap_or(0);
                        let (lot, stay) = (u32::try_from(number).unwrap_or(0), u32::try_from(nth).unwrap_or(0));
                        (at, Move { lot, day: i32::try_from(day).unwrap_or(0), stay, floor, act })
                    },
                ));
            };
            for (nth, stay) in stays.iter().enumerate() {
                add(nth, stay, &Bill::draw(&mut draws));
            }
            for (nth, guest) in self.guests(number, day, &stays).iter().enumerate() {
                let mut draws = Draws::new(self.seed, For::Incident, key << 32 | nth as u64, day);
                add(GUESTS + nth, guest, &Bill::draw(&mut draws).at_once());
            }
        }
        self.agenda.add(moves);
    }

    /// Whom incidents bring to a lot on a service day.
    fn guests(&self, number: usize, day: i64, stays: &[Stay]) -> Vec<Stay> {
        let start = self.calendar.service_start(day);
        let mut all = Vec::new();
        // an incident soon after another finds the former's guests still there
        let mut cars = Cow::Borrowed(stays);
        for span in self.crowds.iter().filter(|_| self.filling.contains(&number)) {
            let Some(part) = within_day(span, start) else { continue };
            let lot = &self.lots[number];
            for (floor, (&capacity, &residents)) in lot.floors.iter().zip(&lot.usage.residents).enumerate() {
                let key = (number as u64) << 8 | floor as u64;
                let mut draws = Draws::new(self.seed, For::Incident, key, start + part.start);
                all.extend(guests(floor, capacity, residents, &cars, &part, &mut draws));
            }
            cars = Cow::Owned(stays.iter().chain(&all).copied().collect());
        }
        all
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
                    data.time("due", at + DUE_MS);
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
        let open = lot.hours.map(|hours| hours.open_at(at, &self.zone));
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
                if let Some(open) = open {
                    data.flag("open", open);
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
        // the tenth hour of some day: hours are the same every day
        let by_day = lot.hours.is_none_or(|hours| hours.open_at(10 * HOUR_MS, &TimeZone::UTC));
        let usage = Usage::of(seed, number, &floors, by_day);
        Lot {
            lot_id,
            district: lot.district.clone(),
            voice: Arc::new(Voice::of(city, Stream::Parking, &lot.district)),
            taken: usage.residents.clone(),
            floors,
            hours: lot.hours,
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

/// How a driver pays. The norms: 2 of 100 attempts fail; 2 of 100 debts are open when they are due.
struct Bill {
    channel: u8,
    unpaid: bool,
    fails: bool,
    /// Between paying and the gate, in ms.
    before: i64,
    /// Between the gate and settling a debt, in ms.
    settles: Option<i64>,
}

impl Bill {
    fn draw(draws: &mut Draws) -> Bill {
        let (unpaid, fails) = (draws.chance(0.03), draws.chance(0.0205));
        let channel = u8::try_from(draws.pick(&CHANNELS.map(|c| c.1))).unwrap_or(0);
        let before = draws.whole(6_000, 40_000);
        let settles = match draws.pick(&[980, 10, 10]) {
            0 => Some(HOUR_MS + ms(draws.exponential(36.0 * 3_600.0)).min(DUE_MS - 2 * HOUR_MS)),
            1 => Some(DUE_MS + draws.whole(HOUR_MS, (DAYS - 1) * DAY_MS - DUE_MS)),
            _ => None,
        };
        Bill { channel, unpaid, fails, before, settles }
    }

    /// The same, paid at the first attempt.
    fn at_once(self) -> Bill {
        Bill { unpaid: false, fails: false, ..self }
    }

    /// What follows from a stay in the service day that begins at `start`.
    fn acts(&self, stay: &Stay, start: i64) -> impl Iterator<Item = (i64, Act)> + use<> {
        let &Bill { channel, unpaid, fails, before, settles } = self;
        let (entry, exit) = (start + stay.entry, start + stay.exit);
        let hours = i32::try_from((exit - entry) / HOUR_MS).unwrap_or(24) + 1;
        let fen = (300 + 200 * (hours - 1)).min(3_000);
        let owes = exit - entry > FREE_MS;
        let pays = owes && !unpaid;
        // a waiver is no attempt to pay
        let waived = CHANNELS[usize::from(channel)].0 == "waived";
        let failed = Act::Pay { channel, fen, failed: true };
        let paid = Act::Pay { channel, fen: if waived { 0 } else { fen }, failed: false };
        let settled = settles.filter(|_| owes && unpaid).map(|later| (exit + later, Act::Settle { fen }));
        [
            Some((entry, Act::Entry)),
            (pays && fails && !waived).then_some((exit - before - 8_000, failed)),
            pays.then_some((exit - before, paid)),
            Some((exit, Act::Exit { entered: entry })),
            (owes && unpaid).then_some((exit, Act::LeaveUnpaid { fen })),
            settled,
        ]
        .into_iter()
        .flatten()
    }
}

impl Act {
    /// Whether it may come days after the stay.
    fn is_late(self) -> bool {
        matches!(self, Act::Settle { .. })
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
