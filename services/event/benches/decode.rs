//! What reading an event costs, beside what `serde_json` needs for its own `Value` of the same bytes, and what writing it costs.
//!
//! At the end the ratio is printed for each type and held against its limit; over it the exit code is 1.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that can't go on may panic, and prints its figures"
)]

use std::{cell::RefCell, hint::black_box, process::ExitCode, time::Duration, time::Instant};

use criterion::{Criterion, Throughput};
use serde_json::Value;
use yiping_event::decode;

/// [`decode`] may take so much of the time of a `Value`.
const LIMIT: f64 = 0.6;

const EVENTS: [(&str, &str); 4] = [
    (
        "bus.position",
        r#"{"specversion":"1.0","id":"000000000001d4c1","source":"weihai/bus/huancui","type":"city.bus.position","time":"2026-11-20T10:41:07.000Z","receivedtime":"2026-11-20T10:41:08.250Z","data":{"vehicle_id":"B001205","route_id":"12","direction":0,"lon":122.120534,"lat":37.509867,"speed_kmh":30.1,"bearing":270.0,"passengers":48,"capacity":62,"trip_id":"12-0-0930"}}"#,
    ),
    (
        "parking.snapshot",
        r#"{"specversion":"1.0","id":"000000000001d4c2","source":"weihai/parking/operator-3","type":"city.parking.snapshot","time":"2026-11-20T10:41:07.000Z","receivedtime":"2026-11-20T10:41:08.250Z","data":{"lot_id":"P0307","capacity":180,"occupied":139}}"#,
    ),
    (
        "hotline.order",
        r#"{"specversion":"1.0","id":"000000000001d4c3","source":"weihai/hotline/12345","type":"city.hotline.order","time":"2026-11-20T10:41:07.000Z","receivedtime":"2026-11-20T10:41:08.250Z","data":{"order_id":"O20261120-001873","event":"created","category":"供热","district":"环翠区","agency":"市住建局","due_time":"2026-11-23T10:41:07.000Z"}}"#,
    ),
    (
        "elder.heartbeat",
        r#"{"specversion":"1.0","id":"000000000001d4c4","source":"weihai/elder/12349","type":"city.elder.heartbeat","time":"2026-11-20T10:41:07.000Z","receivedtime":"2026-11-20T10:41:08.250Z","data":{"device_id":"5f0e9c31aa7b42d0","district":"环翠区"}}"#,
    ),
];

fn main() -> ExitCode {
    let mut criterion = Criterion::default().configure_from_args();
    let mut code = ExitCode::SUCCESS;
    for (name, json) in EVENTS {
        let took = RefCell::new([f64::INFINITY; 2]);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
        let timed = |which: usize, times: u64, work: &dyn Fn()| {
            let began = Instant::now();
            (0..times).for_each(|_| work());
            let elapsed = began.elapsed();
            let least = &mut took.borrow_mut()[which];
            *least = least.min(elapsed.as_nanos() as f64 / times as f64);
            elapsed
        };
        let event = decode(json.as_bytes()).unwrap();
        group.bench_function("value", |bencher| {
            let work = || drop(black_box(serde_json::from_slice::<Value>(black_box(json.as_bytes())).unwrap()));
            bencher.iter_custom(|times| timed(0, times, &work));
        });
        group.bench_function("decode", |bencher| {
            let work = || drop(black_box(decode(black_box(json.as_bytes())).unwrap()));
            bencher.iter_custom(|times| timed(1, times, &work));
        });
        group.bench_function("encode", |bencher| bencher.iter(|| black_box(event.to_json())));
        group.finish();
        let [value, decoded] = *took.borrow();
        let ratio = decoded / value;
        println!("{name}: {decoded:.0} ns, serde_json::Value {value:.0} ns: {ratio:.2} (at most {LIMIT})\n");
        if ratio > LIMIT {
            code = ExitCode::FAILURE;
        }
    }
    code
}
