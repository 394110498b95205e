//! The engine against an oracle: whatever the log holds, and wherever it is cut by checkpoints, the last revision of every row is what
//! a batch job over the complete log says.
//!
//! | file | what |
//! | --- | --- |
//! | `toy.rs` | a domain with every shape of metric |
//! | `log.rs` | logs as bad as real ones |
//! | `naive.rs` | the batch job: plain loops, no code of the engine |
//! | `engine.rs` | the engine, driven, checkpointed, merged |
//!
//! `PROPTEST_CASES` raises the number of logs.

mod engine;
mod log;
mod naive;
mod toy;

use std::collections::BTreeMap;

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use yiping_window::{Output, Row};

use engine::{
    checkpoint, counts, differences, expected, feed, figure, first_only, id, machine, merged, most_packed, restore,
    run, upsert,
};
use log::{Case, Record, What, case};

/// 500 logs, or as many as `PROPTEST_CASES` says.
fn logs() -> ProptestConfig {
    let said = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: said.unwrap_or(500), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(logs())]

    #[test]
    fn i8_last_revisions_merged_over_partitions_are_what_a_batch_job_says(case in case()) {
        let (run, batch) = (run(&case, None), expected(&case));
        let differences = differences(&merged(&run.rows), &batch);
        prop_assert!(differences.is_empty(), "{} rows differ:\n{}", differences.len(), differences[..differences.len().min(8)].join("\n"));
    }

    #[test]
    fn i5_every_record_is_in_exactly_one_counter_and_none_is_lost(case in case()) {
        let (run, batch) = (run(&case, None), expected(&case));
        let counts = counts(&run);
        prop_assert_eq!(counts, batch.counts);
        let sum = counts.accepted + counts.duplicates + counts.late + counts.quarantined + counts.rejected;
        prop_assert_eq!(sum, case.events());
        // what isn't in the figures can be found: in the late topic, or among the rejects
        prop_assert_eq!(run.late as u64, counts.late);
        prop_assert_eq!(run.rejects as u64, counts.quarantined + counts.rejected);
    }

    #[test]
    fn i1_i4_rows_do_not_depend_on_where_checkpoints_are_taken(case in case(), every in 1..7usize) {
        let (straight, restored) = (run(&case, None), run(&case, Some(every)));
        prop_assert_eq!(&straight.counters, &restored.counters);
        // not only the last revisions: every row, in order, to the digit
        prop_assert_eq!(straight.rows, restored.rows);
    }

    #[test]
    fn i1_rows_made_in_pieces_are_the_rows_made_at_once(case in case(), rows_at_once in 1..40usize) {
        for log in case.split() {
            let (mut at_once, mut whole) = (machine(&case), Output::default());
            let (mut in_pieces, mut pieces) = (machine(&case).in_pieces(rows_at_once), Output::default());
            for (offset, record) in log.iter().enumerate() {
                feed(&mut at_once, offset, record, &mut whole);
                feed(&mut in_pieces, offset, record, &mut pieces);
                // (what nobody asked for is made before the next record)
                while offset % 3 > 0 && in_pieces.has_more() {
                    let before = pieces.rows.len();
                    in_pieces.go_on(&mut pieces);
                    // no window has more rows than there are series
                    prop_assert!(pieces.rows.len() - before <= rows_at_once + in_pieces.state().0.board.series());
                }
            }
            while in_pieces.has_more() {
                in_pieces.go_on(&mut pieces);
            }
            prop_assert_eq!(&whole.rows, &pieces.rows);
            prop_assert_eq!(at_once.counters(), in_pieces.counters());
        }
    }

    #[test]
    fn i3_a_suffix_replayed_after_a_restore_changes_nothing(case in case(), cut in 0..1_000usize, stale in any::<bool>()) {
        for log in case.split() {
            let cut = cut % (log.len() + 1);
            let (mut owner, mut first) = (machine(&case), Output::default());
            let mut blob = checkpoint(&owner);
            for (offset, record) in log.iter().enumerate() {
                if offset == cut {
                    blob = checkpoint(&owner);
                }
                feed(&mut owner, offset, record, &mut first);
            }
            let (mut heir, mut again) = (restore(&blob), Output::default());
            for (offset, record) in log.iter().enumerate().skip(if cut < log.len() { cut } else { 0 }) {
                feed(&mut heir, offset, record, &mut again);
            }
            let once = upsert(&first.rows);
            // a replay, or a stale owner whose rows come after the heir's
            let twice: Vec<&Row> = if stale { again.rows.iter().chain(&first.rows).collect() } else { first.rows.iter().chain(&again.rows).collect() };
            prop_assert_eq!(upsert(twice), once);
            prop_assert_eq!(heir.counters(), owner.counters());
            prop_assert_eq!(checkpoint(&heir), checkpoint(&owner));
        }
    }
}

