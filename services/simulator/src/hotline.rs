//! 12345: calls, the work orders that come of them, and what the callers say afterwards.

use yiping_city::{City, Street, wgs84_to_gcj02};
use yiping_event::Stream;

use crate::agenda::{Agenda, Calendar, Course, DAY_MS, HOUR_MS, MINUTE_MS, Planned, moment};
use crate::draws::{Draws, For, below, identity, mix, ms, scaled};
use crate::fate::Manner;
use crate::json::Members;
use crate::outbox::{Outbox, Said, Voice};
use crate::{Actor, Options};

/// A day's calls at scale 1.
const CALLS: u64 = 2_000;

/// Orders live at most this long, with their callback.
const ORDER_DAYS: i64 = 26;

const COURSE: Course = [
    8, 6, 5, 4, 3, 3, 3, 3, 3, 4, 6, 8, 14, 22, 34, 52, 84, 104, 112, 114, 108, 100, 88, 72, 58, 56, 62, 78, 92, 100,
    102, 98, 90, 80, 66, 54, 46, 42, 40, 38, 36, 32, 28, 24, 20, 16, 12, 10,
];

pub(crate) struct Hotline {
    seed: u64,
    calls: u64,
    calendar: Calendar,
    voice: Voice,
    places: Places,
    categories: Vec<Topic>,
    planned: Planned,
    agenda: Agenda<Word>,
}

/// What orders are about.
struct Topic {
    name: String,
    agency: String,
    response_ms: i64,
    close_ms: i64,
}

/// Where calls come from.
pub(crate) struct Places {
    streets: Vec<Street>,
    weights: Vec<u32>,
}

impl Places {
    /// Streets of inner districts are the likelier: each district weighs as its streets and its car parks do.
    pub(crate) fn new(city: &City) -> Places {
        let mut streets = city.streets.clone();
        if streets.is_empty() {
            let middle = ((city.bounds.west + city.bounds.east) / 2.0, (city.bounds.south + city.bounds.north) / 2.0);
            let district = city.district_of(middle.0, middle.1).to_owned();
            streets.push(Street { street: district.clone(), district, lon: middle.0, lat: middle.1 });
        }
        let weights = streets.iter().map(|street| {
            let alike = streets.iter().filter(|s| s.district == street.district).count();
            let lots = city.lots.iter().filter(|l| l.district == street.district).count();
            u32::try_from(100 + 100 * lots / alike).unwrap_or(100)
        });
        let weights = weights.collect();
        Places { streets, weights }
    }

    pub(crate) fn pick(&self, draws: &mut Draws) -> u16 {
        u16::try_from(draws.pick(&self.weights)).unwrap_or(0)
    }

    pub(crate) fn street(&self, at: u16) -> &Street {
        &self.streets[usize::from(at)]
    }
}

