//! The wall from outside: a real server on a port of its own, a store made of memory, screens that read what they are told.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on has failed")]

mod beyond;
mod questions;
mod screens;
mod stage;
mod tiles;
