//! `city.metrics`: partitions, generations and revisions become one row (I3, I4, I8).

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio_util::sync::CancellationToken;
use yiping_store::{Batch, HealedRow, LateRow, MetricFilter, MetricRow, MetricValue, Store};

use crate::{DAY, MINUTE, T0, generation, metrics, row, status, store_or_skip};

async fn read(store: &Store, metric: &str) -> Vec<MetricValue> {
    store.metrics(&MetricFilter { metric: Some(metric.to_owned()), ..MetricFilter::default() }).await.unwrap()
}

async fn the_one(store: &Store, metric: &str) -> MetricValue {
    let mut rows = read(store, metric).await;
    assert_eq!(rows.len(), 1, "one row a window: {rows:?}");
    rows.remove(0)
}

pub(crate) async fn write(store: &Store, batch: &Batch) {
    store.write(batch, &CancellationToken::new()).await.unwrap();
}

#[tokio::test]
async fn i8_two_partitions_merge_into_one_row_of_each_kind() {
    let store = store_or_skip!();
    let two = |metric: &str, a, b| vec![row(metric, T0, 0, 7, a), row(metric, T0, 1, 9, b)];
    let rows = [
        two("merge.count", (3, 0, 3), (4, 0, 4)),
        // a gauge's denominator counts what speaks, which is its n
        two("merge.gauge", (30, 1, 0), (-4, 1, 0)),
        two("merge.ratio", (3, 4, 4), (4, 4, 4)),
        two("merge.fleet_ratio", (600, 650, 650), (786, 700, 700)),
        // 10 km in 20 min, 20 km in 30 min; in mm and ms
        two("merge.speed_kmh", (10_000_000, 1_200_000, 20), (20_000_000, 1_800_000, 30)),
        two("merge.occupancy", (50, 100, 1), (25, 100, 1)),
    ]
    .concat();
    write(&store, &metrics("merge", rows)).await;

    let figures = |row: &MetricValue| (row.value, row.numerator, row.denominator, row.n);
    assert_eq!(figures(&the_one(&store, "merge.count").await), (Some(7.0), 7.0, 1.0, 7));
    assert_eq!(figures(&the_one(&store, "merge.gauge").await), (Some(26.0), 26.0, 1.0, 2));
    assert_eq!(figures(&the_one(&store, "merge.ratio").await), (Some(0.875), 7.0, 8.0, 8));
    // the fleet is a constant of the profile: joined, not summed
    assert_eq!(figures(&the_one(&store, "merge.fleet_ratio").await), (Some(0.99), 1386.0, 1400.0, 1400));
    assert_eq!(figures(&the_one(&store, "merge.speed_kmh").await), (Some(36.0), 30_000.0, 3_000.0, 50));
    // an integral needs no five steps
    assert_eq!(figures(&the_one(&store, "merge.occupancy").await), (Some(0.375), 75.0, 200.0, 2));
    let merged = the_one(&store, "merge.count").await;
    assert_eq!(merged.revision, (1 << 48) | 9);
    assert_eq!((merged.window_start_ms, merged.window_end_ms), (T0 - 15 * MINUTE, T0));
}

