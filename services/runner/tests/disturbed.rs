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

#[path = "disturbed/broken.rs"]
mod broken;
#[path = "disturbed/moved.rs"]
mod moved;
#[path = "disturbed/play.rs"]
mod play;
#[path = "disturbed/recovery.rs"]
mod recovery;
#[path = "disturbed/scene.rs"]
mod scene;
#[path = "disturbed/slice.rs"]
mod slice;
#[path = "disturbed/steps.rs"]
mod steps;
mod support;
#[path = "disturbed/zombie.rs"]
mod zombie;
