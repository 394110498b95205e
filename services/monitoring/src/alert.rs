//! A threshold as an alert: what is asked of Prometheus, and what is said to people.
//!
//! Where a figure is a gauge of `watch`, its limit is judged here, with hysteresis, hours and a guard against figures that nobody makes
//! any more. What a gauge can't tell (surges, limits that follow from four weeks of past, single lots and routes, figures that need a
//! warm-up) `watch` judges, and is asked how many breaches it holds open. SOS cases are asked of `elder`.

use yiping_catalogue::{Catalogue, Entry, Severity};
use yiping_city::City;
use yiping_watch::{EXPORTED_LEVELS, Rule, Rules};

use crate::{Fault, words};

/// Figures older than this alarm nobody: `FiguresStale` does.
pub(crate) const STALE_S: u32 = 300;

/// From where Prometheus knows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Basis {
    /// A gauge of `watch`: these levels, over these spans, these keys or all but those.
    Gauge { levels: Vec<String>, but: Vec<String> },
    /// The age of the oldest case that nobody acknowledged, from `elder`.
    Sos,
    /// What `watch` holds open at these levels.
    Breaches { levels: Vec<String> },
}

pub(crate) struct Alert<'a> {
    /// Such as `HotlineConnectRatio`.
    pub name: String,
    pub entry: &'a Entry,
    /// The metric that the limit is a share of.
    pub of: Option<&'a Entry>,
    pub rule: Rule,
    pub basis: Basis,
    /// East of Greenwich, in seconds: what clocks of the city show.
    pub offset_s: i64,
}

/// Every threshold of the catalogue as the profile has it, in the catalogue's order.
pub(crate) fn alerts<'a>(catalogue: &'a Catalogue, city: &City) -> Result<Vec<Alert<'a>>, Fault> {
    let rules = Rules::new(catalogue, city)?;
    let offset_s = offset(city)?;
    let mut alerts: Vec<Alert<'a>> = Vec::new();
    for (at, rule) in rules.all.iter().enumerate() {
        let Some(entry) = catalogue.entry(&rule.metric) else { continue };
        let of = rule.threshold.of.as_deref().and_then(|of| catalogue.entry(of));
        let mut add = |basis: Basis| {
            let (name, rule) = (name(entry, rule), rule.clone());
            alerts.push(Alert { name, entry, of, rule, basis, offset_s });
        };
        if entry.id == "elder.sos_oldest_wait_s" {
            add(Basis::Sos);
            continue;
        }
        let is_gauge = entry.export
            && (rule.threshold.of.is_none() || of.is_some_and(|of| of.export))
            && !rule.threshold.norm
            && !rule.is_surge
            && rule.warm_up_ms == 0;
        let (exported, others): (Vec<String>, Vec<String>) = rule
            .threshold
            .levels
            .iter()
            .cloned()
            .partition(|level| is_gauge && EXPORTED_LEVELS.contains(&level.as_str()));
        if !exported.is_empty() && rule.threshold.limit.abs() < f64::MAX {
            add(Basis::Gauge { levels: exported, but: singled_out(&rules.all[..at], rule) });
        }
        // (breaches are counted by metric, level and severity: whose keys they are, they don't tell)
        if !others.is_empty() && rule.keys.is_empty() {
            add(Basis::Breaches { levels: others });
        }
    }
    // of a metric's several thresholds of a severity one asks for its breaches
    let mut asked: Vec<(String, String)> = Vec::new();
    alerts.retain(|alert| {
        let which = (alert.rule.metric.clone(), alert.rule.threshold.severity.as_str().to_owned());
        let first = !matches!(alert.basis, Basis::Breaches { .. }) || !asked.contains(&which);
        if matches!(alert.basis, Basis::Breaches { .. }) {
            asked.push(which);
        }
        first
    });
    Ok(alerts)
}

/// Keys that rules of their own speak of: the one for all leaves them out.
fn singled_out(before: &[Rule], rule: &Rule) -> Vec<String> {
    if !rule.keys.is_empty() {
        return Vec::new();
    }
    let same = |other: &&Rule| {
        other.metric == rule.metric
            && other.threshold.severity == rule.threshold.severity
            && other.spans.iter().any(|span| rule.spans.contains(span))
    };
    before.iter().filter(same).flat_map(|other| other.keys.iter().cloned()).collect()
}

/// `hotline.connect_ratio` → `HotlineConnectRatio`; of a critical limit `HotlineConnectRatioCritical`.
fn name(entry: &Entry, rule: &Rule) -> String {
    let series = entry.series();
    let parts = series.trim_start_matches("yiping_").split('_');
    let name: String = parts.map(|part| part[..1].to_uppercase() + &part[1..]).collect();
    name + if rule.threshold.severity == Severity::Critical { "Critical" } else { "" }
}

fn offset(city: &City) -> Result<i64, Fault> {
    let at = |second: i64| {
        let time = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        i64::from(city.zone.to_offset(time).seconds())
    };
    // January and July of 2026
    let (winter, summer) = (at(1_767_225_600), at(1_782_864_000));
    if winter == summer { Ok(winter) } else { Err(Fault::ChangingClocks) }
}

/// A name in a regular expression of Prometheus, where it stands for itself.
pub(crate) fn literal(name: &str) -> String {
    name.chars()
        .flat_map(|c| if r"\.+*?()|[]{}^$".contains(c) { vec!['\\', '\\', c] } else { vec![c] })
        .collect::<String>()
        .replace('"', "\\\"")
}

