//! Final figures in, breaches out. Pure: the same figures give the same breaches, whoever judges them and however often.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};
use yiping_catalogue::Severity;
use yiping_city::City;

use crate::{
    past::{Past, Wanted, expected},
    rules::{Rule, Rules},
};

/// A surge is at least so many.
const FEWEST_OF_A_SURGE: f64 = 10.0;

/// Below so much of the limit that it passed a surge is over, so that one surge is one breach.
const SURGE_IS_OVER: f64 = 0.75;

/// An open breach that nothing was heard of for so long is closed: its lot has left, its route doesn't run.
const FORGOTTEN_MS: i64 = 2 * 60 * 60 * 1_000;

/// Of days, a figure comes once a day.
const DAY_FORGOTTEN_MS: i64 = 50 * 60 * 60 * 1_000;

/// A final, merged figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub metric: String,
    pub level: String,
    pub key: String,
    pub span: String,
    /// Window end, ms.
    pub end: i64,
    pub value: Option<f64>,
}

/// What a rule judges: (rule, level, key, span).
pub type SeriesId = (String, String, String, String);

/// What is remembered of a series that is, or was, beyond its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct State {
    /// Beyond the limit without a break since this window's end (ms).
    pub since: Option<i64>,
    /// An open breach's opening (ms), its value then and its worst one.
    pub opened: Option<Opened>,
    /// The newest window that was judged (ms).
    pub seen: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opened {
    pub at: i64,
    pub value: f64,
    pub worst: f64,
    pub threshold: f64,
}

/// A breach as it is to be written: its newest state.
#[derive(Clone, Debug, PartialEq)]
pub struct Breach {
    pub id: String,
    pub metric: String,
    pub level: String,
    pub key: String,
    pub span: String,
    pub severity: &'static str,
    pub opened_at: i64,
    pub closed_at: Option<i64>,
    /// When it opened.
    pub value: f64,
    pub worst: f64,
    pub threshold: f64,
    pub owner: String,
    pub action: String,
    /// Up to when (ms) this is what is known of it.
    pub judged: i64,
}

/// A state that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    pub series: SeriesId,
    pub state: State,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    pub breaches: Vec<Breach>,
    pub states: Vec<Remembered>,
}

/// The judge of one stream's figures.
pub struct Judge {
    stream: String,
    rules: Rules,
    /// About the stream's first event (ms).
    first: i64,
    states: BTreeMap<SeriesId, State>,
}

/// The name of a breach: the same for whoever finds it.
#[must_use]
pub fn breach_id(metric: &str, level: &str, key: &str, span: &str, severity: &str, opened_at: i64) -> String {
    let text = [metric, level, key, span, severity, &opened_at.to_string()].join("\u{1f}");
    hex::encode(&Sha256::digest(text)[..6])
}

impl Judge {
    /// `first`: about the stream's first event (ms); what depends on the time before is judged later.
    #[must_use]
    pub fn new(stream: &str, rules: &Rules, first: i64) -> Self {
        let all = rules.all.iter().filter(|rule| rule.stream == stream).cloned().collect();
        Judge { stream: stream.to_owned(), rules: Rules { all }, first, states: BTreeMap::new() }
    }

    #[must_use]
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// How many breaches are open: by metric, level and severity, for each of which there is a rule.
    #[must_use]
    pub fn open(&self) -> BTreeMap<(&str, &str, &'static str), i64> {
        let mut beyond: HashMap<(&str, &str), i64> = HashMap::new();
        for ((rule, level, ..), state) in &self.states {
            if state.opened.is_some() {
                *beyond.entry((rule, level)).or_default() += 1;
            }
        }
        let mut open = BTreeMap::new();
        for rule in &self.rules.all {
            for level in &rule.threshold.levels {
                let count = beyond.get(&(rule.id.as_str(), level.as_str())).copied().unwrap_or(0);
                *open.entry((rule.metric.as_str(), level.as_str(), rule.threshold.severity.name())).or_insert(0) +=
                    count;
            }
        }
        open
    }

    /// Takes up what another judge remembered.
    pub fn recall(&mut self, states: Vec<Remembered>) {
        self.states = states.into_iter().map(|known| (known.series, known.state)).collect();
    }

