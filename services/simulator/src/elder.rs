//! 12349: calls in four categories, service at home, SOS cases, and the devices that raise them.

use yiping_city::City;
use yiping_event::Stream;

use crate::agenda::{Agenda, Calendar, Course, HOUR_MS, MINUTE_MS, Planned, moment};
use crate::alarm::{Step, alarm, unanswered};
use crate::draws::{Draws, For, below, identity, ms, scaled};
use crate::fate::Manner;
use crate::hotline::Places;
use crate::incident::{IncidentKind, NUMBERS, Span, spans};
use crate::outbox::{Outbox, Said, Voice};
use crate::{Actor, Options};

/// A day's calls, SOS cases, and the devices, at scale 1.
const CALLS: u64 = 2_500;
const ALARMS: u64 = 40;
const DEVICES: u64 = 2_000;
/// Between two signs of life of a device.
const BEAT_MS: i64 = 30 * MINUTE_MS;
/// A device that is switched off is so for this long.
const OFF_MS: i64 = 60 * HOUR_MS;
/// How far back the effects of a day reach.
const DAYS: i64 = 3;

/// The contract's words and how often each is asked for, in per cent.
const CATEGORIES: [(&str, u32); 4] = [("life_care", 36), ("consultation", 37), ("gov_purchased", 22), ("emergency", 5)];

const COURSE: Course = [
    6, 5, 4, 4, 4, 4, 4, 5, 6, 9, 16, 28, 46, 66, 84, 98, 108, 112, 108, 100, 90, 80, 64, 48, 38, 42, 56, 72, 86, 94,
    96, 90, 82, 74, 64, 56, 50, 46, 44, 40, 34, 28, 22, 18, 14, 11, 9, 7,
];

/// Alarms come at all hours; early morning and evening somewhat more.
const ALARM_COURSE: Course = [
    8, 8, 8, 8, 8, 8, 9, 9, 10, 12, 14, 16, 18, 18, 16, 14, 13, 12, 12, 11, 11, 11, 11, 10, 10, 10, 10, 10, 10, 11, 11,
    11, 12, 12, 13, 14, 16, 17, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8,
];

pub(crate) struct Elder {
    seed: u64,
    scale: f64,
    calendar: Calendar,
    voice: Voice,
    places: Places,
    planned: Planned,
    agenda: Agenda<Word>,
    /// Instant within the ten minutes, in ms, number and place of each device.
    devices: Vec<(i64, u64, u16)>,
    /// The next sign of life: number of the ten minutes since 1970, and the place in `devices`.
    beat: i64,
    next_device: usize,
}