/// The properties above say much only if the logs are bad enough.
#[test]
fn logs_hold_everything_that_real_ones_do() {
    const LOGS: usize = 100;
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..LOGS {
        let case = case().new_tree(&mut runner).unwrap().current();
        let (run, batch) = (run(&case, None), expected(&case));
        let logs = case.split();
        let stamps = |log: &[Record]| -> Vec<(i64, i64)> {
            let of = |record: &Record| match record {
                Record::Event { time, .. } => Some((*time, record.log_time())),
                _ => None,
            };
            log.iter().filter_map(of).collect()
        };
        let pairs: Vec<[(i64, i64); 2]> = logs
            .iter()
            .flat_map(|log| stamps(log).windows(2).map(|two| [two[0], two[1]]).collect::<Vec<_>>())
            .collect();
        let mut revisions: BTreeMap<_, Vec<u64>> = BTreeMap::new();
        run.rows.iter().enumerate().flat_map(|(at, rows)| rows.iter().map(move |row| (at, row))).for_each(
            |(at, row)| {
                revisions.entry((at, id(row))).or_default().push(row.offset);
            },
        );
        let hours = |from: &Row| (from.end.0 - from.start.0) / 3_600_000;
        let days = || run.rows.iter().flatten().filter(|row| row.span.as_str() == "day");
        let figures = batch.rows.values();
        for (what, is) in [
            ("an event twice", batch.counts.duplicates > 0),
            ("disorder", pairs.iter().any(|[one, two]| two.0 < one.0)),
            ("a late event that revises windows", revisions.values().any(|offsets| offsets.len() > 1)),
            ("an event too late", batch.counts.late > 0),
            ("a clock ahead", batch.counts.quarantined > 0),
            ("bytes that are no event", batch.counts.rejected > 0),
            ("an hour of silence", pairs.iter().any(|[one, two]| two.1 - one.1 > 3_600_000)),
            ("several partitions", logs.len() > 1),
            ("a day", days().next().is_some()),
            ("a day of 25 hours", days().any(|row| hours(row) == 25)),
            ("a day that doesn't begin on a multiple of 5 minutes", days().any(|row| row.start.0 % 300_000 != 0)),
            ("sums below -10^15 and above 10^15", {
                let (least, most) = (figures.clone().map(|row| row.num).min(), figures.map(|row| row.num).max());
                least.is_some_and(|num| num < -1_000_000_000_000_000)
                    && most.is_some_and(|num| num > 1_000_000_000_000_000)
            }),
            ("panes merged and packed", most_packed(&case) > 0),
        ] {
            *seen.entry(what).or_default() += usize::from(is);
        }
    }
    // a zone and a night in one is seldom: 1 of 12, where events fall right
    let seldom = |what: &str| what.starts_with("a day ");
    let missing: Vec<_> = seen.iter().filter(|(what, logs)| **logs < if seldom(what) { 2 } else { LOGS / 5 }).collect();
    assert!(missing.is_empty(), "of {LOGS} logs too few hold {missing:?}; all: {seen:?}");
}

const NOON: i64 = 1_795_147_200_000; // 2026-11-20T04:00:00Z, 12:00 in Weihai
const MINUTE: i64 = 60_000;

fn snapshot(id: &str, time: i64, received: i64, num: i64) -> Record {
    let what = What::Snapshot { num, den: 100 };
    Record::Event { id: id.into(), lot: "lot-0".into(), time, what, received: Some(received), append: None }
}

fn case_of(records: Vec<Record>) -> Case {
    Case { zone: "Asia/Shanghai", lateness: 60 * MINUTE, partitions: 1, records }
}

/// Two snapshots, the first of them received twice, and time that moves on.
fn with_a_duplicate() -> Case {
    case_of(vec![
        snapshot("a", NOON, NOON, 40),
        snapshot("b", NOON + 1_000, NOON + 1_000, 50),
        snapshot("a", NOON, NOON + 2_000, 40),
        Record::Tick { time: NOON + 10 * MINUTE },
    ])
}

/// Five minutes go by, then a snapshot comes that belongs to the first of them.
fn with_a_late_event() -> Case {
    case_of(vec![
        snapshot("a", NOON, NOON, 40),
        Record::Tick { time: NOON + 5 * MINUTE },
        snapshot("b", NOON + 1_000, NOON + 5 * MINUTE, 50),
        Record::Tick { time: NOON + 10 * MINUTE },
    ])
}

