//! Writing a batch: split, inserted synchronously, retried until ClickHouse says that it is on disk. That a retry may write
//! rows a second time is no harm: rows are absolute (I3).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use clickhouse::{Row, RowOwned, RowWrite};
use rand::RngExt;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{Batch, LatestMark, LatestMetricRow, MetricRow, Result, Store, StoreError};

/// Rows of one insert: large enough for ClickHouse, small enough for its memory.
const INSERT_ROWS: usize = 100_000;
/// ClickHouse refuses an insert that touches more than 100 of a table's partitions (`metric_rows`: weeks).
const INSERT_WEEKS: usize = 90;
const DAY_MS: i64 = 86_400_000;

impl Store {
    /// Writes a batch and returns when ClickHouse has all of it on disk. What may pass by itself is tried again, with growing
    /// pauses, until `stop` is cancelled ([`StoreError::Stopped`]); any other error is returned at once.
    /// Tables are written in the order that [`Batch`] says; after an error some may be written: write the same batch again.
    pub async fn write(&self, batch: &Batch, stop: &CancellationToken) -> Result<()> {
        self.insert_all("generations", batch.generations.iter(), stop).await?;
        self.insert_all("configs", batch.configs.iter(), stop).await?;
        for rows in by_weeks(&batch.metrics) {
            self.insert_all("metric_rows", rows.into_iter(), stop).await?;
        }
        self.insert_all("late_rows", batch.late.iter(), stop).await?;
        self.insert_all("healed_rows", batch.healed.iter(), stop).await?;
        let latest: Vec<LatestInsert> = batch.latest.iter().map(LatestInsert::from).collect();
        self.insert_all("metric_latest_rows", latest.iter(), stop).await?;
        self.insert_all("live_rows", batch.live.iter(), stop).await?;
        self.insert_all("rejects", batch.rejects.iter(), stop).await?;
        self.insert_all("source_rows", batch.sources.iter(), stop).await?;
        self.insert_all("latest_marks", marks(batch).iter(), stop).await?;
        self.insert_all("status_rows", batch.status.iter(), stop).await
    }

    async fn insert_all<'a, R>(
        &self,
        table: &str,
        rows: impl Iterator<Item = &'a R>,
        stop: &CancellationToken,
    ) -> Result<()>
    where
        R: RowOwned + RowWrite + Sync,
    {
        let rows: Vec<&R> = rows.collect();
        for rows in rows.chunks(INSERT_ROWS) {
            self.insert_until(table, rows, stop).await?;
        }
        Ok(())
    }

    /// One insert, tried until it is acknowledged or `stop` says so.
    async fn insert_until<R>(&self, table: &str, rows: &[&R], stop: &CancellationToken) -> Result<()>
    where
        R: RowOwned + RowWrite + Sync,
    {
        let mut pause = self.options().retry_first;
        loop {
            let error = tokio::select! {
                biased;
                () = stop.cancelled() => return Err(StoreError::Stopped { last: format!("no answer on {table}") }),
                done = self.insert(table, rows) => match done {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                },
            };
            if !error.is_retriable() {
                return Err(error);
            }
            tracing::warn!(table, rows = rows.len(), %error, pause_ms = pause.as_millis(), "insert failed, will try again");
            tokio::select! {
                () = stop.cancelled() => return Err(StoreError::Stopped { last: error.to_string() }),
                () = tokio::time::sleep(jittered(pause)) => {}
            }
            pause = (pause * 2).min(self.options().retry_max);
        }
    }

    /// One insert, tried once.
    pub(crate) async fn insert<R>(&self, table: &str, rows: &[&R]) -> Result<()>
    where
        R: RowOwned + RowWrite + Sync,
    {
        let sent = async {
            let mut insert =
                self.client().insert_unescaped::<R>(&format!("city.{table}")).await?.with_setting("async_insert", "0");
            for row in rows {
                insert.write(row).await?;
            }
            insert.end().await
        };
        let sent = tokio::time::timeout(self.options().insert_timeout, sent);
        match sent.await.unwrap_or(Err(clickhouse::error::Error::TimedOut)) {
            Ok(()) => {
                self.counters().rows.fetch_add(rows.len() as u64, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                self.counters().errors.fetch_add(1, Ordering::Relaxed);
                Err(error.into())
            }
        }
    }
}

/// ±50 %, so that services which lost ClickHouse together don't come back together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.5..1.5))
}

/// Groups of rows that touch at most [`INSERT_WEEKS`] partitions each: old data replays through here.
fn by_weeks(rows: &[MetricRow]) -> Vec<Vec<&MetricRow>> {
    let mut weeks: BTreeMap<i64, Vec<&MetricRow>> = BTreeMap::new();
    for row in rows {
        // Mondays, as `toMonday` has them: day 0 of 1970 was a Thursday.
        weeks.entry((row.window_end_ms.div_euclid(DAY_MS) + 3).div_euclid(7)).or_default().push(row);
    }
    let weeks: Vec<Vec<&MetricRow>> = weeks.into_values().collect();
    weeks.chunks(INSERT_WEEKS).map(|weeks| weeks.concat()).collect()
}

