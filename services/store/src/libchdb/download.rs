//! One file over HTTP, gone on with where it broke off.

use std::{
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use reqwest::{Certificate, Client, StatusCode, header};

use super::{LibraryError, Progress};

/// How often a broken connection is taken up again before the error is reported.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// No byte for so long: the connection is dead.
const SILENCE: Duration = Duration::from_secs(30);
const TELL_EVERY: Duration = Duration::from_millis(500);

/// What npm is set up for.
pub(super) struct Registry {
    pub(super) address: String,
    /// A file with the certificates of a company's own authority.
    pub(super) cafile: Option<String>,
}

/// Asks npm, so that a mirror, an .npmrc and an authority of one's own count here as they do there.
pub(super) async fn npm_registry() -> Result<Registry, LibraryError> {
    let asked = tokio::process::Command::new("npm")
        .args(["config", "get", "registry", "@chdb:registry", "cafile"])
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .map_err(|error| LibraryError::NoNpm(error.to_string()))?;
    let answer = String::from_utf8_lossy(&asked.stdout);
    parse_npm(&answer).ok_or_else(|| {
        let said = String::from_utf8_lossy(&asked.stderr);
        LibraryError::NoNpm(said.lines().last().unwrap_or("it named no registry").to_owned())
    })
}

/// Lines `key=value`; what is not set is `undefined` or `null`.
pub(super) fn parse_npm(answer: &str) -> Option<Registry> {
    let value = |key: &str| {
        let line = answer.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        line.map(str::trim).filter(|value| !matches!(*value, "" | "undefined" | "null")).map(str::to_owned)
    };
    let address = value("@chdb:registry").or_else(|| value("registry"))?;
    Some(Registry { address, cafile: value("cafile") })
}

/// Brings all of `url` into `file`. Bytes that are there already are not fetched again.
pub(super) async fn fetch(
    url: &str,
    registry: &Registry,
    file: &Path,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<(), LibraryError> {
    let client = client(registry)?;
    let mut attempt = 1;
    loop {
        match go_on(&client, url, file, progress).await {
            Ok(()) => return Ok(()),
            Err(Failure::Broken(reason)) if attempt < ATTEMPTS => {
                tracing::debug!(url, reason, attempt, "download broke off, going on");
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(Failure::Broken(reason) | Failure::Refused(reason)) => {
                return Err(LibraryError::Download { url: url.to_owned(), reason });
            }
            Err(Failure::Disk(source)) => return Err(LibraryError::File { path: file.to_owned(), source }),
        }
    }
}

enum Failure {
    /// Worth another attempt.
    Broken(String),
    Refused(String),
    Disk(std::io::Error),
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Broken(with_causes(&error))
    }
}

/// reqwest says "error sending request"; what went wrong stands in the causes.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn client(registry: &Registry) -> Result<Client, LibraryError> {
    // An error says that the process has a provider already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder().connect_timeout(SILENCE).read_timeout(SILENCE);
    if let Some(cafile) = &registry.cafile {
        let at = |source| LibraryError::File { path: cafile.into(), source };
        let pem = std::fs::read(cafile).map_err(at)?;
        let roots = Certificate::from_pem_bundle(&pem).map_err(|error| at(std::io::Error::other(error)))?;
        builder = builder.tls_certs_merge(roots);
    }
    builder
        .build()
        .map_err(|error| LibraryError::Download { url: registry.address.clone(), reason: with_causes(&error) })
}

async fn go_on(
    client: &Client,
    url: &str,
    file: &Path,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<(), Failure> {
    let mut file = std::fs::File::options().create(true).append(true).open(file).map_err(Failure::Disk)?;
    let mut there = file.metadata().map_err(Failure::Disk)?.len();
    let mut request = client.get(url);
    if there > 0 {
        request = request.header(header::RANGE, format!("bytes={there}-"));
    }
    let mut response = request.send().await?;
    match response.status() {
        StatusCode::PARTIAL_CONTENT => {}
        StatusCode::OK => {
            // A server without ranges sends it whole.
            file.set_len(0).map_err(Failure::Disk)?;
            there = 0;
        }
        // Nothing follows what we have: it is whole, which its hash will tell.
        StatusCode::RANGE_NOT_SATISFIABLE => return Ok(()),
        status if status.is_server_error() => return Err(Failure::Broken(status.to_string())),
        status => return Err(Failure::Refused(status.to_string())),
    }
    let total_bytes = response.content_length().map(|rest| there + rest);
    let (started, begun_at) = (Instant::now(), there);
    let mut told: Option<Instant> = None;
    while let Some(bytes) = response.chunk().await? {
        file.write_all(&bytes).map_err(Failure::Disk)?;
        there += bytes.len() as u64;
        if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            told = Some(Instant::now());
            let left = total_bytes.and_then(|total| time_left(started.elapsed(), there - begun_at, total - there));
            progress(Progress::Downloading { done_bytes: there, total_bytes, left });
        }
    }
    match total_bytes {
        Some(total) if there < total => Err(Failure::Broken(format!("{there} of {total} bytes came"))),
        _ => {
            progress(Progress::Downloading { done_bytes: there, total_bytes, left: Some(Duration::ZERO) });
            file.sync_all().map_err(Failure::Disk)
        }
    }
}

fn time_left(spent: Duration, done_bytes: u64, left_bytes: u64) -> Option<Duration> {
    (done_bytes > 0).then(|| spent.mul_f64(left_bytes as f64 / done_bytes as f64))
}
