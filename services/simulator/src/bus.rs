//! Vehicles on their routes: a position every 15 s while on duty, calls at stops, and what becomes of trips.

use std::sync::Arc;

use yiping_city::{City, wgs84_to_gcj02};

use crate::agenda::{Calendar, MINUTE_MS};
use crate::bunch::{Bends, bunching};
use crate::draws::{Draws, For, below, identity, mix};
use crate::fate::{Manner, Spells, stored_until};
use crate::incident::{IncidentKind, spans};
use crate::json::Members;
use crate::outbox::{Outbox, Said};
use crate::timetable::{Duty, Spot, Track};
use crate::trip::{Call, Upset, drive};
use crate::{Actor, Faults, Options};

/// Between two positions of a vehicle.
const FIX_MS: i64 = 15_000;
/// Positions come within this much after their regular instant.
const JITTER_MS: i64 = 900;
/// On duty before the first trip and after the last one.
const STANDBY_MS: i64 = 15 * MINUTE_MS;
/// How long before its start a trip is announced.
const ANNOUNCED_MS: i64 = 30 * MINUTE_MS;
/// Pairs of trips that are cancelled, in 10,000.
const CANCELLED: i64 = 40;

const SILENCE: Spells =
    Spells { purpose: For::VehicleSpell, per_10_000_hours: 100, shortest_ms: 2 * MINUTE_MS, longest_ms: 8 * MINUTE_MS };

pub(crate) struct Buses {
    vehicles: Vec<Vehicle>,
    world: World,
}

/// What all vehicles share.
struct World {
    seed: u64,
    faults: Faults,
    calendar: Calendar,
}

impl Buses {
    pub(crate) fn new(city: &City, options: &Options, calendar: Calendar, since: i64) -> Buses {
        let world = World { seed: options.seed, faults: options.faults, calendar };
        let day = world.calendar.service_day(since) - 1;
        let mut vehicles = Vec::new();
        let mut tracks = Track::all(city, options.scale);
        tracks.retain(|track| track.ways[0].halts.len() > 1);
        let spans = spans(options, IncidentKind::BusBunching);
        let bunching = bunching(&tracks);
        for (place, track) in tracks.into_iter().enumerate() {
            let spans = if bunching.contains(&place) { spans.as_slice() } else { &[] };
            let bends = Bends::new(spans, track.headway_ms());
            let track = Arc::new(track);
            for rank in 0..track.vehicles() {
                let number = vehicles.len() as u64 + 1;
                let bends = if rank % 2 == 1 { bends.clone() } else { Bends::default() };
                vehicles.push(Vehicle::new(number, rank, Arc::clone(&track), bends, (day, since), &world));
            }
        }
        Buses { vehicles, world }
    }
}

impl Actor for Buses {
    fn speak(&mut self, until: i64, out: &mut Outbox) {
        for vehicle in &mut self.vehicles {
            vehicle.speak(until, &self.world, out);
        }
    }
}

struct Vehicle {
    number: u64,
    rank: i64,
    places: i64,
    track: Arc<Track>,
    /// Where incidents make it fall back.
    bends: Bends,
    /// The trip that it makes, or will make next.
    trip: Trip,
    /// When the trip before ended; an incident doesn't count, lest it reach into the time after it.
    idle_since: i64,
    draws: Draws,
    announce: Announce,
    /// Number of the next position since 1970.
    next_fix: i64,
}

struct Trip {
    day: i64,
    number: i64,
    duty: Duty,
    direction: u8,
    /// As they would be without an incident.
    calls: Vec<Call>,
    /// What is said next: 0 departure from the first stop, then arrival and departure of each.
    step: usize,
}

/// The next trip to announce.
struct Announce {
    day: i64,
    number: i64,
    duty: Duty,
}

impl Trip {
    fn next_time(&self) -> i64 {
        let call = &self.calls[self.step.div_ceil(2)];
        if self.step % 2 == 1 { call.arrive } else { call.depart }
    }

