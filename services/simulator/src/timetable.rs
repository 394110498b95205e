//! Routes with their legs and running times, and which trips a vehicle is to make on a service day. Nothing here is
//! random: the timetable of any day can be asked for.

use yiping_city::{City, Route};
use yiping_event::Stream;

use crate::agenda::{HOUR_MS, MINUTE_MS};
use crate::draws::scaled;
use crate::outbox::Voice;

/// Planned stay at a stop, in ms.
pub(crate) const DWELL_MS: i64 = 20_000;

/// The first departures, after the service day's start at 04:00.
const FIRST_MS: i64 = 90 * MINUTE_MS;
/// No trip starts later (21:45), but those of the night lines.
const LAST_MS: i64 = 17 * HOUR_MS + 45 * MINUTE_MS;
/// Vehicles that only reinforce the rush hours stand by in between (10:00 to 15:30).
const REST_MS: std::ops::Range<i64> = 6 * HOUR_MS..11 * HOUR_MS + 30 * MINUTE_MS;

/// A place in micro-degrees.
pub(crate) type Spot = (f64, f64);

pub(crate) struct Halt {
    pub(crate) stop_id: String,
    pub(crate) spot: Spot,
    pub(crate) timing_point: bool,
}

/// From one stop to the next.
#[derive(Clone, Copy)]
pub(crate) struct Leg {
    pub(crate) metres: f64,
    /// Planned running time.
    pub(crate) run_ms: i64,
    /// Degrees clockwise from north.
    pub(crate) bearing: i64,
}

/// A route in one direction.
pub(crate) struct Way {
    pub(crate) halts: Vec<Halt>,
    /// `legs[i]` leads to `halts[i + 1]`.
    pub(crate) legs: Vec<Leg>,
}

pub(crate) struct Track {
    /// Its place in the profile.
    pub(crate) number: u64,
    pub(crate) route_id: String,
    pub(crate) voice: Voice,
    /// One operator of three locates its vehicles on a consumer map.
    pub(crate) gcj02: bool,
    pub(crate) ways: [Way; 2],
    /// From one start of a vehicle to its next start, at the other end.
    turn_ms: i64,
    vehicles: i64,
    /// The first vehicle of a night line runs around the clock.
    night: bool,
}

impl Track {
    /// The tracks of a city with the vehicles that `scale` gives them: cumulative rounding keeps the sum.
    pub(crate) fn all(city: &City, scale: f64) -> Vec<Track> {
        let mut before = 0;
        let bus_sources: Vec<_> = city.sources.iter().filter(|s| s.stream == "bus").collect();
        let tracks = city.routes.iter().enumerate().map(|(i, route)| {
            let vehicles = scaled(before + u64::from(route.vehicles), scale) - scaled(before, scale);
            before += u64::from(route.vehicles);
            let voice = Voice::of(city, Stream::Bus, &route.district);
            let gcj02 = bus_sources.iter().position(|s| s.source == voice.source).is_some_and(|at| at % 3 == 2);
            Track::new(city, (i, route), voice, gcj02, i64::try_from(vehicles).unwrap_or(0))
        });
        tracks.collect()
    }

    fn new(city: &City, (number, route): (usize, &Route), voice: Voice, gcj02: bool, vehicles: i64) -> Track {
        let middle = (city.bounds.south + city.bounds.north) / 2.0;
        let shrink = libm::cos(middle * std::f64::consts::PI / 180.0);
        let ways = [0, 1].map(|direction| Way::new(route, direction, shrink));
        let run: i64 = ways[0].legs.iter().map(|leg| leg.run_ms + DWELL_MS).sum();
        let turn_ms = run + (run / 8).max(8 * MINUTE_MS);
        let (number, night) = (number as u64, number % 3 == 0);
        Track { number, route_id: route.route_id.clone(), voice, gcj02, ways, turn_ms, vehicles, night }
    }

    pub(crate) fn vehicles(&self) -> i64 {
        self.vehicles
    }

