//! Buses by hand: small logs, and the arithmetic that their figures must come to. A file each family; `traps.rs` has what real feeds do.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

mod dispatch;
mod dwell;
#[path = "../../../../tests/golden/figures.rs"]
mod figures;
mod fix_age;
mod headway;
mod load;
mod on_time;
mod online;
mod speed;
mod traps;

use serde_json::{Value, json};
use yiping_bus::Bus;
use yiping_city::wgs84_to_gcj02;
use yiping_event::Stream;

use figures::{Figures, Log, assert_any_order, assert_catalogued, stamp};

/// In 环翠区; 0.001° of latitude further north is 111.195 m.
const HUANCUI: (f64, f64) = (122.10405, 37.47091);
const RONGCHENG: (f64, f64) = (122.44223, 37.16085);
const AT_SEA: (f64, f64) = (122.5, 37.5);

fn log() -> Log {
    Log::of(Stream::Bus)
}

fn fix(vehicle: &str, route: &str, (lon, lat): (f64, f64)) -> Value {
    json!({"vehicle_id": vehicle, "route_id": route, "direction": 0, "lon": lon, "lat": lat})
}

fn north(steps: f64) -> (f64, f64) {
    (HUANCUI.0, HUANCUI.1 + 0.001 * steps)
}

/// A departure of route 1, `scheduled` at that time.
fn departure(vehicle: &str, scheduled: &str) -> Value {
    json!({
        "vehicle_id": vehicle, "route_id": "1", "direction": 0, "stop_id": "0080", "event": "departed",
        "scheduled_time": stamp(scheduled),
    })
}

/// A call of route 1 at a stop, of a trip.
fn call(event: &str, vehicle: &str, stop: &str, trip: Option<&str>) -> Value {
    let mut call = json!({"vehicle_id": vehicle, "route_id": "1", "direction": 0, "stop_id": stop, "event": event});
    if let Some(trip) = trip {
        call["trip_id"] = trip.into();
    }
    call
}

/// An event of a trip of route 1.
fn trip(event: &str, trip: &str, scheduled: &str) -> Value {
    json!({
        "trip_id": trip, "route_id": "1", "direction": 0, "event": event, "scheduled_time": stamp(scheduled),
    })
}

/// A position that was received at another time than its own.
fn received(log: Log, time: &str, received: &str, data: Value) -> Log {
    let id = format!("r{:04}", log.lines().len());
    let event = json!({
        "specversion": "1.0", "id": id, "source": "test", "type": "city.bus.position", "time": stamp(time), "data": data,
        "receivedtime": stamp(received),
    });
    log.again(event.to_string())
}

/// Value, numerator and denominator to six digits behind the point, and n.
fn rounded(figure: Option<figures::Figure>) -> Option<figures::Figure> {
    let round = |number: f64| (number * 1e6).round() / 1e6;
    figure.map(|(value, num, den, n)| (value.map(round), round(num), round(den), n))
}

/// A vehicle far from the others whose only use is that time goes on.
fn later(log: Log, time: &str) -> Log {
    log.at(time, "position", fix("LATER", "99", RONGCHENG))
}

#[test]
fn i8_the_order_in_which_fixes_come_changes_no_digit() {
    let mut log = log();
    for at in 0..30 {
        let jump = if at % 11 == 7 { 130.0 } else { 0.0 }; // some are impossible
        let time = format!("10:{:02}:{:02}", at * 25 / 60, at * 25 % 60);
        let route = if at < 20 { "1" } else { "2" };
        log = log.at(&time, "position", fix("V1", route, north(f64::from(at) + jump)));
        log = log.at(&time, "position", fix("V2", "1", north(f64::from(at) * 2.0)));
        log = log.at(&time, "stop", departure("V1", "10:04:00"));
    }
    assert_any_order::<Bus>(&log);
}

#[test]
fn i8_the_order_in_which_calls_and_trips_come_changes_no_digit() {
    let mut log = log();
    for at in 0..12 {
        // every 4 minutes by the timetable; some overtake, some trips are cancelled or never start
        let (scheduled, late) = (at * 240, [0, 30, 500, 20, 300, 10][at as usize % 6]);
        let time = |seconds: i32| format!("10:{:02}:{:02}", seconds / 60 % 60, seconds % 60);
        let (planned, vehicle, name) = (time(scheduled), format!("V{at}"), format!("T{at}"));
        log = log.at("10:00:00", "trip", trip("scheduled", &name, &planned));
        if at % 5 == 4 {
            log = log.at(&time(scheduled + 30), "trip", trip("cancelled", &name, &planned));
        }
        if at % 3 != 2 {
            log = log.at(&time(scheduled + late), "trip", trip("started", &name, &planned));
        }
        log = log.at(&time(scheduled + late), "stop", call("arrived", &vehicle, "0080", Some(&name)));
        let mut departed = departure(&vehicle, &planned);
        departed["trip_id"] = name.into();
        log = log.at(&time(scheduled + late + 10 + at), "stop", departed);
    }
    assert_any_order::<Bus>(&log);
}

#[test]
fn every_metric_of_the_catalogue_speaks_at_its_levels_and_spans_and_no_other() {
    let mut loaded = fix("V1", "1", north(1.0));
    (loaded["passengers"], loaded["capacity"]) = (31.into(), 62.into());
    let log = log()
        .at("10:00:00", "position", fix("V1", "1", north(0.0)))
        .at("10:00:10", "position", loaded)
        .at("10:00:40", "trip", trip("started", "T1", "10:00:00"))
        .at("10:00:50", "stop", call("arrived", "V1", "0080", None))
        .at("10:01:00", "stop", departure("V1", "10:00:00"))
        .at("10:11:00", "stop", departure("V2", "10:10:00"));
    let log = later(log, "10:12:00"); // at a full minute behind the first headway there are routes to count
    assert_catalogued(Stream::Bus, &log.figures::<Bus>());
}
