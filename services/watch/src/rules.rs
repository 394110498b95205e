//! What is judged: every threshold of the catalogue, as the city's profile has it.

use yiping_catalogue::{Catalogue, Derived, Entry, Severity, Threshold, When};
use yiping_city::{City, Hours, ThresholdOverride};

/// A threshold of the profile that nothing can be judged by.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("city.toml, thresholds of {metric}: {message}")]
pub struct RuleError {
    pub metric: String,
    pub message: String,
}

/// One threshold, ready to be judged by.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Stays the same when a limit is tuned: `metric/severity/number`.
    pub id: String,
    /// Whose breach it is.
    pub metric: String,
    pub stream: &'static str,
    /// Which figure is looked at: the metric's own, or for a surge the one that it is made of.
    pub of: String,
    pub is_surge: bool,
    /// Of the profile: only these; empty: all.
    pub keys: Vec<String>,
    pub spans: Vec<String>,
    pub for_ms: i64,
    /// So long after the stream's first figure it isn't judged.
    pub warm_up_ms: i64,
    /// When it is judged; always when absent.
    pub hours: Option<Hours>,
    pub threshold: Threshold,
}

impl Rule {
    #[must_use]
    pub fn looks_at(&self, metric: &str, level: &str, key: &str, span: &str) -> bool {
        self.of == metric
            && self.threshold.is_at(level)
            && self.spans.iter().any(|name| name == span)
            && (self.keys.is_empty() || self.keys.iter().any(|name| name == key))
    }
}

/// All rules.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub all: Vec<Rule>,
}

impl Rules {
    /// # Errors
    /// When the profile speaks of a metric, level, span or severity that the catalogue doesn't have.
    pub fn new(catalogue: &Catalogue, city: &City) -> Result<Self, RuleError> {
        for change in &city.thresholds {
            check(catalogue, change)?;
        }
        let mut all = Vec::new();
        for entry in &catalogue.entries {
            let mut number = 0;
            for threshold in &entry.thresholds {
                for (keys, threshold) in as_changed(entry, threshold, &city.thresholds) {
                    number += 1;
                    all.push(rule(entry, threshold, keys, number)?);
                }
            }
        }
        Ok(Rules { all })
    }

    /// The figures that rules look at, those that limits are shares of included: (metric, level), each once.
    #[must_use]
    pub fn figures(&self, stream: &str) -> Vec<(String, String)> {
        let mut figures = Vec::new();
        for rule in self.all.iter().filter(|rule| rule.stream == stream) {
            for level in &rule.threshold.levels {
                figures.push((rule.of.clone(), level.clone()));
                figures.extend(rule.threshold.of.iter().map(|of| (of.clone(), level.clone())));
            }
        }
        figures.sort();
        figures.dedup();
        figures
    }
}

fn rule(entry: &Entry, threshold: Threshold, keys: Vec<String>, number: usize) -> Result<Rule, RuleError> {
    let fault = |message| RuleError { metric: entry.id.clone(), message };
    let surge: Option<&Derived> = entry.derived.as_ref().filter(|derived| derived.surge);
    let spans = if threshold.spans.is_empty() { entry.spans.clone() } else { threshold.spans.clone() };
    Ok(Rule {
        id: format!("{}/{}/{number}", entry.id, threshold.severity.as_str()),
        metric: entry.id.clone(),
        stream: entry.stream.as_str(),
        of: surge.map_or_else(|| entry.id.clone(), |surge| surge.of.clone()),
        is_surge: surge.is_some(),
        keys,
        spans,
        for_ms: threshold.for_ms().map_err(fault)?,
        warm_up_ms: entry.warm_up_ms().map_err(fault)?,
        hours: threshold.hours.as_deref().map(str::parse).transpose().map_err(fault)?,
        threshold,
    })
}

/// A threshold of the catalogue with what the profile says of it: switched off, tuned, or split into one for the keys that the
/// profile names and one for all. (The judge takes the first rule that names a key.)
fn as_changed(entry: &Entry, threshold: &Threshold, changes: &[ThresholdOverride]) -> Vec<(Vec<String>, Threshold)> {
    let mut own = Some(threshold.clone());
    let mut rules = Vec::new();
    for change in
        changes.iter().filter(|change| change.metric == entry.id && severity(change) == Some(threshold.severity))
    {
        if !change.spans.is_empty()
            && !threshold.spans.is_empty()
            && change.spans.iter().all(|span| !threshold.spans.contains(span))
        {
            continue; // it speaks of another threshold of this severity
        }
        let mut tuned = threshold.clone();
        if let Some(limit) = change.limit {
            tuned.limit = limit;
            tuned.clear = None;
        }
        if let Some(when) = change.when.as_deref().and_then(when) {
            tuned.when = when;
        }
        tuned.clear = change.clear.or(tuned.clear);
        if let Some(for_ms) = change.for_ms {
            tuned.for_ = format!("{}s", for_ms / 1_000);
        }
        if !change.spans.is_empty() {
            tuned.spans.clone_from(&change.spans);
        }
        if !change.levels.is_empty() {
            tuned.levels.clone_from(&change.levels);
        }
        tuned.owner = change.owner.clone().unwrap_or(tuned.owner);
        tuned.action = change.action.clone().unwrap_or(tuned.action);
        match (change.keys.is_empty(), change.off) {
            (true, true) => own = None,
            (true, false) => own = Some(tuned),
            // (a key whose threshold is off has a rule that nothing is beyond)
            (false, true) => {
                let limit = if tuned.when.is_upwards() { f64::MAX } else { f64::MIN };
                rules.push((change.keys.clone(), Threshold { limit, clear: None, of: None, norm: false, ..tuned }));
            }
            (false, false) => rules.push((change.keys.clone(), tuned)),
        }
    }
    rules.extend(own.map(|own| (Vec::new(), own)));
    rules
}

