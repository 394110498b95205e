//! What needs no running system.
//!
//! | file | holds |
//! | --- | --- |
//! | `arguments.rs` | the command line |
//! | `bench.rs` | `yiping bench`, without ClickHouse and Kafka |
//! | `check.rs` | what is wrong with settings |
//! | `documents.rs` | the topics of `schemas/asyncapi.yaml` |
//! | `story.rs` | what a demo remembers |
//! | `targets.rs` | the table of targets |

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on may panic")]

mod arguments;
mod bench;
mod check;
mod documents;
mod story;
mod targets;
