//! Limits: beyond them somebody has to do something. The catalogue states defaults; a city's profile overrides them.

use serde::{Deserialize, Serialize};
use yiping_window::{Level, Span};

use crate::{CatalogueError, Entry};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    #[serde(rename = "w")]
    Warning,
    #[serde(rename = "c")]
    Critical,
}

impl Severity {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Warning => "w",
            Severity::Critical => "c",
        }
    }

    /// As breaches say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// On which side of a limit a value is beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    #[serde(rename = "<")]
    Below,
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = ">")]
    Above,
    #[serde(rename = ">=")]
    AtLeast,
}

impl When {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            When::Below => "<",
            When::AtMost => "<=",
            When::Above => ">",
            When::AtLeast => ">=",
        }
    }

    #[must_use]
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            When::Below => value < limit,
            When::AtMost => value <= limit,
            When::Above => value > limit,
            When::AtLeast => value >= limit,
        }
    }

    /// Whether larger values are worse.
    #[must_use]
    pub fn is_upwards(self) -> bool {
        matches!(self, When::Above | When::AtLeast)
    }
}

/// One limit of a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    pub severity: Severity,
    pub when: When,
    pub limit: f64,
    /// The limit is a share of this metric's value of the same level, key and window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The limit is a factor of the metric's own norm: the median of the same time of day of the last four weeks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub norm: bool,
    /// Back behind this, a breach closes; the limit where it is absent. In the limit's own unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear: Option<f64>,
    /// So long beyond the limit until a breach opens: `0m`, `5m`, `1h`.
    #[serde(rename = "for")]
    pub for_: String,
    /// Levels at which it is judged; city alone when absent.
    #[serde(default = "city", skip_serializing_if = "is_city")]
    pub levels: Vec<String>,
    /// Spans over which it is judged; all when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<String>,
    /// Hours of the day in which it is judged, in the city's time: `06:00-22:00`; always when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    pub source: String,
    /// The department that acts.
    pub owner: String,
    /// What to do.
    pub action: String,
}

fn city() -> Vec<String> {
    vec![Level::City.as_str().to_owned()]
}

fn is_city(levels: &[String]) -> bool {
    levels == city()
}

impl Threshold {
    /// `for` in ms.
    ///
    /// # Errors
    /// When it is no number of seconds, minutes or hours.
    pub fn for_ms(&self) -> Result<i64, String> {
        duration_ms(&self.for_)
    }

    /// Whether it is judged over this span of the metric.
    #[must_use]
    pub fn is_over(&self, span: Span) -> bool {
        self.spans.is_empty() || self.spans.iter().any(|name| name == span.as_str())
    }

    #[must_use]
    pub fn is_at(&self, level: &str) -> bool {
        self.levels.iter().any(|name| name == level)
    }

    pub(crate) fn check(&self, entry: &Entry, known: impl Fn(&str) -> bool) -> Result<(), CatalogueError> {
        self.for_ms().map_err(|error| entry.fault(error))?;
        if let Some(span) = self.spans.iter().find(|span| !entry.spans.contains(span)) {
            return Err(entry.fault(format!("a threshold over {span}, which the metric doesn't have")));
        }
        if let Some(level) = self.levels.iter().find(|level| !entry.levels.contains(level)) {
            return Err(entry.fault(format!("a threshold at level {level}, which the metric doesn't have")));
        }
        if let Some(of) = self.of.as_deref().filter(|of| !known(of)) {
            return Err(entry.fault(format!("a threshold of {of}, which isn't in the catalogue")));
        }
        let wrong =
            self.clear.is_some_and(|clear| self.when.is_upwards() == (clear > self.limit) && clear != self.limit);
        if wrong {
            return Err(entry.fault("a threshold whose `clear` lies beyond its limit".to_owned()));
        }
        Ok(())
    }
}

/// `90s`, `5m` or `1h` in ms.
///
/// # Errors
/// Says what was expected.
pub fn duration_ms(text: &str) -> Result<i64, String> {
    let unit = |unit: char| match unit {
        's' => Some(1_000),
        'm' => Some(60_000),
        'h' => Some(3_600_000),
        _ => None,
    };
    let parsed = text.chars().last().and_then(unit).and_then(|unit| {
        let number: i64 = text[..text.len() - 1].parse().ok().filter(|number| *number >= 0)?;
        number.checked_mul(unit)
    });
    parsed.ok_or_else(|| format!("'{text}' is no duration (such as 90s, 5m, 1h)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration_ms("90s"), Ok(90_000));
        assert_eq!(duration_ms("0m"), Ok(0));
        assert_eq!(duration_ms("1h"), Ok(3_600_000));
        for wrong in ["", "5", "m", "-1m", "5 m", "五m", "5分"] {
            assert!(duration_ms(wrong).is_err(), "{wrong}");
        }
    }
}
