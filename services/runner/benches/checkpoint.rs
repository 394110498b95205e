//! What a checkpoint of a city costs, and a restore: the state of the four streams after a full simulated day at full scale, one
//! partition a stream.
//!
//! The day ends at 18:00, when the buses' evening peak fills what is kept for their lateness. A checkpoint is taken and read back
//! as the service does it (parts, segments of 4 MiB with their SHA-256, zstd), except that ClickHouse is left out. The time is the
//! thread's processor time: what else runs on the machine is not a checkpoint's cost.
//!
//! At the end sizes and times are printed; over a limit the exit code is 1.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that can't go on may panic, and prints its figures"
)]

use std::{
    cell::RefCell,
    collections::BTreeMap,
    process::ExitCode,
    time::{Duration, Instant},
};

use criterion::{Bencher, Criterion, SamplingMode};
use nix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};
use yiping_bus::Bus;
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_elder::Elder;
use yiping_event::{Stream, TimeMs};
use yiping_hotline::Hotline;
use yiping_parking::Parking;
use yiping_runner::checkpoint;
use yiping_runtime::Config;
use yiping_simulator::{Faults, Options, Simulator};
use yiping_window::{Domain, Input, Machine, MetricSpec, Output};

const SAMPLES: usize = 10;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// The day's start, 2026-11-19T18:00+08:00.
const START_MS: i64 = 1_795_082_400_000;
/// As the store cuts and packs.
const SEGMENT_BYTES: usize = 4 << 20;
const ZSTD_LEVEL: i32 = 3;
/// All four streams together may take so long, checkpoint and restore each.
const LIMIT_MS: f64 = 1_000.0;

/// A part in segments: name, and of each segment its hash and packed bytes.
type Packed = (String, Vec<([u8; 32], Vec<u8>)>);

struct Partition<D: Domain> {
    stream: Stream,
    specs: Vec<MetricSpec>,
    machine: Machine<D>,
    out: Output,
}

impl<D: Domain> Partition<D> {
    fn new(stream: Stream, catalogue: &Catalogue, city: &City, config: &Config) -> Self {
        let settings = yiping_runner::settings(config.streams.get(stream.as_str()).unwrap(), city);
        let specs = catalogue.specs(stream, None);
        let machine = Machine::new(stream, &specs, settings).unwrap();
        Partition { stream, specs, machine, out: Output::default() }
    }

    fn apply(&mut self, offset: u64, payload: &[u8]) {
        self.machine.apply(Input { offset, append: None, payload }, &mut self.out);
        self.out.rows.clear();
        self.out.live.clear();
        self.out.rejects.clear();
        self.out.late.clear();
    }

    fn checkpoint(&self) -> Vec<Packed> {
        let parts = checkpoint::parts(&self.machine).unwrap();
        parts.iter().map(|(name, bytes)| (name.clone(), bytes.chunks(SEGMENT_BYTES).map(pack).collect())).collect()
    }

    fn restore(&self, packed: &[Packed]) -> Machine<D> {
        let unpacked: Vec<(String, Vec<u8>)> = packed.iter().map(unpack).collect();
        checkpoint::machine(self.stream, &self.specs, &unpacked).map_err(|error| error.0).unwrap()
    }

    fn sizes(&self) -> Sizes {
        let bytes = |packed: &[Packed]| packed.iter().flat_map(|part| &part.1).map(|segment| segment.1.len()).sum();
        let parts = checkpoint::parts(&self.machine).unwrap();
        let of = |name: &str| parts.iter().filter(|part| part.0.starts_with(name)).map(|part| part.1.len()).sum();
        let packed = self.checkpoint();
        // what comes back must be what was there; maps may come in another order
        let lengths = |parts: &[(String, Vec<u8>)]| -> Vec<(String, usize)> {
            parts.iter().map(|(name, bytes)| (name.clone(), bytes.len())).collect()
        };
        assert_eq!(lengths(&checkpoint::parts(&self.restore(&packed)).unwrap()), lengths(&parts));
        Sizes { core: of("core"), seen: of("seen/"), packed: bytes(&packed), events: self.machine.counters().accepted }
    }
}

fn pack(segment: &[u8]) -> ([u8; 32], Vec<u8>) {
    (Sha256::digest(segment).into(), zstd::bulk::compress(segment, ZSTD_LEVEL).unwrap())
}

fn unpack((name, segments): &Packed) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    for (hash, packed) in segments {
        let segment = zstd::bulk::decompress(packed, SEGMENT_BYTES).unwrap();
        assert_eq!(<[u8; 32]>::from(Sha256::digest(&segment)), *hash);
        bytes.extend_from_slice(&segment);
    }
    (name.clone(), bytes)
}

struct Sizes {
    events: u64,
    core: usize,
    seen: usize,
    packed: usize,
}

struct State {
    bus: Partition<Bus>,
    parking: Partition<Parking>,
    hotline: Partition<Hotline>,
    elder: Partition<Elder>,
}

/// What a restore needs of each stream.
struct Saved([Vec<Packed>; 4]);

