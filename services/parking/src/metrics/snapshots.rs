//! `parking.snapshots`, and of these `parking.violations`: occupied above capacity or below 0. There the raw value counts; elsewhere it
//! is clamped.

use yiping_event::{TimeMs, parking::Snapshot};
use yiping_window::{Board, Context, KeyId, Level, MetricId};

use crate::entity::lot::Unit;

#[derive(Clone, Copy, Debug)]
pub struct Snapshots {
    snapshots: Option<MetricId>,
    violations: Option<MetricId>,
}

impl Snapshots {
    pub fn of(board: &Board) -> Self {
        Snapshots { snapshots: board.metric("parking.snapshots"), violations: board.metric("parking.violations") }
    }

    pub fn count(
        &self,
        everywhere: KeyId,
        unit: &Unit,
        snapshot: &Snapshot<'_>,
        time: TimeMs,
        context: &mut Context<'_>,
    ) {
        let keys = [(Level::City, everywhere), (Level::District, unit.district), (Level::Lot, unit.lot)];
        if let Some(metric) = self.snapshots {
            context.add(metric, &keys, time, 1, 1, 1);
        }
        if let Some(metric) = self.violations.filter(|_| !(0..=snapshot.capacity).contains(&snapshot.occupied)) {
            context.add(metric, &keys, time, 1, 1, 1);
        }
    }
}
