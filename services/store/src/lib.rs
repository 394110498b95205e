//! ClickHouse, and nothing else: what services write, what the wall reads, where checkpoints live, and the embedded
//! server with its library. This crate knows no domain, no log and no engine: a row is what its writer says it is,
//! merging rows over partitions is the work of the views in `schemas/clickhouse`, and their formula the catalogue's.
//!
//! | file | stage |
//! | --- | --- |
//! | `rows` | what is handed in |
//! | `client` | the connection |
//! | `migrate` | tables, views, the catalogue's and the profile's rows |
//! | `defs` | what of the catalogue the views need |
//! | `cluster` | the same on a cluster: copies, and the rows of windows spread over shards |
//! | `keep` | how long rows stay |
//! | `write` | a batch, retried until it is on disk |
//! | `checkpoint` | state and offset as one (I4) |
//! | `read` | the views, typed |
//! | `latest` | the newest figures, of sums and the catalogue's formula |
//! | `embedded` | ClickHouse as a supervised child process |
//! | `libchdb` | the library that the child loads |

mod checkpoint;
mod client;
mod cluster;
mod defs;
pub mod embedded;
mod error;
mod generation;
mod keep;
mod latest;
pub mod libchdb;
mod migrate;
mod read;
mod rows;
mod wall;
mod watch;
mod write;

pub use checkpoint::{Checkpoint, CheckpointId, NewestCheckpoint, Parts, PrunePolicy, Pruned, Unreadable};
pub use client::{Store, StoreOptions};
pub use error::{Result, StoreError};
pub use keep::KeepDays;
pub use latest::Formulas;
pub use read::{Breach, LiveEntity, MetricFilter, MetricValue, SourceStatus, SparkPoint, StreamStatus};
pub use rows::{
    Batch, ConfigRow, DerivedDef, ExpectedSource, GenerationRow, HealedRow, LateRow, LatestMark, LatestMetricRow,
    LiveRow, MetricConstant, MetricDef, MetricKind, MetricRow, RejectRow, SourceRow, StatusRow,
};
pub use wall::{OrderCount, UsualPoint};
pub use watch::{BreachRow, FinalFigure, WatchState};
