//! `bus.on_time_ratio`: departures with −60 s ≤ actual − scheduled ≤ +300 s / departures with a scheduled time. Where stops are
//! marked as timing points or not, only timing points count.

use yiping_event::{TimeMs, bus::Stop};
use yiping_window::{Context, KeyId, Level};

use super::Metrics;

const EARLIEST_MS: i64 = -60_000;
const LATEST_MS: i64 = 300_000;

pub fn departed(
    metrics: Metrics,
    everywhere: KeyId,
    stop: &Stop<'_>,
    departed: TimeMs,
    scheduled: TimeMs,
    context: &mut Context<'_>,
) {
    let Some(metric) = metrics.on_time_ratio.filter(|_| stop.timing_point != Some(false)) else {
        return;
    };
    let deviation = departed.0 - scheduled.0;
    let on_time = i64::from((EARLIEST_MS..=LATEST_MS).contains(&deviation));
    let route = context.key(&stop.route_id);
    context.add(metric, &[(Level::City, everywhere), (Level::Route, route)], departed, on_time, 1, 1);
}
