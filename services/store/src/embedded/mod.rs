//! The embedded ClickHouse: a child process that is this same executable, run again with a hidden argument, in which
//! ClickHouse's own library serves HTTP and native TCP on 127.0.0.1. The parent knows it only through those ports: whoever
//! speaks ClickHouse can't tell it from a server.
//!
//! The child lives no longer than its parent (a pipe on its stdin, and the kernel's parent-death signal), is started again
//! when it dies, and is stopped as a crash would stop it: what it acknowledged is on disk (fsync), so there is nothing to save.

mod child;
mod config;
mod credentials;
mod supervisor;

use std::{
    ffi::OsString,
    fs::{File, TryLockError},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub use child::{CHILD_ARGUMENT, child_main, run_child_if_asked};
pub use credentials::Credentials;
use supervisor::Supervisor;

use crate::{Store, StoreOptions};

/// Longest time from the child's start to its first answer; it takes 0.3–0.8 s, more after a crash with much data.
const READY_WITHIN: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// Where and how to run the embedded server.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// The server's own folder; made when it isn't there. Two servers can't share it.
    pub data_dir: PathBuf,
    /// 0: any free one.
    pub http_port: u16,
    /// 0: any free one.
    pub tcp_port: u16,
    /// A ready libchdb.so: [`crate::libchdb::ensure`].
    pub lib: PathBuf,
    /// The program that calls [`run_child_if_asked`] first thing in its main; None: this executable.
    pub child_exe: Option<PathBuf>,
    /// Arguments before the hidden ones. A test binary names the test that calls [`run_child_if_asked`]:
    /// `["--exact", "--nocapture", "clickhouse_child"]`.
    pub child_args: Vec<OsString>,
}

impl EmbeddedOptions {
    /// Free ports, this executable.
    pub fn new(data_dir: impl Into<PathBuf>, lib: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            http_port: 0,
            tcp_port: 0,
            lib: lib.into(),
            child_exe: None,
            child_args: Vec::new(),
        }
    }
}

/// Why the embedded server didn't start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error("port {port} is in use: set {setting} to another one, or to 0 for any free one")]
    PortBusy { port: u16, setting: &'static str },
    #[error("{path}: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("{0} is in use by another process's embedded ClickHouse: stop that one, or choose another data folder")]
    InUse(PathBuf),
    #[error("the embedded ClickHouse could not be started: {0}")]
    Spawn(std::io::Error),
    #[error("the embedded ClickHouse ended before it was ready: {said}")]
    Ended { said: String },
    #[error("the embedded ClickHouse did not answer within {} s: {said}", READY_WITHIN.as_secs())]
    NotReady { said: String },
}

/// ClickHouse's words for a data folder that another one of them has open.
const STILL_THERE: &str = "Another server instance in same directory is already running";

/// The writer of a folder's server, for a second process of its owner's while the server runs in the first.
pub fn writer_of(data_dir: &Path) -> Result<Credentials, EmbeddedError> {
    Ok(credentials::load_or_make(data_dir)?.0)
}

/// A running embedded ClickHouse. Dropping it ends it.
#[derive(Debug)]
pub struct Server {
    http_port: u16,
    tcp_port: u16,
    writer: Credentials,
    reader: Credentials,
    supervisor: Supervisor,
    /// Held while the server lives: configuration and data are one process's.
    _folder: File,
}

impl Server {
    /// Starts the server and returns when it answers.
    pub async fn start(options: EmbeddedOptions) -> Result<Self, EmbeddedError> {
        let data_dir = private_folder(&options.data_dir)?;
        let folder = lock(&data_dir)?;
        let (writer, reader) = credentials::load_or_make(&data_dir)?;
        let (http_port, tcp_port) = pick_ports(options.http_port, options.tcp_port)?;
        let config = config::write(&data_dir, http_port, tcp_port, &writer, &reader)?;

        let exe = match options.child_exe {
            Some(exe) => exe,
            None => std::env::current_exe().map_err(EmbeddedError::Spawn)?,
        };
        let mut args = options.child_args;
        args.push(CHILD_ARGUMENT.into());
        args.extend([options.lib.into_os_string(), config.into_os_string(), data_dir.join("data").into_os_string()]);
        let supervisor = Supervisor::start(exe, args).map_err(EmbeddedError::Spawn)?;

        let server = Self { http_port, tcp_port, writer, reader, supervisor, _folder: folder };
        server.ready().await?;
        Ok(server)
    }

    /// Polls until the writer can log in. An early end of the child is a failure, even where it looks like a normal return.
    async fn ready(&self) -> Result<(), EmbeddedError> {
        let options = StoreOptions { read_timeout: Duration::from_secs(2), ..StoreOptions::default() };
        let store = Store::connect(&self.url(), &self.writer.user, &self.writer.password, options)
            .map_err(|error| EmbeddedError::NotReady { said: error.to_string() })?;
        let started = Instant::now();
        loop {
            let error = match store.ping().await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if self.supervisor.ends() > 0 {
                let said = self.supervisor.last_words();
                // We hold the folder, so that is the child of a process that was killed, and it is about to end: it is tried again.
                if !said.contains(STILL_THERE) {
                    return Err(EmbeddedError::Ended { said });
                }
            }
            if started.elapsed() > READY_WITHIN {
                return Err(EmbeddedError::NotReady { said: format!("{error}; {}", self.supervisor.last_words()) });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http_port)
    }

    pub fn http_port(&self) -> u16 {
        self.http_port
    }

    pub fn tcp_port(&self) -> u16 {
        self.tcp_port
    }

    /// `yiping_writer`: migrates, writes, reads `city`.
    pub fn writer(&self) -> &Credentials {
        &self.writer
    }

    /// `yiping_reader`: reads what the contract names, within limits.
    pub fn reader(&self) -> &Credentials {
        &self.reader
    }

    /// The child's process id; None while it is being started again.
    pub fn pid(&self) -> Option<u32> {
        self.supervisor.pid()
    }

    /// Ends the child and waits for it: at most 5 s.
    pub async fn stop(self) {
        let supervisor = self.supervisor;
        // A joining thread: the runtime's own threads must not wait.
        if tokio::task::spawn_blocking(move || supervisor.stop()).await.is_err() {
            tracing::warn!("the embedded clickhouse's supervisor did not end as it should");
        }
    }
}

fn private_folder(folder: &Path) -> Result<PathBuf, EmbeddedError> {
    use std::os::unix::fs::DirBuilderExt;
    let at = |source| EmbeddedError::Folder { path: folder.to_owned(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join("data")).map_err(at)?;
    folder.canonicalize().map_err(at)
}

fn lock(folder: &Path) -> Result<File, EmbeddedError> {
    let path = folder.join("lock");
    let at = |source| EmbeddedError::Folder { path: path.clone(), source };
    let file = File::options().create(true).append(true).open(&path).map_err(at)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EmbeddedError::InUse(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(at(source)),
    }
}

/// Checks the ports that were asked for, and finds free ones where none was. Both are held until both are known, so they differ.
fn pick_ports(http: u16, tcp: u16) -> Result<(u16, u16), EmbeddedError> {
    let bind = |port: u16, setting: &'static str| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|_| EmbeddedError::PortBusy { port, setting })
    };
    let http_socket = bind(http, "clickhouse.http_port")?;
    let tcp_socket = bind(tcp, "clickhouse.tcp_port")?;
    let port = |socket: &TcpListener| socket.local_addr().map(|address| address.port()).map_err(EmbeddedError::Spawn);
    Ok((port(&http_socket)?, port(&tcp_socket)?))
}