#[tokio::test]
async fn i8_figures_of_four_sums_and_of_the_oldest_merge_exactly() {
    let store = store_or_skip!();
    let four = |metric: &str, partition, (num, den, num2, den2, n)| MetricRow {
        num2,
        den2,
        ..row(metric, T0, partition, 7, (num, den, n))
    };
    let rows = vec![
        // differences −100, 100, 0 s here, −200 and 200 s there; planned 600 s each: sd √20,000 = 141.42 s, mean 600 s
        four("merge.deviation", 0, (0, 1_800_000, 20_000_000_000, 0, 3)),
        four("merge.deviation", 1, (0, 1_200_000, 80_000_000_000, 0, 2)),
        // headways 300 and 900 s here, three of 600 s there, where 600 s were planned: actual
        // (90,000 + 810,000 + 3 · 360,000) / (2 · 3,000) = 330 s, planned 5 · 360,000 / 6,000 = 300 s
        four("merge.excess_s", 0, (900_000_000_000, 1_200_000, 720_000_000_000, 1_200_000, 2)),
        four("merge.excess_s", 1, (1_080_000_000_000, 1_800_000, 1_080_000_000_000, 1_800_000, 3)),
        // two wait since 90 s and 30 s here, nobody there
        row("merge.oldest_s", T0, 0, 7, (T0 - 90_000, 5, 2)),
        row("merge.oldest_s", T0, 1, 7, (0, 8, 0)),
        // 40 + 20 free, 30 − 10 more taken in 5 minutes: 4 a minute
        row("merge.minutes_to_full", T0, 0, 7, (40, 30, 9)),
        row("merge.minutes_to_full", T0, 1, 7, (20, -10, 9)),
        row("merge.turnover", T0, 0, 7, (150, 40, 40)),
        row("merge.turnover", T0, 1, 7, (50, 10, 10)),
    ];
    write(&store, &metrics("merge", rows)).await;
    let figures = async |metric: &str| {
        let row = the_one(&store, metric).await;
        (row.value, row.numerator, row.denominator, row.n)
    };
    let (value, sd, mean, n) = figures("merge.deviation").await;
    assert!((sd - 141.421_356).abs() < 1e-6 && (value.unwrap() - sd / 600.0).abs() < 1e-12, "{sd} {value:?}");
    assert_eq!((mean, n), (600.0, 5));
    assert_eq!(figures("merge.excess_s").await, (Some(30.0), 330.0, 300.0, 5));
    assert_eq!(figures("merge.oldest_s").await, (Some(90.0), 90.0, 1.0, 2));
    assert_eq!(figures("merge.minutes_to_full").await, (Some(15.0), 60.0, 4.0, 18));
    assert_eq!(figures("merge.turnover").await, (Some(0.25), 50.0, 200.0, 50));
}

#[tokio::test]
async fn what_is_made_of_merged_rows_is_counted_at_each_full_minute() {
    let store = store_or_skip!();
    let lot = |key: &str, window_end_ms, partition, sums| MetricRow {
        level: "lot".into(),
        key: key.into(),
        span: "5m".into(),
        ..row("merge.minutes_to_full", window_end_ms, partition, 7, sums)
    };
    let rows = vec![
        lot("a", T0 + MINUTE, 0, (20, 10, 3)),        // 20 free, 2 a minute: 10 minutes
        lot("b", T0 + MINUTE, 1, (300, 10, 3)),       // 150 minutes
        lot("c", T0 + MINUTE, 1, (20, -10, 3)),       // empties: no value
        lot("a", T0 + MINUTE + 30_000, 0, (1, 9, 3)), // no full minute
    ];
    write(&store, &metrics("merge", rows)).await;
    let made = the_one(&store, "merge.filling").await;
    assert_eq!((made.value, made.numerator, made.denominator, made.n), (Some(1.0), 1.0, 1.0, 2));
    assert_eq!((&*made.level, &*made.key, &*made.span), ("city", "city", "now"));
    assert_eq!((made.window_start_ms, made.window_end_ms), (T0 + MINUTE, T0 + MINUTE));
}

#[tokio::test]
async fn seven_and_thirty_days_are_merged_from_days() {
    let store = store_or_skip!();
    let day = |number: i64, metric: &str, sums| {
        let end = T0 + number * DAY;
        MetricRow { span: "day".into(), window_start_ms: end - DAY, ..row(metric, end, 0, 7, sums) }
    };
    // forty days, the first of them 100 of 100, the others 1 of 2; on the 38th nothing
    let rows = (1..=40).filter(|number| *number != 38).flat_map(|number| {
        let (num, den) = if number == 1 { (100, 100) } else { (1, 2) };
        [day(number, "slots.ratio", (num, den, den)), day(number, "slots.count", (den, 0, den))]
    });
    write(&store, &metrics("slots", rows.collect())).await;
    let ask = async |metric: &str, span: &str, number: i64| {
        let sql = format!(
            "SELECT toString(numerator), toString(denominator), toString(n), toString(window_start) FROM city.metrics_days
             WHERE metric = '{metric}' AND span = '{span}' AND window_end = fromUnixTimestamp64Milli({}, 'UTC')",
            T0 + number * DAY
        );
        crate::live::ask(&sql).await.unwrap().trim().to_owned()
    };
    // days 34 … 40 without the 38th; days 1 … 30; days 2 … 31
    assert_eq!(ask("slots.ratio", "7d", 40).await, "6\t12\t12\t2026-12-23 10:00:00.000");
    assert_eq!(ask("slots.ratio", "30d", 30).await, "129\t158\t158\t2026-11-20 10:00:00.000");
    assert_eq!(ask("slots.ratio", "30d", 31).await, "30\t60\t60\t2026-11-21 10:00:00.000");
    assert_eq!(ask("slots.count", "7d", 7).await, "112\t1\t112\t2026-11-20 10:00:00.000");
    assert_eq!(ask("slots.ratio", "7d", 38).await, "");
}

