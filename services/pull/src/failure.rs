//! Why a poll gave nothing, as metrics and people are told it.

use std::time::Duration;

/// The kinds of failure: the label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nobody answered, or the connection broke.
    Connect,
    Timeout,
    /// An HTTP status that is neither 200 nor 304.
    Status,
    /// A redirect to elsewhere, or too many of them.
    Redirect,
    TooLarge,
    /// The answer is not what this feed sends.
    Unreadable,
    /// The database refused the query.
    Database,
    /// The folder or a file in it.
    Folder,
    /// A file that the settings name can't be read.
    Settings,
    /// The gateway is away or busy; what was fetched waits.
    GatewayAway,
    /// The gateway doesn't take it from this token; what was fetched waits.
    GatewayRefused,
}

impl Reason {
    pub const ALL: [Self; 11] = [
        Self::Connect,
        Self::Timeout,
        Self::Status,
        Self::Redirect,
        Self::TooLarge,
        Self::Unreadable,
        Self::Database,
        Self::Folder,
        Self::Settings,
        Self::GatewayAway,
        Self::GatewayRefused,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Redirect => "redirect",
            Self::TooLarge => "too_large",
            Self::Unreadable => "unreadable",
            Self::Database => "database",
            Self::Folder => "folder",
            Self::Settings => "settings",
            Self::GatewayAway => "gateway_away",
            Self::GatewayRefused => "gateway_refused",
        }
    }
}

/// A failure in words. They go into logs: never a secret, never a row.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub reason: Reason,
    pub message: String,
    /// How long whoever failed asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl Failure {
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry_after: None }
    }
}
