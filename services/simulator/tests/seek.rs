//! A run that starts at T says exactly what an earlier run says from T on.

use proptest::prelude::*;
use yiping_city::City;
use yiping_event::{Stream, TimeMs};
use yiping_simulator::{Faults, Incident, IncidentKind, Line, Options, Simulator};

/// 2026-11-19T16:00Z: midnight of the 20th in Weihai.
const MIDNIGHT: i64 = 1_795_104_000_000;
const MINUTE: i64 = 60_000;

fn run(start: i64, end: i64, scale: f64, faults: Faults, stream: Stream) -> Vec<Line> {
    let options = Options {
        duration_ms: Some(end - start),
        streams: vec![stream],
        scale,
        faults,
        ..Options::new(7, TimeMs(start))
    };
    Simulator::new(&City::weihai(), &options).collect()
}

fn faults() -> impl Strategy<Value = Faults> {
    prop_oneof![Just(Faults::None), Just(Faults::Usual), Just(Faults::Hostile)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn starting_later_gives_the_same_lines(
        minute in 0..1_440_i64,
        ms in 0..MINUTE,
        ahead in 1..400_i64,
        stream in 0..4_usize,
        faults in faults(),
    ) {
        let later = MIDNIGHT + minute * MINUTE + ms;
        let (start, end) = (later - ahead * MINUTE, later + 4 * MINUTE);
        let stream = Stream::ALL[stream];
        let whole = run(start, end, 0.02, faults, stream);
        let tail: Vec<Line> = whole.into_iter().filter(|line| line.receive.ms() >= later).collect();
        prop_assert!(!tail.is_empty());
        let sought = run(later, end, 0.02, faults, stream);
        prop_assert_eq!(sought, tail);
    }
}

/// Across the turn of the service day, when the night lines end their day, and across several days.
#[test]
fn days_of_running_and_a_fresh_start_agree() {
    for stream in Stream::ALL {
        let later = MIDNIGHT + (3 * 24 + 5) * 60 * MINUTE;
        let end = later + 30 * MINUTE;
        let whole = run(MIDNIGHT + 13 * MINUTE, end, 0.02, Faults::Usual, stream);
        let tail: Vec<Line> = whole.into_iter().filter(|line| line.receive.ms() >= later).collect();
        assert_eq!(run(later, end, 0.02, Faults::Usual, stream), tail, "{stream}");
    }
}

#[test]
fn the_whole_city_can_be_entered_in_the_rush_hour() {
    for faults in [Faults::None, Faults::Usual] {
        for stream in Stream::ALL {
            let later = MIDNIGHT + 18 * 60 * MINUTE + 1_234;
            let end = later + 2 * MINUTE;
            let whole = run(later - 25 * MINUTE, end, 1.0, faults, stream);
            let tail: Vec<Line> = whole.into_iter().filter(|line| line.receive.ms() >= later).collect();
            assert!(run(later, end, 1.0, faults, stream) == tail, "{stream}");
        }
    }
}

/// In the middle of an incident that began before either run, and of one that began between.
#[test]
fn incidents_can_be_entered_at_any_time() {
    for kind in IncidentKind::ALL {
        let later = MIDNIGHT + 17 * 60 * MINUTE + 20 * MINUTE + 777;
        let incident = |from: i64, to: i64| Incident {
            kind,
            from: TimeMs(later + from * MINUTE),
            to: TimeMs(later + to * MINUTE),
        };
        for incident in [incident(-40, 20), incident(-30 * 60, 2), incident(-10, 45)] {
            let run = |start: i64| -> Vec<Line> {
                let options = Options {
                    duration_ms: Some(later + 5 * MINUTE - start),
                    streams: vec![kind.stream()],
                    scale: 0.4,
                    faults: Faults::Usual,
                    incidents: vec![incident],
                    ..Options::new(7, TimeMs(start))
                };
                Simulator::new(&City::weihai(), &options).collect()
            };
            let tail: Vec<Line> =
                run(later - 25 * MINUTE).into_iter().filter(|line| line.receive.ms() >= later).collect();
            assert!(!tail.is_empty());
            assert!(run(later) == tail, "{kind} {incident:?}");
        }
    }
}
