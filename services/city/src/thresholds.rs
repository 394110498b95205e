//! What the city sets otherwise than the metric catalogue does: limits, whom they concern, and what to do then.
//!
//! Only their form is checked here. Whether a metric, span or level exists is for whoever knows the catalogue to say.
//! They change no row, so they are no part of the settings text.

use serde::{Deserialize, Deserializer};

const STREAMS: [&str; 4] = ["bus", "parking", "hotline", "elder"];

/// One `[[thresholds]]` of the profile. What is absent stays as the catalogue has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThresholdOverride {
    pub metric: String,
    /// `w` (warning) or `c` (critical).
    pub severity: String,
    /// `<`, `<=`, `>` or `>=`.
    pub when: Option<String>,
    /// In the terms of the catalogue's threshold: the metric's unit, or the share or factor that it is there. Absent only
    /// with `off`.
    pub limit: Option<f64>,
    /// Where the breach ends: on the good side of `limit`, so that it doesn't flutter.
    pub clear: Option<f64>,
    /// How long the limit has to be passed before it is a breach, ms. Written as `30s`, `5m`, `2h`.
    #[serde(default, rename = "for", deserialize_with = "duration")]
    pub for_ms: Option<i64>,
    /// Empty: those of the catalogue's threshold; so too `levels`.
    #[serde(default)]
    pub spans: Vec<String>,
    #[serde(default)]
    pub levels: Vec<String>,
    /// Lots, routes, districts …, as in the rows' `key`. Empty: all.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The department that has to act.
    pub owner: Option<String>,
    pub action: Option<String>,
    /// The catalogue's threshold is not judged here.
    #[serde(default)]
    pub off: bool,
}

impl ThresholdOverride {
    /// The field and the fault.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        let stream = self.metric.split_once('.').map(|(stream, _)| stream);
        if !stream.is_some_and(|s| STREAMS.contains(&s)) {
            return Err(("metric", format!("`{}` is no metric: write stream.name", self.metric)));
        }
        if !["w", "c"].contains(&self.severity.as_str()) {
            return Err(("severity", format!("`{}` is neither w nor c", self.severity)));
        }
        if let Some(when) = &self.when
            && !["<", "<=", ">", ">="].contains(&when.as_str())
        {
            return Err(("when", format!("`{when}` is none of <, <=, >, >=")));
        }
        match self.limit {
            None if !self.off => return Err(("limit", "a threshold needs a limit, or `off = true`".to_owned())),
            Some(limit) if !limit.is_finite() => return Err(("limit", format!("{limit} is no limit"))),
            _ => {}
        }
        if let Some(clear) = self.clear {
            let bad = match (self.when.as_deref(), self.limit) {
                _ if !clear.is_finite() => true,
                (Some("<" | "<="), Some(limit)) => clear < limit,
                (Some(">" | ">="), Some(limit)) => clear > limit,
                _ => false,
            };
            if bad {
                return Err(("clear", format!("{clear} is not on the good side of the limit")));
            }
        }
        Ok(())
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || serde::de::Error::custom(format!("`{text}` is no duration: write 30s, 5m or 2h"));
    let (digits, unit_ms) = [("s", 1_000), ("m", 60_000), ("h", 3_600_000)]
        .into_iter()
        .find_map(|(unit, ms)| text.strip_suffix(unit).map(|digits| (digits, ms)))
        .ok_or_else(wrong)?;
    // u16: a threshold that waits for more than 65,535 hours is a slip of the pen.
    let count: u16 = digits.parse().map_err(|_| wrong())?;
    Ok(Some(i64::from(count) * unit_ms))
}