#[test]
fn the_oracle_counts_by_hand() {
    // two snapshots of 40 and 50 out of 100 in the first minute, counted once each
    let batch = expected(&with_a_duplicate());
    let minute = figure(&batch, "parking.sum", "city", "1m", NOON + MINUTE).unwrap();
    assert_eq!((minute.num, minute.den, minute.n), (90, 200, 2));
    // at 12:01 the lot's state is the second one's; over 12:00–12:05 it is 40 for 1 s, then 50 for 299 s
    let now = figure(&batch, "parking.state", "lot-0", "now", NOON + MINUTE).unwrap();
    assert_eq!((now.num, now.den), (50, 100));
    let area = figure(&batch, "parking.use", "lot-0", "5m", NOON + 5 * MINUTE).unwrap();
    assert_eq!((area.num, area.den, area.n), (40_000 + 50 * 299_000, 100 * 300_000, 2));
    assert!(differences(&merged(&run(&with_a_duplicate(), None).rows), &batch).is_empty());
}

#[test]
fn i7_without_deduplication_the_oracle_would_object() {
    let case = with_a_duplicate();
    let mut bypassed = case.clone();
    if let Record::Event { id, .. } = &mut bypassed.records[2] {
        *id = "a, once more".into();
    }
    let batch = expected(&case);
    assert!(differences(&merged(&run(&case, None).rows), &batch).is_empty());
    assert!(!differences(&merged(&run(&bypassed, None).rows), &batch).is_empty());
}

#[test]
fn i5_without_late_revisions_the_oracle_would_object() {
    let case = with_a_late_event();
    let (run, batch) = (run(&case, None), expected(&case));
    assert!(differences(&merged(&run.rows), &batch).is_empty());
    let unrevised = vec![first_only(&run.rows[0])];
    assert!(!differences(&merged(&unrevised), &batch).is_empty());
}

#[test]
fn i5_a_late_event_revises_every_window_it_belongs_to_and_no_other() {
    let case = with_a_late_event();
    let rows = run(&case, None).rows.remove(0);
    let revised: Vec<i64> = rows
        .iter()
        .filter(|row| row.metric == "parking.sum" && row.key == "city" && row.span.as_str() == "1m" && row.offset == 3)
        .filter(|row| row.n == 2)
        .map(|row| (row.end.0 - NOON) / 1_000)
        .collect();
    assert_eq!(revised, [10, 20, 30, 40, 50, 60]);
}

#[test]
fn i5_what_is_too_late_moves_a_state_only_where_it_is_newer() {
    let newer_known = case_of(vec![
        snapshot("a", NOON, NOON, 40),
        snapshot("b", NOON - 70 * MINUTE, NOON + 1_000, 90), // 10 minutes behind the horizon, and older than what is known
        Record::Tick { time: NOON + 10 * MINUTE },
    ]);
    let alone = case_of(vec![newer_known.records[0].clone(), newer_known.records[2].clone()]);
    assert_eq!(merged(&without_offsets(&newer_known)), merged(&without_offsets(&alone)));
}

#[test]
fn a_day_that_begins_inside_an_old_bucket_gets_what_is_its_own() {
    // Liberia was 44 min 30 s behind UTC until 1972: a day begins between two panes of one bucket of 5 minutes
    let midnight = (44 * 60 + 30) * 1_000;
    let tick = |minutes: i64| Record::Tick { time: midnight + minutes * MINUTE };
    let case = Case {
        zone: "Africa/Monrovia",
        lateness: 0,
        partitions: 1,
        records: vec![
            snapshot("a", midnight - 10_000, midnight - 10_000, 40),
            snapshot("b", midnight + 10_000, midnight + 10_000, 50),
            tick(10),
            tick(20), // old by now, and packed
            tick(25 * 60),
        ],
    };
    assert!(most_packed(&case) > 0);
    let (rows, batch) = (merged(&run(&case, None).rows), expected(&case));
    assert_eq!(differences(&rows, &batch), [""; 0]);
    let day = figure(&batch, "parking.sum", "city", "day", midnight + 24 * 60 * MINUTE).unwrap();
    assert_eq!((day.num, day.n), (50, 1));
}

/// A run's rows, without what tells the two logs apart by their length.
fn without_offsets(case: &Case) -> Vec<Vec<Row>> {
    let plain = |row: &Row| Row { offset: 0, ..row.clone() };
    run(case, None).rows.iter().map(|rows| rows.iter().map(plain).collect()).collect()
}
