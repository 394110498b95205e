//! `elder.sos_open`: cases raised and not closed. `elder.sos_ack_60s_ratio`: acknowledged within 60 s / raised, by the time raised;
//! missed as soon as the limit passes, not counted before it is decided.
//!
//! The gauge's denominator counts the cases ever raised: from its first case on a place has a figure even when none is open, and the
//! same one however cases are spread over partitions.

use yiping_window::{Context, KeyId, Level};

use super::Metrics;
use crate::entity::Case;

/// Counts a case (`sign` 1) or takes back what it counted before (−1).
pub fn count(metrics: Metrics, everywhere: KeyId, case: &Case, sign: i64, context: &mut Context<'_>) {
    let (Some((raised, closed)), Some(district)) = (case.open(), case.district()) else {
        return;
    };
    let at = [(Level::City, everywhere), (Level::District, district)];
    if let Some(metric) = metrics.sos_open {
        context.shift(metric, &at, raised, sign, sign, 0);
        if let Some(closed) = closed {
            context.shift(metric, &at, closed, -sign, 0, 0);
        }
    }
    if let (Some(metric), Some(in_time)) = (metrics.sos_ack_60s_ratio, case.acknowledged_in_time()) {
        context.add(metric, &at, raised, sign * i64::from(in_time), sign, sign);
    }
}
