//! Rates to measure a surge against until there is a history of one's own.

use serde::Deserialize;

use crate::City;

/// The metrics that are watched for surges, with the stream of their categories.
const METRICS: [(&str, &str); 2] = [("hotline.orders", "hotline"), ("elder.calls", "elder")];

/// One `[[surge]]` of the profile.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurgeRate {
    /// `hotline.orders` or `elder.calls`.
    pub metric: String,
    pub category: String,
    /// Absent: the whole city.
    pub district: Option<String>,
    /// Mean count of half an hour, above 0.
    pub per_half_hour: f64,
}

impl SurgeRate {
    /// The field and the fault; the district is for the caller to check.
    pub(crate) fn check(&self, city: &City) -> Result<(), (&'static str, String)> {
        let Some((_, stream)) = METRICS.iter().find(|(metric, _)| *metric == self.metric) else {
            return Err(("metric", format!("`{}` is neither {} nor {}", self.metric, METRICS[0].0, METRICS[1].0)));
        };
        if city.category(stream, &self.category).is_none() {
            return Err(("category", format!("`{}` is no category of {stream}", self.category)));
        }
        if !(self.per_half_hour > 0.0 && self.per_half_hour.is_finite()) {
            return Err(("per_half_hour", format!("{} is no rate above 0", self.per_half_hour)));
        }
        Ok(())
    }
}

impl City {
    /// The profile's rate, in counts per half-hour: the city's (`district` = None), or a district's own; a district
    /// without its own has a share of the city's rate, as large as its share of the streets. None where the profile
    /// says nothing of the category, or has no street in the district.
    #[must_use]
    pub fn surge_rate(&self, metric: &str, category: &str, district: Option<&str>) -> Option<f64> {
        let stated = |district: Option<&str>| {
            let mut rates = self.surges.iter();
            rates
                .find(|s| s.metric == metric && s.category == category && s.district.as_deref() == district)
                .map(|s| s.per_half_hour)
        };
        stated(district).or_else(|| Some(stated(None)? * self.share_of_streets(district?)?))
    }

    fn share_of_streets(&self, district: &str) -> Option<f64> {
        let there = self.streets.iter().filter(|s| s.district == district).count();
        #[expect(clippy::cast_precision_loss, reason = "streets are far fewer than 2^53")]
        let share = there as f64 / self.streets.len() as f64;
        (there > 0).then_some(share)
    }
}
