//! From merged sums to a published figure: METRICS' "n, numerator, denominator". The view `city.metrics` says the same in SQL; a
//! test of the store holds the two together.

use yiping_window::histogram::quantile;

use crate::{Entry, Value};

/// A window's sums, merged over partitions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    pub num: i64,
    pub den: i64,
    pub n: i64,
    /// Counts by bucket, sorted by bucket.
    pub hist: Vec<(u16, i64)>,
}

impl Sums {
    pub fn merge(&mut self, other: &Sums) {
        self.num += other.num;
        self.den += other.den;
        self.n += other.n;
        let mut hist = yiping_window::histogram::Histogram::from(std::mem::take(&mut self.hist));
        hist.add(&other.hist.clone().into(), 1);
        self.hist = hist.counts().to_vec();
    }
}

/// What is published of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// `None` below the metric's minimum n: no data.
    pub value: Option<f64>,
    pub numerator: f64,
    pub denominator: f64,
    pub n: i64,
}

impl Entry {
    /// Publishes merged sums. `constant`: the profile's denominator (the fleet), for city level of metrics that have one.
    #[must_use]
    pub fn publish(&self, sums: &Sums, constant: Option<i64>) -> Figure {
        match self.value {
            Value::Count => self.plain(sums, sums.num),
            Value::Gauge => self.plain(sums, sums.den),
            Value::Ratio => {
                let den = constant.unwrap_or(sums.den);
                // an integral's n counts steps; a ratio of counts is as good as its denominator
                let n = if self.is_integral() { sums.n } else { den };
                self.quotient(sums.num, den, n)
            }
            Value::Mean => self.quotient(sums.num, sums.den, sums.n),
            Value::Percentile => {
                let value = quantile(&sums.hist, self.per_mille()).filter(|_| sums.n >= self.min_n);
                Figure {
                    value: value.map(|value| value as f64 * self.value_scale),
                    numerator: 0.0,
                    denominator: sums.n as f64,
                    n: sums.n,
                }
            }
        }
    }

    fn plain(&self, sums: &Sums, n: i64) -> Figure {
        let value = sums.num as f64 * self.num_scale;
        Figure { value: Some(value), numerator: value, denominator: 1.0, n }
    }

    fn quotient(&self, num: i64, den: i64, n: i64) -> Figure {
        let (numerator, denominator) = (num as f64 * self.num_scale, den as f64 * self.den_scale);
        let enough = n >= self.min_n && den != 0;
        Figure { value: enough.then(|| numerator / denominator * self.value_scale), numerator, denominator, n }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalogue;

    fn publish(id: &str, sums: &Sums, constant: Option<i64>) -> Figure {
        Catalogue::builtin().unwrap().entry(id).unwrap().publish(sums, constant)
    }

    #[test]
    fn four_of_four_departures_are_too_few_to_say() {
        let few = publish("bus.on_time_ratio", &Sums { num: 4, den: 4, n: 4, ..Sums::default() }, None);
        assert_eq!((few.value, few.n), (None, 4));
        let enough = publish("bus.on_time_ratio", &Sums { num: 4, den: 5, n: 5, ..Sums::default() }, None);
        assert_eq!(enough.value, Some(0.8));
    }

    #[test]
    fn speed_is_metres_over_seconds_in_kilometres_an_hour() {
        // 6,000 m in 900 s = 6.667 m/s = 24 km/h
        let figure = publish("bus.speed_kmh", &Sums { num: 6_000_000, den: 900_000, n: 60, ..Sums::default() }, None);
        assert_eq!((figure.numerator, figure.denominator, figure.n), (6_000.0, 900.0, 60));
        assert!((figure.value.unwrap() - 24.0).abs() < 1e-9);
    }

    #[test]
    fn the_fleet_is_the_citys_denominator() {
        let figure =
            publish("bus.online_ratio", &Sums { num: 1_386, den: 1_390, n: 0, ..Sums::default() }, Some(1_400));
        assert_eq!((figure.value, figure.denominator, figure.n), (Some(0.99), 1_400.0, 1_400));
    }

    #[test]
    fn one_sos_case_is_enough_for_its_ratio() {
        let figure = publish("elder.sos_ack_60s_ratio", &Sums { num: 0, den: 1, n: 1, ..Sums::default() }, None);
        assert_eq!(figure.value, Some(0.0));
    }

    #[test]
    fn a_percentile_has_n_and_no_numerator() {
        // waits of 1 … 20 s: the 95th percentile is the 19th value, 19 s
        let mut sums = Sums { n: 20, ..Sums::default() };
        for wait in 1..=20 {
            sums.merge(&Sums { hist: vec![(yiping_window::histogram::bucket(wait * 1_000), 1)], ..Sums::default() });
        }
        let figure = publish("hotline.wait_p95_s", &sums, None);
        assert!((figure.value.unwrap() - 19.0).abs() < 0.19);
        assert_eq!((figure.numerator, figure.denominator, figure.n), (0.0, 20.0, 20));
    }
}