/// As the spec of the buckets says, written once more.
fn bucket(value: u64) -> u16 {
    if value < 128 {
        return value as u16;
    }
    let octave = 63 - value.leading_zeros() as u64 - 6;
    (64 + octave * 64 + (value >> octave) - 64) as u16
}

#[tokio::test]
async fn i8_a_percentile_over_partitions_is_that_of_all_values_within_one_percent() {
    let store = store_or_skip!();
    let mut random = SmallRng::seed_from_u64(1);
    for (case, (n, bits)) in [(5, 7), (20, 12), (100, 17), (3_000, 24), (1_000, 40)].into_iter().enumerate() {
        let window_end_ms = T0 + case as i64 * MINUTE;
        let mut value = || random.random::<u64>() >> random.random_range(64 - bits..64);
        let mut values: Vec<u64> = (0..n).map(|_| value()).collect();
        let rows: Vec<MetricRow> = [0, 1]
            .map(|partition| {
                let own = values.iter().copied().enumerate().filter(|(at, _)| (at % 3 == 0) == (partition == 0));
                let mut hist = std::collections::BTreeMap::<u16, i64>::new();
                own.for_each(|(_, value)| *hist.entry(bucket(value)).or_default() += 1);
                let own: i64 = hist.values().sum();
                MetricRow {
                    hist: hist.into_iter().collect(),
                    ..row("merge.wait_p95_s", window_end_ms, partition, 1, (0, 0, own))
                }
            })
            .into();
        write(&store, &metrics("merge", rows)).await;
        values.sort_unstable();
        let naive = values[(0.95 * n as f64).ceil() as usize - 1] as f64 / 1000.0;
        let merged = read(&store, "merge.wait_p95_s").await.pop().unwrap();
        assert_eq!(merged.window_end_ms, window_end_ms);
        assert_eq!((merged.numerator, merged.denominator, merged.n), (0.0, n as f64, n as i64));
        let error = (merged.value.unwrap() - naive).abs() / naive;
        assert!(error <= 0.01, "{case}: {:?} instead of {naive}", merged.value);
    }
}

#[tokio::test]
async fn below_five_there_is_no_ratio_but_a_count() {
    let store = store_or_skip!();
    let end = T0 - 60 * MINUTE;
    let rows = vec![
        row("few.ratio", end, 0, 1, (2, 2, 2)),
        row("few.ratio", end, 1, 1, (2, 2, 2)),
        row("few.count", end, 0, 1, (1, 0, 1)),
        row("few.occupancy", end, 0, 1, (0, 0, 0)),
        MetricRow { hist: vec![(7, 4)], ..row("few.wait_p95_s", end, 0, 1, (0, 0, 4)) },
    ];
    write(&store, &metrics("few", rows)).await;
    let at = async |metric: &str| {
        let mut rows = read(&store, metric).await;
        rows.retain(|row| row.window_end_ms == end);
        rows.pop().unwrap()
    };
    let ratio = at("few.ratio").await;
    assert_eq!((ratio.value, ratio.numerator, ratio.denominator, ratio.n), (None, 4.0, 4.0, 4));
    assert_eq!(at("few.count").await.value, Some(1.0));
    assert_eq!(at("few.occupancy").await.value, None, "no capacity, no occupancy");
    assert_eq!(at("few.wait_p95_s").await.value, None);
}

#[tokio::test]
async fn i3_the_same_batch_twice_changes_nothing() {
    let store = store_or_skip!();
    let batch =
        metrics("twice", vec![row("twice.count", T0, 0, 7, (3, 0, 3)), row("twice.count", T0, 1, 7, (4, 0, 4))]);
    write(&store, &batch).await;
    let once = read(&store, "twice.count").await;
    write(&store, &batch).await;
    assert_eq!(read(&store, "twice.count").await, once);
    assert_eq!(once[0].value, Some(7.0));
}

#[tokio::test]
async fn i3_an_older_revision_after_a_newer_changes_nothing() {
    let store = store_or_skip!();
    write(&store, &metrics("older", vec![row("older.count", T0, 0, 9, (9, 0, 9))])).await;
    write(&store, &metrics("older", vec![row("older.count", T0, 0, 8, (8, 0, 8))])).await;
    assert_eq!(the_one(&store, "older.count").await.value, Some(9.0));
    write(&store, &metrics("older", vec![row("older.count", T0, 0, 10, (10, 0, 10))])).await;
    assert_eq!(the_one(&store, "older.count").await.value, Some(10.0));
}