    fn is_last_step(&self) -> bool {
        self.step == 2 * self.calls.len() - 3
    }
}

impl Vehicle {
    fn new(
        number: u64,
        rank: i64,
        track: Arc<Track>,
        bends: Bends,
        (day, since): (i64, i64),
        world: &World,
    ) -> Vehicle {
        let duty = track.duty(rank, world.calendar.service_start(day));
        let phase = below(identity(world.seed, For::Vehicle, number, 0), FIX_MS);
        let mut vehicle = Vehicle {
            number,
            rank,
            places: [80, 80, 62, 45][usize::try_from(number % 4).unwrap_or(0)],
            trip: Trip { day, number: -1, duty, direction: 0, calls: Vec::new(), step: 0 },
            bends,
            idle_since: i64::MIN / 2,
            draws: Draws::new(world.seed, For::Vehicle, number, day),
            announce: Announce { day, number: 0, duty },
            next_fix: (since - phase).div_euclid(FIX_MS) - 1,
            track,
        };
        vehicle.plan(world, i64::MIN / 2);
        vehicle
    }

    /// Draws the next trip of the timetable, which can't start before `free_at`.
    fn plan(&mut self, world: &World, free_at: i64) {
        self.idle_since = free_at;
        let (mut day, mut number, mut duty) = (self.trip.day, self.trip.number, self.trip.duty);
        let mut free_at = free_at;
        loop {
            number += 1;
            if number >= duty.trips {
                // a new day is drawn anew, whatever happened before
                day += 1;
                number = 0;
                duty = self.track.duty(self.rank, world.calendar.service_start(day));
                self.draws = Draws::new(world.seed, For::Vehicle, self.number, day);
                free_at = i64::MIN / 2;
            }
            if duty.has(number) && !cancelled(world.seed, self.number, day, number) {
                break;
            }
        }
        let direction = duty.direction(number);
        let scheduled = duty.scheduled(number);
        let midnight = world.calendar.start(day);
        let way = &self.track.ways[usize::from(direction)];
        let jam = Upset::jam(world.seed, self.track.number * 2 + u64::from(direction), way.legs.len(), scheduled);
        let free_at = free_at + MINUTE_MS / 2;
        let calls = drive(way, scheduled, free_at, midnight, self.places, jam, &mut self.draws);
        self.trip = Trip { day, number, duty, direction, calls, step: 0 };
    }

    fn speak(&mut self, until: i64, world: &World, out: &mut Outbox) {
        self.announce(until, world, out);
        let phase = below(identity(world.seed, For::Vehicle, self.number, 0), FIX_MS);
        loop {
            let identity = identity(world.seed, For::Position, self.number, self.next_fix);
            let fix = self.next_fix * FIX_MS + phase + below(mix(identity), JITTER_MS);
            while self.bends.bent(self.trip.next_time()) < until.min(fix) {
                self.step(world, out);
            }
            if fix >= until {
                break;
            }
            if self.on_duty(fix) {
                self.position(fix, identity, world, out);
            }
            self.next_fix += 1;
        }
    }

    fn on_duty(&self, at: i64) -> bool {
        at >= self.trip.duty.first - STANDBY_MS || at < self.idle_since + STANDBY_MS
    }

    fn position(&self, at: i64, identity: u64, world: &World, out: &mut Outbox) {
        if SILENCE.end(world.seed, world.faults, self.number, at).is_some() {
            return;
        }
        let stored = stored_until(world.seed, world.faults, self.number, at);
        let said = Said {
            voice: &self.track.voice,
            kind: "city.bus.position",
            time: at,
            identity,
            manner: stored.map_or(Manner::Retried, Manner::Stored),
        };
        out.say(&said, |data, mischief| {
            let place = self.place(at);
            data.id("vehicle_id", format_args!("B{:04}", self.number));
            data.text("route_id", &self.track.route_id);
            data.whole("direction", i64::from(self.trip.direction));
            self.fix(data, place.spot, identity, mischief);
            data.decimal::<1>("speed_kmh", place.kmh_tenths);
            data.whole("bearing", place.bearing);
            data.whole("passengers", place.aboard);
            data.whole("capacity", self.places);
            if self.trip.step > 0 {
                self.trip_id(data, self.trip.day, self.trip.number);
            }
            if stored.is_some() {
                data.flag("backfill", true);
            }
        });
    }

