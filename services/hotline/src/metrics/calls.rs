//! `hotline.calls`, `hotline.connect_ratio` (接通率), `hotline.wait_p95_s`: all placed where the call was offered, so they are revised
//! until their calls are decided.

use yiping_window::{Context, KeyId, Level};

use super::Metrics;
use crate::entity::Call;

/// Counts a call (`sign` 1) or takes back what it counted before (−1).
pub fn count(metrics: Metrics, everywhere: KeyId, district: KeyId, call: &Call, sign: i64, context: &mut Context<'_>) {
    let Some(placed) = call.placed() else { return };
    let at = [(Level::City, everywhere), (Level::District, district)];
    if let Some(metric) = metrics.calls {
        context.add(metric, &at, placed, sign, 0, sign);
    }
    if let Some(metric) = metrics.connect_ratio {
        context.add(metric, &at, placed, sign * i64::from(call.answered()), sign, sign);
    }
    if let (Some(metric), Some(wait)) = (metrics.wait_p95_s, call.wait_ms()) {
        context.sample(metric, &at, placed, wait, sign);
    }
}
