//! The front door as its users meet it, in one binary (each takes long to link).
//!
//! | file | holds |
//! | --- | --- |
//! | `connections.rs` | Who connects, how, and who only holds a place |
//! | `corpus.rs` | What fuzzing has found worth keeping |
//! | `documents.rs` | `schemas/openapi.yaml` says what the code does |
//! | `hostile.rs` | Requests that nobody means well, many of them |
//! | `intake.rs` | `POST /v1/events` as a department meets it |
//! | `feeds.rs` | `POST /v1/feeds/NAME` as a department meets it |
//! | `inlet.rs` | Departments' own topics |
//! | `personal.rs` | Nothing that names a person gets in (I11) |
//! | `rejects.rs` | What was refused can be found again: by the sender, and in the table |
//! | `replay.rs` | What was refused is sealed, and sent again |
//! | `rights.rs` | What a token may send, and what the gateway makes of it before the log has it |
//! | `rules.rs` | Each member that may be a person's is treated as its schema says (I11) |
//! | `steps.rs` | A machine whose clock steps while events come in (I2) |
//! | `fixture.rs` | A real gateway on a port of its own, over the log in memory, with a clock that stands still or is the test's own |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on may panic")]

mod connections;
mod corpus;
mod documents;
mod feeds;
mod fixture;
mod hostile;
mod inlet;
mod intake;
mod personal;
mod rejects;
mod replay;
mod rights;
mod rules;
mod steps;
