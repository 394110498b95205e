//! What an event costs the bus machine, and that it costs about the same however many windows it belongs to and however many
//! vehicles and routes there are.
//!
//! Positions of a fleet, and every eighth event of a vehicle a departure, so that all bus metrics have something to do. The
//! machine is first driven far enough for panes to be pruned, then measured while event time runs on: windows close and their
//! rows are made and dropped within the measured time. Making the events is outside of it. The time is the thread's processor
//! time: what else runs on the machine is not the bus machine's cost.
//!
//! At the end two kinds of ratios are printed and held against their limits; over a limit the exit code is 1.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark that can't go on may panic, and prints its figures"
)]

use std::{cell::RefCell, collections::BTreeMap, fmt::Write, process::ExitCode, time::Duration};

use criterion::{Criterion, SamplingMode, Throughput};
use nix::time::{ClockId, clock_gettime};
use yiping_bus::Bus;
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_event::{Stream, TimeMs};
use yiping_window::{Input, Machine, MetricSpec, Output, Settings, Span};

const SAMPLES: usize = 10;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const LATENESS_MS: i64 = HOUR_MS;
/// 2026-11-20T04:00+08:00, when a service day starts.
const START_MS: i64 = 1_795_118_400_000;
/// As many records as the service takes at once, or about so.
const BATCH: usize = 1_000;

const ONE_SPAN: &[Span] = &[Span::M15];
const SIX_SPANS: &[Span] = &[Span::M1, Span::M5, Span::M15, Span::M30, Span::H1, Span::H24];

/// Six spans may cost so many times what one costs.
const SPANS_LIMIT: f64 = 1.5;
/// 100,000 keys may cost so many times an event what 100 cost.
const KEYS_LIMIT: f64 = 4.0;

/// What is driven, and how.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    vehicles: u64,
    routes: u64,
    /// Between two events of a vehicle.
    interval_ms: i64,
    /// Instead of the catalogue's.
    spans: Option<&'static [Span]>,
    /// Event time before measuring: the longest span, the lateness, and some more.
    before_ms: i64,
    /// Events of each vehicle in one measured stretch; the stretch is a whole number of minutes.
    rounds: u64,
}

/// Weihai's fleet on its routes, a fix every 15 s.
const WEIHAI: Case = Case {
    name: "",
    vehicles: 1_400,
    routes: 150,
    interval_ms: 15_000,
    spans: None,
    before_ms: 24 * HOUR_MS + LATENESS_MS + 15 * MINUTE_MS,
    rounds: 20, // 5 minutes: every span closes at least once
};

/// An event a minute, and the catalogue's spans. (`day` keeps its panes for the day: a few at city level and of routes.)
const KEYS: Case = Case {
    name: "",
    vehicles: 100,
    routes: 10,
    interval_ms: MINUTE_MS,
    spans: None,
    before_ms: LATENESS_MS + 20 * MINUTE_MS,
    rounds: 1,
};

const CASES: [Case; 6] = [
    Case { name: "1 span", spans: Some(ONE_SPAN), ..WEIHAI },
    Case { name: "6 spans", spans: Some(SIX_SPANS), ..WEIHAI },
    Case { name: "100 vehicles, 10 routes", rounds: 100, ..KEYS },
    Case { name: "100000 vehicles, 10 routes", vehicles: 100_000, ..KEYS },
    Case { name: "100 vehicles, 100 routes", routes: 100, rounds: 100, ..KEYS },
    Case { name: "100000 vehicles, 100000 routes", vehicles: 100_000, routes: 100_000, ..KEYS },
];

/// (what, dividend, divisor, limit)
const RATIOS: [(&str, &str, &str, f64); 3] = [
    ("6 spans / 1 span", "6 spans", "1 span", SPANS_LIMIT),
    ("100,000 / 100 vehicles", "100000 vehicles, 10 routes", "100 vehicles, 10 routes", KEYS_LIMIT),
    ("100,000 / 100 vehicles and routes", "100000 vehicles, 100000 routes", "100 vehicles, 100 routes", KEYS_LIMIT),
];

