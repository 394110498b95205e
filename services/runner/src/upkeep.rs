//! What an operator does to a stream's state beside the service: `rebuild`, `heal`, `move`. All three replay the log through the same
//! machines, from a checkpoint before the time in question.
//!
//! | file | does |
//! | --- | --- |
//! | `upkeep/rebuild.rs` | writes rows once more that were lost |
//! | `upkeep/heal.rs` | makes closed windows again, with the events that came too late for them |
//! | `upkeep/relocate.rs` | takes a stream's state to another log or number of partitions |

mod heal;
mod rebuild;
mod relocate;

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;
use yiping_catalogue::Catalogue;
use yiping_event::{Stream, TimeMs};
use yiping_log::{Log, Offset};
use yiping_runtime::config::Ticks;
use yiping_store::{Batch, CheckpointId, MetricRow};
use yiping_window::{Domain, Input, Machine, Output, Row, Settings};

use crate::{
    generation::Life,
    rows::{Names, Origin, RowId, row_id, store_row},
    sink::Sink,
    takeover::Shared,
};

pub use heal::{Healed, heal};
pub use rebuild::{Rebuilt, rebuild};
pub use relocate::{Relocated, relocate};

/// Records read at once.
const CHUNK: usize = 4_000;
/// Rows written at once.
const ROWS: usize = 50_000;

/// What the commands need, and whom they tell how far they are.
pub struct Upkeep {
    pub log: Arc<dyn Log>,
    pub store: Arc<dyn Sink>,
    pub catalogue: Arc<Catalogue>,
    pub settings: Settings,
    /// Told as `partition, records done, records in all`.
    pub progress: Box<dyn Fn(u32, u64, u64) + Send + Sync>,
}

impl Upkeep {
    fn shared(&self, stream: Stream) -> Shared {
        Shared {
            stream,
            specs: self.catalogue.specs(stream, None),
            log: Arc::clone(&self.log),
            store: Arc::clone(&self.store),
            settings: self.settings.clone(),
            ticks: Ticks::Append,
        }
    }
}

/// The stream's newest generation.
async fn newest_life(shared: &Shared) -> anyhow::Result<Life> {
    let rows = shared.store.generations(shared.stream.as_str()).await?;
    rows.first().map(Life::from).with_context(|| format!("stream {} has no state yet", shared.stream))
}

/// The newest generation, which must be of the log at hand.
async fn life_of_log(shared: &Shared) -> anyhow::Result<Life> {
    let life = newest_life(shared).await?;
    let fingerprint = shared.log.fingerprint(shared.stream.topic()).await?;
    if life.fingerprint != fingerprint {
        bail!("the state of {} is not of the log that log.url names", shared.stream);
    }
    Ok(life)
}

/// A partition's state at an offset.
struct Base<D: Domain> {
    machine: Machine<D>,
    next: Offset,
}

/// The newest state of a generation for which `fits` holds; the log's beginning where that is still there and nothing else fits.
/// `None`: neither.
async fn base<D: Domain>(
    shared: &Shared,
    life: &Life,
    partition: u32,
    fits: impl Fn(&Machine<D>) -> bool,
) -> anyhow::Result<Option<Base<D>>> {
    let ids = shared.store.checkpoints(shared.stream.as_str(), partition).await?;
    let (mine, before): (Vec<CheckpointId>, Vec<CheckpointId>) =
        ids.into_iter().filter(|id| id.generation <= life.number).partition(|id| id.generation == life.number);
    let (first, _) = shared.log.range(shared.stream.topic(), partition).await?;
    for id in mine.into_iter().filter(|id| id.offset >= first) {
        if let Ok(machine) = shared.read::<D>(&id).await?
            && fits(&machine)
        {
            return Ok(Some(Base { machine, next: id.offset }));
        }
    }
    if first > 0 {
        return Ok(None);
    }
    let Some((_, mut machine)) = newest_of::<D>(shared, before).await? else {
        return Ok(Some(Base { machine: shared.fresh()?, next: first }));
    };
    // as the service began this generation
    machine.hole(None);
    if let Some(from) = life.from_ms.map(TimeMs).or(machine.horizon()) {
        machine.begin_generation(from);
    }
    Ok(fits(&machine).then_some(Base { machine, next: first }))
}

/// The first of these checkpoints that can be read.
async fn newest_of<D: Domain>(
    shared: &Shared,
    ids: Vec<CheckpointId>,
) -> anyhow::Result<Option<(CheckpointId, Machine<D>)>> {
    for id in ids {
        if let Ok(machine) = shared.read::<D>(&id).await? {
            return Ok(Some((id, machine)));
        }
    }
    Ok(None)
}

/// Applies the log's records up to `head`, handing over what they make after each chunk.
async fn replay<D: Domain>(
    upkeep: &Upkeep,
    shared: &Shared,
    partition: u32,
    base: &mut Base<D>,
    head: Offset,
    mut each: impl AsyncFnMut(&mut Output) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let begin = base.next;
    let mut out = Output::default();
    while base.next < head {
        let records =
            shared.log.read(shared.stream.topic(), partition, base.next, CHUNK).await.context("reading the log")?;
        if records.is_empty() {
            break;
        }
        for record in records.iter().take_while(|record| record.offset < head) {
            let append = Some(TimeMs(record.append_ms));
            base.machine.apply(Input { offset: record.offset, append, payload: &record.payload }, &mut out);
        }
        base.next = records.last().map_or(head, |last| last.offset + 1).min(head);
        each(&mut out).await?;
        out.live.clear();
        out.rejects.clear();
        out.late.clear();
        out.late_minutes.clear();
        (upkeep.progress)(partition, base.next - begin, head - begin);
    }
    Ok(())
}

/// Rows on their way to the store: the newest of each identity.
struct Gathered {
    origin: Origin,
    names: Names,
    rows: HashMap<RowId, MetricRow>,
    written: u64,
}

impl Gathered {
    fn new(shared: &Shared, life: &Life, partition: u32) -> Self {
        let origin = Origin { stream: Arc::from(shared.stream.as_str()), generation: life.number, partition };
        Gathered { origin, names: Names::default(), rows: HashMap::new(), written: 0 }
    }

    fn take(&mut self, rows: &mut Vec<Row>, wanted: impl Fn(&Row) -> bool) {
        for row in rows.drain(..).filter(|row| wanted(row)) {
            let row = store_row(row, &self.origin, &mut self.names);
            self.rows.insert(row_id(&row), row);
        }
    }

    /// Writes what there is, if it is much or the last.
    async fn write(&mut self, store: &dyn Sink, last: bool) -> anyhow::Result<()> {
        if self.rows.is_empty() || !last && self.rows.len() < ROWS {
            return Ok(());
        }
        let metrics: Vec<MetricRow> = std::mem::take(&mut self.rows).into_values().collect();
        self.written += metrics.len() as u64;
        store.write(&Batch { metrics, ..Batch::default() }, &CancellationToken::new()).await?;
        Ok(())
    }
}
