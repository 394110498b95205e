//! Recorded or foreign data becomes CloudEvents: read a file row by row, put each row through a jq map, complete the
//! envelope, and write the events down or post them to a gateway at the pace of their own time.
//!
//! The stages, in order: [`readers`] (file → rows), [`mapping`] (row → what the map says), [`complete`] (→ a whole
//! CloudEvent with an id), [`input`] (all files of a replay, filtered and in order), then [`write_events`] (offline) or
//! [`replay`] (to a gateway, with ticks).
//!
//! It must not know the log, the store, a domain's rules or what makes an event valid: the gateway judges, this crate
//! only reports the verdict. Nothing here reads a clock except the pacing of a replay.

pub mod complete;
pub mod gtfs_rt;
pub mod input;
pub mod mapping;
mod pace;
mod post;
mod progress;
pub mod readers;
pub mod replay;
mod tables;
mod tick;
mod timetable;

pub use complete::{Feed, Mapped, content_id};
pub use input::{Fault, Input, Item, Order, Tally, map_file, write_events};
pub use mapping::{Made, MapError, Mapping, Means, UnknownCode};
pub use post::{FILE_HEADER, Origin, POLLED_HEADER, Poster, ROWS_HEADER, Refusal, Rejected, Verdict};
pub use readers::{Encoding, Format, NotAsSaid, ReadOptions, Row, RowError, rows_of};
pub use replay::{ReplayOptions, Speed, Summary, replay};
pub use tables::{TableError, Tables, load_table};
pub use timetable::{Timetable, TimetableError};