/// Something that is said at a time of the agenda, about the `number`th call of a day or its order.
#[derive(Clone, Copy)]
struct Word {
    number: u64,
    place: u16,
    topic: u16,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Call { event: &'static str, rank: u64, wait_ms: i64, talk_ms: i64, hold_ms: i64, wrap_ms: i64 },
    Order { event: &'static str, rank: u64, due: Option<i64>, direct: bool },
    Callback { resolved: Option<bool>, satisfied: Option<bool> },
}

impl Hotline {
    pub(crate) fn new(city: &City, options: &Options, calendar: Calendar, since: i64) -> Hotline {
        let categories = city.categories.iter().filter(|c| c.stream == "hotline").map(|c| Topic {
            name: c.name.clone(),
            agency: c.agency.clone(),
            response_ms: i64::from(c.response_h) * HOUR_MS,
            close_ms: i64::from(c.close_days.clamp(1, 14)) * DAY_MS,
        });
        let mut categories: Vec<Topic> = categories.collect();
        if categories.is_empty() {
            let other = "其他".to_owned();
            categories.push(Topic { name: other.clone(), agency: other, response_ms: DAY_MS, close_ms: 5 * DAY_MS });
        }
        let planned = Planned::from(calendar.day(since), ORDER_DAYS);
        Hotline {
            seed: options.seed,
            calls: scaled(CALLS, options.scale),
            calendar,
            voice: Voice::of(city, Stream::Hotline, ""),
            places: Places::new(city),
            categories,
            planned,
            agenda: Agenda::new(),
        }
    }

    fn plan(&mut self, day: i64) {
        let start = self.calendar.start(day);
        let mut draws = Draws::new(self.seed, For::Calls, 0, day);
        let count = scaled(self.calls, draws.between(0.93, 1.07));
        let mut words = Vec::new();
        for nth in 0..count {
            let number = day.unsigned_abs() * 100_000 + nth;
            let place = self.places.pick(&mut draws);
            let topic = u16::try_from(draws.whole(0, i64::try_from(self.categories.len()).unwrap_or(1))).unwrap_or(0);
            let at = start + moment(&COURSE, &mut draws);
            let word = |what| Word { number, place, topic, what };
            let (call, ended) = call(at, &mut draws);
            words.extend(call.into_iter().map(|(at, what)| (at, word(what))));
            if let Some(ended) = ended.filter(|_| draws.chance(0.6)) {
                let mut steps = Vec::new();
                order(ended, &self.categories[usize::from(topic)], &mut draws, &mut steps);
                words.extend(steps.into_iter().map(|(at, what)| (at, word(what))));
            }
        }
        self.agenda.add(words);
    }

    fn say(&self, at: i64, word: Word, out: &mut Outbox) {
        let (kind, purpose, rank) = match word.what {
            What::Call { rank, .. } => ("city.hotline.call", For::Calls, rank),
            What::Order { rank, .. } => ("city.hotline.order", For::Orders, rank),
            What::Callback { .. } => ("city.hotline.callback", For::Orders, 99),
        };
        let identity = identity(self.seed, purpose, word.number, i64::try_from(rank).unwrap_or(0));
        out.say(&Said { voice: &self.voice, kind, time: at, identity, manner: Manner::Ordinary }, |data, _| {
            let street = self.places.street(word.place);
            match word.what {
                What::Call { event, wait_ms, talk_ms, hold_ms, wrap_ms, .. } => {
                    data.id("call_id", format_args!("C{}", word.number));
                    data.text("event", event);
                    data.text("district", &street.district);
                    match event {
                        "answered" | "abandoned" => data.decimal::<3>("wait_s", wait_ms),
                        "ended" => {
                            data.decimal::<3>("talk_s", talk_ms);
                            data.decimal::<3>("hold_s", hold_ms);
                            data.decimal::<3>("wrap_s", wrap_ms);
                        }
                        _ => {}
                    }
                }
                What::Order { event, due, direct, .. } => {
                    data.id("order_id", format_args!("W{}", word.number));
                    data.text("event", event);
                    let topic = &self.categories[usize::from(word.topic)];
                    if event == "created" {
                        data.text("category", &topic.name);
                        data.text("district", &street.district);
                        data.text("street", &street.street);
                    }
                    if !direct && (event == "created" || event == "dispatched") {
                        data.text("agency", &topic.agency);
                    }
                    if let Some(due) = due {
                        data.time("due", due);
                    }
                    if event == "created" {
                        if direct {
                            data.flag("direct", true);
                        }
                        near(data, street, mix(word.number));
                    }
                }
                What::Callback { resolved, satisfied } => {
                    data.id("order_id", format_args!("W{}", word.number));
                    if let Some(resolved) = resolved {
                        data.flag("resolved", resolved);
                    }
                    if let Some(satisfied) = satisfied {
                        data.flag("satisfied", satisfied);
                    }
                    data.text("district", &street.district);
                    data.text("category", &self.categories[usize::from(word.topic)].name);
                }
            }
        });
    }
}

/// A place within some 300 m of the street's centre, as a consumer map gives it.
fn near(data: &mut Members<'_>, street: &Street, bits: u64) {
    #[expect(clippy::cast_precision_loss, reason = "micro-degrees")]
    let shift = |bits: u64| (below(bits, 6_000) - 3_000) as f64 / 1e6;
    let (lon, lat) = wgs84_to_gcj02(street.lon + shift(bits), street.lat + shift(mix(bits)));
    #[expect(clippy::cast_possible_truncation, reason = "degrees on earth")]
    let micro = |degrees: f64| libm::round(degrees * 1e6) as i64;
    data.decimal::<6>("lon", micro(lon));
    data.decimal::<6>("lat", micro(lat));
    data.text("datum", "gcj02");
}

/// A call from `at` on, and when it ended if somebody answered.
fn call(at: i64, draws: &mut Draws) -> (Vec<(i64, What)>, Option<i64>) {
    let what = |event, rank| What::Call { event, rank, wait_ms: 0, talk_ms: 0, hold_ms: 0, wrap_ms: 0 };
    let mut steps = vec![(at, what("offered", 0))];
    if draws.chance(0.028) {
        let wait_ms = ms(2.0 + draws.exponential(25.0)).min(5 * MINUTE_MS);
        steps.push((
            at + wait_ms,
            What::Call { event: "abandoned", rank: 2, wait_ms, talk_ms: 0, hold_ms: 0, wrap_ms: 0 },
        ));
        return (steps, None);
    }
    // Mean 12 s as in 常州; 95 of 100 within 15 s.
    let wait_ms = if draws.chance(0.95) {
        ms(draws.between(6.0, 15.0))
    } else {
        ms(15.0 + draws.exponential(23.0)).min(4 * MINUTE_MS)
    };
    let talk_ms = ms(20.0 + draws.exponential(130.0)).min(HOUR_MS);
    let hold_ms = if draws.chance(0.2) { ms(draws.between(5.0, 90.0)) } else { 0 };
    let wrap_ms = ms(draws.between(10.0, 55.0));
    let ended = at + wait_ms + talk_ms + hold_ms + wrap_ms;
    steps.push((at + wait_ms, What::Call { event: "answered", rank: 1, wait_ms, talk_ms: 0, hold_ms: 0, wrap_ms: 0 }));
    steps.push((ended, What::Call { event: "ended", rank: 3, wait_ms: 0, talk_ms, hold_ms, wrap_ms }));
    (steps, Some(ended))
}

/// The life of an order from `created` on.
fn order(created: i64, topic: &Topic, draws: &mut Draws, steps: &mut Vec<(i64, What)>) {
    let direct = draws.chance(0.74);
    let due = created + topic.close_ms;
    let say = |event, rank, due| What::Order { event, rank, due, direct };
    steps.push((created, say("created", 0, (!direct).then_some(due))));
    if direct {
        if draws.chance(0.1) {
            steps.push((created + ms(draws.between(3_600.0, 80_000.0)), callback(draws)));
        }
        return;
    }
    let mut at = created + ms(draws.between(120.0, 1_800.0));
    steps.push((at, say("dispatched", 1, None)));
    let dispatched = at;
    if draws.chance(0.03) {
        at += ms(draws.between(1_800.0, 14_400.0));
        steps.push((at, say("returned", 2, None)));
        at += ms(draws.between(600.0, 3_600.0));
        steps.push((at, say("dispatched", 3, None)));
    }
    at += ms(draws.between(300.0, 3_600.0));
    steps.push((at, say("accepted", 4, None)));
    // 98.6 of 100 are contacted within the category's limit.
    let within = if draws.chance(0.986) { draws.between(0.05, 0.9) } else { draws.between(1.02, 1.6) };
    at = at.max(dispatched + share_of(topic.response_ms, within)) + 1_000;
    steps.push((at, say("contacted", 5, None)));
    let mut limit = topic.close_ms;
    if draws.chance(0.03) {
        limit += 3 * DAY_MS;
        steps.push((created + share_of(topic.close_ms, 0.8), say("extended", 6, Some(created + limit))));
    }
    if draws.chance(0.02) {
        steps.push((created + share_of(limit, draws.between(0.3, 0.7)), say("urged", 7, None)));
    }
    let within = if draws.chance(0.985) { draws.between(0.2, 0.96) } else { draws.between(1.02, 1.3) };
    at = (created + share_of(limit, within)).max(at + MINUTE_MS);
    steps.push((at, say("replied", 8, None)));
    at += ms(draws.between(60.0, 1_200.0));
    steps.push((at, say("closed", 9, None)));
    if draws.chance(0.02) {
        steps.push((at + ms(draws.between(3_600.0, 40_000.0)), say("reopened", 10, None)));
        at += ms(draws.between(50_000.0, 120_000.0));
        steps.push((at, say("closed", 11, None)));
    }
    if draws.chance(0.85) {
        steps.push((at + ms(draws.between(3_600.0, 90_000.0)), callback(draws)));
    }
}

fn share_of(span_ms: i64, share: f64) -> i64 {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "spans of days")]
    let part = libm::round(span_ms as f64 * share) as i64;
    part
}

/// Most are content; some don't say.
fn callback(draws: &mut Draws) -> What {
    let mut answer = |share| Some(draws.chance(share)).filter(|_| draws.chance(0.93));
    What::Callback { resolved: answer(0.93), satisfied: answer(0.94) }
}

impl Actor for Hotline {
    fn speak(&mut self, until: i64, out: &mut Outbox) {
        let calendar = self.calendar.clone();
        while let Some(day) = self.planned.due(until, |day| calendar.start(day)) {
            self.plan(day);
        }
        while let Some((at, word)) = self.agenda.take_before(until) {
            self.say(at, word, out);
        }
    }
}
