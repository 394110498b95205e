//! What a batch job over the whole log says: plain loops over each call's and each order's events in the order of their times. No
//! state is kept, nothing is taken back, and no code is the crate's; working days come from the profile.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use yiping_city::City;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const OTHER: &str = "其他";

/// The contract's list of an order's and a call's events: the order within a millisecond.
const WORDS: [&str; 14] = [
    "offered",
    "answered",
    "abandoned",
    "ended",
    "created",
    "dispatched",
    "accepted",
    "contacted",
    "replied",
    "closed",
    "returned",
    "extended",
    "reopened",
    "urged",
];

#[derive(Debug, Clone)]
pub struct Event {
    pub id: String,
    /// `call`, `order` or `callback`.
    pub kind: &'static str,
    pub entity: String,
    pub time: i64,
    pub data: Value,
}

impl Event {
    fn word(&self) -> &str {
        self.data["event"].as_str().unwrap_or("")
    }

    fn text(&self, member: &str) -> Option<String> {
        self.data[member].as_str().map(str::to_owned)
    }

    fn seconds(&self, member: &str) -> Option<i64> {
        self.data[member].as_f64().map(|seconds| (seconds * 1_000.0).round() as i64)
    }

    fn due(&self) -> Option<i64> {
        let due = self.data["due"].as_str()?;
        Some(due.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sums {
    pub num: i64,
    pub den: i64,
    pub n: i64,
    pub values: Vec<i64>,
}

/// (metric, level, key, span, window end)
pub type Id = (&'static str, &'static str, String, &'static str, i64);
pub type Rows = BTreeMap<Id, Sums>;
type Keys = Vec<(&'static str, String)>;

struct Batch<'a> {
    rows: Rows,
    newest: i64,
    city: &'a City,
    reach: i64,
}

/// The rows of a log; `lateness` in ms.
pub fn batch(log: &[Event], lateness: i64, city: &City) -> Rows {
    let mut seen = BTreeSet::new();
    let mut entities: BTreeMap<(bool, String), Vec<&Event>> = BTreeMap::new();
    for event in log {
        if seen.insert(event.id.clone()) {
            entities.entry((event.kind == "call", event.entity.clone())).or_default().push(event);
        }
    }
    let newest = log.iter().map(|event| event.time).max().unwrap();
    let mut batch = Batch { rows: Rows::new(), newest, city, reach: lateness + 5_000 };
    for ((is_call, _), mut events) in entities {
        let turn = |event: &Event| WORDS.iter().position(|word| *word == event.word()).unwrap_or(WORDS.len());
        events.sort_by_key(|event| (event.time, turn(event), event.id.clone()));
        if is_call {
            batch.call(&events);
        } else {
            batch.order(&events);
        }
    }
    batch.rows
}

impl Batch<'_> {
    fn call(&mut self, events: &[&Event]) {
        let first = |words: &[&str]| events.iter().find(|event| words.contains(&event.word())).copied();
        let district = events.iter().find_map(|event| event.text("district")).unwrap_or(OTHER.into());
        let keys: Keys = vec![("city", "city".into()), ("district", district)];
        let (offered, decided) = (first(&["offered"]), first(&["answered", "abandoned"]));
        let told = decided.and_then(|event| event.seconds("wait_s"));
        if let Some(placed) = offered.map(|event| event.time).or(decided.map(|event| event.time - told.unwrap_or(0))) {
            let answered = decided.is_some_and(|event| event.word() == "answered");
            let abandoned = decided.is_some_and(|event| event.word() == "abandoned");
            let wait = told.or_else(|| Some(decided?.time - offered?.time)).filter(|wait| *wait >= 0);
            self.flow("hotline.calls", &["5m", "1h", "day"], &keys, placed, (1, 0, 1));
            let long = ["30m", "24h"];
            self.flow("hotline.connect_ratio", &long, &keys, placed, (i64::from(answered), 1, 1));
            let at_once = answered && wait.is_some_and(|wait| wait <= 15_000);
            self.flow("hotline.answer_15s_ratio", &long, &keys, placed, (i64::from(at_once), 1, 1));
            if !abandoned || wait.is_none_or(|wait| wait > 10_000) {
                let lost = abandoned && wait.is_some();
                self.flow("hotline.abandon_ratio", &["30m"], &keys, placed, (i64::from(lost), 1, 1));
            }
            if let Some(wait) = wait.filter(|_| answered) {
                self.flow("hotline.wait_mean_s", &["30m"], &keys, placed, (wait, 1, 1));
                self.flow("hotline.wait_p95_s", &["30m"], &keys, placed, (0, 0, 1));
                for end in windows(placed, "30m").into_iter().filter(|end| *end <= last("30m", self.newest)) {
                    for (level, key) in &keys {
                        let id = ("hotline.wait_p95_s", *level, key.clone(), "30m", end);
                        self.rows.get_mut(&id).unwrap().values.push(wait);
                    }
                }
            }
        }
        if let Some(offered) = offered {
            let ends = first(&["answered", "abandoned", "ended"]).map(|event| event.time);
            self.instants("hotline.waiting", &keys, offered.time, |now| {
                ends.is_none_or(|end| end > now) && now < offered.time + DAY
            });
        }
        for event in events.iter().filter(|event| event.word() == "ended") {
            let parts: Vec<i64> =
                ["talk_s", "hold_s", "wrap_s"].iter().filter_map(|part| event.seconds(part)).collect();
            if !parts.is_empty() {
                self.flow("hotline.handle_mean_s", &["30m"], &keys[..1], event.time, (parts.iter().sum(), 1, 1));
                break;
            }
        }
    }

    fn order(&mut self, events: &[&Event]) {
        let created = events.iter().find(|event| event.word() == "created").copied();
        let agency = created.and_then(|created| {
            let dispatched = || events.iter().filter(|event| event.word() == "dispatched");
            created.text("agency").or_else(|| dispatched().find_map(|event| event.text("agency")))
        });
        for event in events.iter().filter(|event| event.kind == "callback") {
            let of = |member: &str| event.text(member).or_else(|| created?.text(member)).unwrap_or(OTHER.into());
            let mut keys: Keys =
                vec![("city", "city".into()), ("district", of("district")), ("category", of("category"))];
            keys.extend(agency.clone().map(|agency| ("agency", agency)));
            for (metric, said) in [("hotline.resolved_ratio", "resolved"), ("hotline.satisfied_ratio", "satisfied")] {
                if let Some(yes) = event.data[said].as_bool() {
                    self.flow(metric, &["24h", "day"], &keys, event.time, (i64::from(yes), 1, 1));
                }
            }
        }
        let Some(created) = created else { return };
        let (district, category) = (created.text("district").unwrap(), created.text("category").unwrap());
        let direct = created.data["direct"].as_bool().unwrap_or(false);
        let mut keys: Keys =
            vec![("city", "city".into()), ("district", district.clone()), ("category", category.clone())];
        self.flow("hotline.direct_ratio", &["day"], &keys, created.time, (i64::from(direct), 1, 1));
        keys.extend(agency.map(|agency| ("agency", agency)));
        let mut all = keys.clone();
        all.push(("district_category", format!("{district}/{category}")));
        self.flow("hotline.orders", &["30m", "1h", "day"], &all, created.time, (1, 0, 1));
        for event in events {
            let (metric, sums) = match event.word() {
                "dispatched" => ("hotline.return_ratio", (0, 1, 1)),
                "returned" => ("hotline.return_ratio", (1, 0, 0)),
                "closed" => ("hotline.reopen_ratio", (0, 1, 1)),
                "reopened" => ("hotline.reopen_ratio", (1, 0, 0)),
                _ => continue,
            };
            self.flow(metric, &["24h", "day"], &keys, event.time, sums);
        }
        if direct {
            return;
        }
        let first_due = created.due().or_else(|| self.city.due_ms("hotline", &category, created.time));
        let is_open = |now: i64| {
            let past = events.iter().rfind(|event| event.time <= now && ["closed", "reopened"].contains(&event.word()));
            past.is_none_or(|event| event.word() == "reopened")
        };
        let due_at = |now: i64| {
            let put_off = events.iter().filter(|event| event.word() == "extended" && event.time <= now);
            put_off.filter_map(|event| event.due()).next_back().or(first_due)
        };
        self.instants("hotline.open_orders", &keys, created.time, is_open);
        self.instants("hotline.overdue_orders", &keys, created.time, |now| {
            is_open(now) && due_at(now).is_some_and(|due| due < now)
        });
        self.instants("hotline.due_soon_orders", &keys, created.time, |now| {
            is_open(now) && due_at(now).is_some_and(|due| (now..=now + DAY).contains(&due))
        });
        self.shares("hotline.urge_ratio", &keys, created.time, is_open, |now| {
            events.iter().any(|event| event.word() == "urged" && event.time <= now)
        });
        // the due date by which the order is judged
        let mut due = first_due;
        for event in events.iter().filter(|event| event.word() == "extended") {
            if let Some(to) = event.due()
                && due.is_none_or(|due| due >= event.time - self.reach)
            {
                due = Some(to);
            }
        }
        if let Some(due) = due {
            let mut closed = false;
            for event in events {
                match event.word() {
                    "closed" if event.time <= due => closed = true,
                    "reopened" if event.time < due => closed = false,
                    _ => {}
                }
            }
            if closed || due <= self.newest + DAY {
                self.flow("hotline.on_time_close_ratio", &["24h", "day"], &keys, due, (i64::from(closed), 1, 1));
            }
        }
        let first = |word: &str| events.iter().find(|event| event.word() == word).map(|event| event.time);
        if let Some(dispatched) = first("dispatched") {
            let limit = dispatched + self.city.response_limit_ms("hotline", &category);
            let contacted = first("contacted").is_some_and(|contacted| contacted <= limit);
            if contacted || limit <= self.newest + DAY {
                self.flow("hotline.response_ratio", &["24h", "day"], &keys, limit, (i64::from(contacted), 1, 1));
            }
        }
    }

    /// Something that happened at `t` is in every window that holds it.
    fn flow(
        &mut self,
        metric: &'static str,
        spans: &[&'static str],
        keys: &[(&'static str, String)],
        t: i64,
        (num, den, n): (i64, i64, i64),
    ) {
        for &span in spans {
            for end in windows(t, span).into_iter().filter(|end| *end <= last(span, self.newest)) {
                for (level, key) in keys {
                    let sums = self.rows.entry((metric, *level, key.clone(), span, end)).or_default();
                    sums.num += num;
                    sums.den += den;
                    sums.n += n;
                }
            }
        }
    }

    /// Of those that are `of` at each full minute: whether they are also `what`.
    fn shares(
        &mut self,
        metric: &'static str,
        keys: &[(&'static str, String)],
        from: i64,
        of: impl Fn(i64) -> bool,
        what: impl Fn(i64) -> bool,
    ) {
        let mut now = (from - 1).div_euclid(MINUTE) * MINUTE + MINUTE;
        while now <= self.newest {
            if of(now) {
                for (level, key) in keys {
                    let sums = self.rows.entry((metric, *level, key.clone(), "now", now)).or_default();
                    sums.num += i64::from(what(now));
                    sums.den += 1;
                    sums.n += 1;
                }
            }
            now += MINUTE;
        }
    }

    /// Whether something is so at each full minute, from when on it could be.
    fn instants(
        &mut self,
        metric: &'static str,
        keys: &[(&'static str, String)],
        from: i64,
        holds: impl Fn(i64) -> bool,
    ) {
        let mut now = from.div_euclid(MINUTE) * MINUTE;
        while now <= self.newest {
            if now >= from {
                let num = i64::from(holds(now));
                for (level, key) in keys {
                    let sums = self.rows.entry((metric, *level, key.clone(), "now", now)).or_default();
                    sums.num += num;
                    sums.n += 1;
                }
            }
            now += MINUTE;
        }
    }
}

fn size_and_slide(span: &str) -> (i64, i64) {
    match span {
        "5m" => (5 * MINUTE, 30_000),
        "30m" => (30 * MINUTE, MINUTE),
        "1h" => (HOUR, MINUTE),
        "24h" => (DAY, 5 * MINUTE),
        _ => (DAY, DAY),
    }
}

/// The ends of the windows that hold `t`; days are Weihai's, eight hours before UTC's.
fn windows(t: i64, span: &str) -> Vec<i64> {
    let (size, slide) = size_and_slide(span);
    if span == "day" {
        return vec![((t + 8 * HOUR).div_euclid(DAY) + 1) * DAY - 8 * HOUR];
    }
    let first = (t.div_euclid(slide) + 1) * slide;
    (0..size / slide).map(|step| first + step * slide).collect()
}

/// The end of the last window that holds the newest event.
fn last(span: &str, newest: i64) -> i64 {
    *windows(newest, span).last().unwrap()
}
