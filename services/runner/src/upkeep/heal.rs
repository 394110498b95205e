//! Closed windows made again with the events that came too late for them (I5). The state from before the time in question reads the
//! log once more, with its horizon held: nothing is too late then.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;
use yiping_event::{Stream, TimeMs};
use yiping_store::{Batch, HealedRow, MetricRow};
use yiping_window::{Domain, Span};

use super::{Gathered, Upkeep, base, life_of_log, replay};
use crate::rows::{RowId, row_id};

/// The longest window: a day of 25 hours.
const LONGEST_MS: i64 = 25 * 60 * 60 * 1_000;

/// How far behind its own time an event can move a state, and so the figures of windows that begin later (a lot's spaces, until its
/// next snapshot; an order that stays open): these are made again, too.
const STATE_MS: i64 = 24 * 60 * 60 * 1_000;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Healed {
    /// Rows that differed and were written.
    pub rows: u64,
    /// Late events of the time asked for that the figures now hold; also those that an earlier `heal` counted in.
    pub events: u64,
    /// Late events of the time asked for that are in windows still open: heal again when those have closed.
    pub waiting: u64,
    /// Windows that end after this are still revised by the service: they were left alone.
    pub until: TimeMs,
}

/// Makes every window again that overlaps [from, to) and that the service doesn't revise any more, and those after it that events
/// of that time reach through a state.
///
/// # Errors
/// When the log or the store doesn't answer, or neither a checkpoint nor the log reaches back far enough.
pub async fn heal<D: Domain>(upkeep: &Upkeep, stream: Stream, from: TimeMs, to: TimeMs) -> anyhow::Result<Healed> {
    let shared = upkeep.shared(stream);
    let life = life_of_log(&shared).await?;
    if life.from_ms.is_some_and(|begin| from.0 < begin) {
        bail!(
            "the log of this generation begins at {}: what was before can't be read again",
            TimeMs(life.from_ms.unwrap_or(0))
        );
    }
    let mut newest = Vec::new();
    for partition in 0..life.partitions {
        let found = shared.newest::<D>(&life, partition).await?;
        newest.extend(found.map(|(id, machine)| (partition, id.offset, machine)));
    }
    let until =
        newest.iter().filter_map(|(_, _, machine)| machine.horizon()).min().context("the stream has no state yet")?;
    let mut healed = Healed { rows: 0, events: 0, waiting: 0, until };
    for (partition, frontier, machine) in newest {
        let early = TimeMs(from.0 - LONGEST_MS);
        let fits = |horizon: Option<TimeMs>| horizon.is_none_or(|horizon| horizon <= early);
        let Some(mut base) = base::<D>(&shared, &life, partition, |machine| fits(machine.horizon())).await? else {
            bail!(
                "partition {partition}: no checkpoint is a day older than {from} and the log begins later; try a later --from"
            );
        };
        base.machine.hold_horizon();
        let mut made = Gathered::new(&shared, &life, partition);
        let reach = TimeMs(to.0 + STATE_MS);
        replay(upkeep, &shared, partition, &mut base, frontier, async |out| {
            made.take(&mut out.rows, |row| row.end > from && row.start < reach && row.end <= until);
            Ok(())
        })
        .await?;
        let rest = TimeMs(reach.0 + LONGEST_MS).min(until);
        let stored = shared.store.metric_rows(&made.origin, from.0, rest.0).await?;
        let stored = stored.into_iter().filter(|row| row.window_start_ms < reach.0);
        let revision = made.origin.revision(frontier.saturating_sub(1));
        let metrics = differing(made.rows, stored, revision);
        let specs = &shared.specs;
        let moves: BTreeMap<&str, bool> = specs.iter().map(|spec| (spec.id.as_str(), spec.moves)).collect();
        let metrics: Vec<MetricRow> = metrics
            .into_iter()
            .map(|row| {
                let empty = (row.num, row.den, row.n) == (0, 0, 0);
                MetricRow { gone: empty && moves.get(&*row.metric).copied().unwrap_or(false), ..row }
            })
            .collect();
        let mut spans: Vec<Span> = specs.iter().flat_map(|spec| spec.spans.iter().copied()).collect();
        spans.sort_unstable();
        spans.dedup();
        let mut counted = Vec::new();
        for (minute, events) in machine.late_minutes().filter(|(minute, _)| *minute >= from && *minute < to) {
            let last = spans.iter().map(|span| span.last_end_holding(minute.0, machine.days())).max();
            if last.is_some_and(|last| last > until.0) {
                healed.waiting += events;
                continue;
            }
            healed.events += events;
            counted.push(HealedRow {
                stream: made.origin.stream.clone(),
                generation: life.number,
                partition,
                minute_ms: minute.0,
                events,
                revision,
            });
        }
        healed.rows += metrics.len() as u64;
        let batch = Batch { metrics, healed: counted, ..Batch::default() };
        shared.store.write(&batch, &CancellationToken::new()).await?;
    }
    Ok(healed)
}

/// What has to be written so that the stored rows say what `made` says.
fn differing(
    made: HashMap<RowId, MetricRow>,
    stored: impl Iterator<Item = MetricRow>,
    revision: u64,
) -> Vec<MetricRow> {
    let mut made = made;
    let mut write = Vec::new();
    for old in stored {
        match made.remove(&row_id(&old)) {
            Some(new) if same(&new, &old) => {}
            Some(new) => write.push(MetricRow { revision: revision.max(old.revision), ..new }),
            None if (old.num, old.den, old.n) == (0, 0, 0) => {}
            None => {
                let revision = revision.max(old.revision);
                write.push(MetricRow { num: 0, den: 0, n: 0, num2: 0, den2: 0, hist: Vec::new(), revision, ..old });
            }
        }
    }
    write.extend(made.into_values().map(|row| MetricRow { revision, ..row }));
    write
}

fn same(a: &MetricRow, b: &MetricRow) -> bool {
    let hist = |row: &MetricRow| {
        let mut hist = row.hist.clone();
        hist.sort_unstable();
        hist
    };
    (a.num, a.den, a.n, a.gone) == (b.num, b.den, b.n, b.gone)
        && (a.num2, a.den2) == (b.num2, b.den2)
        && hist(a) == hist(b)
}
