//! Bunching: on some routes every second vehicle falls back by 0.7 of the headway, so that gaps are 1.7 and 0.3 of it in
//! turn. A vehicle's time is bent within the incident and straight outside: what happens before and after keeps its
//! instant.

use std::cmp::Reverse;

use crate::incident::Span;
use crate::timetable::Track;

/// Routes that bunch at once: less than a third of Weihai's, and enough that `bus.bunching_ratio` of the whole city
/// passes its limit of 0.1.
const ROUTES: usize = 45;
/// A route needs some vehicles to have gaps between.
const VEHICLES: i64 = 3;

/// The tracks that bunch, as places in `tracks`: those with the shortest headway, where it is seen soonest.
pub(crate) fn bunching(tracks: &[Track]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..tracks.len()).filter(|&i| tracks[i].vehicles() >= VEHICLES).collect();
    places.sort_by_key(|&i| (tracks[i].headway_ms(), Reverse(tracks[i].vehicles())));
    places.truncate(ROUTES);
    places
}

/// A vehicle's time: what its plan says happens at one instant happens at another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bends(Vec<Bend>);

impl Bends {
    /// Of a vehicle on a route with this headway, in these incidents.
    pub(crate) fn new(spans: &[Span], headway_ms: i64) -> Bends {
        Bends(spans.iter().map(|span| Bend::new(span, headway_ms)).collect())
    }

    /// When happens what is planned for `at`.
    pub(crate) fn bent(&self, at: i64) -> i64 {
        self.at(at).map_or(at, |bend| bend.bent(at))
    }

    /// For when what happens at `at` is planned, and how much of the plan's time goes by in a unit of time.
    pub(crate) fn planned(&self, at: i64) -> (i64, f64) {
        self.at(at).map_or((at, 1.0), |bend| bend.planned(at))
    }

    fn at(&self, at: i64) -> Option<&Bend> {
        self.0.iter().find(|bend| bend.span.contains(&at))
    }
}

/// How far a vehicle falls back, and when.
#[derive(Debug, Clone)]
struct Bend {
    span: Span,
    most_ms: i64,
}

impl Bend {
    /// An incident too short for falling back and catching up bends less.
    fn new(span: &Span, headway_ms: i64) -> Bend {
        Bend { span: span.clone(), most_ms: (headway_ms * 7 / 10).min((span.end - span.start) / 4) }
    }

    /// Keeps the order of instants: half the pace while the vehicle falls back, half as fast again while it catches up.
    fn bent(&self, at: i64) -> i64 {
        at + (at - self.span.start).min(self.most_ms).min((self.span.end - at) / 3)
    }

    fn planned(&self, at: i64) -> (i64, f64) {
        let Span { start, end } = self.span;
        if at < start + 2 * self.most_ms {
            (start + (at - start) / 2, 0.5)
        } else if at < end - 2 * self.most_ms {
            (at - self.most_ms, 1.0)
        } else {
            (end - (end - at) * 3 / 2, 1.5)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_bent_within_the_incident_only_and_never_runs_backwards() {
        for headway in [100_000, 700_000, 9_000_000] {
            let bends = Bends::new(&[7_000_000..8_000_000, 1_000_000..4_600_000], headway);
            let bent: Vec<i64> = (0..6_000).map(|s| bends.bent(s * 1_000)).collect();
            assert!(bent.is_sorted_by(|a, b| a < b));
            assert_eq!((bent[999], bent[1_000], bent[4_600]), (999_000, 1_000_000, 4_600_000));
            assert!(bent[4_599] < 4_600_000);
            let most = (0..6_000).zip(&bent).map(|(s, bent)| bent - s * 1_000).max().unwrap();
            assert_eq!(most, (headway * 7 / 10).min(900_000), "seven tenths, or what an hour allows");
            for (planned, &bent) in (0..6_000).zip(&bent) {
                assert!((bends.planned(bent).0 - planned * 1_000).abs() <= 1, "{planned} s, {bent} ms");
            }
        }
    }
}
