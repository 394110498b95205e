//! Parking against an oracle: whatever the log holds, every row is what plain loops over the sorted events say.
//!
//! | file | what |
//! | --- | --- |
//! | `log.rs` | logs as bad as real ones: a few lots and sessions, disorder, lost and repeated events, wrong clocks, impossible counts |
//! | `naive.rs`, `naive/…` | the batch job: plain loops, no code of the crate |
//!
//! `PROPTEST_CASES` raises the number of logs.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

#[path = "../../../../tests/golden/figures.rs"]
mod figures;
mod log;
mod naive;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_event::{Stream, TimeMs};
use yiping_parking::Parking;
use yiping_runner::compute;

use log::{Log, log};
use naive::{Figure, Id, Rows};

fn logs() -> ProptestConfig {
    let said = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: said.unwrap_or(30), failure_persistence: None, ..ProptestConfig::default() }
}

/// What `compute` says; without windows that were emptied after they had been published (their zero stays, I3).
fn computed(log: &Log) -> Rows {
    let (catalogue, city) = (Catalogue::builtin().unwrap(), City::weihai());
    let lines = log.lines().into_iter().map(|line| Ok::<_, io::Error>(line.into_bytes()));
    let settings = figures::settings(Stream::Parking);
    let computed = compute::<Parking>(Stream::Parking, &catalogue, &city, &settings, 1, None, lines).unwrap();
    assert_eq!((computed.counters.late, computed.counters.rejected), (0, 0), "the log is worse than it should be");
    let mut rows = Rows::new();
    for row in computed.published.rows() {
        let id: Id = (
            row.metric.to_string(),
            row.level,
            row.key.to_string(),
            row.span,
            TimeMs::parse(&row.window_end).unwrap().0,
        );
        let (value, num, den, n) = (row.value, row.numerator, row.denominator, row.n);
        let is_empty = num == 0.0 && n == 0 && (den == 0.0 || naive::is_count(&id.0));
        if !is_empty {
            rows.insert(id, Figure { value, num, den, n });
        }
    }
    rows
}

fn differences(computed: &Rows, naive: &Rows) -> Vec<String> {
    let ids: BTreeSet<&Id> = computed.keys().chain(naive.keys()).collect();
    let same = |id: &Id| match (computed.get(id), naive.get(id)) {
        (Some(one), Some(other)) => one.is_like(other, &id.0),
        _ => false,
    };
    let say = |id: &Id| {
        let time = TimeMs(id.4);
        format!(
            "{} {} {} {} …{time}: computed {:?}, naive {:?}",
            id.0,
            id.1,
            id.2,
            id.3,
            computed.get(id),
            naive.get(id)
        )
    };
    ids.into_iter().filter(|id| !same(id)).map(say).collect()
}

proptest! {
    #![proptest_config(logs())]

    #[test]
    fn every_row_is_what_plain_loops_over_the_sorted_events_say(log in log()) {
        let (computed, naive) = (computed(&log), naive::rows(&log));
        let differences = differences(&computed, &naive);
        prop_assert!(
            differences.is_empty(),
            "{} of {} rows differ:\n{}\nlog:\n{}",
            differences.len(), naive.len(), differences[..differences.len().min(12)].join("\n"), log.lines().join("\n")
        );
    }
}

/// The oracle is no judge of a metric that it never speaks of.
#[test]
fn the_oracle_speaks_of_every_metric_at_every_level_and_span() {
    let mut runner = TestRunner::deterministic();
    let mut spoken: BTreeMap<String, BTreeSet<(&str, &str)>> = BTreeMap::new();
    let mut values: BTreeSet<String> = BTreeSet::new();
    for _ in 0..8 {
        let log = log().new_tree(&mut runner).unwrap().current();
        for (id, figure) in naive::rows(&log) {
            spoken.entry(id.0.clone()).or_default().insert((id.1, id.3));
            values.extend(figure.value.filter(|value| *value != 0.0).map(|_| id.0));
        }
    }
    for entry in Catalogue::builtin().unwrap().entries.iter().filter(|entry| entry.stream == Stream::Parking) {
        assert!(values.contains(&entry.id), "{} has no value", entry.id);
        let said = spoken.get(&entry.id).unwrap();
        let wanted = entry.levels.len() * entry.spans.len();
        assert_eq!(said.len(), wanted, "{}: {said:?}", entry.id);
    }
}
