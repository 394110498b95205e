//! One trip as it really went: when the vehicle came to each stop and left it, and who was aboard.

use crate::agenda::{Course, HOUR_MS};
use crate::draws::{Draws, ms};
use crate::timetable::{DWELL_MS, Way};

/// How full buses are in each half-hour, in per cent of their places.
const LOAD: Course = [
    3, 3, 2, 2, 2, 2, 2, 2, 3, 5, 10, 15, 30, 45, 75, 85, 70, 50, 38, 35, 32, 34, 38, 42, 42, 38, 34, 34, 36, 40, 48,
    58, 72, 84, 80, 66, 48, 38, 32, 28, 24, 20, 16, 12, 8, 6, 5, 4,
];

/// A stop on a trip; times in ms since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// Planned departure; at the last stop planned arrival.
    pub(crate) scheduled: i64,
    pub(crate) arrive: i64,
    pub(crate) depart: i64,
    pub(crate) boarded: i64,
    pub(crate) alighted: i64,
    /// After leaving.
    pub(crate) aboard: i64,
}

/// The trip's calls, one a stop. `free_at` is when the vehicle is ready; `midnight` begins the calendar day.
pub(crate) fn drive(
    way: &Way,
    scheduled: i64,
    free_at: i64,
    midnight: i64,
    places: i64,
    draws: &mut Draws,
) -> Vec<Call> {
    // Late and early trips make up for the 8 % of departures that miss −60 … +300 s.
    let start_s = match draws.pick(&[895, 75, 30]) {
        0 => draws.between(-20.0, 70.0),
        1 => draws.between(280.0, 620.0),
        _ => draws.between(-170.0, -80.0),
    };
    let load = course_at(&LOAD, scheduled - midnight);
    let rush = load >= 60;
    let mut calls = Vec::with_capacity(way.halts.len());
    let depart = (scheduled + ms(start_s)).max(free_at);
    let last = way.halts.len() - 1;
    let mut aboard = draws.whole(0, 2 + places * load / 300);
    calls.push(Call { scheduled, arrive: depart, depart, boarded: aboard, alighted: 0, aboard });
    let mut planned = scheduled;
    let mut before = depart;
    for (i, leg) in way.legs.iter().enumerate() {
        planned += leg.run_ms;
        // The delay wanders, is pulled gently to half a minute, and grows in the rush hours.
        let delay = before - (planned - leg.run_ms);
        let drift = ms(draws.between(-14.0, 15.0)) + (30_000 - delay) / 40 + if rush { 1_000 } else { 0 };
        let arrive = (planned + delay + drift).max(before + leg.run_ms * 7 / 10);
        if i + 1 == last {
            calls.push(Call { scheduled: planned, arrive, depart: arrive, boarded: 0, alighted: aboard, aboard: 0 });
            break;
        }
        planned += DWELL_MS;
        let depart = arrive + draws.whole(11_000, 30_000);
        let (boarded, alighted) = exchange(aboard, places * load * middle(i, last) / 10_000, places, draws);
        aboard += boarded - alighted;
        calls.push(Call { scheduled: planned, arrive, depart, boarded, alighted, aboard });
        before = depart;
    }
    calls
}

fn course_at(course: &Course, of_day_ms: i64) -> i64 {
    let slot = of_day_ms.div_euclid(HOUR_MS / 2).rem_euclid(48);
    i64::from(course[usize::try_from(slot).unwrap_or(0)])
}

/// Buses are fullest in the middle of their way: 40 … 120 per cent.
fn middle(stop: usize, last: usize) -> i64 {
    let (stop, last) = (i64::try_from(stop).unwrap_or(0), i64::try_from(last).unwrap_or(1));
    40 + 320 * stop * (last - stop) / (last * last).max(1)
}

/// Who gets on and off, so that the load moves towards what is usual here at this hour.
fn exchange(aboard: i64, usual: i64, places: i64, draws: &mut Draws) -> (i64, i64) {
    let alighted = aboard * draws.whole(5, 30) / 100;
    let wanted = (usual - (aboard - alighted)) / 2 + draws.whole(-1, 4);
    (wanted.clamp(0, (places * 11 / 10 - (aboard - alighted)).max(0)), alighted)
}
