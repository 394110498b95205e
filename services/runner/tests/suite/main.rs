//! The service around a machine, with all four domains in one binary (each takes long to compile).
//!
//! | file | holds |
//! | --- | --- |
//! | `support.rs` | a store in memory |
//! | `ticks.rs` | when an owner ticks (I2) |
//! | `export.rs` | `compute` over a log's export |
//! | `formats.rs` | checkpoints of every format are read (I4) |
//! | `ahead.rs` | what waits for the store is handed over in time |
//! | `contacts.rs` | when a source was last heard |
//!
//! Same golden, disturbed: whatever fails between a record and its row, the merged rows in the end are those of the run in which
//! nothing failed (I3, I4).
//!
//! | file | holds |
//! | --- | --- |
//! | `slice.rs` | forty minutes of each stream, and the rows that they must come to |
//! | `scene.rs` | a log and a store that fail at a chosen call |
//! | `play.rs` | the service over them, started again after every crash |
//! | `steps.rs` | every fault at every step, at several partition counts |
//! | `zombie.rs` | an owner that was thought dead goes on |
//! | `broken.rs` | what the comparison must notice: each protection taken away |
//! | `recovery.rs` | damaged checkpoints, logs made anew, holes, other partition counts |
//! | `moved.rs` | move, rebuild and heal in mid-stream |

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on may panic")]

mod ahead;
mod broken;
mod contacts;
mod export;
mod formats;
mod moved;
mod play;
mod recovery;
mod scene;
mod slice;
mod steps;
mod support;
mod ticks;
mod zombie;
