//! Listening sockets, and an answer to "the port is busy" that says what to do.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::config::variable;

/// An address that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.advice())]
pub struct BindError {
    pub address: SocketAddr,
    /// The dotted key of the setting, such as `gateway.listen`.
    pub setting: &'static str,
    #[source]
    pub source: io::Error,
}

impl BindError {
    fn advice(&self) -> String {
        let Self { address, setting, source } = self;
        let why = match source.kind() {
            io::ErrorKind::AddrInUse => format!("{address} is in use by another program"),
            io::ErrorKind::AddrNotAvailable => format!("{address} is no address of this machine"),
            io::ErrorKind::PermissionDenied => format!("{address} may not be opened by this user"),
            _ => format!("{address} can't be opened: {source}"),
        };
        format!(
            "{setting}: {why}; set {setting} in the configuration, or {}, to another (port 0 = any free one)",
            variable(setting)
        )
    }
}

/// Listens on `address`, which the setting named `setting` gave.
pub async fn bind(address: SocketAddr, setting: &'static str) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { address, setting, source })
}
