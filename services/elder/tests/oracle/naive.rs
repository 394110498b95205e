//! What every figure must be, by plain loops over the sorted events: no state, no timers, no panes.

use std::collections::{BTreeMap, BTreeSet};

use yiping_city::City;
use yiping_event::TimeMs;

use crate::log::{Event, HOUR};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * HOUR;

/// Metric, level, key, span, end (ms).
pub type Id = (String, &'static str, String, &'static str, i64);

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    pub value: Option<f64>,
    pub numerator: f64,
    pub denominator: f64,
    pub n: i64,
}

impl Figure {
    /// Percentiles are told within 1 %, all else exactly (but for what a double can't hold).
    pub fn agrees(&self, should: &Figure, metric: &str) -> bool {
        let within = if metric.contains("_p90_") { 0.01 } else { 1e-9 };
        let close = |a: f64, b: f64| (a - b).abs() <= within * b.abs() + 1e-9;
        let value = match (self.value, should.value) {
            (Some(is), Some(should)) => close(is, should),
            (is, should) => is == should,
        };
        value && close(self.numerator, should.numerator) && self.denominator == should.denominator && self.n == should.n
    }
}

/// One thing that counts: where, when, how much.
struct Count {
    metric: &'static str,
    keys: Vec<(&'static str, String)>,
    time: i64,
    num: i64,
    den: i64,
    sample: Option<i64>,
}

/// How sums become a figure: the minimum n of a ratio, a count, or a percentile.
enum Kind {
    Count,
    Ratio(i64),
    P90,
}

fn spans(metric: &str) -> (&'static [&'static str], Kind) {
    match metric {
        "elder.calls" => (&["30m", "1h", "day"], Kind::Count),
        "elder.connect_ratio" => (&["30m", "24h"], Kind::Ratio(5)),
        "elder.sos_ack_60s_ratio" | "elder.sos_ack_180s_ratio" => (&["24h", "day"], Kind::Ratio(1)),
        "elder.sos_arrive_45m_ratio" | "elder.sos_arrive_60m_ratio" => (&["day"], Kind::Ratio(1)),
        "elder.sos_connect_failure_ratio" => (&["24h"], Kind::Ratio(1)),
        "elder.orders" => (&["day"], Kind::Count),
        "elder.accept_p90_s" | "elder.door_p90_s" => (&["1h", "day"], Kind::P90),
        _ => (&["day"], Kind::Ratio(5)),
    }
}

/// The contract's list of events.
fn rank(event: &Event) -> usize {
    let words: &[&str] = match event.kind {
        "call" => &["offered", "answered", "abandoned", "ended"],
        "sos" => &["raised", "connected", "not_connected", "acknowledged", "arrived", "closed", "false_alarm"],
        _ => &["created", "accepted", "departed", "arrived", "finished", "no_show", "cancelled"],
    };
    words.iter().position(|word| *word == said(event)).unwrap_or(99)
}

fn said(event: &Event) -> &str {
    event.data["event"].as_str().unwrap_or("")
}

fn text(event: &Event, member: &str) -> Option<String> {
    event.data[member].as_str().map(str::to_owned)
}

fn day_end(time: i64) -> i64 {
    ((time + 8 * HOUR).div_euclid(DAY) + 1) * DAY - 8 * HOUR
}

/// The first of some events that says one of the words.
fn first<'a>(events: &[&'a Event], words: &[&str]) -> Option<&'a Event> {
    events.iter().copied().find(|event| words.contains(&said(event)))
}

fn first_time(events: &[&Event], words: &[&str]) -> Option<i64> {
    first(events, words).map(|event| event.time)
}

fn district(district: Option<String>) -> Vec<(&'static str, String)> {
    vec![("city", "city".to_owned()), ("district", district.unwrap_or_else(|| "其他".to_owned()))]
}

fn with_category(of: Option<String>, category: &str) -> Vec<(&'static str, String)> {
    let mut keys = district(of);
    keys.push(("category", category.to_owned()));
    keys
}

type Entities<'a> = BTreeMap<String, Vec<&'a Event>>;

/// Events of one kind by entity, each in order.
fn by_entity<'a>(sorted: &[&'a Event], kind: &str, member: &str) -> Entities<'a> {
    let mut entities = Entities::new();
    for event in sorted.iter().filter(|event| event.kind == kind) {
        entities.entry(text(event, member).unwrap()).or_default().push(event);
    }
    entities
}

pub fn figures(events: &[Event]) -> BTreeMap<Id, Figure> {
    let mut sorted: Vec<&Event> = events.iter().collect();
    sorted.sort_by_key(|event| (event.time, rank(event), event.id.clone()));
    let newest = sorted.last().unwrap().time;
    let mut counts = Vec::new();
    calls(&sorted, &mut counts);
    cases(&sorted, &mut counts);
    orders(&sorted, newest, &mut counts);
    callbacks(&sorted, &mut counts);
    let mut figures = windows(counts, newest);
    let (cases, devices) = (by_entity(&sorted, "sos", "case_id"), by_entity(&sorted, "heartbeat", "device_id"));
    for minute in sorted[0].time.div_euclid(MINUTE)..=newest.div_euclid(MINUTE) {
        now(&cases, &devices, minute * MINUTE, &mut figures);
    }
    figures
}

