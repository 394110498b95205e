//! From merged sums to a published figure: METRICS' "n, numerator, denominator". The view `city.metrics` says the same in SQL; a
//! test of the store holds the two together.

use yiping_event::TimeMs;
use yiping_window::histogram::{Histogram, quantile};

use crate::{Entry, Merge, Value};

/// A window's sums, merged over partitions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    pub num: i64,
    pub den: i64,
    pub n: i64,
    /// The second numerator and denominator of figures made of four sums.
    pub num2: i64,
    pub den2: i64,
    /// Counts by bucket, sorted by bucket.
    pub hist: Vec<(u16, i64)>,
}

impl Sums {
    /// Takes another partition's part of the same window in.
    pub fn merge(&mut self, other: &Sums, how: Merge) {
        if how == Merge::Min {
            let known = |sums: &Sums| (sums.n > 0).then_some(sums.num);
            self.num = known(self).into_iter().chain(known(other)).min().unwrap_or(0);
        } else {
            self.num = self.num.wrapping_add(other.num);
        }
        self.den = self.den.wrapping_add(other.den);
        self.n = self.n.wrapping_add(other.n);
        self.num2 = self.num2.wrapping_add(other.num2);
        self.den2 = self.den2.wrapping_add(other.den2);
        if !other.hist.is_empty() {
            let mut hist = Histogram::from(std::mem::take(&mut self.hist));
            hist.add(&other.hist.clone().into(), 1);
            self.hist = hist.counts().to_vec();
        }
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
    /// Publishes the merged sums of the window that ends at `end`. `constant`: the profile's denominator (the fleet), for city level
    /// of metrics that have one.
    #[must_use]
    pub fn publish(&self, sums: &Sums, end: TimeMs, constant: Option<i64>) -> Figure {
        match self.value {
            Value::Count => self.plain(sums.num, sums.n),
            Value::Gauge => self.plain(sums.num, sums.den),
            Value::Age => self.plain(if sums.n > 0 { end.0 - sums.num } else { 0 }, sums.n),
            Value::Ratio => {
                let den = constant.unwrap_or(sums.den);
                // an integral's n counts steps; a ratio of counts is as good as its denominator
                let n = if self.is_integral() { sums.n } else { den };
                self.quotient(sums.num, den, n)
            }
            Value::Mean => self.quotient(sums.num, sums.den, sums.n),
            Value::TimeTo => {
                let figure = self.quotient(sums.num, sums.den, sums.n);
                Figure { value: figure.value.filter(|_| sums.den > 0), ..figure }
            }
            // of a trend: the change is the numerator, the state at the end the denominator
            Value::PerLevel => self.quotient(sums.den, sums.num, sums.n),
            Value::Deviation => {
                let variance = i128::from(sums.n) * i128::from(sums.num2) - i128::from(sums.num) * i128::from(sums.num);
                let mean_of = |sum: f64| if sums.n == 0 { 0.0 } else { sum / sums.n as f64 };
                let numerator = mean_of((variance.max(0) as f64).sqrt()) * self.num_scale;
                let denominator = mean_of(sums.den as f64) * self.den_scale;
                let enough = sums.n >= self.min_n && sums.n > 0 && sums.den != 0;
                Figure { value: enough.then(|| numerator / denominator), numerator, denominator, n: sums.n }
            }
            Value::Excess => {
                // Σx²/(2Σx): how long one waits on average who comes at any time (Osuna and Newell, 1972)
                let wait = |squares: i64, sum: i64| {
                    if sum == 0 { 0.0 } else { squares as f64 / (2.0 * sum as f64) }
                };
                let numerator = wait(sums.num, sums.den) * self.num_scale;
                let denominator = wait(sums.num2, sums.den2) * self.den_scale;
                let enough = sums.n >= self.min_n && sums.den != 0 && sums.den2 != 0;
                Figure { value: enough.then_some(numerator - denominator), numerator, denominator, n: sums.n }
            }
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

    fn plain(&self, num: i64, n: i64) -> Figure {
        let value = num as f64 * self.num_scale;
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

    const END: TimeMs = TimeMs(1_000_000);

    fn publish(id: &str, sums: &Sums, constant: Option<i64>) -> Figure {
        Catalogue::builtin().unwrap().entry(id).unwrap().publish(sums, END, constant)
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
            let one = Sums { hist: vec![(yiping_window::histogram::bucket(wait * 1_000), 1)], ..Sums::default() };
            sums.merge(&one, Merge::Histogram);
        }
        let figure = publish("hotline.wait_p95_s", &sums, None);
        assert!((figure.value.unwrap() - 19.0).abs() < 0.19);
        assert_eq!((figure.numerator, figure.denominator, figure.n), (0.0, 20.0, 20));
    }

    #[test]
    fn a_deviation_is_of_the_population_over_the_planned_mean() {
        // planned 600 s five times; actual 500, 700, 600, 400, 800: differences −100, 100, 0, −200, 200 s.
        // mean 0; variance (10,000 + 10,000 + 0 + 40,000 + 40,000) / 5 = 20,000; sd 141.42 s; cv 141.42 / 600 = 0.2357
        let sums = Sums { num: 0, num2: 100_000_000_000, den: 3_000_000, n: 5, ..Sums::default() };
        let figure = publish("bus.headway_cv", &sums, None);
        assert!((figure.numerator - 141.421_356).abs() < 1e-6);
        assert_eq!((figure.denominator, figure.n), (600.0, 5));
        assert!((figure.value.unwrap() - 0.235_702).abs() < 1e-6);
    }

    #[test]
    fn an_excess_is_what_one_waits_beyond_the_plan() {
        // two headways of 300 and 900 s where 600 and 600 were planned (as often again, for n = 6):
        // actual (90,000 + 810,000) / (2 · 1,200) = 375 s; planned 720,000 / 2,400 = 300 s; excess 75 s
        let sums = Sums {
            num: 3 * 900_000_000_000,
            den: 3 * 1_200_000,
            num2: 3 * 720_000_000_000,
            den2: 3 * 1_200_000,
            n: 6,
            ..Sums::default()
        };
        let figure = publish("bus.excess_wait_s", &sums, None);
        assert_eq!((figure.numerator, figure.denominator, figure.value), (375.0, 300.0, Some(75.0)));
    }

    #[test]
    fn the_oldest_of_all_partitions_waits_longest() {
        let mut sums = Sums { num: 0, den: 3, n: 0, ..Sums::default() }; // nobody waits here: no time of its own
        sums.merge(&Sums { num: 910_000, den: 2, n: 1, ..Sums::default() }, Merge::Min);
        sums.merge(&Sums { num: 880_000, den: 4, n: 2, ..Sums::default() }, Merge::Min);
        let figure = publish("elder.sos_oldest_wait_s", &sums, None);
        assert_eq!((figure.value, figure.n), (Some(120.0), 3)); // 1,000 s − 880 s
        let nobody = publish("elder.sos_oldest_wait_s", &Sums { den: 9, ..Sums::default() }, None);
        assert_eq!((nobody.value, nobody.n), (Some(0.0), 0));
    }

    #[test]
    fn a_lot_that_empties_will_never_be_full() {
        // 60 free, 20 more taken in 5 minutes: 4 a minute, 15 minutes
        let fills = publish("parking.minutes_to_full", &Sums { num: 60, den: 20, n: 9, ..Sums::default() }, None);
        assert_eq!((fills.value, fills.numerator, fills.denominator), (Some(15.0), 60.0, 20.0));
        let empties = publish("parking.minutes_to_full", &Sums { num: 60, den: -20, n: 9, ..Sums::default() }, None);
        assert_eq!((empties.value, empties.denominator), (None, -20.0));
    }

    #[test]
    fn turnover_is_sessions_over_spaces() {
        let figure = publish("parking.turnover", &Sums { num: 200, den: 50, n: 50, ..Sums::default() }, None);
        assert_eq!((figure.value, figure.numerator, figure.denominator), (Some(0.25), 50.0, 200.0));
    }
}
