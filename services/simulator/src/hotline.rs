//! 12345: calls, the work orders that come of them, and what the callers say afterwards.

use jiff::tz::TimeZone;
use yiping_city::{City, Street, wgs84_to_gcj02};
use yiping_event::Stream;

use crate::agenda::{Agenda, Calendar, Course, HOUR_MS, MINUTE_MS, Planned, moment};
use crate::draws::{Draws, For, below, identity, mix, ms, scaled};
use crate::fate::Manner;
use crate::json::Members;
use crate::outage::Outage;
use crate::outbox::{Outbox, Said, Voice};
use crate::work_order::{Limits, ORDER_DAYS, live};
use crate::{Actor, Options};

/// A day's calls at scale 1.
const CALLS: u64 = 2_000;

/// Answered calls of which an order comes.
const ORDERED: f64 = 0.6;
/// Orders that the agent answers on the phone. The norms: 75 % (盘锦) to 84 % (杭州).
const DIRECT: f64 = 0.79;

pub(crate) const COURSE: Course = [
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
    working_days: yiping_city::Calendar,
    zone: TimeZone,
    outage: Outage,
    /// When the run starts, if it opens with orders of before.
    opening: Option<i64>,
    planned: Planned,
    agenda: Agenda<Word>,
}

/// What orders are about.
pub(crate) struct Topic {
    pub(crate) name: String,
    agency: String,
    response_ms: i64,
    /// Working days.
    close_days: u32,
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