/// Something that is said at a time of the agenda.
#[derive(Clone, Copy)]
struct Word {
    /// Of the call, order or case.
    number: u64,
    place: u16,
    category: u8,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Call { event: &'static str, rank: i64, wait_ms: i64, talk_ms: i64 },
    Order { event: &'static str, rank: i64, due: i64 },
    Callback { score: u8 },
    Sos { step: Step, device: u64 },
}

impl Word {
    fn sos(number: u64, place: u16, device: u64, step: Step) -> Word {
        Word { number, place, category: 3, what: What::Sos { step, device } }
    }
}

impl Elder {
    pub(crate) fn new(city: &City, options: &Options, calendar: Calendar, since: i64) -> Elder {
        let places = Places::new(city);
        let mut draws = Draws::new(options.seed, For::Device, 0, 0);
        let devices =
            (1..=scaled(DEVICES, options.scale)).map(|n| (draws.whole(0, BEAT_MS), n, places.pick(&mut draws)));
        let mut devices: Vec<_> = devices.collect();
        devices.sort_unstable();
        let planned = Planned::from(calendar.day(since), DAYS);
        let mut elder = Elder {
            seed: options.seed,
            scale: options.scale,
            calendar,
            voice: Voice::of(city, Stream::Elder, ""),
            places,
            planned,
            agenda: Agenda::new(),
            devices,
            beat: since.div_euclid(BEAT_MS) - 1,
            next_device: 0,
        };
        elder.unanswered(&spans(options, IncidentKind::SosUnanswered));
        elder
    }

    /// Adds what comes of the calls and alarms of a day.
    fn plan(&self, day: i64, words: &mut Vec<(i64, Word)>) {
        let start = self.calendar.start(day);
        let mut draws = Draws::new(self.seed, For::ElderCalls, 0, day);
        let count = scaled(scaled(CALLS, self.scale), draws.between(0.95, 1.05));
        for nth in 0..count {
            let number = day.unsigned_abs() * 100_000 + nth;
            let place = self.places.pick(&mut draws);
            let category = u8::try_from(draws.pick(&CATEGORIES.map(|c| c.1))).unwrap_or(0);
            let at = start + moment(&COURSE, &mut draws);
            let mut steps = Vec::new();
            let ended = call(at, &mut draws, &mut steps);
            if let Some(ended) = ended.filter(|_| draws.chance(0.0205)) {
                order(ended, &mut draws, &mut steps);
            }
            words.extend(steps.into_iter().map(|(at, what)| (at, Word { number, place, category, what })));
        }
        let mut draws = Draws::new(self.seed, For::Sos, 0, day);
        // in thousandths, so that a small city still has some
        let count = scaled(scaled(ALARMS * 1_000, self.scale), draws.between(0.8, 1.2) / 1_000.0);
        for nth in 0..count {
            let number = day.unsigned_abs() * 10_000 + nth;
            let place = self.places.pick(&mut draws);
            let device = draws.whole(1, 1 + i64::try_from(self.devices.len().max(1)).unwrap_or(1)).unsigned_abs();
            let steps = alarm(start + moment(&ALARM_COURSE, &mut draws), &mut draws);
            words.extend(steps.into_iter().map(|(at, step)| (at, Word::sos(number, place, device, step))));
        }
    }

    /// The alarms that nobody acknowledges.
    fn unanswered(&mut self, spans: &[Span]) {
        for span in spans {
            let mut draws = Draws::new(self.seed, For::Incident, 0, span.start);
            let place = self.places.pick(&mut draws);
            let device = draws.whole(1, 1 + i64::try_from(self.devices.len().max(1)).unwrap_or(1)).unsigned_abs();
            let number = NUMBERS + span.start.unsigned_abs() / 1_000;
            let words = unanswered(span).map(|(at, step)| (at, Word::sos(number, place, device, step)));
            self.agenda.add(words);
        }
    }

    fn say(&self, at: i64, word: Word, out: &mut Outbox) {
        let (kind, purpose, rank, manner) = match word.what {
            What::Call { rank, .. } => ("city.elder.call", For::ElderCalls, rank, Manner::Ordinary),
            What::Order { rank, .. } => ("city.elder.order", For::ElderOrders, rank, Manner::Ordinary),
            What::Callback { .. } => ("city.elder.callback", For::ElderOrders, 99, Manner::Ordinary),
            What::Sos { step, .. } => ("city.elder.sos", For::Sos, step.rank, Manner::Retried),
        };
        let identity = identity(self.seed, purpose, word.number, rank);
        out.say(&Said { voice: &self.voice, kind, time: at, identity, manner }, |data, _| {
            let street = self.places.street(word.place);
            let category = CATEGORIES[usize::from(word.category)].0;
            match word.what {
                What::Call { event, wait_ms, talk_ms, .. } => {
                    data.id("call_id", format_args!("E{}", word.number));
                    data.text("event", event);
                    data.text("category", category);
                    data.text("district", &street.district);
                    match event {
                        "answered" | "abandoned" => data.decimal::<3>("wait_s", wait_ms),
                        "ended" => data.decimal::<3>("talk_s", talk_ms),
                        _ => {}
                    }
                }
                What::Order { event, due, .. } => {
                    data.id("order_id", format_args!("A{}", word.number));
                    data.text("event", event);
                    data.text("category", category);
                    data.text("district", &street.district);
                    if event == "created" {
                        data.id("service_code", format_args!("F{:03}", 1 + word.number % 262));
                        data.time("due", due);
                    } else if event == "accepted" {
                        data.id("provider_id", format_args!("P{:03}", 1 + word.number % 87));
                    }
                }
                What::Callback { score } => {
                    data.id("order_id", format_args!("A{}", word.number));
                    data.whole("score", i64::from(score));
                    data.text("district", &street.district);
                }
                What::Sos { step, device } => {
                    data.id("case_id", format_args!("X{}", word.number));
                    data.text("event", step.event);
                    data.text("district", &street.district);
                    data.text("street", &street.street);
                    data.id("device_id", format_args!("D{device:05}"));
                }
            }
        });
    }

    fn beats(&mut self, until: i64, out: &mut Outbox) {
        while let Some(&(phase, number, place)) = self.devices.get(self.next_device) {
            let at = self.beat * BEAT_MS + phase;
            if at >= until {
                return;
            }
            if !off(self.seed, number, at) {
                let said = Said {
                    voice: &self.voice,
                    kind: "city.elder.heartbeat",
                    time: at,
                    identity: identity(self.seed, For::Device, number, at),
                    manner: Manner::Ordinary,
                };
                out.say(&said, |data, _| {
                    data.id("device_id", format_args!("D{number:05}"));
                    data.text("district", &self.places.street(place).district);
                });
            }
            self.next_device += 1;
            if self.next_device == self.devices.len() {
                self.next_device = 0;
                self.beat += 1;
            }
        }
    }
}

/// Whether a device is switched off: two of 100 are, for some days, so that they are silent for more than a day.
fn off(seed: u64, device: u64, at: i64) -> bool {
    let turn = below(identity(seed, For::Device, device, -1), OFF_MS);
    below(identity(seed, For::Device, device, (at - turn).div_euclid(OFF_MS)), 1_000) < 20
}

/// A call from `at` on, and when it ended if somebody answered.
fn call(at: i64, draws: &mut Draws, steps: &mut Vec<(i64, What)>) -> Option<i64> {
    let mut say = |at, event, rank, wait_ms, talk_ms| steps.push((at, What::Call { event, rank, wait_ms, talk_ms }));
    say(at, "offered", 0, 0, 0);
    if draws.chance(0.025) {
        let wait_ms = ms(2.0 + draws.exponential(22.0)).min(5 * MINUTE_MS);
        say(at + wait_ms, "abandoned", 2, wait_ms, 0);
        return None;
    }
    let wait_ms = ms(3.0 + draws.exponential(6.0)).min(4 * MINUTE_MS);
    let talk_ms = ms(20.0 + draws.exponential(110.0)).min(HOUR_MS);
    say(at + wait_ms, "answered", 1, wait_ms, 0);
    say(at + wait_ms + talk_ms, "ended", 3, 0, talk_ms);
    Some(at + wait_ms + talk_ms)
}

/// Service at home from `created` on: at the door within the hour for nine of ten.
fn order(created: i64, draws: &mut Draws, steps: &mut Vec<(i64, What)>) {
    let due = created + ms(draws.between(5_400.0, 28_800.0));
    let mut say = |at, event, rank| steps.push((at, What::Order { event, rank, due }));
    say(created, "created", 0);
    if draws.chance(0.02) {
        say(created + ms(draws.between(60.0, 1_200.0)), "cancelled", 1);
        return;
    }
    let mut at = created + ms(60.0 + draws.exponential(280.0)).min(HOUR_MS);
    say(at, "accepted", 2);
    at += ms(draws.between(120.0, 900.0));
    say(at, "departed", 3);
    at += ms(draws.between(420.0, 2_400.0));
    if draws.chance(0.01) {
        say(due, "no_show", 4);
        return;
    }
    say(at, "arrived", 5);
    at += ms(draws.between(1_200.0, 5_400.0));
    say(at, "finished", 6);
    if draws.chance(0.9) {
        let score = u8::try_from(1 + draws.pick(&[5, 5, 20, 270, 700])).unwrap_or(5);
        steps.push((at + ms(draws.between(1_800.0, 43_200.0)), What::Callback { score }));
    }
}

impl Actor for Elder {
    fn speak(&mut self, until: i64, out: &mut Outbox) {
        let calendar = self.calendar.clone();
        let mut words = Vec::new();
        while let Some(day) = self.planned.due(until, |day| calendar.start(day)) {
            self.plan(day, &mut words);
        }
        if !words.is_empty() {
            self.agenda.add(words);
        }
        while let Some((at, word)) = self.agenda.take_before(until) {
            self.say(at, word, out);
        }
        self.beats(until, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_reaches_nine_of_ten_doors_within_the_hour() {
        let mut draws = Draws::new(1, For::ElderOrders, 0, 0);
        let (mut arrived, mut in_time) = (0, 0);
        for _ in 0..2_000 {
            let mut steps = Vec::new();
            order(0, &mut draws, &mut steps);
            for (at, what) in steps {
                if let What::Order { event: "arrived", .. } = what {
                    arrived += 1;
                    in_time += i32::from(at <= HOUR_MS);
                }
            }
        }
        assert!(in_time * 100 >= arrived * 90, "{in_time} of {arrived}");
    }
}
