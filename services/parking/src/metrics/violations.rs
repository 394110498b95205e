//! `parking.violations`: snapshots with occupied above capacity or below 0. The raw value counts; elsewhere it is clamped.

use yiping_event::{TimeMs, parking::Snapshot};
use yiping_window::{Context, KeyId, Level};

use super::Metrics;
use crate::entity::Unit;

pub fn snapshot(
    metrics: Metrics,
    everywhere: KeyId,
    unit: &Unit,
    snapshot: &Snapshot<'_>,
    time: TimeMs,
    context: &mut Context<'_>,
) {
    let Some(metric) = metrics.violations else {
        return;
    };
    if (0..=snapshot.capacity).contains(&snapshot.occupied) {
        return;
    }
    let at = [(Level::City, everywhere), (Level::District, unit.district), (Level::Lot, unit.lot)];
    context.add(metric, &at, time, 1, 1, 1);
}
