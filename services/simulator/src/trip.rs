//! One trip as it really went: when the vehicle came to each stop and left it, and who was aboard.

use crate::agenda::{Course, HOUR_MS};
use crate::draws::{Draws, For, ms};
use crate::timetable::{DWELL_MS, Way};

/// How full buses would be in each half-hour, in per cent of their places, if all who wait got on at once: they end up
/// at some three quarters of it.
const LOAD: Course = [
    3, 3, 2, 2, 2, 2, 2, 2, 3, 5, 10, 15, 30, 45, 80, 95, 78, 52, 38, 35, 32, 34, 38, 42, 42, 38, 34, 34, 36, 40, 48,
    58, 76, 92, 86, 66, 48, 38, 32, 28, 24, 20, 16, 12, 8, 6, 5, 4,
];
/// Trips that are held up alone, and those that are hurried on, in 1,000.
const HELD_UP: u32 = 30;
const HURRIED: u32 = 50;
/// A jam lasts this long, and the share of the time in which a way has one.
const JAM_MS: i64 = 3 * HOUR_MS / 2;
const JAMMED: f64 = 0.19;

/// Early drivers wait at a timing point until so long before their time.
const WAITS_UNTIL_MS: i64 = 20_000;

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
    jam: Option<Upset>,
    draws: &mut Draws,
) -> Vec<Call> {
    // 99 of 100 start in time (−60 … +300 s). What misses the timetable later is held up or hurried on its way: 8 % of
    // the departures from timing points in all.
    let start_s = match draws.pick(&[990, 7, 3]) {
        0 => draws.between(-20.0, 70.0),
        1 => draws.between(310.0, 620.0),
        _ => draws.between(-170.0, -80.0),
    };
    let load = course_at(&LOAD, scheduled - midnight);
    let last = way.halts.len() - 1;
    let own = Upset::draw(last, draws);
    let upset = jam.unwrap_or(own);
    let mut calls = Vec::with_capacity(way.halts.len());
    let depart = (scheduled + ms(start_s)).max(free_at);
    let mut aboard = draws.whole(0, 2 + places * load / 300);
    calls.push(Call { scheduled, arrive: depart, depart, boarded: aboard, alighted: 0, aboard });
    let mut planned = scheduled;
    let mut before = depart;
    for (i, leg) in way.legs.iter().enumerate() {
        planned += leg.run_ms;
        // The delay wanders, and is pulled gently to half a minute.
        let delay = before - (planned - leg.run_ms);
        let drift = ms(draws.between(-14.0, 14.0)) + (30_000 - delay) / 40 + upset.on_leg(i);
        let arrive = (planned + delay + drift).max(before + leg.run_ms * 7 / 10);
        if i + 1 == last {
            calls.push(Call { scheduled: planned, arrive, depart: arrive, boarded: 0, alighted: aboard, aboard: 0 });
            break;
        }
        planned += DWELL_MS;
        let (boarded, alighted) = exchange(aboard, places * load * middle(i, last) / 10_000, places, draws);
        aboard += boarded - alighted;
        let mut depart = arrive + dwell(boarded, alighted, draws);
        if way.halts[i + 1].timing_point && upset.ms >= 0 {
            // a driver who is early waits where punctuality is judged
            depart = depart.max(planned - WAITS_UNTIL_MS);
        }
        calls.push(Call { scheduled: planned, arrive, depart, boarded, alighted, aboard });
        before = depart;
    }
    calls
}

/// What puts a trip off its timetable: at one leg it loses or gains time, and hardly makes up for it until its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upset {
    leg: usize,
    ms: i64,
}

impl Upset {
    /// A jam on a way: for a while it holds up all trips alike, at the same leg, so that most gaps between them stay.
    pub(crate) fn jam(seed: u64, way: u64, legs: usize, scheduled: i64) -> Option<Upset> {
        let mut draws = Draws::new(seed, For::Traffic, way, scheduled.div_euclid(JAM_MS));
        draws.chance(JAMMED).then(|| {
            let leg = usize::try_from(draws.whole(0, i64::try_from(legs).unwrap_or(1))).unwrap_or(0);
            Upset { leg, ms: ms(draws.between(310.0, 540.0)) }
        })
    }

