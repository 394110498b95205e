//! ClickHouse's library: found where the operator says, or in the user's cache folder, or fetched once: the pinned package of
//! the npm registry that this machine's npm is set up for (mirrors and all). Only a file whose sha256 is the known one gets
//! its final name.

mod download;
mod unpack;

use std::{
    fmt,
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

/// The package, and the one file of it that we use. Undocumented by its makers: pinned.
#[derive(Debug, Clone)]
struct Pin {
    /// Below the registry's address.
    path: &'static str,
    /// Name of the version's folder in the cache.
    version: &'static str,
    entry: &'static str,
    sha256: String,
}

fn pin() -> Pin {
    Pin {
        path: "@chdb/lib-linux-x64-gnu/-/lib-linux-x64-gnu-26.7.3-stable.1.tgz",
        version: "26.7.3-stable.1",
        entry: "package/libchdb.so",
        sha256: "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5".to_owned(),
    }
}

/// What [`ensure`] is at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress {
    /// Another process is fetching it.
    Waiting,
    /// `total_bytes` and `left` where they are known.
    Downloading {
        done_bytes: u64,
        total_bytes: Option<u64>,
        left: Option<Duration>,
    },
    Unpacking {
        done_bytes: u64,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mb = |bytes: u64| bytes / 1_000_000;
        match *self {
            Self::Waiting => write!(f, "waiting for another process that fetches ClickHouse"),
            Self::Downloading { done_bytes, total_bytes, left } => {
                write!(f, "fetching ClickHouse: {} MB", mb(done_bytes))?;
                if let Some(total) = total_bytes {
                    write!(f, " of {} MB", mb(total))?;
                }
                if let Some(left) = left {
                    write!(f, ", {} s left", left.as_secs())?;
                }
                Ok(())
            }
            Self::Unpacking { done_bytes } => write!(f, "unpacking ClickHouse: {} MB", mb(done_bytes)),
        }
    }
}

/// Why there is no library, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    #[error("YIPING_LIBCHDB names {0}, which is not a file")]
    NotThere(PathBuf),
    #[error(
        "there is no embedded ClickHouse for {0}: set clickhouse.url to a ClickHouse server, or YIPING_LIBCHDB to a libchdb.so"
    )]
    Platform(String),
    #[error("neither XDG_CACHE_HOME nor HOME is set: set one, or YIPING_LIBCHDB to a ready libchdb.so")]
    NoHome,
    #[error(
        "npm could not be asked for its registry ({0}): install npm, or set YIPING_LIBCHDB to a ready libchdb.so, or clickhouse.url to a ClickHouse server"
    )]
    NoNpm(String),
    #[error(
        "ClickHouse's library could not be fetched from {url}: {reason}; what is there is kept, try again, or set YIPING_LIBCHDB to a ready libchdb.so"
    )]
    Download { url: String, reason: String },
    #[error("{url} does not hold the library we know ({reason}): is the registry a mirror that is not whole?")]
    Wrong { url: String, reason: String },
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
}

/// The path of a ready libchdb.so: what YIPING_LIBCHDB names, else the cached one, else the one that is fetched now (178 MB, 566 MB
/// unpacked). Two processes don't fetch at once; what a broken connection left is gone on with.
pub async fn ensure(progress: impl FnMut(Progress) + Send) -> Result<PathBuf, LibraryError> {
    if let Some(named) = std::env::var_os("YIPING_LIBCHDB").filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        return if named.is_file() { Ok(named) } else { Err(LibraryError::NotThere(named)) };
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
        let platform = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
        return Err(LibraryError::Platform(platform));
    }
    let cache = cache_folder()?;
    cached_or(&pin(), &cache, download::npm_registry, progress).await
}

fn cache_folder() -> Result<PathBuf, LibraryError> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base =
        set("XDG_CACHE_HOME").filter(|path| path.is_absolute()).or_else(|| set("HOME").map(|home| home.join(".cache")));
    base.map(|base| base.join("yiping")).ok_or(LibraryError::NoHome)
}

async fn cached_or<F>(
    pin: &Pin,
    cache: &Path,
    registry: impl FnOnce() -> F,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<PathBuf, LibraryError>
where
    F: Future<Output = Result<download::Registry, LibraryError>>,
{
    let folder = cache.join(format!("libchdb-{}", pin.version));
    let library = folder.join("libchdb.so");
    if library.is_file() {
        return Ok(library);
    }
    std::fs::create_dir_all(&folder).map_err(|source| LibraryError::File { path: folder.clone(), source })?;
    let _lock = lock(&folder.join("lock"), &mut progress).await?;
    if library.is_file() {
        return Ok(library); // who held the lock has done it
    }
    let registry = registry().await?;
    let url = format!("{}/{}", registry.address.trim_end_matches('/'), pin.path);
    let tarball = folder.join("package.tgz.part");
    download::fetch(&url, &registry, &tarball, &mut progress).await?;
    unpack::library(pin, &url, &tarball, &library, &mut progress).await?;
    Ok(library)
}

/// Held until it is dropped, or the process ends.
async fn lock(path: &Path, progress: &mut (impl FnMut(Progress) + Send)) -> Result<File, LibraryError> {
    let at = |source| LibraryError::File { path: path.to_owned(), source };
    let file = File::options().create(true).append(true).open(path).map_err(at)?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => progress(Progress::Waiting),
            Err(TryLockError::Error(source)) => return Err(at(source)),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[cfg(test)]
mod tests;