    /// Where the receiver thinks that it is: a few metres beside the truth, or far from it.
    fn fix(&self, data: &mut Members<'_>, spot: Spot, identity: u64, mischief: u32) {
        let noise = |salt: u64| below(mix(identity ^ salt), 61) - 30;
        #[expect(clippy::cast_possible_truncation, reason = "micro-degrees")]
        let (mut lon, mut lat) = (libm::round(spot.0) as i64 + noise(1), libm::round(spot.1) as i64 + noise(2));
        if self.track.gcj02 {
            #[expect(clippy::cast_precision_loss, reason = "micro-degrees")]
            let (east, north) = wgs84_to_gcj02(lon as f64 / 1e6, lat as f64 / 1e6);
            #[expect(clippy::cast_possible_truncation, reason = "degrees on earth")]
            let micro = |degrees: f64| libm::round(degrees * 1e6) as i64;
            (lon, lat) = (micro(east), micro(north));
        }
        match mischief {
            0..3 => (lon, lat) = (0, 0),
            3..6 => (lon, lat) = (lat, lon.min(90_000_000)),
            6..9 => (lon, lat) = (lon + noise(3) * 10_000, lat + noise(4) * 10_000),
            _ => {}
        }
        data.decimal::<6>("lon", lon);
        data.decimal::<6>("lat", lat);
        if self.track.gcj02 {
            data.text("datum", "gcj02");
        }
    }

    fn place(&self, at: i64) -> Place {
        let way = &self.track.ways[usize::from(self.trip.direction)];
        let step = self.trip.step;
        if step.is_multiple_of(2) {
            let stop = step / 2;
            let aboard = if step == 0 { 0 } else { self.trip.calls[stop].aboard };
            return Place { spot: way.halts[stop].spot, kmh_tenths: 0, bearing: way.legs[stop].bearing, aboard };
        }
        let (from, to) = (step / 2, step / 2 + 1);
        let (at, tempo) = self.bends.planned(at);
        let (depart, arrive) = (self.trip.calls[from].depart, self.trip.calls[to].arrive);
        #[expect(clippy::cast_precision_loss, reason = "lengths of a leg in ms")]
        let (gone, whole) = ((at - depart) as f64, (arrive - depart).max(1) as f64);
        let share = gone / whole;
        let (a, b) = (way.halts[from].spot, way.halts[to].spot);
        let leg = way.legs[from];
        // faster in the middle of a leg than at its ends
        let pace = 0.8 + 1.2 * share * (1.0 - share);
        #[expect(clippy::cast_possible_truncation, reason = "speeds of a bus")]
        let kmh_tenths = libm::round(leg.metres / whole * 36_000.0 * pace * tempo).clamp(0.0, 2_999.0) as i64;
        Place {
            spot: (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share),
            kmh_tenths,
            bearing: leg.bearing,
            aboard: self.trip.calls[from].aboard,
        }
    }

    /// Says what comes next on the trip, and plans another one after the last stop.
    fn step(&mut self, world: &World, out: &mut Outbox) {
        let step = self.trip.step;
        let time = self.bends.bent(self.trip.next_time());
        if SILENCE.end(world.seed, world.faults, self.number, time).is_none() {
            if step == 0 {
                self.say_trip("started", 1, time, (self.trip.day, self.trip.number, self.trip.duty), world, out);
            }
            self.say_call(step, time, world, out);
            if self.trip.is_last_step() {
                self.say_trip("finished", 2, time, (self.trip.day, self.trip.number, self.trip.duty), world, out);
            }
        }
        if self.trip.is_last_step() {
            self.plan(world, self.trip.next_time());
        } else {
            self.trip.step += 1;
        }
    }

