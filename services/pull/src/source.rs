//! Where payloads come from, as the puller sees it: it asks, hands on what it got, and says when all of that is durable.

#[cfg(feature = "databases")]
pub mod database;
pub mod folder;
pub mod http;

use std::path::PathBuf;

use async_trait::async_trait;
use serde_json::Value;
use yiping_event::personal;

use crate::failure::Failure;

/// What one poll gave.
#[derive(Debug, PartialEq)]
pub enum Fetched {
    /// The source answered, and has nothing new.
    Nothing,
    /// `more`: the next poll need not wait.
    Something { payload: Payload, more: bool },
}

#[derive(Debug, PartialEq)]
pub enum Payload {
    /// Bytes in the feed's format.
    Bytes(Vec<u8>),
    /// A file in the feed's format.
    File(PathBuf),
    /// Rows that have no format any more.
    Rows(Vec<Value>),
}

impl Payload {
    /// Of a file, for whoever looks for it; with stars for a person's number or plate in it.
    pub fn file_name(&self) -> Option<String> {
        let Self::File(path) = self else { return None };
        let name = path.file_name()?.to_string_lossy();
        Some(String::from_utf8_lossy(&personal::mask(name.as_bytes())).into_owned())
    }
}

#[async_trait]
pub trait Source: Send {
    async fn fetch(&mut self) -> Result<Fetched, Failure>;

    /// Everything that `fetch` gave last is durable in the log.
    async fn taken(&mut self) -> Result<(), Failure>;

    /// What `fetch` gave last is not what this feed sends.
    async fn unreadable(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}
