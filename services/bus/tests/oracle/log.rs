//! Logs as bad as real ones: vehicles that jump, calls at stops in the wrong order or only half of them, trips put off, cancelled or never
//! seen to start, numbers that are missing or make no sense, records twice, and everything up to half an hour late.
//!
//! Departures are at most 20 minutes late, 2 early: so no vehicle overtakes another by more than 22 minutes, and nothing that comes late
//! (30 minutes at most) concerns what is settled (an hour).

use proptest::prelude::*;
use serde_json::{Value, json};
use yiping_event::TimeMs;

pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;

/// 2026-11-20T21:30 and 2026-11-21T02:30 in Weihai: a midnight, and the end of a service day.
const STARTS: [i64; 2] = [1_795_181_400_000, 1_795_199_400_000];

/// Longitude, latitude and district.
pub type Spot = (f64, f64, &'static str);
const HUANCUI: Spot = (122.10405, 37.47091, "环翠区");
const RONGCHENG: Spot = (122.44223, 37.16085, "荣成市");
const AT_SEA: Spot = (122.5, 37.5, "其他");
const NOWHERE: Spot = (0.0, 0.0, "");

pub const ROUTES: [&str; 2] = ["1", "2"];

#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub time: i64,
    /// Absent: its own time is its log time.
    pub received: Option<i64>,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    Position {
        vehicle: u8,
        route: usize,
        spot: Spot,
        people: (Option<u32>, Option<u32>),
        backfill: Option<bool>,
    },
    Stop {
        vehicle: u8,
        route: usize,
        direction: u8,
        stop: u8,
        departed: bool,
        trip: Option<u8>,
        scheduled: Option<i64>,
        timing_point: Option<bool>,
    },
    Trip {
        trip: i64,
        route: usize,
        kind: &'static str,
        scheduled: i64,
    },
}

#[derive(Clone, Debug)]
pub struct Case {
    /// In the order of the log.
    pub events: Vec<Event>,
    pub partitions: u32,
}

impl Event {
    pub fn line(&self) -> String {
        let (kind, data) = match &self.what {
            What::Position { vehicle, route, spot, people, backfill } => {
                let data = json!({
                    "vehicle_id": format!("V{vehicle}"), "route_id": ROUTES[*route], "direction": 0, "lon": spot.0, "lat": spot.1,
                    "passengers": people.0, "capacity": people.1, "backfill": backfill,
                });
                ("position", data)
            }
            What::Stop { vehicle, route, direction, stop, departed, trip, scheduled, timing_point } => {
                let data = json!({
                    "vehicle_id": format!("V{vehicle}"), "route_id": ROUTES[*route], "direction": direction,
                    "stop_id": format!("S{stop}"), "event": if *departed { "departed" } else { "arrived" },
                    "trip_id": trip.map(|trip| format!("T{trip}")), "scheduled_time": scheduled.map(stamp),
                    "timing_point": timing_point,
                });
                ("stop", data)
            }
            What::Trip { trip, route, kind, scheduled } => {
                let data = json!({
                    "trip_id": format!("T{trip}"), "route_id": ROUTES[*route], "direction": 0, "event": kind,
                    "scheduled_time": stamp(*scheduled),
                });
                ("trip", data)
            }
        };
        let said = data.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        let data: serde_json::Map<String, Value> = said.map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut event = json!({
            "specversion": "1.0", "id": self.id, "source": "oracle", "type": format!("city.bus.{kind}"), "time": stamp(self.time),
            "data": data,
        });
        if let Some(received) = self.received {
            event["receivedtime"] = stamp(received).into();
        }
        event.to_string()
    }
}

fn stamp(time: i64) -> String {
    TimeMs(time).to_string()
}

/// Something that goes on; times in seconds since the log's start.
#[derive(Clone, Debug)]
enum Activity {
    /// A vehicle on its way: fixes every `step` seconds; at one of them it seems to be elsewhere, for `lost` fixes.
    Drive {
        vehicle: u8,
        route: usize,
        step: i64,
        fixes: i64,
        jump: (i64, i64, Spot),
        people: (Option<u32>, Option<u32>),
    },
    Visit {
        call: Call,
        form: u8,
    },
    Trip {
        trip: u8,
        route: usize,
        steps: Vec<(u8, i64, i64)>,
    },
}

#[derive(Clone, Debug)]
struct Call {
    vehicle: u8,
    route: usize,
    direction: u8,
    stop: u8,
    trip: Option<u8>,
    dwell: i64,
    /// After the timetable, which is on full minutes.
    late: Option<i64>,
    timing_point: Option<bool>,
}