fn calls(sorted: &[&Event], counts: &mut Vec<Count>) {
    for events in by_entity(sorted, "call", "call_id").values() {
        let decision = first(events, &["answered", "abandoned"]);
        let began = decision.map(|decision| {
            let wait = decision.data["wait_s"].as_f64().unwrap_or(0.0);
            decision.time - (wait * 1_000.0).round() as i64
        });
        let Some(time) = first_time(events, &["offered"]).or(began) else { continue };
        let category = text(events[0], "category").unwrap();
        let of = events.iter().find_map(|event| text(event, "district"));
        let answered = i64::from(decision.is_some_and(|decision| said(decision) == "answered"));
        let keys = with_category(of, &category);
        let mut four = keys.clone();
        four.push(("district_category", format!("{}/{category}", keys[1].1)));
        counts.push(Count { metric: "elder.calls", keys: four, time, num: 1, den: 1, sample: None });
        let ratio =
            Count { metric: "elder.connect_ratio", keys: keys.clone(), time, num: answered, den: 1, sample: None };
        counts.push(ratio);
        counts.push(Count { metric: "elder.order_conversion", keys, time, num: 0, den: 1, sample: None });
    }
}

fn cases(sorted: &[&Event], counts: &mut Vec<Count>) {
    for events in by_entity(sorted, "sos", "case_id").values() {
        let Some(raised) = first_time(events, &["raised"]) else { continue };
        let keys = district(text(events[0], "district"));
        let mut count = |metric, counts_in: bool| {
            counts.push(Count {
                metric,
                keys: keys.clone(),
                time: raised,
                num: i64::from(counts_in),
                den: 1,
                sample: None,
            });
        };
        let acknowledged = first_time(events, &["acknowledged", "false_alarm"]);
        let within = |time: Option<i64>, seconds: i64| time.is_some_and(|time| time <= raised + seconds * 1_000);
        count("elder.sos_ack_60s_ratio", within(acknowledged, 60));
        count("elder.sos_ack_180s_ratio", within(acknowledged, 180));
        let arrived = first_time(events, &["arrived"]);
        let nobody_had_to_go =
            first(events, &["false_alarm"]).is_some() || (arrived.is_none() && first(events, &["closed"]).is_some());
        if !nobody_had_to_go {
            count("elder.sos_arrive_45m_ratio", within(arrived, 45 * 60));
            count("elder.sos_arrive_60m_ratio", within(arrived, 60 * 60));
        }
        if let Some(attempt) = first(events, &["connected", "not_connected"]) {
            count("elder.sos_connect_failure_ratio", said(attempt) == "not_connected");
        }
    }
}

fn orders(sorted: &[&Event], newest: i64, counts: &mut Vec<Count>) {
    let city = City::weihai();
    for events in by_entity(sorted, "order", "order_id").values() {
        let Some(created) = first(events, &["created"]) else { continue };
        let category = text(created, "category").unwrap();
        let keys = with_category(text(created, "district"), &category);
        let mut count = |metric, time, num: bool, den, sample| {
            counts.push(Count { metric, keys: keys.clone(), time, num: i64::from(num), den, sample });
        };
        count("elder.orders", created.time, true, 1, None);
        count("elder.order_conversion", created.time, true, 0, None);
        for (metric, word) in [("elder.accept_p90_s", "accepted"), ("elder.door_p90_s", "arrived")] {
            if let Some(time) = first_time(events, &[word]).filter(|time| *time >= created.time) {
                count(metric, time, false, 1, Some(time - created.time));
            }
        }
        let told = |event: &Event| text(event, "due").map(|due| TimeMs::parse(&due).unwrap().0);
        let elsewhere = || events.iter().filter(|event| said(event) != "created").find_map(|event| told(event));
        let Some(due) = told(created).or_else(elsewhere).or(city.due_ms("elder", &category, created.time)) else {
            continue;
        };
        let end = day_end(due);
        let by_then = |word| first_time(events, &[word]).is_some_and(|time| time < end);
        // the file's end: deadlines more than a day after the newest event are not judged
        if end <= newest + DAY && !by_then("cancelled") {
            count("elder.completion_ratio", due, by_then("finished"), 1, None);
            count("elder.no_show_ratio", due, by_then("no_show"), 1, None);
        }
    }
}

fn callbacks(sorted: &[&Event], counts: &mut Vec<Count>) {
    let orders = by_entity(sorted, "order", "order_id");
    for callback in sorted.iter().filter(|event| event.kind == "callback") {
        let order = orders.get(&text(callback, "order_id").unwrap());
        let of_order = || order.and_then(|events| text(first(events, &["created"])?, "district"));
        let keys = district(text(callback, "district").or_else(of_order));
        let satisfied = i64::from(callback.data["score"].as_i64().unwrap() >= 4);
        let metric = "elder.satisfied_ratio";
        counts.push(Count { metric, keys, time: callback.time, num: satisfied, den: 1, sample: None });
    }
}

