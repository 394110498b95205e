//! What an event may cost, in counts that no other process can disturb: allocations while it is read and taken in, metric rows that it
//! leads to. Of each stream an hour and a half of a simulated morning with the usual faults; the first half hour, in which series and
//! tables are made, is not counted.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]
#![allow(clippy::print_stdout, reason = "the figures are the test's second purpose")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, Ordering},
};

use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_event::{Stream, TimeMs, decode};
use yiping_simulator::{Faults, Options, Simulator};
use yiping_window::{Domain, Input, Machine, MetricSpec, Output, Settings};

struct Counting;

/// How often memory was asked for, or more of it.
static ASKED: AtomicU64 = AtomicU64::new(0);

#[expect(unsafe_code, reason = "an allocator can't be written without; it only counts and hands on")]
// SAFETY: every call goes to the system's allocator as it came
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let before = ASKED.load(Ordering::Relaxed);
    let done = work();
    (ASKED.load(Ordering::Relaxed) - before, done)
}

const MINUTE_MS: i64 = 60_000;
const START: TimeMs = TimeMs(1_795_130_000_000); // 2026-11-20T07:13:20+08:00, a Friday
const WARM_MS: i64 = 30 * MINUTE_MS;

/// An event may ask so often for memory while it is read, while it is taken in, and lead to so many rows; about a fifth above what was
/// measured when it was written.
struct Budget {
    stream: Stream,
    scale: f64,
    read: f64,
    taken_in: f64,
    rows: f64,
}

const BUDGETS: [Budget; 4] = [
    Budget { stream: Stream::Bus, scale: 0.2, read: 0.01, taken_in: 1.4, rows: 1.4 },
    Budget { stream: Stream::Parking, scale: 0.5, read: 0.01, taken_in: 30.0, rows: 7.8 },
    Budget { stream: Stream::Hotline, scale: 4.0, read: 0.01, taken_in: 13.5, rows: 12.2 },
    Budget { stream: Stream::Elder, scale: 4.0, read: 0.01, taken_in: 3.1, rows: 0.55 },
];

#[derive(Debug)]
struct Cost {
    events: u64,
    read: f64,
    taken_in: f64,
    rows: f64,
}

fn cost<D: Domain>(city: &City, specs: &[MetricSpec], lines: &[(TimeMs, String)], stream: Stream) -> Cost {
    let settings = Settings {
        out_of_order_ms: 5_000,
        lateness_ms: 60 * MINUTE_MS,
        max_skew_ms: MINUTE_MS,
        zone: "Asia/Shanghai".to_owned(),
        profile: city.text(),
    };
    let mut machine: Machine<D> = Machine::new(stream, specs, settings).unwrap().without_live();
    let mut out = Output::default();
    let (mut events, mut reading, mut taking, mut rows) = (0, 0, 0, 0);
    for (offset, (received, line)) in (0..).zip(lines) {
        let (read, decoded) = allocations(|| decode(line.as_bytes()));
        let input = Input { offset, append: Some(*received), payload: line.as_bytes() };
        let (taken, ()) = allocations(|| machine.apply_decoded(decoded, input, &mut out));
        if received.0 >= START.0 + WARM_MS {
            events += 1;
            reading += read;
            taking += taken;
            rows += out.rows.len() as u64;
        }
        out.rows.clear();
        out.live.clear();
        out.late.clear();
        out.late_minutes.clear();
        out.rejects.clear();
    }
    let each = |count: u64| count as f64 / events as f64;
    Cost { events, read: each(reading), taken_in: each(taking), rows: each(rows) }
}

#[test]
fn an_event_costs_no_more_than_its_budget() {
    let (catalogue, city) = (Catalogue::builtin().unwrap(), City::weihai());
    let mut over = Vec::new();
    for budget in &BUDGETS {
        let stream = budget.stream;
        let options = Options {
            duration_ms: Some(90 * MINUTE_MS),
            streams: vec![stream],
            scale: budget.scale,
            faults: Faults::Usual,
            ..Options::new(1, START)
        };
        let lines: Vec<(TimeMs, String)> =
            Simulator::new(&city, &options).map(|line| (line.receive, line.json)).collect();
        let specs = catalogue.specs(stream, None);
        let cost = match stream {
            Stream::Bus => cost::<yiping_bus::Bus>,
            Stream::Parking => cost::<yiping_parking::Parking>,
            Stream::Hotline => cost::<yiping_hotline::Hotline>,
            Stream::Elder => cost::<yiping_elder::Elder>,
        }(&city, &specs, &lines, stream);
        println!("{stream}: {cost:.3?}");
        assert!(cost.events > 2_000, "{stream}: {} events say nothing", cost.events);
        for (what, is, may) in [
            ("allocations to read it", cost.read, budget.read),
            ("allocations to take it in", cost.taken_in, budget.taken_in),
            ("rows", cost.rows, budget.rows),
        ] {
            if is > may {
                over.push(format!("{stream}: {is:.3} {what} an event, {may} allowed"));
            }
        }
    }
    assert!(over.is_empty(), "{over:#?}");
}
