//! What can go wrong between us and ClickHouse, and whether trying again can help.

/// The store's errors. `is_retriable` tells an outage (wait) from a fault (stop and say so).
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("clickhouse.url {url:?} is not usable: {reason}")]
    Url { url: String, reason: String },
    #[error("ClickHouse: {0}")]
    ClickHouse(#[from] clickhouse::error::Error),
    #[error("stopped while ClickHouse did not take the rows; last error: {last}")]
    Stopped { last: String },
    #[error("migration {name} failed at statement {statement}: {source}")]
    Migration { name: &'static str, statement: usize, source: clickhouse::error::Error },
    #[error("checkpoint: {0}")]
    Checkpoint(String),
}

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Codes of ClickHouse that pass by themselves: timeouts, too many queries or parts, memory, network, no replica, read-only
/// table, aborted, shutting down. Everything unknown to this list is a fault of ours or of the schema.
const PASSING: [&str; 17] = [
    "Code: 159.",
    "Code: 160.",
    "Code: 164.",
    "Code: 173.",
    "Code: 202.",
    "Code: 209.",
    "Code: 210.",
    "Code: 236.",
    "Code: 241.",
    "Code: 242.",
    "Code: 243.",
    "Code: 252.",
    "Code: 254.",
    "Code: 319.",
    "Code: 394.",
    "Code: 425.",
    "Code: 999.",
];

impl StoreError {
    /// True where the same call may succeed later without anyone changing anything.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::ClickHouse(error) | Self::Migration { source: error, .. } => is_retriable(error),
            Self::Stopped { .. } => true,
            Self::Url { .. } | Self::Checkpoint(_) => false,
        }
    }
}

fn is_retriable(error: &clickhouse::error::Error) -> bool {
    use clickhouse::error::Error;
    match error {
        Error::Network(_) | Error::TimedOut | Error::NotEnoughData => true,
        Error::BadResponse(text) => !text.contains("Code: ") || PASSING.iter().any(|code| text.contains(code)),
        _ => false,
    }
}