fn activity() -> impl Strategy<Value = Activity> {
    let spot = prop::sample::select(vec![RONGCHENG, AT_SEA, NOWHERE]);
    let people = (prop::option::of(0..90u32), prop::option::of(prop::sample::select(vec![0, 30, 62])));
    let steps = prop::sample::select(vec![5, 10, 15, 60, 120, 121, 400]);
    let drive = (0..3u8, 0..2usize, steps, 1..14i64, (0..14i64, 0..5i64, spot), people).prop_map(
        |(vehicle, route, step, fixes, jump, people)| Activity::Drive { vehicle, route, step, fixes, jump, people },
    );
    let dwell = prop_oneof![4 => 0..120i64, 2 => Just(0), 1 => 3_000..4_000i64, 1 => -20..0i64];
    // to the second: the tolerance, and half a gap
    let limits = prop::sample::select(vec![-60i64, 0, 30, 150, 300]);
    let late = prop::option::weighted(0.9, prop_oneof![3 => -120..400i64, 2 => limits.clone(), 1 => 400..1_200i64]);
    let call = (
        (0..4u8, prop_oneof![3 => Just(0usize), 1 => Just(1)], prop_oneof![4 => Just(0u8), 1 => Just(1)], 0..2u8),
        (prop::option::weighted(0.6, 0..3u8), dwell, late, prop::option::of(any::<bool>())),
    );
    let visit =
        (call, 0..10u8).prop_map(|(((vehicle, route, direction, stop), (trip, dwell, late, timing_point)), form)| {
            Activity::Visit { call: Call { vehicle, route, direction, stop, trip, dwell, late, timing_point }, form }
        });
    // kind, seconds after the timetable, minutes by which the timetable is moved
    let step = (0..4u8, prop_oneof![3 => -200..900i64, 1 => limits], prop_oneof![4 => Just(0i64), 1 => -5..5i64]);
    let trip = (0..4u8, 0..2usize, prop::collection::vec(step, 1..4)).prop_map(|(trip, route, steps)| Activity::Trip {
        trip,
        route,
        steps,
    });
    prop_oneof![2 => drive, 6 => visit, 2 => trip]
}

pub fn case() -> impl Strategy<Value = Case> {
    let length = prop_oneof![2 => Just(50 * 60i64), 1 => 3_600..7 * 3_600i64];
    let plan = length.prop_flat_map(|length| {
        let at = prop_oneof![0..length, (0..length).prop_map(|at| at / 30 * 30)];
        (prop::collection::vec((at, activity()), 1..90), prop::sample::select(STARTS.to_vec()))
    });
    (plan, any::<u64>(), 1..4u32).prop_map(|((activities, start), seed, partitions)| Case {
        events: shuffled(&activities, start, seed),
        partitions,
    })
}

/// The events of all activities, as a log takes them in.
fn shuffled(activities: &[(i64, Activity)], start: i64, seed: u64) -> Vec<Event> {
    let mut whats: Vec<(i64, What)> = Vec::new();
    for (at, activity) in activities {
        events_of(start + at * SECOND, activity, &mut whats);
    }
    let mut draws = Draws(seed);
    let mut log: Vec<(i64, Event)> = Vec::new();
    for (at, (time, what)) in whats.into_iter().enumerate() {
        let arrival = time + if draws.below(6) == 0 { draws.below(30 * MINUTE) } else { draws.below(3 * SECOND) };
        let received = match draws.below(4) {
            0 => None,
            1 => Some(time - draws.below(50 * SECOND)), // a fast clock
            _ => Some(arrival),
        };
        // ids are no help in finding the order
        let event = Event { id: format!("{:03}-{at}", draws.below(1_000)), time, received, what };
        if draws.below(8) == 0 {
            log.push((arrival + draws.below(20 * MINUTE).min(time + 30 * MINUTE - arrival), event.clone()));
        }
        log.push((arrival, event));
    }
    log.sort_by_key(|entry| entry.0);
    log.into_iter().map(|entry| entry.1).collect()
}

fn events_of(at: i64, activity: &Activity, into: &mut Vec<(i64, What)>) {
    match activity {
        Activity::Drive { vehicle, route, step, fixes, jump, people } => {
            for fix in 0..*fixes {
                let astray = (jump.0..jump.0 + jump.1).contains(&fix);
                let on_way = (HUANCUI.0, HUANCUI.1 + 0.001 * (fix % 9) as f64, HUANCUI.2);
                let spot = if astray { jump.2 } else { on_way };
                let backfill = [None, Some(false), Some(true)][(fix % 5).min(2) as usize];
                let what = What::Position { vehicle: *vehicle, route: *route, spot, people: *people, backfill };
                into.push((at + fix * step * SECOND, what));
            }
        }
        Activity::Visit { call, form } => {
            let departure = at + call.dwell * SECOND;
            let planned = call.late.map(|late| (departure - late * SECOND).div_euclid(MINUTE) * MINUTE);
            let stop = |departed: bool| What::Stop {
                vehicle: call.vehicle,
                route: call.route,
                direction: call.direction,
                stop: call.stop,
                departed,
                trip: call.trip,
                scheduled: planned,
                timing_point: call.timing_point,
            };
            if *form != 0 {
                into.push((at, stop(false)));
            }
            if *form != 1 {
                into.push((departure, stop(true)));
            }
            if *form == 2 {
                into.push((departure + 7 * SECOND, stop(true))); // once more, a little later
            }
            if *form == 3 {
                into.push((at + 3 * SECOND, stop(false)));
            }
        }
        Activity::Trip { trip, route, steps } => {
            for &(kind, after, moved) in steps {
                let kind = ["scheduled", "started", "finished", "cancelled"][kind as usize];
                let scheduled = at.div_euclid(MINUTE) * MINUTE + moved * MINUTE;
                // the next five minutes have other trips: none is put off by so long that it was settled before
                let trip = at.div_euclid(5 * MINUTE) * 4 + i64::from(*trip);
                into.push((at + after * SECOND, What::Trip { trip, route: *route, kind, scheduled }));
            }
        }
    }
}

/// SplitMix64: what needs no shrinking.
struct Draws(u64);

impl Draws {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 1) as i64 % limit.max(1)
    }
}
