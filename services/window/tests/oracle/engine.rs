//! The engine under test, driven record by record, with checkpoints where a test wants them.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use yiping_event::{Stream, TimeMs};
use yiping_window::{
    Core, Counters, Input, Machine, Output, Row, Settings,
    dedup::Dedup,
    histogram::{Histogram, quantile},
};

use crate::{
    log::{Case, LATE_ALLOWANCE_MS, Record, SKEW_MS},
    naive::{Batch, Counts, Figure, Id, LOTS, batch},
    toy::{Toy, specs},
};

pub type Partition = Machine<Toy>;

pub fn machine(case: &Case) -> Partition {
    let settings = Settings {
        out_of_order_ms: LATE_ALLOWANCE_MS,
        lateness_ms: case.lateness,
        max_skew_ms: SKEW_MS,
        zone: case.zone.into(),
        profile: String::new(),
    };
    Machine::new(Stream::Parking, &specs(), settings).unwrap()
}

/// A checkpoint: bytes that another process could read.
pub fn checkpoint(machine: &Partition) -> (Vec<u8>, Vec<(i64, Vec<u8>)>) {
    let (core, dedup) = machine.state();
    let slices = dedup.slices().map(|(slice, ids)| (slice, postcard::to_stdvec(ids).unwrap()));
    (yiping_window::checkpoint::write(core).unwrap(), slices.collect())
}

pub fn restore((core, slices): &(Vec<u8>, Vec<(i64, Vec<u8>)>)) -> Partition {
    let core: Core<Toy> = yiping_window::checkpoint::read(yiping_window::checkpoint::FORMAT, core).unwrap();
    let mut dedup = Dedup::default();
    for (slice, ids) in slices {
        dedup.restore(*slice, postcard::from_bytes(ids).unwrap());
    }
    Machine::restore(Stream::Parking, &specs(), core, dedup).unwrap()
}

pub fn feed(machine: &mut Partition, offset: usize, record: &Record, out: &mut Output) {
    let payload = record.payload();
    let append = record.append().map(TimeMs);
    machine.apply(Input { offset: offset as u64, append, payload: &payload }, out);
}

/// Everything that one partition wrote, in order, and where its time had got to.
#[derive(Debug, Default)]
pub struct Run {
    /// Each partition's rows in the order in which they were written.
    pub rows: Vec<Vec<Row>>,
    pub counters: Vec<Counters>,
    /// How many events went to the late topic.
    pub late: usize,
    pub rejects: usize,
}

/// The whole log through the engine, restored from a checkpoint after every `every`-th record.
pub fn run(case: &Case, every: Option<usize>) -> Run {
    let mut run = Run::default();
    let mut machines = Vec::new();
    for log in case.split() {
        let (mut machine, mut out) = (machine(case), Output::default());
        for (offset, record) in log.iter().enumerate() {
            feed(&mut machine, offset, record, &mut out);
            if every.is_some_and(|every| (offset + 1) % every == 0) {
                machine = restore(&checkpoint(&machine));
            }
        }
        machines.push((machine, out));
    }
    let newest = machines.iter().filter_map(|(machine, _)| machine.last_event()).max();
    for (mut machine, mut out) in machines {
        if let Some(newest) = newest {
            machine.finish(newest, &mut out);
        }
        run.counters.push(machine.counters());
        run.late += out.late.len();
        run.rejects += out.rejects.len();
        run.rows.push(out.rows);
    }
    run
}

/// Every name that rows have, so that ids needn't own theirs.
fn known(name: &str) -> &'static str {
    const METRICS: [&str; 12] = [
        "parking.sum",
        "parking.size",
        "parking.inside",
        "parking.state",
        "parking.use",
        "parking.four",
        "parking.most",
        "parking.least",
        "parking.newest",
        "parking.kinds",
        "parking.trend",
        "parking.waiting",
    ];
    METRICS.into_iter().chain(LOTS).chain(["city"]).find(|known| *known == name).unwrap()
}

pub fn id(row: &Row) -> Id {
    let (start, end) = (row.start.0, row.end.0);
    (start, end, known(&row.key), known(&row.metric), row.span.as_str(), row.level.as_str())
}

/// What a store keeps of rows: of each window the row with the highest revision.
pub fn upsert<'a>(rows: impl IntoIterator<Item = &'a Row>) -> BTreeMap<Id, Row> {
    let mut kept: BTreeMap<Id, Row> = BTreeMap::new();
    for row in rows {
        let newest = kept.entry(id(row)).or_insert_with(|| row.clone());
        if newest.offset <= row.offset {
            *newest = row.clone();
        }
    }
    kept
}

