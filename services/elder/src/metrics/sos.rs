//! `elder.sos_open`: cases raised and not closed. `elder.sos_ack_60s_ratio`: acknowledged within 60 s / raised, by the time raised;
//! missed as soon as the limit passes, not counted before it is decided.

use yiping_event::TimeMs;
use yiping_window::{Context, KeyId, Level};

use super::Metrics;
use crate::entity::Case;

/// From its first case on, a place has a figure even when it is 0: the gauge's denominator.
pub fn known(metrics: Metrics, place: KeyId, city: bool, since: TimeMs, context: &mut Context<'_>) {
    if let Some(metric) = metrics.sos_open {
        let level = if city { Level::City } else { Level::District };
        context.shift(metric, &[(level, place)], since, 0, 1, 0);
    }
}

/// Counts a case (`sign` 1) or takes back what it counted before (−1).
pub fn count(
    metrics: Metrics,
    everywhere: KeyId,
    case: &Case,
    sign: i64,
    context: &mut Context<'_>,
) {
    let (Some((raised, closed)), Some(district)) = (case.open(), case.district()) else {
        return;
    };
    let at = [(Level::City, everywhere), (Level::District, district)];
    if let Some(metric) = metrics.sos_open {
        context.shift(metric, &at, raised, sign, 0, 0);
        if let Some(closed) = closed {
            context.shift(metric, &at, closed, -sign, 0, 0);
        }
    }
    if let (Some(metric), Some(in_time)) = (metrics.sos_ack_60s_ratio, case.acknowledged_in_time())
    {
        context.add(metric, &at, raised, sign * i64::from(in_time), sign, sign);
    }
}
