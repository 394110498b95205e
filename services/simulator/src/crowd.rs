//! A lot that is full: guests take every space that the day's own cars leave, and make room for them, so that none of
//! these is turned away. Their stays are the same whatever else is going on.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;

use crate::agenda::MINUTE_MS;
use crate::draws::Draws;
use crate::stay::{LAST_EXIT_MS, Stay};

/// Lots that fill up at once.
const LOTS: usize = 3;
/// A lot is full so long after the incident's begin, …
const FILL_MS: i64 = 8 * MINUTE_MS;
/// … and its guests are gone so long after its end.
const LEAVE_MS: i64 = 15 * MINUTE_MS;

/// The lots that fill up, as places in `lots` (spaces, and whether it has opening hours): the largest that never close.
pub(crate) fn filling(lots: impl Iterator<Item = (i64, bool)>) -> Vec<usize> {
    let mut open: Vec<(Reverse<i64>, usize)> =
        lots.enumerate().filter(|(_, (_, closes))| !closes).map(|(i, (spaces, _))| (Reverse(spaces), i)).collect();
    open.sort_unstable();
    open.truncate(LOTS);
    open.into_iter().map(|(_, place)| place).collect()
}

/// The guests of one service day on one floor of `capacity` spaces, of which `residents` are never free; `span` in ms from
/// the day's start. `stays` are the day's own cars.
pub(crate) fn guests(
    floor: usize,
    capacity: i64,
    residents: i64,
    stays: &[Stay],
    span: &Range<i64>,
    draws: &mut Draws,
) -> Vec<Stay> {
    let (from, to) = (span.start.max(0), span.end.min(LAST_EXIT_MS - LEAVE_MS));
    let mut moves: Vec<(i64, i64)> = Vec::new();
    for stay in stays.iter().filter(|stay| stay.floor == floor) {
        moves.push((stay.entry, 1));
        moves.push((stay.exit, -1));
    }
    moves.sort_unstable();
    let begin = moves.partition_point(|&(at, _)| at < from);
    let mut floor = Floor { floor, capacity, cars: residents, inside: VecDeque::new(), stays: Vec::new() };
    floor.cars += moves[..begin].iter().map(|&(_, change)| change).sum::<i64>();
    let spaces = (capacity - floor.cars).max(0);
    // who wants to come in, and when: at first as many as there are spaces, later one for each car that leaves
    let mut coming: BinaryHeap<Reverse<i64>> =
        (0..spaces).map(|_| Reverse(from + draws.whole(1_000, FILL_MS))).collect();
    let mut moves = moves[begin..].iter().copied().peekable();
    loop {
        let car = moves.peek().map_or(i64::MAX, |&(at, _)| at);
        let guest = coming.peek().map_or(i64::MAX, |&Reverse(at)| at);
        let now = car.min(guest);
        if now >= to {
            break;
        }
        if guest < car {
            coming.pop();
            floor.guest(now);
        } else {
            moves.next().into_iter().for_each(|(at, change)| floor.car(at, change));
            // a space that is free again is soon taken
            coming.push(Reverse(now + draws.whole(4_000, 20_000)));
        }
    }
    let leaving = i64::try_from(floor.inside.len()).unwrap_or(1);
    let mut exits = (0..leaving).map(|nth| to + (LEAVE_MS - 1_000) * (nth + 1) / leaving).peekable();
    while let Some(&exit) = exits.peek() {
        if floor.inside.is_empty() {
            break;
        }
        match moves.next_if(|&(at, _)| at < exit) {
            Some((at, change)) => floor.car(at, change),
            None => {
                exits.next();
                floor.leave(exit);
            }
        }
    }
    floor.stays
}

struct Floor {
    floor: usize,
    capacity: i64,
    /// Residents' and the day's own.
    cars: i64,
    /// When the guests came that are inside.
    inside: VecDeque<i64>,
    stays: Vec<Stay>,
}

impl Floor {
    fn full(&self) -> bool {
        self.cars + i64::try_from(self.inside.len()).unwrap_or(0) >= self.capacity
    }

    fn guest(&mut self, at: i64) {
        if !self.full() {
            self.inside.push_back(at);
        }
    }

    fn leave(&mut self, at: i64) {
        if let Some(entry) = self.inside.pop_front() {
            self.stays.push(Stay { entry, exit: at.max(entry + 1), floor: self.floor });
        }
    }

    fn car(&mut self, at: i64, change: i64) {
        if change > 0 && self.full() {
            self.leave(at - 1);
        }
        self.cars += change;
    }
}

/// The part of an incident that lies in the service day from `start` on, in ms from there.
pub(crate) fn within_day(span: &Range<i64>, start: i64) -> Option<Range<i64>> {
    let part = (span.start - start).max(0)..(span.end - start).min(LAST_EXIT_MS - LEAVE_MS);
    (!part.is_empty()).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agenda::{DAY_MS, HOUR_MS};
    use crate::draws::For;
    use crate::stay::Usage;

    #[test]
    fn a_floor_fills_within_minutes_stays_full_and_turns_nobody_away() {
        let floors = [300, 120];
        for lot in 0..20 {
            let usage = Usage::of(1, lot, &floors, true);
            let stays = usage.stays(1, lot, 20_000, &floors, |_| true);
            for (floor, &capacity) in floors.iter().enumerate() {
                let span = 6 * HOUR_MS..7 * HOUR_MS;
                let mut draws = Draws::new(1, For::Incident, lot, 0);
                let guests = guests(floor, capacity, usage.residents[floor], &stays, &span, &mut draws);
                let own = stays.iter().filter(|stay| stay.floor == floor);
                let mut moves: Vec<(i64, i64)> =
                    own.chain(&guests).flat_map(|stay| [(stay.entry, 1), (stay.exit, -1)]).collect();
                // at the same instant out before in
                moves.sort_unstable();
                let mut taken = usage.residents[floor];
                let mut since = 0;
                for (at, change) in moves {
                    if (span.start + FILL_MS..span.end).contains(&since) && at > since {
                        // one space of a hundred may stand empty for the seconds until the next guest
                        assert!(taken * 100 >= capacity * 97, "{taken} of {capacity} at {since}");
                    }
                    taken += change;
                    assert!(taken <= capacity, "{taken} of {capacity} at {at}");
                    since = at;
                }
                let gone = guests.iter().map(|guest| guest.exit).max().unwrap();
                assert!(guests.iter().all(|guest| guest.entry >= span.start && guest.entry < guest.exit));
                assert!(gone < span.end + LEAVE_MS, "{gone}");
            }
        }
    }

    #[test]
    fn an_incident_of_days_has_a_part_in_each() {
        let span = 20 * HOUR_MS..30 * HOUR_MS;
        assert_eq!(within_day(&span, 0), Some(20 * HOUR_MS..LAST_EXIT_MS - LEAVE_MS));
        assert_eq!(within_day(&span, DAY_MS), Some(0..6 * HOUR_MS));
        assert_eq!(within_day(&span, 2 * DAY_MS), None);
        assert_eq!(within_day(&span, -DAY_MS), None);
    }
}