#[tokio::test]
async fn i4_a_window_is_read_from_the_newest_generation_that_covers_it() {
    let store = store_or_skip!();
    let second = |row: MetricRow| MetricRow { generation: 2, revision: (2 << 48) | 1, ..row };
    let rows = vec![
        row("lives.count", T0, 0, 5, (10, 0, 10)),
        row("lives.count", T0 + MINUTE, 0, 6, (11, 0, 11)),
        // the new life knows a window that it does not cover, and splits its own over two partitions
        second(row("lives.count", T0, 0, 0, (1, 0, 1))),
        second(row("lives.count", T0 + MINUTE, 0, 0, (20, 0, 20))),
        second(row("lives.count", T0 + MINUTE, 1, 0, (2, 0, 2))),
    ];
    let generations = vec![generation("lives", 1, None), generation("lives", 2, Some(T0))];
    write(&store, &Batch { metrics: rows, generations, ..Batch::default() }).await;
    let values: Vec<Option<f64>> = read(&store, "lives.count").await.iter().map(|row| row.value).collect();
    assert_eq!(values, [Some(10.0), Some(22.0)]);
}

#[tokio::test]
async fn i3_a_gone_row_is_hidden_and_no_stale_writer_revives_it() {
    let store = store_or_skip!();
    let gone = |row: MetricRow| MetricRow { gone: true, ..row };
    let rows = vec![
        row("gone.count", T0, 0, 5, (1, 0, 1)),
        gone(row("gone.count", T0, 0, 6, (0, 0, 0))),
        row("gone.count", T0 + MINUTE, 0, 5, (1, 0, 1)),
        gone(row("gone.count", T0 + MINUTE, 1, 8, (0, 0, 0))),
    ];
    write(&store, &metrics("gone", rows)).await;
    write(&store, &metrics("gone", vec![row("gone.count", T0, 0, 5, (1, 0, 1))])).await;
    let left = the_one(&store, "gone.count").await;
    assert_eq!((left.window_end_ms, left.value), (T0 + MINUTE, Some(1.0)));
    assert_eq!(left.revision, (1 << 48) | 8, "that a part went away is a revision too");
}

#[tokio::test]
async fn i8_final_is_what_every_partition_that_has_time_has_passed() {
    let store = store_or_skip!();
    let rows = vec![row("final.count", T0, 0, 1, (1, 0, 1)), row("final.count", T0 + MINUTE, 0, 1, (2, 0, 2))];
    let mut batch = metrics("final", rows);
    // an old life's watermark and a partition without time say nothing
    batch.status = vec![
        status("final", 0, 1, Some(T0 - MINUTE)),
        status("final", 0, 2, Some(T0 + 2 * MINUTE)),
        status("final", 1, 2, Some(T0 + 1)),
        status("final", 2, 2, None),
    ];
    write(&store, &batch).await;
    let rows = read(&store, "final.count").await;
    let finals: Vec<(bool, Option<i64>)> = rows.iter().map(|row| (row.is_final, row.watermark_ms)).collect();
    assert_eq!(finals, [(true, Some(T0 + 1)), (false, Some(T0 + 1))]);
    let mine: Vec<_> = store.streams().await.unwrap().into_iter().filter(|row| row.stream == "final").collect();
    assert_eq!(mine.iter().map(|row| (row.partition, row.generation)).collect::<Vec<_>>(), [(0, 2), (1, 2), (2, 2)]);
    assert_eq!((mine[0].accepted, mine[0].rejected, mine[0].watermark_ms), (9, 1, Some(T0 + 2 * MINUTE)));
    assert_eq!(mine[2].watermark_ms, None);
}

#[tokio::test]
async fn i4_a_part_that_may_lack_something_makes_the_figure_incomplete() {
    let store = store_or_skip!();
    let lacking = |row: MetricRow| MetricRow { incomplete: true, ..row };
    let rows = vec![
        lacking(row("lack.count", T0, 0, 5, (1, 0, 1))),
        row("lack.count", T0, 1, 5, (1, 0, 1)),
        row("lack.count", T0 + MINUTE, 0, 5, (1, 0, 1)),
    ];
    write(&store, &metrics("lack", rows)).await;
    let told: Vec<(Option<f64>, bool)> =
        read(&store, "lack.count").await.iter().map(|row| (row.value, row.incomplete)).collect();
    assert_eq!(told, [(Some(2.0), true), (Some(1.0), false)]);
}