/// The batch's marks, and those that its rows imply: the newest of each identity.
fn marks(batch: &Batch) -> Vec<LatestMark> {
    type Identity = (Arc<str>, Arc<str>, Arc<str>, u16, u32);
    let implied = batch.latest.iter().map(|latest| {
        let row = &latest.row;
        let (start, end) = match &*row.span {
            "now" => (latest.partition_time_ms, latest.partition_time_ms),
            _ => (row.window_start_ms, row.window_end_ms),
        };
        LatestMark {
            stream: row.stream.clone(),
            level: row.level.clone(),
            span: row.span.clone(),
            generation: row.generation,
            partition: row.partition,
            window_start_ms: start,
            window_end_ms: end,
            revision: row.revision,
        }
    });
    let mut newest: HashMap<Identity, LatestMark> = HashMap::new();
    for mark in implied.chain(batch.marks.iter().cloned()) {
        let identity = (mark.stream.clone(), mark.level.clone(), mark.span.clone(), mark.generation, mark.partition);
        let kept = newest.entry(identity).or_insert_with(|| mark.clone());
        if (mark.window_end_ms, mark.revision) > (kept.window_end_ms, kept.revision) {
            *kept = mark;
        }
    }
    newest.into_values().collect()
}

/// The columns of `city.metric_latest_rows`.
#[derive(Row, Serialize)]
struct LatestInsert {
    stream: Arc<str>,
    metric: Arc<str>,
    level: Arc<str>,
    key: Arc<str>,
    span: Arc<str>,
    window_start: i64,
    window_end: i64,
    generation: u16,
    partition: u32,
    slot: u8,
    revision: u64,
    num: i64,
    den: i64,
    n: i64,
    num2: i64,
    den2: i64,
    hist: Vec<(u16, i64)>,
    gone: bool,
    incomplete: bool,
    partition_time: i64,
    watermark: i64,
}

impl From<&LatestMetricRow> for LatestInsert {
    fn from(latest: &LatestMetricRow) -> Self {
        let row = latest.row.clone();
        Self {
            stream: row.stream,
            metric: row.metric,
            level: row.level,
            key: row.key,
            span: row.span,
            window_start: row.window_start_ms,
            window_end: row.window_end_ms,
            generation: row.generation,
            partition: row.partition,
            slot: latest.slot,
            revision: row.revision,
            num: row.num,
            den: row.den,
            n: row.n,
            num2: row.num2,
            den2: row.den2,
            hist: row.hist,
            gone: row.gone,
            incomplete: row.incomplete,
            partition_time: latest.partition_time_ms,
            watermark: latest.watermark_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(window_end_ms: i64) -> MetricRow {
        MetricRow {
            stream: "bus".into(),
            metric: "bus.speed_kmh".into(),
            level: "city".into(),
            key: "city".into(),
            span: "15m".into(),
            window_start_ms: window_end_ms - 900_000,
            window_end_ms,
            generation: 1,
            partition: 0,
            revision: 1,
            num: 1,
            den: 1,
            n: 1,
            num2: 0,
            den2: 0,
            hist: vec![],
            gone: false,
            incomplete: false,
        }
    }

    #[test]
    fn three_years_of_old_data_make_inserts_of_at_most_ninety_weeks() {
        let rows: Vec<MetricRow> = (0..3 * 366).map(|day| row(day * DAY_MS)).collect();
        let inserts = by_weeks(&rows);
        assert_eq!(inserts.iter().map(Vec::len).sum::<usize>(), rows.len());
        for insert in inserts {
            let weeks: std::collections::BTreeSet<i64> =
                insert.iter().map(|row| (row.window_end_ms / DAY_MS + 3) / 7).collect();
            assert!(weeks.len() <= INSERT_WEEKS);
        }
    }

    #[test]
    fn a_mark_of_an_empty_window_wins_over_the_older_rows() {
        let latest = LatestMetricRow { row: row(60_000), slot: 1, partition_time_ms: 50_000, watermark_ms: 45_000 };
        let mark = LatestMark {
            stream: "bus".into(),
            level: "city".into(),
            span: "15m".into(),
            generation: 1,
            partition: 0,
            window_start_ms: 120_000 - 900_000,
            window_end_ms: 120_000,
            revision: 2,
        };
        let batch = Batch { latest: vec![latest], marks: vec![mark.clone()], ..Batch::default() };
        assert_eq!(marks(&batch), vec![mark]);
    }
}
