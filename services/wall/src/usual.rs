//! 常时: what the wall's figures were at this hour on the days before. Pure: which times are asked for, and how answers become curves.

use std::time::Duration;

use yiping_event::TimeMs;

use crate::source::Usual;
use crate::view::{UsualCurve, UsualView};

/// The metrics that the wall's panels show against what is usual. Another one has its usual in desk mode.
pub(crate) const ON_THE_WALL: [&str; 13] = [
    "bus.online_ratio",
    "bus.on_time_ratio",
    "bus.speed_kmh",
    "parking.free_spaces",
    "parking.free_ratio",
    "parking.payment_failure_ratio",
    "elder.calls",
    "elder.sos_ack_60s_ratio",
    "elder.door_p90_s",
    "hotline.calls",
    "hotline.connect_ratio",
    "hotline.wait_mean_s",
    "hotline.on_time_close_ratio",
];
/// The band runs on a little, so that it never ends before the figure.
const AHEAD_MS: i64 = 20 * 60 * 1000;
const STEP_MS: i64 = 10 * 60 * 1000;
pub(crate) const EVERY: Duration = Duration::from_secs(600);
/// After an answer that did not come.
pub(crate) const AGAIN: Duration = Duration::from_secs(60);

/// The window ends of the wall's curves: every ten minutes of the last hours, and a little ahead.
pub(crate) fn slots(now: TimeMs) -> Vec<TimeMs> {
    between(TimeMs(now.0 - crate::poll::SPARK_SPAN_MS), TimeMs(now.0 + AHEAD_MS), STEP_MS)
}

/// Full multiples of `step_ms` from `from` on, up to `to`: times at which windows end.
pub(crate) fn between(from: TimeMs, to: TimeMs, step_ms: i64) -> Vec<TimeMs> {
    let first = from.0.div_euclid(step_ms) * step_ms;
    (0..).map(|step| TimeMs(first + step * step_ms)).take_while(|end| end.0 <= to.0).collect()
}

/// The city's curves, by `metric|city|city|span`.
pub(crate) fn curves(points: Vec<Usual>) -> UsualView {
    let mut curves = UsualView::new();
    for point in points {
        let curve: &mut UsualCurve = curves.entry(format!("{}|city|city|{}", point.metric, point.span)).or_default();
        curve.days = curve.days.max(point.days);
        curve.points.push((point.at.0, point.low, point.median, point.high));
    }
    for curve in curves.values_mut() {
        curve.points.sort_by_key(|point| point.0);
    }
    curves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slots_are_full_ten_minutes_around_the_last_hours() {
        let slots = slots(TimeMs(100 * 3_600_000 + 7 * 60_000));
        assert_eq!(slots.first(), Some(&TimeMs(96 * 3_600_000)));
        assert_eq!(slots.last(), Some(&TimeMs(100 * 3_600_000 + 20 * 60_000)));
        assert_eq!(slots.len(), 27);
    }

    #[test]
    fn a_curve_says_how_many_days_it_is_made_of() {
        let point = |at: i64, days: u64| Usual {
            metric: "hotline.calls".into(),
            span: "1h".into(),
            at: TimeMs(at),
            low: 1.0,
            median: 2.0,
            high: 3.0,
            days,
        };
        let curves = curves(vec![point(20, 6), point(10, 7)]);
        let curve = &curves["hotline.calls|city|city|1h"];
        assert_eq!((curve.days, curve.points[0].0), (7, 10));
    }
}