/// What a restore gives; kept until the time is taken, so that dropping it is outside.
type Restored = (Machine<Bus>, Machine<Parking>, Machine<Hotline>, Machine<Elder>);

impl State {
    /// After the day.
    fn simulated() -> Self {
        let (catalogue, city, config) = (Catalogue::builtin().unwrap(), City::weihai(), Config::default());
        let mut state = State {
            bus: Partition::new(Stream::Bus, &catalogue, &city, &config),
            parking: Partition::new(Stream::Parking, &catalogue, &city, &config),
            hotline: Partition::new(Stream::Hotline, &catalogue, &city, &config),
            elder: Partition::new(Stream::Elder, &catalogue, &city, &config),
        };
        let began = Instant::now();
        let options = Options { duration_ms: Some(DAY_MS), faults: Faults::Usual, ..Options::new(1, TimeMs(START_MS)) };
        let mut lines = 0;
        for (offset, line) in (0..).zip(Simulator::new(&city, &options)) {
            let payload = line.json.as_bytes();
            match line.stream {
                Stream::Bus => state.bus.apply(offset, payload),
                Stream::Parking => state.parking.apply(offset, payload),
                Stream::Hotline => state.hotline.apply(offset, payload),
                Stream::Elder => state.elder.apply(offset, payload),
            }
            lines = offset + 1;
        }
        println!("a day of the city: {lines} lines made and taken in within {:.1} s", began.elapsed().as_secs_f64());
        state
    }

    fn checkpoint(&self) -> Saved {
        Saved([self.bus.checkpoint(), self.parking.checkpoint(), self.hotline.checkpoint(), self.elder.checkpoint()])
    }

    fn restore(&self, Saved([bus, parking, hotline, elder]): &Saved) -> Restored {
        (self.bus.restore(bus), self.parking.restore(parking), self.hotline.restore(hotline), self.elder.restore(elder))
    }
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// What was measured, in ms, by name.
#[derive(Default)]
struct Took(RefCell<BTreeMap<&'static str, Vec<f64>>>);

impl Took {
    /// Times `job`; what it gives is dropped after the clock has been read.
    fn time<T>(&self, bencher: &mut Bencher<'_>, name: &'static str, job: impl Fn() -> T) {
        bencher.iter_custom(|times| {
            let mut elapsed = Duration::ZERO;
            for _ in 0..times {
                let began = processor_time();
                let result = std::hint::black_box(job());
                elapsed += processor_time() - began;
                drop(result);
            }
            let ms = elapsed.as_secs_f64() * 1_000.0 / times as f64;
            self.0.borrow_mut().entry(name).or_default().push(ms);
            elapsed
        });
    }

    /// The median of criterion's samples, which come after those of its warm-up.
    fn median(&self, name: &str) -> Option<f64> {
        let took = self.0.borrow();
        let took = took.get(name)?;
        let mut samples = took[took.len().checked_sub(SAMPLES)?..].to_vec();
        samples.sort_by(f64::total_cmp);
        Some((samples[(SAMPLES - 1) / 2] + samples[SAMPLES / 2]) / 2.0)
    }
}

fn main() -> ExitCode {
    // without cargo bench's flag criterion only tries each benchmark once: a day would be too much of it
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let state = State::simulated();
    print_sizes(&state);
    let saved = state.checkpoint();
    let took = Took::default();
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("state");
    group.sampling_mode(SamplingMode::Flat).sample_size(SAMPLES);
    group.warm_up_time(Duration::from_secs(2)).measurement_time(Duration::from_secs(10));
    group.bench_function("checkpoint", |bencher| took.time(bencher, "checkpoint", || state.checkpoint()));
    group.bench_function("restore", |bencher| took.time(bencher, "restore", || state.restore(&saved)));
    group.finish();
    criterion.final_summary();
    let mut code = ExitCode::SUCCESS;
    for name in ["checkpoint", "restore"] {
        let Some(ms) = took.median(name) else {
            println!("{name}: not measured in this run");
            continue;
        };
        let verdict = if ms <= LIMIT_MS { "ok" } else { "over the limit" };
        println!("{name} of all four streams: {ms:.0} ms (at most {LIMIT_MS}): {verdict}");
        if ms > LIMIT_MS {
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn print_sizes(state: &State) {
    const MB: f64 = 1e6;
    let streams = [
        ("bus", state.bus.sizes()),
        ("parking", state.parking.sizes()),
        ("hotline", state.hotline.sizes()),
        ("elder", state.elder.sizes()),
    ];
    let mut all = (0, 0);
    for (name, Sizes { events, core, seen, packed }) in streams {
        all = (all.0 + core + seen, all.1 + packed);
        println!(
            "{name}: {events} events; {:.2} MB of state and {:.2} MB of ids seen, {:.2} MB compressed",
            core as f64 / MB,
            seen as f64 / MB,
            packed as f64 / MB
        );
    }
    println!("all: {:.2} MB, {:.2} MB compressed\n", all.0 as f64 / MB, all.1 as f64 / MB);
}
