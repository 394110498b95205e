//! A day of a car park: who comes, on which floor, how long they stay. Nobody comes in while it is full.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::agenda::{Course, DAY_MS, HOUR_MS, MINUTE_MS};
use crate::draws::{Draws, For, ms};

/// From 04:00 to 04:00, where all but the residents are gone.
pub(crate) const LAST_EXIT_MS: i64 = DAY_MS - 5 * MINUTE_MS;

/// The half-hour of the calendar day in which the service day begins.
const FIRST_SLOT: usize = 8;

/// What kind of place a car park serves.
struct Habit {
    /// Arrivals, by half-hour of the calendar day.
    arrivals: Course,
    /// Mean stay, in hours.
    stay_h: f64,
    /// Arrivals in a day for each space that residents leave free.
    turnover: f64,
}

const OFFICE: Habit = Habit {
    arrivals: [
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 4, 12, 40, 90, 120, 100, 60, 40, 30, 25, 20, 18, 20, 25, 40, 50, 45, 30, 22,
        18, 15, 12, 10, 8, 6, 6, 5, 4, 3, 2, 2, 1, 1, 1, 0, 0, 0,
    ],
    stay_h: 4.6,
    turnover: 1.55,
};

const SHOPS: Habit = Habit {
    arrivals: [
        2, 1, 1, 1, 0, 0, 0, 0, 1, 1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 70, 72, 70, 66, 60, 52, 50, 52, 55, 58, 60, 60,
        62, 66, 75, 85, 95, 100, 95, 80, 60, 42, 28, 16, 10, 6, 4, 3, 2,
    ],
    stay_h: 1.6,
    turnover: 5.4,
};

const CLINIC: Habit = Habit {
    arrivals: [
        3, 2, 2, 2, 2, 2, 2, 3, 4, 5, 8, 14, 30, 60, 95, 110, 105, 95, 80, 65, 50, 40, 35, 36, 42, 62, 70, 62, 50, 42,
        35, 30, 25, 22, 20, 20, 20, 18, 15, 12, 10, 9, 8, 7, 6, 5, 4, 3,
    ],
    stay_h: 2.1,
    turnover: 4.0,
};

/// One car's stay, in ms from the start of the service day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) entry: i64,
    pub(crate) exit: i64,
    pub(crate) floor: usize,
}

/// How a car park is used, from year to year.
pub(crate) struct Usage {
    habit: &'static Habit,
    /// Spaces taken by residents who come and go on foot, floor by floor.
    pub(crate) residents: Vec<i64>,
}

impl Usage {
    /// `by_day`: it is open at ten in the morning; a lot that isn't serves an evening's guests.
    pub(crate) fn of(seed: u64, lot: u64, floors: &[i64], by_day: bool) -> Usage {
        let mut draws = Draws::new(seed, For::Lot, lot, 0);
        let habit = [&OFFICE, &SHOPS, &CLINIC][draws.pick(&[35, 45, 20])];
        let percent = draws.whole(6, 34);
        let habit = if by_day { habit } else { &SHOPS };
        Usage { habit, residents: floors.iter().map(|capacity| capacity * percent / 100).collect() }
    }