    /// Of one trip alone: held up by a wheelchair or a quarrel, or hurried on by its driver.
    fn draw(legs: usize, draws: &mut Draws) -> Upset {
        let kind = draws.pick(&[1_000 - HELD_UP - HURRIED, HELD_UP, HURRIED]);
        let leg = usize::try_from(draws.whole(0, i64::try_from(legs).unwrap_or(1))).unwrap_or(0);
        let seconds = match kind {
            0 => 0.0,
            1 => draws.between(300.0, 560.0),
            _ => draws.between(-260.0, -150.0),
        };
        Upset { leg, ms: ms(seconds) }
    }

    fn on_leg(&self, leg: usize) -> i64 {
        // time can be lost at once; gained only over some legs, as fast as a bus may drive
        match leg.checked_sub(self.leg) {
            Some(0) if self.ms > 0 => self.ms,
            Some(0..5) if self.ms < 0 => self.ms / 5,
            _ => 0,
        }
    }
}

/// A stay at a stop: the doors, and who gets on and off through them.
fn dwell(boarded: i64, alighted: i64, draws: &mut Draws) -> i64 {
    (7_000 + 1_400 * boarded + 700 * alighted + draws.whole(0, 6_000)).min(75_000)
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

#[cfg(test)]
mod tests {
    use yiping_city::City;

    use super::*;
    use crate::agenda::DAY_MS;
    use crate::timetable::Track;

    /// Forty trips on each route, at one hour of as many days.
    fn trips(hour: i64) -> Vec<(Vec<Call>, Vec<bool>)> {
        let mut made = Vec::new();
        for (i, track) in Track::all(&City::weihai(), 1.0).iter().enumerate() {
            let mut draws = Draws::new(1, For::Vehicle, i as u64, hour);
            for n in 0..40_i64 {
                let way = &track.ways[usize::from(n % 2 == 1)];
                let marked = way.halts.iter().map(|h| h.timing_point).collect();
                let start = n * DAY_MS + hour * HOUR_MS;
                let jam = Upset::jam(1, i as u64, way.legs.len(), start);
                made.push((drive(way, start, i64::MIN / 2, n * DAY_MS, 80, jam, &mut draws), marked));
            }
        }
        made
    }

    fn share(part: usize, whole: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts of a test")]
        let share = part as f64 / whole as f64;
        share
    }

    /// Of 6,000 trips an hour of the day a sixth is jammed: the shares have standard deviations of some 0.3 %.
    #[test]
    fn trips_start_in_time_and_nine_of_ten_departures_are_punctual_at_any_hour() {
        for hour in [6, 8, 11, 17, 20] {
            let (mut starts, mut started, mut due, mut punctual) = (0, 0, 0, 0);
            for (calls, marked) in trips(hour) {
                let in_time = |c: &Call| (-60_000..=300_000).contains(&(c.depart - c.scheduled));
                starts += 1;
                started += usize::from(in_time(&calls[0]));
                for (call, _) in calls.iter().zip(&marked).take(calls.len() - 1).filter(|(_, marked)| **marked) {
                    due += 1;
                    punctual += usize::from(in_time(call));
                }
            }
            let (dispatch, on_time) = (share(started, starts), share(punctual, due));
            assert!((0.985..0.995).contains(&dispatch), "{hour}:00 dispatch {dispatch}");
            assert!((0.90..0.945).contains(&on_time), "{hour}:00 on time {on_time}");
        }
    }

    #[test]
    fn stays_are_longer_and_buses_fuller_in_the_rush_hours() {
        let typical = |hour| {
            let (mut stays, mut loads) = (Vec::new(), Vec::new());
            for (calls, _) in trips(hour) {
                for call in &calls[1..calls.len() - 1] {
                    stays.push(call.depart - call.arrive);
                    loads.push(call.aboard);
                }
            }
            stays.sort_unstable();
            loads.sort_unstable();
            (stays[stays.len() / 2], stays[stays.len() * 95 / 100], loads[loads.len() * 9 / 10])
        };
        let ((rush, rush_p95, rush_load), (late, _, late_load)) = (typical(8), typical(21));
        // Half a minute at a busy stop, the doors' ten seconds at an empty one. A rush hour is full and still below the
        // catalogue's warning of a ninth decile above all places.
        assert!((18_000..40_000).contains(&rush) && rush_p95 < 75_000, "{rush} {rush_p95} ms");
        assert!((9_000..18_000).contains(&late), "{late} ms");
        assert!((56..80).contains(&rush_load) && late_load < 24, "{rush_load} {late_load} of 80");
    }
}
