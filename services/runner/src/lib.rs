//! A domain at work: one stream's partitions taken from the log through the window engine into the store.
//!
//! | file | stage |
//! | --- | --- |
//! | `service.rs` | the loop: records, ticks, flushes, the end; `service/assignment.rs`: how a partition comes to be worked on |
//! | `generation.rs` | which life of its log a stream is in |
//! | `takeover.rs` | a partition's newest checkpoint, and where the log goes on from it |
//! | `partition.rs` | one owned partition: its machine, what it has still to store, its silence |
//! | `rows.rs` | the engine's rows as the store's |
//! | `flush.rs` | rows, then checkpoint, then commit: the only order in which a crash loses and doubles nothing (I4) |
//! | `sink.rs` | what is asked of the store |
//! | `checkpoint.rs` | a machine as parts, and back |
//! | `upkeep.rs` | `rebuild`, `heal`, `move`: the same machines over the log once more |
//! | `cases.rs` | the open SOS cases, for whoever asks the process |
//! | `gauges.rs` | what the process says of itself to Prometheus |
//! | `compute.rs` | the same machine offline, over files |
//! | `published.rs` | what is published of all that it said |
//! | `export.rs` | a log's records as lines of such a file |
//!
//! This crate must not know what a stream is about: a domain comes in as a type.

mod cases;
pub mod checkpoint;
mod compute;
mod export;
mod flush;
mod gauges;
mod generation;
mod partition;
mod published;
mod rows;
mod service;
mod sink;
mod takeover;
mod upkeep;

use yiping_city::City;
use yiping_runtime::config::Stream as StreamConfig;
use yiping_window::Settings;

pub use cases::{OpenCase, OpenCases};
pub use compute::{Computed, compute};
pub use export::{export_line, log_time};
pub use partition::LATE_TOPIC;
pub use published::{OfflineRow, Published};
pub use rows::{Origin, constants, expected_sources};
pub use service::{Deps, run};
pub use sink::Sink;
pub use upkeep::{Healed, Rebuilt, Relocated, Upkeep, heal, rebuild, relocate};

/// The settings of a stream that shape results, as they travel in the log.
#[must_use]
pub fn settings(stream: &StreamConfig, city: &City) -> Settings {
    let ms = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    Settings {
        out_of_order_ms: ms(stream.out_of_order),
        lateness_ms: ms(stream.lateness),
        max_skew_ms: ms(stream.max_skew),
        zone: city.zone.iana_name().unwrap_or("UTC").to_owned(),
        profile: city.text(),
    }
}
