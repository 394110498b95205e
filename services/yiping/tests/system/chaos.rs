//! I3, I4, I7 under blows: processes are killed at random moments while a city is told, and then everything must be as if nothing had
//! happened. `tests/chaos` is the long form.
//!
//! - `YIPING_CHAOS_ROUNDS`: how often each of the three is killed: the service, its ClickHouse, both (1)
//! - `YIPING_CHAOS_SEED`: which story is told, who is killed when (1)

use std::time::Duration;

use crate::{
    harness::{System, eventually, signal, simulated},
    published::{Compared, STREAMS, assert_published_is_computed, load, loaded},
};

/// Checkpoints are frequent, so that kills fall between them and into them. Lateness is short, so that some of what the usual faults
/// delay is too late, whoever is killed when.
const SETTINGS: [(&str, &str); 4] = [
    ("YIPING_STORE__CHECKPOINT", "1s"),
    ("YIPING_LOG__PARTITIONS", "3"),
    ("YIPING_STREAMS__BUS__LATENESS", "20s"),
    ("YIPING_STREAMS__PARKING__LATENESS", "20s"),
];
/// Simulated seconds a second: with a tenth of the city about 280 events a second.
const SPEED: u64 = 20;
/// About what a round takes, for a story that is long enough.
const SECONDS_A_ROUND: u64 = 6;
/// A round begins with this much undisturbed work at the most.
const LONGEST_PEACE_MS: u64 = 3_000;

#[derive(Clone, Copy, Debug)]
enum Victim {
    Service,
    ClickHouse,
    Both,
}

/// splitmix64: the same seed, the same moments.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn i4_whoever_is_killed_when_the_figures_are_those_of_the_log_and_the_log_has_all_that_was_acknowledged() {
    let (rounds, seed) = (number("YIPING_CHAOS_ROUNDS", 1), number("YIPING_CHAOS_SEED", 1));
    let mut dice = Dice(seed);
    let mut victims: Vec<Victim> =
        (0..rounds).flat_map(|_| [Victim::Service, Victim::ClickHouse, Victim::Both]).collect();
    for place in (1..victims.len()).rev() {
        victims.swap(place, dice.below(place as u64 + 1) as usize);
    }
    let dir = tempfile::tempdir().unwrap();
    let (story_seed, seconds) = (seed.to_string(), (victims.len() as u64 * SECONDS_A_ROUND * SPEED).to_string() + "s");
    let story = simulated(
        dir.path(),
        &[
            "--seed",
            &story_seed,
            "--start",
            "2026-11-20T08:00:00+08:00",
            "--duration",
            &seconds,
            "--scale",
            "0.1",
            "--faults",
            "usual",
        ],
    );
    let mut system = System::start(dir.path(), &SETTINGS);
    let mut replays = load(&system, &system.token(), &story, SPEED);
    let mut under_load = 0;
    for (round, victim) in victims.iter().enumerate() {
        let peace = Duration::from_millis(dice.below(LONGEST_PEACE_MS));
        std::thread::sleep(peace); // a random moment is what is wanted
        under_load += usize::from(replays.iter_mut().any(|(_, replay)| replay.try_wait().unwrap().is_none()));
        let said = format!("seed {seed}, round {} of {}: {victim:?} killed after {peace:?}", round + 1, victims.len());
        eprintln!("{said}");
        strike(&mut system, *victim, &mut dice);
    }
    eprintln!("{under_load} of {} kills while events came", victims.len());
    assert!(2 * under_load >= victims.len(), "the story was too short for this machine: few kills fell into it");

    loaded(&system, replays, Duration::from_secs(victims.len() as u64 * SECONDS_A_ROUND + 300));
    // (all of them in the long form, and in `crash.rs`)
    let compared = if rounds == 1 { Compared::Whole } else { Compared::All };
    let exports = assert_published_is_computed(&system, &SETTINGS, compared);
    let mut late = 0;
    for stream in STREAMS {
        let lines = exports[stream].assert_has_all_of(&story, stream);
        eprintln!("{stream}: all of {lines} acknowledged events of the story are in the log");
        let sql = format!("SELECT sum(late) AS late FROM city.stream_status WHERE stream = '{stream}'");
        late += system.query(&sql)[0]["late"].as_u64().unwrap();
    }
    assert!(late > 0, "a story with nothing too late proves less than it could");
    system.interrupt();
}

/// Kills, and brings back what doesn't come back by itself.
fn strike(system: &mut System, victim: Victim, dice: &mut Dice) {
    let clickhouse = |system: &System| {
        let child = eventually(Duration::from_secs(60), "an embedded ClickHouse", || system.clickhouse_pid());
        signal(child, "KILL");
    };
    match victim {
        Victim::Service => system.kill(),
        Victim::ClickHouse => return clickhouse(system),
        Victim::Both => {
            clickhouse(system);
            // at once, or when the next one may be on its way
            std::thread::sleep(Duration::from_millis(dice.below(2) * dice.below(400)));
            system.kill();
        }
    }
    system.start_again();
}