#[tokio::test]
async fn i5_a_figure_says_how_many_events_of_its_time_came_too_late_until_they_are_healed() {
    let store = store_or_skip!();
    // rows of 15 minutes: [T0 − 15 min, T0), [T0, T0 + 15 min), [T0 + 15 min, T0 + 30 min)
    let rows = (0..3).map(|at| row("tardy.count", T0 + at * 15 * MINUTE, 0, 5, (1, 0, 1))).collect();
    let mut batch = metrics("tardy", rows);
    let late = |partition: u32, minute_ms: i64, events: u64, revision: u64| LateRow {
        stream: "tardy".into(),
        generation: 1,
        partition,
        minute_ms,
        events,
        revision,
    };
    batch.late = vec![
        late(0, T0 - MINUTE, 2, 7),
        // the count so far, once more and older: nothing is added up twice
        late(0, T0, 3, 8),
        late(0, T0, 1, 6),
        late(1, T0 + 14 * MINUTE, 4, 9),
    ];
    write(&store, &batch).await;
    let told = async || -> Vec<u64> { read(&store, "tardy.count").await.iter().map(|row| row.late).collect() };
    assert_eq!(told().await, [2, 7, 0]);
    let healed = HealedRow {
        stream: "tardy".into(),
        generation: 1,
        partition: 1,
        minute_ms: T0 + 14 * MINUTE,
        events: 4,
        revision: 20,
    };
    write(&store, &Batch { healed: vec![healed], ..Batch::default() }).await;
    assert_eq!(told().await, [2, 3, 0]);
    // another one of that minute comes after
    write(&store, &Batch { late: vec![late(1, T0 + 14 * MINUTE, 5, 30)], ..Batch::default() }).await;
    assert_eq!(told().await, [2, 4, 0]);
}

#[tokio::test]
async fn a_filter_takes_what_it_names() {
    let store = store_or_skip!();
    let rows = (0..10).map(|at| row("filter.gauge", T0 + (100 + at) * MINUTE, 0, 1, (at, 0, 1))).collect();
    write(&store, &metrics("filter", rows)).await;
    let filter = MetricFilter {
        metric: Some("filter.gauge".into()),
        level: Some("city".into()),
        key: Some("city".into()),
        span: Some("15m".into()),
        from_ms: Some(T0 + 102 * MINUTE),
        to_ms: Some(T0 + 108 * MINUTE),
        every_ms: None,
        limit: Some(3),
    };
    let values: Vec<f64> = store.metrics(&filter).await.unwrap().iter().filter_map(|row| row.value).collect();
    assert_eq!(values, [5.0, 6.0, 7.0], "the newest three before 108, oldest first");
    let thinned = MetricFilter { every_ms: Some(5 * MINUTE), to_ms: None, from_ms: None, ..filter.clone() };
    let values: Vec<f64> = store.metrics(&thinned).await.unwrap().iter().filter_map(|row| row.value).collect();
    assert_eq!(values, [0.0, 5.0], "minutes 100 and 105, as they are");
    let none = MetricFilter { key: Some("it's nobody".into()), ..filter };
    assert_eq!(store.metrics(&none).await.unwrap(), []);
}

#[tokio::test]
async fn a_spark_has_at_most_72_points_and_ends_with_the_newest_final_one() {
    let store = store_or_skip!();
    let mut rows: Vec<MetricRow> = (0..240).map(|at| row("spark.count", T0 + at * MINUTE, 0, 1, (at, 0, at))).collect();
    rows.push(row("spark.ratio", T0, 0, 1, (1, 1, 1)));
    let mut batch = metrics("spark", rows);
    batch.status = vec![status("spark", 0, 1, Some(T0 + 200 * MINUTE))];
    write(&store, &batch).await;
    let points = store.spark(T0, None).await.unwrap();
    let counts: Vec<_> = points.iter().filter(|point| point.metric == "spark.count").collect();
    assert!((60..=72).contains(&counts.len()), "{}", counts.len());
    assert!(counts.is_sorted_by_key(|point| point.window_end_ms));
    assert_eq!(counts.last().unwrap().value, Some(200.0));
    let ratios: Vec<_> = points.iter().filter(|point| point.metric == "spark.ratio").collect();
    assert_eq!(ratios.iter().map(|point| point.value).collect::<Vec<_>>(), [None]);
}