    /// The stays of service day `day`, by time of entry; `open` says whether cars may come in at a time of that day.
    pub(crate) fn stays(&self, seed: u64, lot: u64, day: i64, floors: &[i64], open: impl Fn(i64) -> bool) -> Vec<Stay> {
        let mut draws = Draws::new(seed, For::LotDay, lot, day);
        let free: i64 = floors.iter().zip(&self.residents).map(|(capacity, residents)| capacity - residents).sum();
        let busy = draws.between(0.75, 1.15) * self.habit.turnover;
        let total: u32 = self.habit.arrivals.iter().sum();
        let mut taken = self.residents.clone();
        let mut leaving: BinaryHeap<Reverse<(i64, usize)>> = BinaryHeap::new();
        let mut stays = Vec::new();
        let mut arrivals = Vec::new();
        for slot in 0..48_i64 {
            let weight = self.habit.arrivals[(FIRST_SLOT + usize::try_from(slot).unwrap_or(0)) % 48];
            #[expect(clippy::cast_precision_loss, reason = "spaces of a car park")]
            let expected = free as f64 * busy * f64::from(weight) / f64::from(total.max(1));
            #[expect(clippy::cast_possible_truncation, reason = "spaces of a car park")]
            let count = (expected * draws.between(0.7, 1.3) + draws.unit()) as i64;
            arrivals.clear();
            arrivals.extend((0..count).map(|_| slot * HOUR_MS / 2 + draws.whole(0, HOUR_MS / 2)));
            arrivals.sort_unstable();
            for &entry in arrivals.iter().filter(|&&entry| entry < LAST_EXIT_MS && open(entry)) {
                while leaving.peek().is_some_and(|Reverse((exit, _))| *exit <= entry) {
                    if let Some(Reverse((_, floor))) = leaving.pop() {
                        taken[floor] -= 1;
                    }
                }
                let length =
                    ms(draws.exponential(self.habit.stay_h * 3_600.0)).max(3 * MINUTE_MS) + draws.whole(0, MINUTE_MS);
                let early = draws.unit();
                let Some(floor) = emptiest(floors, &taken) else { continue };
                // who would stay overnight leaves some time before the day turns
                let rest = LAST_EXIT_MS - entry;
                let exit = entry + if length < rest { length } else { 1_000 + ms(early * seconds(rest)) };
                taken[floor] += 1;
                leaving.push(Reverse((exit, floor)));
                stays.push(Stay { entry, exit, floor });
            }
        }
        stays
    }
}

#[expect(clippy::cast_precision_loss, reason = "lengths within a day")]
fn seconds(ms: i64) -> f64 {
    ms.max(0) as f64 / 1_000.0
}

/// The floor with the most free spaces, if any is left.
fn emptiest(floors: &[i64], taken: &[i64]) -> Option<usize> {
    let free = floors.iter().zip(taken).map(|(capacity, taken)| capacity - taken);
    free.enumerate()
        .filter(|&(_, free)| free > 0)
        .max_by_key(|&(floor, free)| (free, Reverse(floor)))
        .map(|(floor, _)| floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lot_is_never_overfull_and_empty_of_visitors_in_the_morning() {
        let floors = [120, 80];
        let mut fullest = 0;
        for lot in 0..60 {
            let usage = Usage::of(1, lot, &floors, true);
            let stays = usage.stays(1, lot, 20_000, &floors, |_| true);
            assert!(stays.len() > 100, "{}", stays.len());
            let mut moves: Vec<(i64, i64, usize)> = Vec::new();
            for stay in &stays {
                assert!(stay.entry < stay.exit && stay.exit < DAY_MS, "{stay:?}");
                moves.push((stay.entry, 1, stay.floor));
                moves.push((stay.exit, -1, stay.floor));
            }
            moves.sort_unstable();
            let mut taken = usage.residents.clone();
            for (_, change, floor) in moves {
                taken[floor] += change;
                assert!((0..=floors[floor]).contains(&taken[floor]));
                fullest = fullest.max(taken[floor] * 100 / floors[floor]);
            }
            assert_eq!(taken, usage.residents);
        }
        assert!(fullest > 90, "{fullest} %");
    }

    #[test]
    fn nobody_comes_in_while_a_lot_is_closed() {
        let usage = Usage::of(1, 0, &[200], false);
        let stays = usage.stays(1, 0, 20_000, &[200], |at| (14 * HOUR_MS..22 * HOUR_MS).contains(&at));
        assert!(stays.len() > 50 && stays.iter().all(|stay| (14 * HOUR_MS..22 * HOUR_MS).contains(&stay.entry)));
    }
}
