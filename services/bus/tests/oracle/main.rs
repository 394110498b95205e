//! Buses against an oracle: whatever the log holds, every row of every metric is what a batch job over the sorted events says.
//!
//! | file | what |
//! | --- | --- |
//! | `log.rs` | logs as bad as real ones |
//! | `naive.rs` | the batch job: plain loops, no code of the crate or the engine |
//!
//! `PROPTEST_CASES` raises the number of logs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on may panic")]

#[path = "../../../../tests/golden/figures.rs"]
mod figures;
mod log;
mod naive;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use yiping_bus::Bus;
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_event::Stream;
use yiping_runner::{Computed, compute};

use log::{Case, case};
use naive::{Figure, batch};

fn logs() -> ProptestConfig {
    let said = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: said.unwrap_or(30), failure_persistence: None, ..ProptestConfig::default() }
}

fn computed(case: &Case) -> Computed {
    let (catalogue, city) = (Catalogue::builtin().unwrap(), City::weihai());
    let lines = case.events.iter().map(|event| Ok::<_, io::Error>(event.line().into_bytes()));
    let settings = figures::settings(Stream::Bus);
    compute::<Bus>(Stream::Bus, &catalogue, &city, &settings, case.partitions, None, lines).unwrap()
}

type Named = BTreeMap<(String, String, String, String, i64), Figure>;

/// Rows by name; those of windows that were emptied again hold nothing and don't count as rows.
fn named(computed: &Computed) -> Named {
    let of = |row: &yiping_runner::OfflineRow| {
        let end: jiff::Timestamp = row.window_end.parse().unwrap();
        let id = (
            row.metric.to_string(),
            row.level.to_owned(),
            row.key.to_string(),
            row.span.to_owned(),
            end.as_millisecond(),
        );
        let (value, numerator, denominator, n) = (row.value, row.numerator, row.denominator, row.n);
        (id, Figure { value, numerator, denominator, n })
    };
    computed.published.rows().iter().map(of).collect()
}

/// The city's denominator is its fleet, whatever is known of it: without vehicles online such a row says nothing.
fn says_something(metric: &str, level: &str, figure: &Figure) -> bool {
    match metric {
        "bus.online_ratio" if level == "city" => figure.numerator != 0.0,
        "bus.online_ratio" => figure.numerator != 0.0 || figure.denominator != 0.0,
        "bus.bunched_routes" => true,
        _ => figure.n != 0,
    }
}

/// Values of histograms are right within 1 % (and half a unit of their integers), all others to twelve digits.
fn alike(metric: &str, one: &Figure, other: &Figure) -> bool {
    let close = |one: f64, other: f64| (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1.0);
    let value = match (one.value, other.value) {
        (Some(one), Some(other)) if metric.contains("_p") => (one - other).abs() <= 0.01 * other.abs() + 1e-9,
        (Some(one), Some(other)) => close(one, other),
        (one, other) => one == other,
    };
    value && one.n == other.n && close(one.numerator, other.numerator) && close(one.denominator, other.denominator)
}

fn differences(case: &Case) -> Vec<String> {
    let computed = computed(case);
    assert_eq!(computed.counters.late, 0, "the log is later than it says");
    let (rows, batch) = (named(&computed), batch(&case.events));
    let expected: Named = batch
        .into_iter()
        .map(|((metric, level, key, span, end), figure)| {
            ((metric.to_owned(), level.to_owned(), key, span.to_owned(), end), figure)
        })
        .collect();
    // what is derived is so up to the last `now` row, be it one of those that hold nothing any more
    let last = expected.keys().filter(|id| id.0 == "bus.bunched_routes").map(|id| id.4).max();
    let ids: BTreeSet<_> = rows.keys().chain(expected.keys()).collect();
    let mut differences = Vec::new();
    for id in ids {
        if id.0 == "bus.bunched_routes" && last.is_none_or(|last| id.4 > last) {
            continue;
        }
        let (row, figure) = (rows.get(id), expected.get(id));
        let row = row.filter(|row| says_something(&id.0, &id.1, row));
        let figure = figure.filter(|figure| says_something(&id.0, &id.1, figure));
        let same = match (row, figure) {
            (Some(row), Some(figure)) => alike(&id.0, row, figure),
            (row, figure) => row.is_none() && figure.is_none(),
        };
        if !same {
            differences.push(format!("{id:?}: {row:?}, by the batch job {figure:?}"));
        }
    }
    differences
}

proptest! {
    #![proptest_config(logs())]

    #[test]
    fn every_row_is_what_a_batch_job_says(case in case()) {
        let differences = differences(&case);
        let some = &differences[..differences.len().min(8)];
        prop_assert!(differences.is_empty(), "{} rows differ:\n{}", differences.len(), some.join("\n"));
    }
}

/// The property above says much only if the logs are bad enough, and if every figure has something to say.
#[test]
fn logs_hold_everything_that_real_ones_do() {
    let mut runner = TestRunner::deterministic();
    let (mut valued, mut too_few): (BTreeSet<String>, BTreeSet<String>) = Default::default();
    let (mut duplicates, mut rejected, mut disordered) = (0, 0, 0);
    for _ in 0..30 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let computed = computed(&case);
        duplicates += computed.counters.duplicates;
        rejected += computed.counters.rejected;
        disordered += case.events.windows(2).filter(|two| two[1].time < two[0].time - 10 * log::MINUTE).count();
        for row in computed.published.rows() {
            let names = if row.value.is_some() { &mut valued } else { &mut too_few };
            names.insert(row.metric.to_string());
        }
    }
    assert!(duplicates > 50 && rejected > 20 && disordered > 50, "{duplicates} {rejected} {disordered}");
    for entry in Catalogue::builtin().unwrap().entries.iter().filter(|entry| entry.stream == Stream::Bus) {
        assert!(valued.contains(&entry.id), "{} never has a value", entry.id);
        assert!(entry.min_n == 0 || too_few.contains(&entry.id), "{} always has one", entry.id);
    }
}
