//! What the engine's state takes (I9), counted by the allocator: of a stream as large as Weihai's buses, at a smaller scale.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]
#![allow(clippy::print_stdout, reason = "the figures are the test's second purpose")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicIsize, Ordering},
};

use serde::{Deserialize, Serialize};
use yiping_event::{Data, Event, Reject, Stream, TimeMs};
use yiping_window::{
    Agg, Board, Context, Domain, EntityId, Fold, Input, KeyId, Level, Machine, MetricId, MetricSpec, NoKey, Order,
    Output, Settings, Shape, Span, Table, Timeline, board::Place, dedup::Dedup, domain::Timer, timeline::Sign,
};

struct Counting;

static HEAP: AtomicIsize = AtomicIsize::new(0);

/// What an allocation takes in glibc: a header of 8 bytes, in steps of 16, at least 32.
fn taken(size: usize) -> isize {
    ((size + 8).next_multiple_of(16)).max(32) as isize
}

#[expect(unsafe_code, reason = "an allocator can't be written without; it only counts and hands on")]
// SAFETY: every call goes to the system's allocator as it came
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP.fetch_add(taken(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HEAP.fetch_sub(taken(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller's promise
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many bytes are in use.
fn heap() -> isize {
    HEAP.load(Ordering::Relaxed)
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const START: i64 = 1_795_147_200_000; // 2026-11-20T04:00:00Z, 12:00 in Weihai
const LATENESS: i64 = HOUR;
/// The bus stream, and the part of it that is measured.
const STOPS: i64 = 7_500;
const VEHICLES: i64 = 1_400;
const MEASURED_STOPS: i64 = 250;
const MEASURED_VEHICLES: i64 = 28;
const DEPARTS_EVERY: i64 = 6 * MINUTE;
const FIX_EVERY: i64 = 10_000;

/// Departures (as snapshots: the lot is the stop) become one metric's contributions, fixes (as entries) the steps of a vehicle.
#[derive(Default, Serialize, Deserialize)]
struct Stops {
    vehicles: Table<Timeline<(), Fix>>,
    #[serde(skip)]
    metric: Option<MetricId>,
}

/// As much as a vehicle's step holds: place, route, district.
#[derive(Clone, Serialize, Deserialize)]
struct Fix([f64; 2], [KeyId; 2]);

struct Still;

impl Fold for Still {
    type State = ();
    type Step = Fix;

    fn step(&self, _: &mut (), _: &Order, _: &Fix, _: &mut Sign<'_, '_>) {}
}

impl From<()> for Stops {
    fn from((): ()) -> Self {
        Stops::default()
    }
}

impl Domain for Stops {
    type V1 = ();

    fn configure(&mut self, _: &Settings, board: &mut Board) -> Result<(), String> {
        self.metric = board.metric("parking.flow").or_else(|| board.metric("parking.wait"));
        Ok(())
    }

    fn judge(&self, _: &Event<'_>) -> Result<(), Reject> {
        Ok(())
    }

    fn apply(&mut self, event: &Event<'_>, context: &mut Context<'_>) {
        let time = event.time;
        match (&event.data, self.metric) {
            (Data::ParkingSnapshot(stop), Some(metric)) => {
                let at = [(Level::Lot, context.key(&stop.lot_id))];
                let place = Place { metric, level: at[0].0, key: at[0].1, time };
                match (stop.lot_id.starts_with('f'), stop.lot_id.starts_with('p')) {
                    (true, _) => {
                        let (h, d) = (360_000 + stop.occupied * 1_000, stop.occupied * 1_000);
                        context.board.add4(place, Agg { num: d, den: h, n: 1, num2: d * d, den2: h * h });
                    }
                    (_, true) => context.sample(metric, &at, time, stop.occupied.abs() * 1_000, 1),
                    _ => context.add(metric, &at, time, stop.occupied & 1, 1, 1),
                }
            }
            (Data::ParkingEntry(vehicle), _) => {
                let vehicle = self.vehicles.entry(EntityId::of(&[&vehicle.lot_id]), event.key(), Timeline::default);
                vehicle.insert(&Still, Order::of(event), Fix([122.1, 37.5], [KeyId(1); 2]), context);
            }
            _ => {}
        }
    }

    fn timer(&mut self, _: Timer, _: &mut Context<'_>) {}

    fn settle(&mut self, horizon: TimeMs) {
        self.vehicles.values_mut().for_each(|vehicle| vehicle.settle(&Still, horizon.0));
    }

    fn live(&self, _: &mut Context<'_>) {}

    fn scatter(self, _: &dyn Fn(&str) -> usize, _: &mut [Self]) -> Result<(), NoKey> {
        Ok(())
    }

    fn key_of(&self, _: &Timer) -> Option<&str> {
        None
    }
}

/// A number that looks random and is the same every time.
fn noise(a: i64, b: i64, below: i64) -> i64 {
    (EntityId::of(&[&a.to_string(), &b.to_string()]).0 as u64 % below as u64) as i64
}

fn machine(specs: &[MetricSpec]) -> Machine<Stops> {
    let settings = Settings {
        out_of_order_ms: 5_000,
        lateness_ms: LATENESS,
        max_skew_ms: MINUTE,
        zone: "Asia/Shanghai".into(),
        profile: String::new(),
    };
    Machine::new(Stream::Parking, specs, settings).unwrap()
}

fn feed(machine: &mut Machine<Stops>, kind: &str, key: &str, time: i64, data: &str) {
    let at = TimeMs(time);
    let payload = format!(
        r#"{{"specversion":"1.0","id":"{key}-{time}","source":"test","type":"city.parking.{kind}","time":"{at}","data":{{"lot_id":"{key}",{data}}}}}"#
    );
    let mut out = Output::default();
    machine.apply(Input { offset: 0, append: Some(at), payload: payload.as_bytes() }, &mut out);
    assert!(out.rejects.is_empty(), "{:?}", out.rejects);
}

/// What the ids take that a machine has seen: a copy, and the room that the lists of the original have left.
fn ids(dedup: &Dedup) -> isize {
    let before = heap();
    let copy = dedup.clone();
    let room = |(_, ids): (i64, &[EntityId])| 16 * (ids.len().next_power_of_two().max(4) - ids.len()) as isize;
    let taken = heap() - before + dedup.slices().map(room).sum::<isize>();
    drop(copy);
    taken
}

/// What is in use after some hours of a stop metric: bytes, recent panes and packed panes, each for one series.
fn stops(name: &str, prefix: &str, span: Span, hours: i64) -> (f64, f64, f64) {
    let before = heap();
    let spec = MetricSpec { id: name.into(), shape: Shape::Flow, spans: vec![span], moves: false };
    let mut machine = machine(&[spec]);
    for round in 0..hours * HOUR / DEPARTS_EVERY {
        let mut departures: Vec<(i64, i64)> = (0..MEASURED_STOPS)
            .map(|stop| (noise(stop, 0, DEPARTS_EVERY) + noise(stop, round, MINUTE), stop))
            .collect();
        departures.sort_unstable();
        for (after, stop) in departures {
            let data = format!(r#""capacity":40,"occupied":{}"#, noise(round, stop, 60));
            feed(&mut machine, "snapshot", &format!("{prefix}{stop:04}"), START + round * DEPARTS_EVERY + after, &data);
        }
    }
    let (core, dedup) = machine.state();
    let series = core.board.series() as f64;
    let bytes = heap() - before - ids(dedup);
    let packed = core.board.packed_panes();
    (bytes as f64 / series, (core.board.panes() - packed) as f64 / series, packed as f64 / series)
}

#[test]
fn i9_an_hour_of_horizon_takes_so_much() {
    // An id: 17 bytes in a hash table that is at least 7/16 full, 16 in a list that is at least half full.
    let before = heap();
    let mut dedup = Dedup::default();
    let fixes = VEHICLES * HOUR / FIX_EVERY;
    let departures = STOPS * HOUR / DEPARTS_EVERY;
    for number in 0..fixes + departures {
        dedup.first_sight(EntityId::of(&[&number.to_string()]), START + number * HOUR / (fixes + departures));
    }
    let seen = (heap() - before) as f64;
    let id = seen / dedup.len() as f64;
    println!("ids seen in an hour: {} at {id:.0} bytes: {:.1} MB", dedup.len(), seen / 1e6);
    assert!(id < 17.0 / (7.0 / 16.0) + 32.0 + 1.0, "{id}");
    drop(dedup);

    // A step: 40 bytes of order and what the domain knows of it, in a queue that is at least half full.
    let before = heap();
    let mut vehicles = machine(&[]);
    for time in (START..START + 2 * HOUR).step_by(FIX_EVERY as usize) {
        for vehicle in 0..MEASURED_VEHICLES {
            let key = format!("v{vehicle:04}");
            feed(
                &mut vehicles,
                "entry",
                &key,
                time + noise(vehicle, 0, FIX_EVERY),
                &format!(r#""session_id":"{time}""#),
            );
        }
    }
    let kept = (heap() - before - ids(vehicles.state().1)) as f64 / MEASURED_VEHICLES as f64;
    let step = kept / (LATENESS / FIX_EVERY) as f64;
    println!(
        "a vehicle's steps: {kept:.0} bytes, {step:.0} a step; of {VEHICLES}: {:.1} MB",
        kept * VEHICLES as f64 / 1e6
    );
    assert!(step < 2.2 * (40.0 + 24.0), "{step}");
    drop(vehicles);

    println!("a metric at {STOPS} stops, a departure every 6 minutes:");
    println!("  span  sums        bytes a series  recent panes  packed  all stops");
    let mut total = seen + kept * VEHICLES as f64;
    let mut measured = Vec::new();
    for (name, prefix, sums, span, hours) in [
        ("parking.flow", "a", "num den n", Span::M30, 3),
        ("parking.wait", "p", "histogram", Span::M30, 3),
        ("parking.flow", "a", "num den n", Span::H1, 4),
        ("parking.flow", "f", "four and n", Span::H1, 4),
        ("parking.flow", "a", "num den n", Span::H24, 27),
        ("parking.flow", "f", "four and n", Span::H24, 27),
        ("parking.flow", "a", "num den n", Span::Day, 35),
    ] {
        let (bytes, recent, packed) = stops(name, prefix, span, hours);
        let megabytes = bytes * STOPS as f64 / 1e6;
        println!(
            "  {:<4}  {sums:<10}  {bytes:>14.0}  {recent:>12.1}  {packed:>6.1}  {megabytes:>6.1} MB",
            span.as_str()
        );
        total += bytes * STOPS as f64;
        measured.push((span, sums, bytes, recent, packed));
    }
    println!("  together with ids and steps: {:.0} MB", total / 1e6);
    // series of the same sums differ by their panes alone
    let [(_, _, half_hour, few, _), _, (_, _, hour, more, _), _, (_, _, day, _, packed), ..] = measured[..] else {
        unreachable!("seven were measured")
    };
    let recent_pane = (hour - half_hour) / (more - few);
    let packed_pane = (day - half_hour) / packed;
    println!("  a recent pane {recent_pane:.0} bytes, a packed one {packed_pane:.1}");
    assert!(recent_pane < 32.0 * 1.5 && packed_pane < 12.0, "{recent_pane} and {packed_pane} bytes a pane");

    for (span, sums, bytes, recent, packed) in measured.iter().copied() {
        // A series itself: 88 bytes in a list that is at least half full, 24 for its place in an index as full as the ids', its
        // key twice, and 64 for its window. A pane: its columns of 8 bytes, with room for a quarter more. A packed one: its time
        // takes 3 bytes, small numbers 1, milliseconds of an hour 4, their squares 6.
        let columns = if sums == "four and n" { 6.0 } else { 4.0 };
        let one = if sums == "four and n" { 3.0 + 1.0 + 2.0 * 4.0 + 2.0 * 6.0 } else { 3.0 + 3.0 };
        let itself = 2.0 * 88.0 + 24.0 / (7.0 / 16.0) + 160.0 + 64.0;
        let histogram = if sums == "histogram" { 200.0 } else { 0.0 };
        let most = itself + histogram + (recent + 1.0) * 8.0 * columns * 1.3 + (packed * one) * 1.3 + 200.0;
        assert!(bytes < most, "{} {sums}: {bytes} bytes a series, at most {most}", span.as_str());
        if span == Span::H24 {
            // the plain form: every pane of 24 h and of the horizon with its columns. Small numbers pack better than squares
            let plain = (24.0 + 1.0) * 10.0 * 8.0 * columns;
            let share = if sums == "four and n" { 0.6 } else { 0.35 };
            assert!(bytes < share * plain, "{sums}: {bytes} bytes a series, {plain} plain");
        }
    }
}
