//! The same judge over rows of `compute`: what would have opened, and for how long.

use std::collections::BTreeMap;

use crate::{
    judge::{Breach, Figure, Judge},
    past::{DAY_MS, FEWEST, Past, Wanted},
    rules::Rules,
    store::baselines,
};
use yiping_catalogue::{Catalogue, Value};
use yiping_city::City;
use yiping_window::Span;

/// So much is judged at once, as live where there is much to make up for.
const BATCH_MS: i64 = 60 * 60 * 1_000;

/// Every breach of a stream's figures as it stands at their end, in the order in which they opened. The past is what the figures
/// themselves reach back to.
#[must_use]
pub fn breaches(
    stream: &str,
    rules: &Rules,
    catalogue: &Catalogue,
    city: &City,
    mut figures: Vec<Figure>,
) -> Vec<Breach> {
    figures.sort_by_key(|figure| figure.end);
    let mut judge = Judge::new(stream, rules, first(&figures));
    let mut found: BTreeMap<(i64, String), Breach> = BTreeMap::new();
    let mut rest = figures.as_slice();
    while let Some(first) = rest.first() {
        let until = (first.end.div_euclid(BATCH_MS) + 1) * BATCH_MS;
        let (batch, later) = rest.split_at(rest.partition_point(|figure| figure.end <= until));
        let past = past(&judge.wants(batch), &figures, catalogue);
        for breach in judge.judge(batch, &past, city, batch.last().map_or(until, |figure| figure.end)).breaches {
            found.insert((breach.opened_at, breach.id.clone()), breach);
        }
        rest = later;
    }
    found.into_values().collect()
}

/// About the stream's first event: the first instant that has a figure. (Windows may be older: a trip counts when it was due.)
fn first(figures: &[Figure]) -> i64 {
    let mut instants = figures.iter().filter(|figure| figure.span == Span::Now.as_str());
    instants.next().or(figures.first()).map_or(0, |figure| figure.end)
}

fn past(wanted: &[Wanted], figures: &[Figure], catalogue: &Catalogue) -> Past {
    let mut past = Past::new();
    // two weeks at the least tell a baseline
    let reaches = |one: &&Wanted| figures.first().is_some_and(|first| first.end <= one.4 - FEWEST as i64 * DAY_MS);
    for one in wanted.iter().filter(reaches) {
        let counts = catalogue.entry(&one.0).is_some_and(|entry| entry.value == Value::Count);
        let same = |figure: &&Figure| {
            figure.metric == one.0 && figure.span == one.3 && (figure.key == one.2 || figure.level == "city")
        };
        let earlier: Vec<Figure> =
            figures.iter().take_while(|figure| figure.end < one.4).filter(same).cloned().collect();
        past.extend(baselines(&[one], &earlier, counts));
    }
    past
}
