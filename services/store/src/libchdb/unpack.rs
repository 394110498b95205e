//! One file out of a tarball, under its final name only if its hash is the known one.

use std::{
    fs::File,
    io::{BufReader, Read, Write},
    path::Path,
};

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::{LibraryError, Pin, Progress};

const CHUNK_BYTES: usize = 1 << 20;
/// Bytes between two reports.
const TELL_EVERY: u64 = 50_000_000;

/// Writes the pinned library from `tarball` to `library`, then drops the tarball: also a wrong one, which going on with
/// would not mend.
pub(super) async fn library(
    pin: &Pin,
    url: &str,
    tarball: &Path,
    library: &Path,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<(), LibraryError> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let job = {
        let (pin, tarball, library) = (pin.clone(), tarball.to_owned(), library.to_owned());
        tokio::task::spawn_blocking(move || {
            extract(&pin, &tarball, &library, |done_bytes| {
                let _ = tell.send(done_bytes); // who asked may be gone; the library is worth having anyway
            })
        })
    };
    while let Some(done_bytes) = told.recv().await {
        progress(Progress::Unpacking { done_bytes });
    }
    let done = job.await.unwrap_or_else(|error| Err(Failure::Wrong(error.to_string())));
    if !matches!(done, Err(Failure::Disk(_))) {
        let _ = std::fs::remove_file(tarball);
    }
    done.map_err(|failure| match failure {
        Failure::Disk(source) => LibraryError::File { path: library.to_owned(), source },
        Failure::Wrong(reason) => LibraryError::Wrong { url: url.to_owned(), reason },
    })
}

enum Failure {
    Disk(std::io::Error),
    Wrong(String),
}

fn extract(pin: &Pin, tarball: &Path, library: &Path, tell: impl Fn(u64)) -> Result<(), Failure> {
    let wrong = |error: std::io::Error| Failure::Wrong(error.to_string());
    let packed = BufReader::with_capacity(CHUNK_BYTES, File::open(tarball).map_err(Failure::Disk)?);
    let mut archive = tar::Archive::new(GzDecoder::new(packed));
    for entry in archive.entries().map_err(wrong)? {
        let mut entry = entry.map_err(wrong)?;
        if entry.path().map_err(wrong)?.as_ref() != Path::new(pin.entry) {
            continue;
        }
        let part = library.with_extension("so.part");
        let mut file = File::create(&part).map_err(Failure::Disk)?;
        let (mut sum, mut chunk, mut done, mut told) = (Sha256::new(), vec![0; CHUNK_BYTES], 0_u64, 0_u64);
        loop {
            let read = entry.read(&mut chunk).map_err(wrong)?;
            if read == 0 {
                break;
            }
            sum.update(&chunk[..read]);
            file.write_all(&chunk[..read]).map_err(Failure::Disk)?;
            done += read as u64;
            if done - told >= TELL_EVERY {
                told = done;
                tell(done);
            }
        }
        let found = hex::encode(sum.finalize());
        if found != pin.sha256 {
            let _ = std::fs::remove_file(&part);
            return Err(Failure::Wrong(format!("its sha256 is {found}, not {}", pin.sha256)));
        }
        file.sync_all().map_err(Failure::Disk)?;
        return std::fs::rename(&part, library).map_err(Failure::Disk);
    }
    Err(Failure::Wrong(format!("it holds no {}", pin.entry)))
}
