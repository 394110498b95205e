//! The crate against plain loops over the sorted events (`oracle/naive.rs`): random logs with disorder, duplicates, missing events and
//! facts in the wrong order; every metric, level, key and span must have the same rows with the same numbers.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

#[path = "oracle/log.rs"]
mod log;
#[path = "oracle/naive.rs"]
mod naive;

use std::{collections::BTreeMap, io};

use proptest::{prelude::*, strategy::ValueTree};
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_elder::Elder;
use yiping_event::{Stream, TimeMs};
use yiping_runner::compute;
use yiping_window::Settings;

use naive::{Figure, Id};

/// What the crate says of a log on so many partitions.
fn computed(lines: &[String], partitions: u32) -> BTreeMap<Id, Figure> {
    let (catalogue, city) = (Catalogue::builtin().unwrap(), City::weihai());
    let settings = Settings {
        out_of_order_ms: 5_000,
        lateness_ms: 24 * 3_600_000,
        max_skew_ms: 60_000,
        zone: "Asia/Shanghai".into(),
        profile: city.text(),
    };
    let lines = lines.iter().map(|line| Ok::<_, io::Error>(line.clone().into_bytes()));
    let computed = compute::<Elder>(Stream::Elder, &catalogue, &city, &settings, partitions, None, lines).unwrap();
    let counters = computed.counters;
    assert_eq!((counters.late, counters.rejected, counters.quarantined), (0, 0, 0), "{:?}", computed.rejects);
    let figure = |row: yiping_runner::OfflineRow| {
        let end = TimeMs::parse(&row.window_end).unwrap().0;
        let figure = Figure { value: row.value, numerator: row.numerator, denominator: row.denominator, n: row.n };
        ((row.metric.to_string(), row.level, row.key.to_string(), row.span, end), figure)
    };
    computed.published.rows().into_iter().map(figure).collect()
}

/// Where the two differ; a window that was published and then emptied may have left its zero behind.
fn difference(is: &BTreeMap<Id, Figure>, should: &BTreeMap<Id, Figure>) -> Option<String> {
    for (id, figure) in should {
        if !is.get(id).is_some_and(|is| is.agrees(figure, &id.0)) {
            return Some(format!("{id:?}: is {:?}, should be {figure:?}", is.get(id)));
        }
    }
    let extra = is.iter().find(|(id, figure)| !should.contains_key(*id) && (figure.numerator != 0.0 || figure.n != 0));
    extra.map(|(id, figure)| format!("{id:?}: is {figure:?}, should not be there"))
}

/// 30 logs, or as many as `PROPTEST_CASES` says.
fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(30);
    ProptestConfig { cases, max_shrink_iters: 300, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn every_figure_is_what_plain_loops_over_the_sorted_log_say(log in log::log(), partitions in 1u32..4) {
        let should = naive::figures(&log.events);
        let is = computed(&log.lines(), partitions);
        if let Some(difference) = difference(&is, &should) {
            return Err(TestCaseError::fail(difference));
        }
        prop_assert!(!should.is_empty());
    }
}

/// The comparison has teeth: a log that lacks one event that matters says something else.
#[test]
fn a_missing_event_is_noticed() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut noticed = 0;
    for _ in 0..5 {
        let log = log::log().new_tree(&mut runner).unwrap().current();
        let should = naive::figures(&log.events);
        let mut less = log.clone();
        less.events.remove(log.events.len() / 2);
        less.copies.clear();
        noticed += usize::from(difference(&computed(&less.lines(), 1), &should).is_some());
    }
    assert!(noticed >= 3, "{noticed} of 5"); // some say nothing new: told twice, or about nothing known
}

/// What the random logs reach: figures that no log makes are not tested.
#[test]
fn the_logs_make_every_metric_speak() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut values: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for _ in 0..10 {
        let log = log::log().new_tree(&mut runner).unwrap().current();
        for (id, figure) in naive::figures(&log.events) {
            let known = values.entry(id.0).or_default();
            known.0 += usize::from(figure.value.is_some_and(|value| value != 0.0));
            known.1 += 1;
        }
    }
    for entry in Catalogue::builtin().unwrap().entries.iter().filter(|entry| entry.stream == Stream::Elder) {
        let said = values.get(&entry.id).copied().unwrap_or_default();
        assert!(entry.derived.is_some() || said.0 > 0, "{} says {said:?}", entry.id);
    }
}
