//! The puller against sources that misbehave, and a gateway that is away.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

#[cfg(feature = "databases")]
mod databases;
mod http;
mod puller;