    /// Whose past must be known to judge these figures.
    #[must_use]
    pub fn wants(&self, figures: &[Figure]) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for figure in figures {
            let rules = self.rules.all.iter().filter(|rule| {
                let candidate = rule.threshold.norm
                    || (rule.is_surge && figure.value.is_some_and(|value| value >= FEWEST_OF_A_SURGE));
                candidate && rule.looks_at(&figure.metric, &figure.level, &figure.key, &figure.span)
            });
            let id = || {
                let Figure { metric, level, key, span, end, .. } = figure;
                (metric.clone(), level.clone(), key.clone(), span.clone(), *end)
            };
            wanted.extend(rules.take(1).map(|_| id()));
        }
        wanted
    }

    /// Judges figures, and everything that time alone decides up to `until` (ms). Figures judged before are passed over.
    pub fn judge(&mut self, figures: &[Figure], past: &Past, city: &City, until: i64) -> Outcome {
        let mut by_place: HashMap<(&str, &str, &str, &str, i64), f64> = HashMap::new();
        for figure in figures {
            if let Some(value) = figure.value {
                by_place.insert((&figure.metric, &figure.level, &figure.key, &figure.span, figure.end), value);
            }
        }
        let mut sorted: Vec<&Figure> = figures.iter().collect();
        sorted.sort_by(|a, b| {
            (a.end, &a.metric, &a.level, &a.key, &a.span).cmp(&(b.end, &b.metric, &b.level, &b.key, &b.span))
        });
        let mut touched: BTreeMap<SeriesId, (State, Vec<Breach>)> = BTreeMap::new();
        for figure in sorted {
            let mut named: Vec<(&str, &str)> = Vec::new();
            for rule in &self.rules.all {
                if !rule.looks_at(&figure.metric, &figure.level, &figure.key, &figure.span)
                    || figure.end < self.first.saturating_add(rule.warm_up_ms)
                {
                    continue;
                }
                // the profile's own rule for a key goes before the one for all
                let kind = (rule.metric.as_str(), rule.threshold.severity.as_str());
                if rule.keys.is_empty() && named.contains(&kind) {
                    continue;
                }
                if !rule.keys.is_empty() {
                    named.push(kind);
                }
                let series = (rule.id.clone(), figure.level.clone(), figure.key.clone(), figure.span.clone());
                let known = touched.get(&series).map(|(state, _)| *state).or_else(|| self.states.get(&series).copied());
                if known.is_some_and(|state| state.seen >= figure.end) {
                    continue;
                }
                let of = rule.threshold.of.as_deref().map(|of| {
                    by_place
                        .get(&(of, figure.level.as_str(), figure.key.as_str(), figure.span.as_str(), figure.end))
                        .copied()
                });
                let opened = known.and_then(|state| state.opened);
                let verdict = verdict(rule, figure, of, past, city, opened);
                if known.is_none() && !matches!(verdict, Some(Verdict { beyond: true, .. })) {
                    continue; // nothing to remember of what is as it should be
                }
                let (state, breach) = step(rule, figure, known.unwrap_or_default(), verdict);
                let entry = touched.entry(series).or_insert_with(|| (state, Vec::new()));
                entry.0 = state;
                entry.1.extend(breach);
            }
        }
        self.forget(until, &mut touched);
        let mut outcome = Outcome::default();
        for (series, (state, breaches)) in touched {
            outcome.states.push(Remembered { series: series.clone(), state });
            // of each breach its newest state
            let mut newest: BTreeMap<i64, Breach> = BTreeMap::new();
            for breach in breaches {
                newest.insert(breach.opened_at, breach);
            }
            outcome.breaches.extend(newest.into_values());
            self.states.insert(series, state);
        }
        self.states.retain(|_, state| state.since.is_some() || state.opened.is_some());
        outcome
    }

    /// Closes what nothing is heard of any more, and what no rule speaks of any more.
    fn forget(&self, until: i64, touched: &mut BTreeMap<SeriesId, (State, Vec<Breach>)>) {
        for (series, known) in &self.states {
            let state = touched.get(series).map_or(*known, |(state, _)| *state);
            let rule = self.rules.all.iter().find(|rule| rule.id == series.0);
            let patience = if series.3 == "day" { DAY_FORGOTTEN_MS } else { FORGOTTEN_MS };
            if rule.is_some() && until - state.seen < patience {
                continue;
            }
            let closed = State { since: None, opened: None, seen: until };
            let breach = state.opened.map(|opened| gone(series, rule, opened, until));
            let entry = touched.entry(series.clone()).or_insert_with(|| (closed, Vec::new()));
            entry.0 = closed;
            entry.1.extend(breach);
        }
    }
}

/// What a figure is measured against.
struct Verdict {
    value: f64,
    /// In the value's unit.
    threshold: f64,
    beyond: bool,
    /// Whether an open breach closes.
    back: bool,
}

