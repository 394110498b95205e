//! What the last four weeks let expect: the same window at the same time of day, on each of the 28 days before.

use std::collections::HashMap;

pub const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// How many days are looked back.
pub const DAYS: i64 = 28;

/// With fewer days than these nothing is expected from the past.
pub(crate) const FEWEST: usize = 14;

/// A figure whose past is wanted: metric, level, key, span, window end (ms).
pub type Wanted = (String, String, String, String, i64);

/// What earlier days say of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    pub samples: usize,
    pub mean: f64,
    /// Standard deviation of the population.
    pub sigma: f64,
    pub median: f64,
}

impl Baseline {
    /// `None` with fewer than 14 days.
    #[must_use]
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        if values.len() < FEWEST {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / n;
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Baseline { samples: values.len(), mean, sigma: variance.sqrt(), median })
    }
}

/// The baselines of one batch of figures.
pub type Past = HashMap<Wanted, Baseline>;

/// What a count of things that come independently may reach without being out of the ordinary: mean + 3σ, or where the mean is
/// below 10 the 99.9 % quantile of a Poisson distribution.
#[must_use]
pub fn expected(mean: f64, sigma: f64) -> f64 {
    if mean >= 10.0 { mean + 3.0 * sigma } else { poisson_999(mean) }
}

/// The least k with P(X ≤ k) ≥ 0.999.
fn poisson_999(mean: f64) -> f64 {
    let mut probability = (-mean.max(0.0)).exp();
    let (mut sum, mut k) = (probability, 0.0);
    while sum < 0.999 && k < 1_000.0 {
        k += 1.0;
        probability *= mean / k;
        sum += probability;
    }
    k
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirteen_days_are_too_few() {
        assert_eq!(Baseline::of(vec![5.0; 13]), None);
        assert_eq!(Baseline::of(vec![5.0; 14]), Some(Baseline { samples: 14, mean: 5.0, sigma: 0.0, median: 5.0 }));
    }

    #[test]
    fn the_median_does_not_mind_one_bad_day() {
        // thirteen days of 10 and one of 150: mean 20, median 10; σ² = (13 · 100 + 16,900) / 14 = 1,300
        let mut values = vec![10.0; 13];
        values.push(150.0);
        let baseline = Baseline::of(values).unwrap();
        assert_eq!((baseline.mean, baseline.median), (20.0, 10.0));
        assert!((baseline.sigma - 1_300f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn rare_things_are_judged_by_poisson() {
        // tables of the Poisson distribution: λ = 1: P(X ≤ 4) = 0.99634, P(X ≤ 5) = 0.99941; λ = 4: P(X ≤ 10) = 0.99716,
        // P(X ≤ 11) = 0.99908
        assert_eq!(expected(1.0, 99.0), 5.0);
        assert_eq!(expected(4.0, 99.0), 11.0);
        assert_eq!(expected(0.0, 0.0), 0.0);
        assert_eq!(expected(25.0, 5.0), 40.0);
    }
}