/// The events of a fleet without end, evenly spread over time.
struct Traffic {
    case: Case,
    /// Where vehicles drive: the city's stops (longitude, latitude).
    places: Vec<(f64, f64)>,
    next: u64,
}

impl Traffic {
    fn new(case: Case, city: &City) -> Self {
        let stops = city.routes.iter().flat_map(|route| &route.stops);
        Traffic { case, places: stops.map(|stop| (stop.lon, stop.lat)).collect(), next: 0 }
    }

    /// Receipt of the event `at`; it happened up to 3 s earlier, so that events come a little out of order.
    fn received_ms(&self, at: u64) -> i64 {
        let (round, vehicle) = ((at / self.case.vehicles) as i64, (at % self.case.vehicles) as i64);
        START_MS + round * self.case.interval_ms + vehicle * self.case.interval_ms / self.case.vehicles as i64
    }

    fn write(&mut self, line: &mut String) {
        let at = self.next;
        self.next += 1;
        let (round, vehicle) = (at / self.case.vehicles, at % self.case.vehicles);
        let received = self.received_ms(at);
        let time = TimeMs(received - ((at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 3_000) as i64);
        let (received, route) = (TimeMs(received), vehicle % self.case.routes + 1);
        line.clear();
        if (round + vehicle) % 8 == 0 {
            let scheduled = time.0 - (vehicle % 600) as i64 * 1_000;
            write!(
                line,
                r#"{{"specversion":"1.0","id":"{at:016x}","source":"weihai/bus/huancui","type":"city.bus.stop","time":"{time}","data":{{"vehicle_id":"B{vehicle:06}","route_id":"{route}","direction":0,"stop_id":"{stop:04}","event":"departed","trip_id":"T{trip}","stop_seq":2,"scheduled_time":"{scheduled}","timing_point":true,"boarded":10,"alighted":9}},"receivedtime":"{received}"}}"#,
                stop = at % 772,
                trip = round / 200,
                scheduled = TimeMs(scheduled),
            )
            .unwrap();
            return;
        }
        // to and fro along a meridian at about 30 km/h
        let steps = (round % 40).min(40 - round % 40) as f64;
        let degrees = steps * self.case.interval_ms as f64 * 7.5e-8;
        let (lon, lat) = self.places[(vehicle as usize * 7) % self.places.len()];
        write!(
            line,
            r#"{{"specversion":"1.0","id":"{at:016x}","source":"weihai/bus/huancui","type":"city.bus.position","time":"{time}","data":{{"vehicle_id":"B{vehicle:06}","route_id":"{route}","direction":0,"lon":{lon:.6},"lat":{lat:.6},"speed_kmh":30.1,"bearing":0,"passengers":48,"capacity":62,"trip_id":"T{trip}"}},"receivedtime":"{received}"}}"#,
            lat = lat + degrees,
            trip = round / 200,
        )
        .unwrap();
    }
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// A machine under traffic.
struct Drive {
    machine: Machine<Bus>,
    traffic: Traffic,
    batch: Vec<String>,
    out: Output,
    rows: u64,
}

impl Drive {
    fn new(case: Case) -> Self {
        let (catalogue, city) = (Catalogue::builtin().unwrap(), City::weihai());
        let mut specs: Vec<MetricSpec> = catalogue.specs(Stream::Bus, None);
        if let Some(spans) = case.spans {
            specs.iter_mut().for_each(|spec| spec.spans = spans.to_vec());
        }
        let settings = Settings {
            out_of_order_ms: 5_000,
            lateness_ms: LATENESS_MS,
            max_skew_ms: MINUTE_MS,
            zone: "Asia/Shanghai".to_owned(),
            profile: city.text(),
        };
        let machine = Machine::new(Stream::Bus, &specs, settings).unwrap();
        let batch = vec![String::with_capacity(512); BATCH];
        Drive { machine, traffic: Traffic::new(case, &city), batch, out: Output::default(), rows: 0 }
    }

    /// Takes the next `events` in; the time that the machine needed.
    fn run(&mut self, mut events: u64) -> Duration {
        let mut took = Duration::ZERO;
        while events > 0 {
            let offset = self.traffic.next;
            let count = events.min(BATCH as u64);
            let batch = &mut self.batch[..count as usize];
            for line in &mut *batch {
                self.traffic.write(line);
            }
            let began = processor_time();
            for (offset, line) in (offset..).zip(&*batch) {
                self.machine.apply(Input { offset, append: None, payload: line.as_bytes() }, &mut self.out);
            }
            self.rows += self.out.rows.len() as u64;
            self.out.rows.clear();
            self.out.live.clear();
            took += processor_time() - began;
            events -= count;
        }
        took
    }

    fn panes(&self) -> usize {
        self.machine.state().0.board.panes()
    }

    /// What was measured must have been the work that the case is about: all events taken, windows closed, panes let go.
    fn check(&self, case: &Case, panes: usize, rows: u64) {
        let (counters, seen) = (self.machine.counters(), self.traffic.next);
        assert_eq!(counters.accepted, seen, "{}: some events were not accepted: {counters:?}", case.name);
        assert!(self.rows > rows, "{}: no window closed", case.name);
        // only `day` holds on to its panes, of the departures' metric
        let (now, most) = (self.panes(), if case.spans.is_some() { panes + panes / 50 } else { usize::MAX });
        assert!(now <= most, "{}: {panes} panes have grown to {now}", case.name);
    }
}

fn main() -> ExitCode {
    // without cargo bench's flag criterion only tries each benchmark once: then there is nothing to prepare
    let measuring = std::env::args().any(|argument| argument == "--bench");
    let took: RefCell<BTreeMap<&str, Vec<f64>>> = RefCell::default();
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("apply");
    group.sampling_mode(SamplingMode::Flat).sample_size(SAMPLES);
    group.warm_up_time(Duration::from_secs(2)).measurement_time(Duration::from_secs(10));
    for case in CASES {
        let events = case.vehicles * case.rounds;
        group.throughput(Throughput::Elements(events));
        let mut driven: Option<(Drive, usize, u64)> = None;
        group.bench_function(case.name, |bencher| {
            let (drive, ..) = driven.get_or_insert_with(|| {
                let mut drive = Drive::new(case);
                if measuring {
                    drive.run((case.before_ms / case.interval_ms) as u64 * case.vehicles);
                }
                let (panes, rows) = (drive.panes(), drive.rows);
                (drive, panes, rows)
            });
            bencher.iter_custom(|times| {
                let elapsed: Duration = (0..times).map(|_| drive.run(events)).sum();
                let ns = elapsed.as_nanos() as f64 / (times * events) as f64;
                took.borrow_mut().entry(case.name).or_default().push(ns);
                elapsed
            });
        });
        if let Some((drive, panes, rows)) = driven.filter(|_| measuring) {
            drive.check(&case, panes, rows);
            let series = drive.machine.state().0.board.series();
            let share = drive.rows as f64 / drive.traffic.next as f64;
            println!("{}: {series} series, {} panes, {share:.2} rows an event\n", case.name, drive.panes());
        }
    }
    group.finish();
    criterion.final_summary();
    judge(&took.into_inner())
}

/// Prints the ratios of what was measured in this run.
fn judge(took: &BTreeMap<&str, Vec<f64>>) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for (what, dividend, divisor, limit) in RATIOS {
        let (Some(dividend), Some(divisor)) = (median(took.get(dividend)), median(took.get(divisor))) else {
            println!("{what}: not measured in this run");
            continue;
        };
        let ratio = dividend / divisor;
        let verdict = if ratio <= limit { "ok" } else { "over the limit" };
        println!("{what}: {dividend:.0} ns / {divisor:.0} ns = {ratio:.2} (at most {limit}): {verdict}");
        if ratio > limit {
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// The median of criterion's samples, which come after those of its warm-up; ns an event.
fn median(took: Option<&Vec<f64>>) -> Option<f64> {
    let took = took?;
    let mut samples = took[took.len().checked_sub(SAMPLES)?..].to_vec();
    samples.sort_by(f64::total_cmp);
    Some((samples[(SAMPLES - 1) / 2] + samples[SAMPLES / 2]) / 2.0)
}
