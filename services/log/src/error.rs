//! What can go wrong with a log, and whether trying again can help.

use crate::Partition;

pub type Result<T, E = LogError> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("{0:?} is not a log: expected memory:, embedded:DIR or kafka://host:port,…")]
    BadUrl(String),
    #[error("log option {option}: {reason}")]
    BadOption { option: String, reason: String },
    #[error("the log has no topic {0}")]
    UnknownTopic(String),
    #[error("topic {topic} has no partition {partition}")]
    UnknownPartition { topic: String, partition: Partition },
    #[error("{topic}/{partition} is not assigned to this consumer")]
    NotAssigned { topic: String, partition: Partition },
    #[error("a record of {bytes} bytes is larger than the log takes")]
    TooLarge { bytes: usize },
    #[error("the log is closed")]
    Closed,
}

impl LogError {
    /// Whether the same call can succeed later: the disk has room again, the broker is back.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::BadUrl(_)
            | Self::BadOption { .. }
            | Self::UnknownTopic(_)
            | Self::UnknownPartition { .. }
            | Self::NotAssigned { .. }
            | Self::TooLarge { .. }
            | Self::Closed => false,
        }
    }
}
