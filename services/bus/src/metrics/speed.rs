//! `bus.speed_kmh`: Σ distance / Σ time between consecutive fixes of a vehicle (mm and ms; published in m and s). A step belongs to
//! the window, route and district of its later fix; after a gap of more than 120 s nobody knows the way it took.

use yiping_window::timeline::Sign;

use crate::{
    entity::{Seen, Vehicles, distance_mm},
    levels,
};

const LONGEST_GAP_MS: i64 = 120_000;

pub fn step(vehicles: &Vehicles, before: &Seen, now: &Seen, out: &mut Sign<'_, '_>) {
    let (Some(metric), Some((context, sign))) = (vehicles.metrics.speed_kmh, out.counting()) else {
        return;
    };
    let gap = now.time.0 - before.time.0;
    if gap == 0 || gap > LONGEST_GAP_MS {
        return;
    }
    let at = levels(vehicles.everywhere, now.fix.route, now.fix.district);
    context.add(metric, &at, now.time, sign * distance_mm(&before.fix, &now.fix), sign * gap, sign);
}
