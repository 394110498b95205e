//! Listening sockets, and an answer to "the port is busy" that says what to do.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

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

/// What is being answered when a server ends may take so long. A browser opens connections ahead, on which nothing is asked: those
/// would hold it for ever.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Serves until `cancel`, and then what is being answered.
pub async fn serve(listener: TcpListener, router: Router, cancel: CancellationToken) -> io::Result<()> {
    let serving = axum::serve(listener, router).with_graceful_shutdown(cancel.clone().cancelled_owned());
    let given_up = async {
        cancel.cancelled().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        served = serving.into_future() => served,
        () = given_up => Ok(()),
    }
}

/// Listens on `address`, which the setting named `setting` gave.
pub async fn bind(address: SocketAddr, setting: &'static str) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { address, setting, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_is_asked_does_not_hold_the_server_and_an_answer_is_given_to_its_end() {
        let listener = bind(([127, 0, 0, 1], 0).into(), "admin.listen").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cancel = CancellationToken::new();
        let (asked, slow) = (CancellationToken::new(), CancellationToken::new());
        let (is_asked, goes_on) = (asked.clone(), slow.clone());
        let answer = || async move {
            is_asked.cancel();
            goes_on.cancelled().await;
            "whole"
        };
        let server = tokio::spawn(serve(listener, Router::new().route("/", get(answer)), cancel.clone()));
        let idle = TcpStream::connect(address).await.unwrap();
        let mut busy = TcpStream::connect(address).await.unwrap();
        busy.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        asked.cancelled().await;
        cancel.cancel();
        slow.cancel();
        let mut answered = String::new();
        busy.read_to_string(&mut answered).await.unwrap();
        assert!(answered.ends_with("whole"), "{answered}");
        server.await.unwrap().unwrap();
        drop(idle);
    }
}
