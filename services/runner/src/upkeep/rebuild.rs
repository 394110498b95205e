//! Rows that were lost, written once more: the log makes the same rows with the same revisions, so writing those that are there
//! already changes nothing, and the service may run on.

use yiping_event::{Stream, TimeMs};
use yiping_window::Domain;

use super::{Gathered, Upkeep, base, life_of_log, replay};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    pub rows: u64,
    pub records: u64,
    /// Windows that end after this were made again.
    pub from: TimeMs,
}

/// Writes every row of windows that end after `from`, as far as the log now reaches.
///
/// # Errors
/// When the log or the store doesn't answer, or neither a checkpoint nor the log reaches back to `from`.
pub async fn rebuild<D: Domain>(upkeep: &Upkeep, stream: Stream, from: TimeMs) -> anyhow::Result<Rebuilt> {
    let shared = upkeep.shared(stream);
    let life = life_of_log(&shared).await?;
    // what ended before belongs to the generation before, whose log is gone
    let from = from.max(TimeMs(life.from_ms.unwrap_or(i64::MIN)));
    let mut rebuilt = Rebuilt { rows: 0, records: 0, from };
    for partition in 0..life.partitions {
        let fits = |closed: Option<TimeMs>| closed.is_none_or(|closed| closed <= from);
        let Some(mut base) = base::<D>(&shared, &life, partition, |machine| fits(machine.closed_until())).await? else {
            anyhow::bail!(
                "partition {partition}: no checkpoint is as old as {from} and the log begins later; try a later --from"
            );
        };
        let (_, head) = shared.log.range(stream.topic(), partition).await?;
        let begin = base.next;
        let mut gathered = Gathered::new(&shared, &life, partition);
        replay(upkeep, &shared, partition, &mut base, head, async |out| {
            gathered.take(&mut out.rows, |row| row.end > from);
            gathered.write(&*shared.store, false).await
        })
        .await?;
        gathered.write(&*shared.store, true).await?;
        rebuilt.rows += gathered.written;
        rebuilt.records += base.next - begin;
    }
    Ok(rebuilt)
}
