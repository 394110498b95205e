//! What buses keep (I9): after another day no more than after the first, however many trips there were.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]
#![allow(clippy::print_stdout, reason = "the figures are the test's second purpose")]

#[path = "../../../tests/golden/figures.rs"]
mod figures;

use serde_json::json;
use yiping_bus::Bus;
use yiping_catalogue::Catalogue;
use yiping_event::{Stream, TimeMs};
use yiping_window::{Input, Machine, Output, checkpoint};

const MINUTE_MS: i64 = 60_000;
/// 2026-11-20T04:00 in Weihai.
const START_MS: i64 = 1_795_118_400_000;
const BUSES: i64 = 20;
const STOPS: i64 = 15;

/// A machine under a small network: every bus calls at a stop each two minutes, a trip is 15 of them, the last arrival has no departure.
struct Network {
    machine: Machine<Bus>,
    offset: u64,
    minute: i64,
}

impl Network {
    fn put(&mut self, time: i64, kind: &str, data: &serde_json::Value) {
        let event = json!({
            "specversion": "1.0", "id": format!("{:x}", self.offset), "source": "bounded", "type": format!("city.bus.{kind}"),
            "time": TimeMs(time).to_string(), "data": data,
        });
        let line = event.to_string();
        let input = Input { offset: self.offset, append: None, payload: line.as_bytes() };
        self.machine.apply(input, &mut Output::default());
        self.offset += 1;
    }

    fn run(&mut self, hours: i64) {
        for minute in self.minute..self.minute + hours * 60 {
            let time = START_MS + minute * MINUTE_MS;
            for bus in 0..BUSES {
                let turn = minute + bus;
                let (stop, trip) = (turn / 2 % STOPS, turn / (2 * STOPS));
                let (route, trip) = ((bus % 4).to_string(), format!("T{bus}-{}", trip % 48)); // the same ids every day
                if turn % (2 * STOPS) == 0 {
                    let scheduled = TimeMs(time).to_string();
                    let data = json!({"trip_id": trip, "route_id": route, "direction": 0, "event": "started", "scheduled_time": scheduled});
                    self.put(time, "trip", &data);
                }
                let arrives = turn % 2 == 0;
                if arrives || stop != STOPS - 1 {
                    let data = json!({
                        "vehicle_id": format!("V{bus}"), "route_id": route, "direction": 0, "stop_id": format!("S{stop}"), "trip_id": trip,
                        "event": if arrives { "arrived" } else { "departed" }, "scheduled_time": TimeMs(time).to_string(),
                    });
                    self.put(time, "stop", &data);
                }
            }
        }
        self.minute += hours * 60;
    }

    /// A checkpoint without the ids seen, in bytes.
    fn bytes(&self) -> usize {
        checkpoint::write(self.machine.state().0).unwrap().len()
    }
}

#[test]
fn i9_the_state_of_a_day_is_that_of_any_day() {
    let specs = Catalogue::builtin().unwrap().specs(Stream::Bus, None);
    let machine = Machine::new(Stream::Bus, &specs, figures::settings(Stream::Bus)).unwrap();
    let mut network = Network { machine, offset: 0, minute: 0 };
    let mut sizes = Vec::new();
    for hours in [1, 29, 24, 24] {
        network.run(hours);
        sizes.push(network.bytes());
    }
    let [hour, first, second, third] = sizes[..] else { unreachable!() };
    println!("after an hour {hour} bytes; after 30, 54, 78 hours {first}, {second}, {third}");
    assert!(network.machine.counters().accepted == network.offset);
    // (something is kept at all: departures for 5 hours, trips for 27)
    assert!(first > 2 * hour && second.abs_diff(first) * 20 < first && third.abs_diff(second) * 20 < second);
}
