//! A heating outage, as 12345 feels it: in two districts twenty times as many orders about heating, and so many calls that
//! all callers wait, whatever they call about.

use crate::Options;
use crate::agenda::{HOUR_MS, MINUTE_MS};
use crate::draws::{Draws, For, ms};
use crate::hotline::{COURSE, Places, Steps, Topic, What, answered, lost};
use crate::incident::{IncidentKind, NUMBERS, Span, spans};

/// Orders of the category in the two districts, as a multiple of what is usual.
const SURGE: f64 = 20.0;
/// Calls that nobody answers before the caller hangs up.
const LOST: f64 = 0.3;
/// Answered callers of the outage who get an order, and those of them who are content with what the agent knows.
const ORDERED: f64 = 0.85;
const DIRECT: f64 = 0.3;

pub(crate) struct Outage {
    seed: u64,
    spans: Vec<Span>,
    topic: u16,
    /// Of each street; 0 outside the two districts.
    weights: Vec<u32>,
    /// The two districts' share of all callers.
    share: f64,
}

/// Someone who calls because of the outage.
pub(crate) struct Caller {
    pub(crate) number: u64,
    pub(crate) at: i64,
    pub(crate) place: u16,
    /// Decides the rest.
    pub(crate) draws: Draws,
}

impl Outage {
    /// About the category whose name speaks of heating, else the first one; in the districts with the most callers.
    pub(crate) fn new(options: &Options, categories: &[Topic], places: &Places) -> Outage {
        let topic = categories.iter().position(|topic| topic.name.contains("供热")).unwrap_or(0);
        let all = places.weights();
        let district = |street: usize| places.street(u16::try_from(street).unwrap_or(0)).district.as_str();
        let mut districts: Vec<(u32, &str)> = Vec::new();
        for (street, weight) in all.iter().enumerate() {
            match districts.iter_mut().find(|(_, name)| *name == district(street)) {
                Some((sum, _)) => *sum += weight,
                None => districts.push((*weight, district(street))),
            }
        }
        districts.sort_by(|a, b| b.cmp(a));
        districts.truncate(2);
        let struck = |street: usize| districts.iter().any(|(_, name)| *name == district(street));
        let weights: Vec<u32> = all.iter().enumerate().map(|(i, w)| if struck(i) { *w } else { 0 }).collect();
        let share = f64::from(weights.iter().sum::<u32>()) / f64::from(all.iter().sum::<u32>().max(1));
        Outage {
            seed: options.seed,
            spans: spans(options, IncidentKind::HeatingOutage),
            topic: u16::try_from(topic).unwrap_or(0),
            weights,
            share,
        }
    }

    pub(crate) fn topic(&self) -> u16 {
        self.topic
    }

    /// The share of the outage's orders that the agent answers on the phone.
    pub(crate) fn direct(&self) -> f64 {
        DIRECT
    }

    pub(crate) fn has(&self, at: i64) -> bool {
        self.spans.iter().any(|span| span.contains(&at))
    }

    /// What becomes of a call that comes in the outage though not of it: a longer wait, with all that follows so much
    /// later; or nobody answers, and nothing follows.
    pub(crate) fn strain(&self, number: u64, steps: &mut Steps) {
        let mut draws = Draws::new(self.seed, For::Incident, number, 0);
        let offered = steps[0].0;
        if draws.chance(LOST) {
            steps.clear();
            lost(offered, patience(&mut draws), &mut draws, steps);
            return;
        }
        let longer = queue(&mut draws);
        for (at, what) in &mut steps[1..] {
            *at += longer;
            match what {
                What::Call { event: "answered" | "abandoned", wait_ms, .. } => *wait_ms += longer,
                What::Order { due: Some(due), .. } => *due += longer,
                _ => {}
            }
        }
    }

    /// Who calls because of it on the day from `start` on, where `orders_a_day` is what is usual of a category.
    pub(crate) fn callers(&self, day: i64, start: i64, orders_a_day: f64) -> Vec<Caller> {
        let mut callers = Vec::new();
        let total: u32 = COURSE.iter().sum();
        for span in &self.spans {
            for (slot, weight) in (0..).zip(COURSE) {
                let begin = (start + slot * HOUR_MS / 2).max(span.start);
                let end = (start + (slot + 1) * HOUR_MS / 2).min(span.end);
                if begin >= end {
                    continue;
                }
                #[expect(clippy::cast_precision_loss, reason = "parts of half an hour, in ms")]
                let part = (end - begin) as f64 / (HOUR_MS / 2) as f64;
                let usual = orders_a_day * self.share * f64::from(weight) / f64::from(total) * part;
                let mut draws = Draws::new(self.seed, For::Incident, 0, begin);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "callers of half an hour")]
                let count = (usual * (SURGE - 1.0) / ((1.0 - LOST) * ORDERED) + draws.unit()) as u64;
                for _ in 0..count {
                    let number = NUMBERS + day.unsigned_abs() * 100_000 + callers.len() as u64;
                    let place = u16::try_from(draws.pick(&self.weights)).unwrap_or(0);
                    let at = draws.whole(begin, end);
                    callers.push(Caller { number, at, place, draws: Draws::new(self.seed, For::Incident, number, 1) });
                }
            }
        }
        callers
    }

    /// A call because of it; when it ended, if an order comes of it.
    pub(crate) fn call(&self, at: i64, draws: &mut Draws, steps: &mut Steps) -> Option<i64> {
        if draws.chance(LOST) {
            lost(at, patience(draws), draws, steps);
            return None;
        }
        let ended = answered(at, 8_000 + queue(draws), draws, steps);
        draws.chance(ORDERED).then_some(ended)
    }
}

/// Who hangs up has waited so long, in ms.
fn patience(draws: &mut Draws) -> i64 {
    ms(25.0 + draws.exponential(90.0)).min(15 * MINUTE_MS)
}

/// How much longer than usual it takes until somebody answers, in ms.
fn queue(draws: &mut Draws) -> i64 {
    ms(20.0 + draws.exponential(140.0)).min(15 * MINUTE_MS)
}