    fn say_call(&self, step: usize, time: i64, world: &World, out: &mut Outbox) {
        let trip = &self.trip;
        let unit = trip.number * 10_000 + i64::try_from(step).unwrap_or(0);
        let said = Said {
            voice: &self.track.voice,
            kind: "city.bus.stop",
            time,
            identity: identity(world.seed, For::Stop, mix(self.number) ^ trip.day.unsigned_abs(), unit),
            manner: Manner::Ordinary,
        };
        out.say(&said, |data, _| {
            let arrived = step % 2 == 1;
            let seq = step.div_ceil(2);
            let call = trip.calls[seq];
            let halt = &self.track.ways[usize::from(trip.direction)].halts[seq];
            let is_last = seq + 1 == trip.calls.len();
            data.id("vehicle_id", format_args!("B{:04}", self.number));
            data.text("route_id", &self.track.route_id);
            data.whole("direction", i64::from(trip.direction));
            data.text("stop_id", &halt.stop_id);
            data.text("event", if arrived { "arrived" } else { "departed" });
            self.trip_id(data, trip.day, trip.number);
            data.whole("stop_seq", i64::try_from(seq).unwrap_or(0) + 1);
            let planned =
                if arrived && !is_last { call.scheduled - crate::timetable::DWELL_MS } else { call.scheduled };
            data.time("scheduled_time", planned);
            data.flag("timing_point", halt.timing_point);
            if !arrived || is_last {
                data.whole("boarded", call.boarded);
                data.whole("alighted", call.alighted);
            }
        });
    }

    /// Says of every trip, half an hour before its start, that it is scheduled; of some, later, that they are cancelled.
    fn announce(&mut self, until: i64, world: &World, out: &mut Outbox) {
        loop {
            let Announce { day, number, duty } = self.announce;
            if number >= duty.trips {
                // nothing is announced a day ahead
                let start = world.calendar.service_start(day + 1);
                if start - ANNOUNCED_MS >= until {
                    return;
                }
                self.announce = Announce { day: day + 1, number: 0, duty: self.track.duty(self.rank, start) };
                continue;
            }
            let time = duty.scheduled(number) - ANNOUNCED_MS;
            if time >= until {
                return;
            }
            if duty.has(number) {
                self.say_trip("scheduled", 0, time, (day, number, duty), world, out);
                if cancelled(world.seed, self.number, day, number) {
                    self.say_trip("cancelled", 3, time + ANNOUNCED_MS - 5 * MINUTE_MS, (day, number, duty), world, out);
                }
            }
            self.announce.number += 1;
        }
    }

    fn say_trip(&self, event: &str, rank: i64, time: i64, trip: (i64, i64, Duty), world: &World, out: &mut Outbox) {
        let (day, number, duty) = trip;
        let said = Said {
            voice: &self.track.voice,
            kind: "city.bus.trip",
            time,
            identity: identity(world.seed, For::Trip, mix(self.number) ^ day.unsigned_abs(), number * 10 + rank),
            manner: Manner::Ordinary,
        };
        out.say(&said, |data, _| {
            self.trip_id(data, day, number);
            data.text("route_id", &self.track.route_id);
            data.whole("direction", i64::from(duty.direction(number)));
            data.text("event", event);
            data.time("scheduled_time", duty.scheduled(number));
            data.id("vehicle_id", format_args!("B{:04}", self.number));
        });
    }

    fn trip_id(&self, data: &mut Members<'_>, day: i64, number: i64) {
        data.id("trip_id", format_args!("T{day}-{:04}-{number:02}", self.number));
    }
}

struct Place {
    spot: Spot,
    kmh_tenths: i64,
    bearing: i64,
    aboard: i64,
}

/// A pair of trips, there and back, that does not run.
fn cancelled(seed: u64, vehicle: u64, day: i64, trip: i64) -> bool {
    below(identity(seed, For::Trip, mix(vehicle ^ 0xCA_0CE1), day * 1_000 + trip / 2), 10_000) < CANCELLED
}