fn check(catalogue: &Catalogue, change: &ThresholdOverride) -> Result<(), RuleError> {
    let fault = |message: String| RuleError { metric: change.metric.clone(), message };
    let entry = catalogue.entry(&change.metric).ok_or_else(|| fault("there is no such metric".to_owned()))?;
    if !entry.thresholds.iter().any(|threshold| Some(threshold.severity) == severity(change)) {
        return Err(fault(format!("the catalogue has no threshold of severity {}", change.severity)));
    }
    if let Some(span) = change.spans.iter().find(|span| !entry.spans.contains(span)) {
        return Err(fault(format!("it has no span {span}; there are: {}", entry.spans.join(" "))));
    }
    if let Some(level) = change.levels.iter().find(|level| !entry.levels.contains(level)) {
        return Err(fault(format!("it has no level {level}; there are: {}", entry.levels.join(" "))));
    }
    Ok(())
}

fn severity(change: &ThresholdOverride) -> Option<Severity> {
    [Severity::Warning, Severity::Critical].into_iter().find(|severity| severity.as_str() == change.severity)
}

fn when(text: &str) -> Option<When> {
    [When::Below, When::AtMost, When::Above, When::AtLeast].into_iter().find(|when| when.as_str() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(thresholds: &[ThresholdOverride]) -> Result<Rules, RuleError> {
        let mut city = City::weihai();
        city.thresholds = thresholds.to_vec();
        Rules::new(&Catalogue::builtin().unwrap(), &city)
    }

    fn change(metric: &str, limit: Option<f64>) -> ThresholdOverride {
        ThresholdOverride {
            metric: metric.into(),
            severity: "w".into(),
            when: None,
            limit,
            clear: None,
            for_ms: None,
            spans: vec![],
            levels: vec![],
            keys: vec![],
            owner: None,
            action: None,
            off: limit.is_none(),
        }
    }

    fn of<'a>(rules: &'a Rules, metric: &str) -> Vec<&'a Rule> {
        rules.all.iter().filter(|rule| rule.metric == metric).collect()
    }

    #[test]
    fn the_shipped_profile_and_catalogue_agree() {
        let city = City::weihai();
        let rules = Rules::new(&Catalogue::builtin().unwrap(), &city).unwrap();
        assert!(rules.all.len() > 30);
        let ids: std::collections::BTreeSet<&str> = rules.all.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids.len(), rules.all.len());
        // Weihai names who acts in two zones; everywhere else it is the catalogue's
        let full = of(&rules, "parking.occupancy_ratio");
        let owner = |key: &str| {
            let found = full.iter().find(|rule| rule.looks_at("parking.occupancy_ratio", "district", key, "15m"));
            found.unwrap().threshold.owner.clone()
        };
        assert_eq!(owner("经开区"), "经开、临港停车平台");
        assert_ne!(owner("环翠区"), owner("经开区"));
    }

    #[test]
    fn the_profile_tunes_switches_off_and_singles_out() {
        let single = ThresholdOverride {
            keys: vec!["荣成市".into()],
            levels: vec!["district".into()],
            ..change("parking.free_ratio", Some(0.2))
        };
        let rules = rules(&[change("hotline.waiting", Some(50.0)), change("bus.gap_ratio", None), single]).unwrap();
        assert_eq!(of(&rules, "hotline.waiting")[0].threshold.limit, 50.0);
        assert!(of(&rules, "bus.gap_ratio").is_empty());
        let free = of(&rules, "parking.free_ratio");
        assert_eq!((free.len(), free[0].threshold.limit, free[1].threshold.limit), (2, 0.2, 0.05));
        assert!(free[0].looks_at("parking.free_ratio", "district", "荣成市", "now"));
        assert!(!free[0].looks_at("parking.free_ratio", "district", "乳山市", "now"));
    }

    #[test]
    fn what_the_catalogue_does_not_know_is_named() {
        let error = rules(&[change("bus.gaps", Some(1.0))]).unwrap_err().to_string();
        assert!(error.contains("bus.gaps") && error.contains("no such metric"), "{error}");
        let wrong = ThresholdOverride { spans: vec!["5m".into()], ..change("bus.gap_ratio", Some(0.3)) };
        let error = rules(&[wrong]).unwrap_err().to_string();
        assert!(error.contains("no span 5m") && error.contains("30m"), "{error}");
    }
}