/// What a store would keep if it took no second row for a window.
pub fn first_only(rows: &[Row]) -> Vec<Row> {
    let mut seen = BTreeSet::new();
    rows.iter().filter(|row| seen.insert(id(row))).cloned().collect()
}

/// Merged over partitions; windows with nothing in them are left out.
pub fn merged(partitions: &[Vec<Row>]) -> BTreeMap<Id, Row> {
    let mut merged: BTreeMap<Id, Row> = BTreeMap::new();
    for rows in partitions {
        for (id, row) in upsert(rows) {
            match merged.entry(id) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(row);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    merge(entry.get_mut(), row);
                }
            }
        }
    }
    merged.retain(|_, row| (row.num, row.den, row.n, row.num2, row.den2) != (0, 0, 0, 0, 0));
    merged
}

/// One partition's row into another's of the same window, as [`yiping_window::Shape`] says.
fn merge(into: &mut Row, row: Row) {
    let one = (into.n > 0).then_some((into.num, into.den));
    let other = (row.n > 0).then_some((row.num, row.den));
    let chosen = match row.metric.as_str() {
        "parking.most" => one.max(other),
        "parking.least" | "parking.waiting" => one.into_iter().chain(other).min(),
        "parking.newest" => one.into_iter().chain(other).max_by_key(|(num, den)| (*den, *num)),
        _ => Some((into.num + row.num, into.den + row.den)),
    };
    (into.num, into.den) = chosen.unwrap_or_default();
    (into.num2, into.den2, into.n) = (into.num2 + row.num2, into.den2 + row.den2, into.n + row.n);
    let mut hist = Histogram::from(std::mem::take(&mut into.hist));
    hist.add(&row.hist.into(), 1);
    into.hist = hist.counts().to_vec();
}

/// What differs between the engine's rows and the batch's; empty when nothing does.
pub fn differences(merged: &BTreeMap<Id, Row>, batch: &Batch) -> Vec<String> {
    let mut differences = Vec::new();
    for (id, figure) in &batch.rows {
        match merged.get(id) {
            Some(row) if same(row, figure) => {}
            Some(row) => differences.push(format!("{id:?}: {row:?}, should be {figure:?}")),
            None => differences.push(format!("{id:?}: missing, should be {figure:?}")),
        }
    }
    let unknown = merged.iter().filter(|(id, _)| !batch.rows.contains_key(*id));
    differences.extend(unknown.map(|(id, row)| format!("{id:?}: {row:?}, should not be there")));
    differences
}

fn same(row: &Row, figure: &Figure) -> bool {
    if (row.num, row.den, row.n) != (figure.num, figure.den, figure.n)
        || (row.num2, row.den2) != (figure.num2, figure.den2)
    {
        return false;
    }
    let mut values = figure.values.clone();
    values.sort_unstable();
    values.is_empty() == row.hist.is_empty()
        && [1, 500, 900, 950, 1_000].into_iter().all(|per_mille: i64| {
            let rank = (per_mille as usize * values.len()).div_ceil(1_000).max(1);
            let (got, exact) = (quantile(&row.hist, per_mille), values.get(rank - 1));
            match (got, exact) {
                (Some(got), Some(&exact)) => (got - exact).abs() as f64 <= 0.01 * exact as f64,
                (got, exact) => got.is_none() && exact.is_none(),
            }
        })
}

/// The most panes that were merged and packed at any time.
pub fn most_packed(case: &Case) -> usize {
    let packed = case.split().into_iter().flat_map(|log| {
        let (mut machine, mut out) = (machine(case), Output::default());
        log.into_iter().enumerate().map(move |(offset, record)| {
            feed(&mut machine, offset, &record, &mut out);
            machine.state().0.board.packed_panes()
        })
    });
    packed.max().unwrap_or(0)
}

pub fn expected(case: &Case) -> Batch {
    batch(&case.split(), case.lateness, &TimeZone::get(case.zone).unwrap())
}

pub fn counts(run: &Run) -> Counts {
    let sum = |of: fn(&Counters) -> u64| run.counters.iter().map(of).sum();
    Counts {
        accepted: sum(|counters| counters.accepted),
        duplicates: sum(|counters| counters.duplicates),
        late: sum(|counters| counters.late),
        quarantined: sum(|counters| counters.quarantined),
        rejected: sum(|counters| counters.rejected),
    }
}

pub fn figure<'a>(
    batch: &'a Batch,
    metric: &'static str,
    key: &str,
    span: &'static str,
    end: i64,
) -> Option<&'a Figure> {
    let level = if key == "city" { "city" } else { "lot" };
    let same = |id: &Id| (id.1, id.2, id.3, id.4, id.5) == (end, key, metric, span, level);
    batch.rows.iter().find(|(id, _)| same(id)).map(|(_, figure)| figure)
}
