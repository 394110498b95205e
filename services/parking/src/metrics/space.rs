//! `parking.free_spaces` and `parking.occupancy_ratio`: what follows from a lot's state, as changes of level.
//!
//! Free spaces count lots (or floors) that are known as their denominator, so that a full lot (0 of 1) differs from a silent one
//! (nothing). The occupancy integral adds up occupied and capacity space-milliseconds; its n counts steps.

use yiping_event::TimeMs;
use yiping_window::{Context, KeyId, Level, timeline::Sign};

use crate::entity::{Lot, Lots, Space};

pub fn changed(lots: &Lots, before: &Lot, after: &Lot, time: TimeMs, heard: i64, out: &mut Sign<'_, '_>) {
    let Some((context, sign)) = out.counting() else {
        return;
    };
    let at = |lot: &Lot| {
        lot.key
            .zip(lot.district)
            .map(|(key, district)| [(Level::City, lots.everywhere), (Level::District, district), (Level::Lot, key)])
    };
    let (was, is) = (before.total(), after.total());
    match (at(before), at(after)) {
        (Some(there), Some(here)) if there != here => {
            shift(lots, context, &there, time, difference(was, Space::default()), 0, sign);
            shift(lots, context, &here, time, difference(Space::default(), is), heard, sign);
        }
        (_, Some(here)) => shift(lots, context, &here, time, difference(was, is), heard, sign),
        (_, None) => {}
    }
    let Some(metric) = lots.metrics.free_spaces else {
        return;
    };
    let mut floors: Vec<KeyId> = before.floors().chain(after.floors()).collect();
    floors.sort_unstable();
    floors.dedup();
    for floor in floors {
        let change = difference(before.floor(floor), after.floor(floor));
        if change != Change::default() {
            context.shift(metric, &[(Level::Floor, floor)], time, sign * change.free, sign * change.known, 0);
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Change {
    free: i64,
    known: i64,
    occupied: i64,
    capacity: i64,
}

fn difference(was: Space, is: Space) -> Change {
    Change {
        free: is.free() - was.free(),
        known: i64::from(is.live) - i64::from(was.live),
        occupied: is.occupied - was.occupied,
        capacity: is.capacity - was.capacity,
    }
}

fn shift(
    lots: &Lots,
    context: &mut Context<'_>,
    at: &[(Level, KeyId)],
    time: TimeMs,
    change: Change,
    heard: i64,
    sign: i64,
) {
    if let Some(metric) = lots.metrics.free_spaces
        && (change.free != 0 || change.known != 0)
    {
        context.shift(metric, at, time, sign * change.free, sign * change.known, 0);
    }
    if let Some(metric) = lots.metrics.occupancy_ratio
        && (change.occupied != 0 || change.capacity != 0 || heard != 0)
    {
        context.shift(metric, at, time, sign * change.occupied, sign * change.capacity, sign * heard);
    }
}