    /// Of each street.
    pub(crate) fn weights(&self) -> &[u32] {
        &self.weights
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
    /// Whether it is still on a desk when the run starts.
    carried: bool,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum What {
    Call { event: &'static str, rank: i64, wait_ms: i64, talk: Option<Talk> },
    Order { event: &'static str, rank: i64, due: Option<i64>, direct: bool },
    Callback { resolved: Answer, satisfied: Answer },
}

/// What an ended call took of its agent, in ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Talk {
    talk_ms: i64,
    hold_ms: i64,
    wrap_ms: i64,
}

/// An answer of a callback: not asked, or no answer, or one.
pub(crate) type Answer = Option<Option<bool>>;

/// What is said, and when.
pub(crate) type Steps = Vec<(i64, What)>;

impl Hotline {
    pub(crate) fn new(city: &City, options: &Options, calendar: Calendar, since: i64) -> Hotline {
        let categories = city.categories.iter().filter(|c| c.stream == "hotline").map(|c| Topic {
            name: c.name.clone(),
            agency: c.agency.clone(),
            response_ms: i64::from(c.response_h) * HOUR_MS,
            close_days: c.close_days.clamp(1, 14),
        });
        let mut categories: Vec<Topic> = categories.collect();
        if categories.is_empty() {
            let other = "其他".to_owned();
            categories.push(Topic { name: other.clone(), agency: other, response_ms: 24 * HOUR_MS, close_days: 5 });
        }
        let planned = Planned::from(calendar.day(since), ORDER_DAYS);
        let places = Places::new(city);
        let outage = Outage::new(options, &categories, &places);
        Hotline {
            seed: options.seed,
            calls: scaled(CALLS, options.scale),
            calendar,
            voice: Voice::of(city, Stream::Hotline, ""),
            places,
            categories,
            working_days: city.calendar.clone(),
            zone: city.zone.clone(),
            outage,
            opening: options.opening.then_some(options.start.ms()),
            planned,
            agenda: Agenda::new(),
        }
    }

    /// Adds what comes of the calls of a day.
    fn plan(&self, day: i64, words: &mut Vec<(i64, Word)>) {
        let start = self.calendar.start(day);
        let mut draws = Draws::new(self.seed, For::Calls, 0, day);
        let count = scaled(self.calls, draws.between(0.93, 1.07));
        let mut add = |number: u64, place: u16, topic: u16, steps: Steps| {
            let carried = self.opening.is_some_and(|start| is_open(&steps, start));
            words.extend(steps.into_iter().map(|(at, what)| (at, Word { number, place, topic, carried, what })));
        };
        for nth in 0..count {
            let number = day.unsigned_abs() * 100_000 + nth;
            let place = self.places.pick(&mut draws);
            let topic = u16::try_from(draws.whole(0, i64::try_from(self.categories.len()).unwrap_or(1))).unwrap_or(0);
            let at = start + moment(&COURSE, &mut draws);
            let mut steps = Steps::new();
            if let Some(ended) = call(at, &mut draws, &mut steps)
                && draws.chance(ORDERED)
            {
                live(ended, &self.limits(topic, ended), start, DIRECT, &mut draws, &mut steps);
            }
            if self.outage.has(at) {
                self.outage.strain(number, &mut steps);
            }
            add(number, place, topic, steps);
        }
        #[expect(clippy::cast_precision_loss, reason = "calls of a day")]
        let orders_a_day = self.calls as f64 * ORDERED / self.categories.len() as f64;
        let topic = self.outage.topic();
        for caller in self.outage.callers(day, start, orders_a_day) {
            let mut draws = caller.draws;
            let mut steps = Steps::new();
            if let Some(ended) = self.outage.call(caller.at, &mut draws, &mut steps) {
                live(ended, &self.limits(topic, ended), start, self.outage.direct(), &mut draws, &mut steps);
            }
            add(caller.number, caller.place, topic, steps);
        }
    }

    fn limits(&self, topic: u16, created: i64) -> Limits {
        let topic = &self.categories[usize::from(topic)];
        let due = self.working_days.working_days_after(created, topic.close_days, &self.zone);
        Limits { response_ms: topic.response_ms, due }
    }

    fn say(&self, at: i64, word: Word, out: &mut Outbox) {
        let (kind, purpose, rank) = match word.what {
            What::Call { rank, .. } => ("city.hotline.call", For::Calls, rank),
            What::Order { rank, .. } => ("city.hotline.order", For::Orders, rank),
            What::Callback { .. } => ("city.hotline.callback", For::Orders, 99),
        };
        let identity = identity(self.seed, purpose, word.number, rank);
        let is_order = matches!(word.what, What::Order { .. });
        let manner = if word.carried && is_order { Manner::Carried } else { Manner::Ordinary };
        out.say(&Said { voice: &self.voice, kind, time: at, identity, manner }, |data, _| {
            let street = self.places.street(word.place);
            match word.what {
                What::Call { event, wait_ms, talk, .. } => {
                    data.id("call_id", format_args!("C{}", word.number));
                    data.text("event", event);
                    data.text("district", &street.district);
                    if event == "answered" || event == "abandoned" {
                        data.decimal::<3>("wait_s", wait_ms);
                    }
                    if let Some(talk) = talk {
                        data.decimal::<3>("talk_s", talk.talk_ms);
                        data.decimal::<3>("hold_s", talk.hold_ms);
                        data.decimal::<3>("wrap_s", talk.wrap_ms);
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
                    for (name, answer) in [("resolved", resolved), ("satisfied", satisfied)] {
                        match answer {
                            Some(Some(answer)) => data.flag(name, answer),
                            Some(None) => data.null(name),
                            None => {}
                        }
                    }
                    data.text("district", &street.district);
                    data.text("category", &self.categories[usize::from(word.topic)].name);
                }
            }
        });
    }
}

/// Whether an order is on a desk, or will be asked after, at `start`: it was created before, and something happens to it or it falls
/// due after. What was answered on the phone is neither.
fn is_open(steps: &Steps, start: i64) -> bool {
    let orders = || {
        steps.iter().filter_map(|(at, what)| match what {
            What::Order { event, due, direct: false, .. } => Some((*at, *event, *due)),
            _ => None,
        })
    };
    let created = orders().any(|(at, event, _)| event == "created" && at < start);
    created && orders().any(|(at, _, due)| at >= start || due.is_some_and(|due| due >= start))
}

/// A place within some 300 m of the street's centre, for seven orders of ten: four from a consumer map, two from a
/// receiver, one from a surveyor's map.
fn near(data: &mut Members<'_>, street: &Street, bits: u64) {
    #[expect(clippy::cast_precision_loss, reason = "micro-degrees")]
    let shift = |bits: u64| (below(bits, 6_000) - 3_000) as f64 / 1e6;
    let (mut lon, mut lat) = (street.lon + shift(bits), street.lat + shift(mix(bits)));
    let datum = match below(mix(bits ^ 0xDA7), 10) {
        0..4 => Some("gcj02"),
        4..6 => None,
        6 => Some("cgcs2000"),
        _ => return,
    };
    if datum == Some("gcj02") {
        (lon, lat) = wgs84_to_gcj02(lon, lat);
    }
    #[expect(clippy::cast_possible_truncation, reason = "degrees on earth")]
    let micro = |degrees: f64| libm::round(degrees * 1e6) as i64;
    data.decimal::<6>("lon", micro(lon));
    data.decimal::<6>("lat", micro(lat));
    if let Some(datum) = datum {
        data.text("datum", datum);
    }
}

/// A call from `at` on, and when it ended if somebody answered. 97 of 100 are answered.
fn call(at: i64, draws: &mut Draws, steps: &mut Steps) -> Option<i64> {
    if draws.chance(0.028) {
        let wait_ms = ms(2.0 + draws.exponential(25.0)).min(5 * MINUTE_MS);
        lost(at, wait_ms, draws, steps);
        return None;
    }
    // Mean 12 s as in 常州; 95 of 100 within 15 s.
    let wait_ms = if draws.chance(0.95) {
        ms(draws.between(6.0, 15.0))
    } else {
        ms(15.0 + draws.exponential(23.0)).min(4 * MINUTE_MS)
    };
    Some(answered(at, wait_ms, draws, steps))
}

/// A caller who hangs up. Some exchanges also say then that the call ended, without a length of anything.
pub(crate) fn lost(at: i64, wait_ms: i64, draws: &mut Draws, steps: &mut Steps) {
    steps.push((at, What::Call { event: "offered", rank: 0, wait_ms: 0, talk: None }));
    steps.push((at + wait_ms, What::Call { event: "abandoned", rank: 2, wait_ms, talk: None }));
    if draws.chance(0.25) {
        steps.push((at + wait_ms + 200, What::Call { event: "ended", rank: 3, wait_ms: 0, talk: None }));
    }
}

/// A call that somebody answers; gives its end. Talk has a mean of 150 s, as in 常州.
pub(crate) fn answered(at: i64, wait_ms: i64, draws: &mut Draws, steps: &mut Steps) -> i64 {
    let talk_ms = ms(20.0 + draws.exponential(130.0)).min(HOUR_MS);
    let hold_ms = if draws.chance(0.2) { ms(draws.between(5.0, 90.0)) } else { 0 };
    let wrap_ms = ms(draws.between(10.0, 55.0));
    let ended = at + wait_ms + talk_ms + hold_ms + wrap_ms;
    steps.push((at, What::Call { event: "offered", rank: 0, wait_ms: 0, talk: None }));
    steps.push((at + wait_ms, What::Call { event: "answered", rank: 1, wait_ms, talk: None }));
    let talk = Some(Talk { talk_ms, hold_ms, wrap_ms });
    steps.push((ended, What::Call { event: "ended", rank: 3, wait_ms: 0, talk }));
    ended
}

impl Actor for Hotline {
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
    }
}
