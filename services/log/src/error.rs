//! What can go wrong with a log, and whether trying again can help.

use std::path::PathBuf;
use std::sync::Arc;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

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
    #[error("there is no log in {}", .0.display())]
    NoLog(PathBuf),
    #[error("the log was opened for reading only")]
    ReadOnly,
    #[error("the log is closed")]
    Closed,
    #[error("the log's folder: {0}")]
    Folder(#[from] std::io::Error),
    /// Shared: one failed transaction fails every append in it.
    #[error("the log's database: {0}")]
    Database(Arc<rusqlite::Error>),
    #[error("the log's database is of format {found}, this build knows up to {known}")]
    Format { found: i64, known: i64 },
    #[error("kafka: {0}")]
    Kafka(#[from] KafkaError),
    #[error("kafka did not answer in time: {0}")]
    Timeout(&'static str),
}

impl From<rusqlite::Error> for LogError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl LogError {
    /// Whether the same call can succeed later: the disk has room again, another process let go, the broker is back.
    pub fn is_retriable(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull, SystemIoFailure};
        match self {
            Self::Database(error) => {
                matches!(error.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked | DiskFull | SystemIoFailure))
            }
            Self::Kafka(error) => !is_final(error),
            Self::Timeout(_) => true,
            _ => false,
        }
    }
}

/// What no waiting mends. Everything else that librdkafka reports is the network's, the brokers' or a rebalance's.
fn is_final(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        Authentication, ClusterAuthorizationFailed, GroupAuthorizationFailed, InvalidArgument, InvalidConfig,
        InvalidReplicationFactor, InvalidTopic, MessageSizeTooLarge, PolicyViolation, SaslAuthenticationFailed,
        TopicAuthorizationFailed,
    };
    match error {
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) | KafkaError::Nul(_) => true,
        other => matches!(
            other.rdkafka_error_code(),
            Some(
                Authentication
                    | ClusterAuthorizationFailed
                    | GroupAuthorizationFailed
                    | InvalidArgument
                    | InvalidConfig
                    | InvalidReplicationFactor
                    | InvalidTopic
                    | MessageSizeTooLarge
                    | PolicyViolation
                    | SaslAuthenticationFailed
                    | TopicAuthorizationFailed
            )
        ),
    }
}