/// `None`: nothing can be said (no data, no past).
fn verdict(
    rule: &Rule,
    figure: &Figure,
    of: Option<Option<f64>>,
    past: &Past,
    city: &City,
    opened: Option<Opened>,
) -> Option<Verdict> {
    let value = figure.value.filter(|value| value.is_finite())?;
    let threshold = &rule.threshold;
    if rule.hours.is_some_and(|hours| !hours.open_at(figure.end, &city.zone)) {
        // nobody expects anything now
        return Some(Verdict { value, threshold: threshold.limit, beyond: false, back: true });
    }
    let judged = |limit: f64, clear: Option<f64>| {
        let beyond = threshold.when.holds(value, limit);
        let back = clear.map_or(!beyond, |clear| !threshold.when.holds(value, clear));
        Verdict { value, threshold: limit, beyond, back }
    };
    let baseline = || {
        let Figure { metric, level, key, span, end, .. } = figure;
        past.get(&(metric.clone(), level.clone(), key.clone(), span.clone(), *end))
    };
    if rule.is_surge {
        if let Some(opened) = opened {
            return Some(judged(opened.threshold, Some(opened.threshold * SURGE_IS_OVER)));
        }
        if value < FEWEST_OF_A_SURGE {
            return Some(Verdict { value, threshold: FEWEST_OF_A_SURGE, beyond: false, back: true });
        }
        let limit = match baseline() {
            Some(baseline) => expected(baseline.mean, baseline.sigma),
            None => {
                let (district, category) = figure.key.split_once('/')?;
                let rate = city.surge_rate(&rule.of, category, Some(district))?;
                expected(rate, rate.sqrt())
            }
        };
        return Some(judged(limit, None));
    }
    let unit = match of {
        Some(whole) => whole.filter(|whole| *whole > 0.0)?,
        None if threshold.norm => baseline()?.median,
        None => 1.0,
    };
    Some(judged(threshold.limit * unit, threshold.clear.map(|clear| clear * unit)))
}

fn step(rule: &Rule, figure: &Figure, before: State, verdict: Option<Verdict>) -> (State, Option<Breach>) {
    let mut state = State { seen: figure.end, ..before };
    let Some(verdict) = verdict else {
        // no data is no evidence: what isn't open yet begins anew, what is open stays so
        state.since = None;
        return (state, None);
    };
    if let Some(mut opened) = before.opened {
        let worse =
            if rule.threshold.when.is_upwards() { verdict.value > opened.worst } else { verdict.value < opened.worst };
        if worse {
            opened.worst = verdict.value;
        }
        if verdict.back {
            state.opened = None;
            state.since = None;
            return (state, Some(breach(rule, figure, opened, Some(figure.end))));
        }
        state.opened = Some(opened);
        return (state, worse.then(|| breach(rule, figure, opened, None)));
    }
    if !verdict.beyond {
        state.since = None;
        return (state, None);
    }
    let since = *state.since.get_or_insert(figure.end);
    if figure.end - since < rule.for_ms {
        return (state, None);
    }
    let opened = Opened { at: figure.end, value: verdict.value, worst: verdict.value, threshold: verdict.threshold };
    state.opened = Some(opened);
    (state, Some(breach(rule, figure, opened, None)))
}

fn breach(rule: &Rule, figure: &Figure, opened: Opened, closed_at: Option<i64>) -> Breach {
    let severity = rule.threshold.severity.name();
    Breach {
        id: breach_id(&rule.metric, &figure.level, &figure.key, &figure.span, severity, opened.at),
        metric: rule.metric.clone(),
        level: figure.level.clone(),
        key: figure.key.clone(),
        span: figure.span.clone(),
        severity,
        opened_at: opened.at,
        closed_at,
        value: opened.value,
        worst: opened.worst,
        threshold: opened.threshold,
        owner: rule.threshold.owner.clone(),
        action: rule.threshold.action.clone(),
        judged: figure.end,
    }
}

/// The end of a breach that no figure ends.
fn gone((rule_id, level, key, span): &SeriesId, rule: Option<&Rule>, opened: Opened, until: i64) -> Breach {
    let mut parts = rule_id.split('/');
    let metric = parts.next().unwrap_or_default();
    let severity = match parts.next() {
        Some("c") => Severity::Critical.name(),
        _ => Severity::Warning.name(),
    };
    let said = |text: fn(&Rule) -> &String| rule.map(|rule| text(rule).clone()).unwrap_or_default();
    Breach {
        id: breach_id(metric, level, key, span, severity, opened.at),
        metric: metric.to_owned(),
        level: level.clone(),
        key: key.clone(),
        span: span.clone(),
        severity,
        opened_at: opened.at,
        closed_at: Some(until),
        value: opened.value,
        worst: opened.worst,
        threshold: opened.threshold,
        owner: said(|rule| &rule.threshold.owner),
        action: said(|rule| &rule.threshold.action),
        judged: until,
    }
}
