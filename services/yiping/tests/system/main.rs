//! The real assembly on free ports: the binary itself, its embedded log and its embedded ClickHouse.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod away;
mod bench;
mod chaos;
mod crash;
mod durable;
mod export;
mod flood;
mod freshness;
mod harness;
mod incidents;
mod intake;
mod planted;
mod published;
mod pulled;
mod real;