pub(crate) fn any_of(names: &[String]) -> String {
    names.iter().map(|name| literal(name)).collect::<Vec<_>>().join("|")
}

impl Alert<'_> {
    pub fn severity(&self) -> &'static str {
        self.rule.threshold.severity.name()
    }

    pub fn kind(&self) -> &'static str {
        if self.basis == Basis::Sos { "sos" } else { "figure" }
    }

    /// The id of the rule; the one over breaches beside the one over gauges has its own.
    pub fn id(&self) -> String {
        match self.basis {
            Basis::Breaches { .. } => format!("{}/open", self.rule.id),
            _ => self.rule.id.clone(),
        }
    }

    /// How long until it fires: what `watch` holds open has waited already.
    pub fn for_s(&self) -> i64 {
        if matches!(self.basis, Basis::Breaches { .. }) { 0 } else { self.rule.for_ms / 1_000 }
    }

    fn matchers(&self, levels: &[String], but: &[String]) -> String {
        let mut matchers =
            vec![format!("level=~\"{}\"", any_of(levels)), format!("span=~\"{}\"", any_of(&self.rule.spans))];
        if !self.rule.keys.is_empty() {
            matchers.push(format!("key=~\"{}\"", any_of(&self.rule.keys)));
        }
        if !but.is_empty() {
            matchers.push(format!("key!~\"{}\"", any_of(but)));
        }
        matchers.join(",")
    }

    pub fn expr(&self) -> String {
        let threshold = &self.rule.threshold;
        let stream = self.rule.stream;
        let fresh = format!(
            "and on () (time() - max(yiping_watch_judged_timestamp_seconds{{stream=\"{stream}\"}}) < {STALE_S})"
        );
        match &self.basis {
            Basis::Sos => format!(
                "time() - min by (district) (yiping_elder_sos_oldest_unacknowledged_timestamp_seconds) {} {}",
                threshold.when.as_str(),
                threshold.limit
            ),
            Basis::Breaches { levels } => format!(
                "max by (level) (\n  yiping_watch_breaches_open{{metric=\"{}\",level=~\"{}\",severity=\"{}\"}}\n) > 0\n{fresh}",
                self.entry.id,
                any_of(levels),
                self.severity()
            ),
            Basis::Gauge { levels, but } => {
                let matchers = self.matchers(levels, but);
                let series = |entry: &Entry| format!("max by (level, key, span) ({}{{{matchers}}})", entry.series());
                let compared = |limit: f64| {
                    let limit =
                        self.of.map_or_else(|| limit.to_string(), |of| format!("{limit} * ({} > 0)", series(of)));
                    format!("{} {} {limit}", series(self.entry), threshold.when.as_str())
                };
                let mut beyond = format!("  {}", compared(threshold.limit));
                if let Some(clear) = threshold.clear.filter(|clear| *clear != threshold.limit) {
                    beyond += &format!(
                        "\nor\n  {}\n  and on (level, key, span)\n    ALERTS{{alertname=\"{}\",rule=\"{}\",alertstate=\"firing\"}}",
                        compared(clear),
                        self.name,
                        self.id()
                    );
                }
                format!("(\n{beyond}\n)\n{fresh}{}", self.hours().unwrap_or_default())
            }
        }
    }

    /// The part of the day in which it is judged: seconds since the city's midnight, [from, to).
    pub fn day(&self) -> Option<(i64, i64)> {
        let second = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            Some(hour.parse::<i64>().ok()? * 3_600 + minute.parse::<i64>().ok()? * 60)
        };
        let (from, to) = self.rule.threshold.hours.as_deref()?.split_once('-')?;
        Some((second(from)?, second(to)?))
    }

    fn hours(&self) -> Option<String> {
        let (from, to) = self.day()?;
        let clock = format!("vector((time() + {}) % 86400)", self.offset_s);
        Some(if from < to {
            format!("\nand on () ({clock} >= {from} < {to})")
        } else {
            format!("\nand on () ({clock} >= {from} or {clock} < {to})")
        })
    }

    /// The sentence that everybody reads: `value` and `place` are templates of Prometheus, or what they will be.
    pub fn summary(&self, place: &str, value: &str, span: &str) -> String {
        let name = &self.entry.name_zh;
        match &self.basis {
            Basis::Sos => format!("{place} 有求助 {value} 秒无人应答，超过 {} 秒", self.rule.threshold.limit),
            Basis::Breaches { levels } => {
                let levels: Vec<&str> = levels.iter().map(|level| words::level(level)).collect();
                format!("{name}：{value} 个{}越过限值，名单见大屏告警栏", levels.join("、"))
            }
            Basis::Gauge { .. } => format!("{place} {name}（{span}）{value}，{}", self.limit()),
        }
    }

    /// The limit in words: `低于 95%`.
    pub fn limit(&self) -> String {
        let threshold = &self.rule.threshold;
        let side = match threshold.when.as_str() {
            "<" => "低于",
            "<=" => "不高于",
            ">" => "高于",
            _ => "不低于",
        };
        if self.rule.is_surge {
            return "超过近 28 天同时段的正常范围".to_owned();
        }
        let limit = match (&self.of, threshold.norm) {
            (Some(of), _) => format!("{}的 {}", of.name_zh, words::value(threshold.limit, "ratio")),
            (None, true) => format!("近四周同时段中位数的 {}", words::value(threshold.limit, "ratio")),
            (None, false) => words::value(threshold.limit, &self.entry.unit),
        };
        format!("{side} {limit}")
    }
}