/// Every window that holds something.
fn windows(counts: Vec<Count>, newest: i64) -> BTreeMap<Id, Figure> {
    let mut sums: BTreeMap<Id, (i64, i64, Vec<i64>)> = BTreeMap::new();
    for Count { metric, keys, time, num, den, sample } in counts {
        for &span in spans(metric).0 {
            let (size, slide) = match span {
                "30m" => (HOUR / 2, MINUTE),
                "1h" => (HOUR, MINUTE),
                "24h" => (DAY, 5 * MINUTE),
                _ => (DAY, DAY),
            };
            let first = if span == "day" { day_end(time) } else { (time.div_euclid(slide) + 1) * slide };
            let last = if span == "day" { day_end(newest) } else { newest.div_euclid(slide) * slide + size };
            let mut end = first;
            while end - size <= time && end <= last {
                for (level, key) in &keys {
                    let sum = sums.entry((metric.to_owned(), level, key.clone(), span, end)).or_default();
                    *sum = (sum.0 + num, sum.1 + den, std::mem::take(&mut sum.2));
                    sum.2.extend(sample);
                }
                end += slide;
            }
        }
    }
    let figure = |(id, (num, den, mut samples)): (Id, (i64, i64, Vec<i64>))| {
        samples.sort_unstable();
        let (numerator, denominator) = (num as f64, den as f64);
        let figure = match spans(&id.0).1 {
            Kind::Count => Figure { value: Some(numerator), numerator, denominator: 1.0, n: num },
            Kind::Ratio(least) => {
                let value = (den >= least && den > 0).then(|| numerator / denominator);
                Figure { value, numerator, denominator, n: den }
            }
            Kind::P90 => {
                let n = samples.len();
                let value = (n >= 5).then(|| samples[(9 * n).div_ceil(10) - 1] as f64 / 1_000.0);
                Figure { value, numerator: 0.0, denominator: n as f64, n: n as i64 }
            }
        };
        (id, figure)
    };
    sums.into_iter().map(figure).collect()
}

/// The current figures of a minute.
fn now(told_cases: &Entities, told_devices: &Entities, at: i64, figures: &mut BTreeMap<Id, Figure>) {
    let mut put = |metric: &str, (level, key): (&'static str, &str), figure| {
        figures.insert((metric.to_owned(), level, key.to_owned(), "now", at), figure);
    };
    // (district, since when it waits, whether it is open) of every case raised by now
    let mut cases = Vec::new();
    for events in told_cases.values() {
        let Some(raised) = first_time(events, &["raised"]).filter(|raised| *raised <= at) else { continue };
        let ended = |words: &[&str]| first_time(events, words).is_some_and(|time| time <= at);
        let waits = !ended(&["acknowledged", "false_alarm", "closed"]);
        cases.push((text(events[0], "district").unwrap(), waits.then_some(raised), !ended(&["closed", "false_alarm"])));
    }
    let names: BTreeSet<&str> = cases.iter().map(|(district, ..)| district.as_str()).chain(["city"]).collect();
    for key in names {
        let level = if key == "city" { "city" } else { "district" };
        let here = cases.iter().filter(|(district, ..)| key == "city" || district == key);
        let (n, open) = (here.clone().count() as i64, here.clone().filter(|case| case.2).count() as f64);
        let waiting: Vec<i64> = here.filter_map(|case| case.1).collect();
        if n > 0 {
            let gauge = |value: f64, n: i64| Figure { value: Some(value), numerator: value, denominator: 1.0, n };
            let age = waiting.iter().min().map_or(0.0, |since| (at - since) as f64 / 1_000.0);
            put("elder.sos_open", (level, key), gauge(open, n));
            put("elder.sos_unacknowledged", (level, key), gauge(waiting.len() as f64, n));
            put("elder.sos_oldest_wait_s", (level, key), gauge(age, waiting.len() as i64));
        }
    }
    // (district, silent) of every device heard of in 30 days
    let mut devices = Vec::new();
    for events in told_devices.values() {
        let so_far = &events[..events.partition_point(|event| event.time <= at)];
        let Some(newest) = so_far.last().filter(|newest| newest.time > at - 30 * DAY) else { continue };
        let told = so_far.iter().rev().find_map(|event| text(event, "district"));
        devices.push((told.unwrap_or_else(|| "其他".to_owned()), newest.time <= at - DAY));
    }
    let names: BTreeSet<&str> = devices.iter().map(|(district, _)| district.as_str()).chain(["city"]).collect();
    for key in names {
        let level = if key == "city" { "city" } else { "district" };
        let here = devices.iter().filter(|(district, _)| key == "city" || district == key);
        let (den, num) = (here.clone().count() as i64, here.filter(|device| device.1).count() as f64);
        let value = (den >= 5).then(|| num / den as f64);
        if den > 0 {
            put(
                "elder.device_silent_ratio",
                (level, key),
                Figure { value, numerator: num, denominator: den as f64, n: den },
            );
        }
    }
}