    /// Between two departures in the same direction by the timetable, in ms.
    pub(crate) fn headway_ms(&self) -> i64 {
        2 * self.turn_ms / self.vehicles.max(1)
    }

    /// What the `rank`th vehicle of the track is to do in the service day that starts at `start` (ms since 1970).
    pub(crate) fn duty(&self, rank: i64, start: i64) -> Duty {
        let offset = rank * 2 * self.turn_ms / self.vehicles.max(1);
        let first = FIRST_MS + offset % self.turn_ms;
        let night = self.night && rank == 0;
        let trips =
            if night { (24 * HOUR_MS - 30 * MINUTE_MS) / self.turn_ms } else { 1 + (LAST_MS - first) / self.turn_ms };
        Duty {
            start,
            first: start + first,
            turn_ms: self.turn_ms,
            direction: u8::from(offset >= self.turn_ms),
            // an even number: each day ends where it began
            trips: trips.max(2) / 2 * 2,
            rests: rank % 4 == 3,
        }
    }
}

impl Way {
    fn new(route: &Route, direction: u8, shrink: f64) -> Way {
        let halts: Vec<Halt> = route
            .stops(direction)
            .map(|s| Halt {
                stop_id: s.stop_id.clone(),
                spot: (s.lon * 1e6, s.lat * 1e6),
                timing_point: s.timing_point,
            })
            .collect();
        let legs = halts.windows(2).map(|pair| {
            let east = (pair[1].spot.0 - pair[0].spot.0) * 0.111_32 * shrink;
            let north = (pair[1].spot.1 - pair[0].spot.1) * 0.111_32;
            let metres = libm::sqrt(east * east + north * north);
            let kmh = if metres < 700.0 {
                27.0
            } else if metres < 1_500.0 {
                36.0
            } else {
                45.0
            };
            #[expect(clippy::cast_possible_truncation, reason = "legs are shorter than the city, bearings below 360")]
            let (run_ms, bearing) = (
                libm::round(metres / kmh * 3_600.0).max(5_000.0) as i64,
                libm::round(libm::atan2(east, north) * 180.0 / std::f64::consts::PI) as i64,
            );
            Leg { metres, run_ms, bearing: bearing.rem_euclid(360) }
        });
        let legs = legs.collect();
        Way { halts, legs }
    }
}

/// The trips of a vehicle on one service day.
#[derive(Clone, Copy)]
pub(crate) struct Duty {
    start: i64,
    pub(crate) first: i64,
    turn_ms: i64,
    direction: u8,
    pub(crate) trips: i64,
    rests: bool,
}

impl Duty {
    /// When trip number `trip` is to start.
    pub(crate) fn scheduled(&self, trip: i64) -> i64 {
        self.first + trip * self.turn_ms
    }

    pub(crate) fn direction(&self, trip: i64) -> u8 {
        (self.direction + u8::from(trip % 2 == 1)) % 2
    }

    /// Whether the timetable has the trip. Trips come in pairs, there and back, so that a vehicle rests where it is.
    pub(crate) fn has(&self, trip: i64) -> bool {
        !(self.rests && REST_MS.contains(&(self.scheduled(trip / 2 * 2) - self.start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_keep_the_sum_of_vehicles() {
        let city = City::weihai();
        for (scale, sum) in [(1.0, 1_400), (0.1, 140), (2.5, 3_500), (0.0, 0)] {
            assert_eq!(Track::all(&city, scale).iter().map(Track::vehicles).sum::<i64>(), sum);
        }
    }

    #[test]
    fn a_day_of_trips_ends_where_it_began() {
        for track in Track::all(&City::weihai(), 1.0) {
            for rank in 0..track.vehicles() {
                let duty = track.duty(rank, 0);
                assert!(duty.trips >= 6 && duty.trips % 2 == 0, "{}: {}", track.route_id, duty.trips);
                assert!((FIRST_MS..FIRST_MS + 3 * HOUR_MS).contains(&duty.first), "{}", track.route_id);
            }
        }
    }
}
