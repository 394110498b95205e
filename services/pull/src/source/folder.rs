//! Files that somebody puts into a folder: each is taken once, in the order of their names. One that is still being
//! written is left until it hasn't changed between two looks, or for as long as a poll's interval; names that begin with a
//! dot, or end as copying programs name what is not yet whole, are left alone.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use yiping_runtime::config::Done;

use super::{Fetched, Payload, Source};
use crate::failure::{Failure, Reason};
use crate::state;

const UNFINISHED: [&str; 6] = [".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp"];
const TAKEN: &str = "done";
const UNREADABLE: &str = "failed";

/// What tells a file from what it was: its length, and when it changed, in ns since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    changed_ns: i128,
}

pub struct Folder {
    folder: PathBuf,
    done: Done,
    every: Duration,
    /// With [`Done::Keep`]: the file that remembers what was taken.
    remembered: PathBuf,
    taken: BTreeMap<String, Stamp>,
    /// The last look.
    seen: BTreeMap<String, Stamp>,
    fetched: Option<(String, Stamp)>,
}

impl Folder {
    pub fn new(folder: &Path, done: Done, every: Duration, remembered: PathBuf) -> anyhow::Result<Self> {
        let taken = match done {
            Done::Keep => state::load(&remembered)?.unwrap_or_default(),
            Done::Move => BTreeMap::new(),
        };
        let (folder, seen) = (folder.to_owned(), BTreeMap::new());
        Ok(Self { folder, done, every, remembered, taken, seen, fetched: None })
    }

    /// The files that are whole and not yet taken, by name.
    fn look(&mut self) -> io::Result<Vec<(String, Stamp)>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') || UNFINISHED.iter().any(|end| name.to_ascii_lowercase().ends_with(end)) {
                continue;
            }
            // (gone in the meantime: nothing to take)
            let Ok(meta) = fs::metadata(entry.path()) else { continue };
            if meta.is_file() {
                let changed_ns = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
                found.insert(name, Stamp { bytes: meta.len(), changed_ns });
            }
        }
        let now_ns = jiff::Timestamp::now().as_nanosecond();
        let still_ns = i128::try_from(self.every.as_nanos()).unwrap_or(i128::MAX);
        let whole =
            |name: &String, stamp: &Stamp| self.seen.get(name) == Some(stamp) || now_ns - stamp.changed_ns > still_ns;
        let new = |name: &String, stamp: &Stamp| self.taken.get(name) != Some(stamp);
        let ready = found.iter().filter(|(name, stamp)| whole(name, stamp) && new(name, stamp));
        let ready = ready.map(|(name, stamp)| (name.clone(), *stamp)).collect();
        // what is gone need not be remembered
        self.taken.retain(|name, _| found.contains_key(name));
        self.seen = found;
        Ok(ready)
    }

    /// Puts what was fetched last where it is not taken again.
    fn put_away(&mut self, into: &str) -> anyhow::Result<()> {
        let Some((name, stamp)) = self.fetched.clone() else { return Ok(()) };
        match self.done {
            Done::Keep => {
                self.taken.insert(name, stamp);
                state::save(&self.remembered, &self.taken)?;
            }
            Done::Move => {
                let folder = self.folder.join(into);
                fs::create_dir_all(&folder)?;
                fs::rename(self.folder.join(&name), free(&folder, &name))?;
            }
        }
        self.fetched = None;
        Ok(())
    }
}

/// A path for a file of this name that overwrites none.
fn free(folder: &Path, name: &str) -> PathBuf {
    let numbered = (1..).map(|n| folder.join(format!("{name}.{n}")));
    std::iter::once(folder.join(name)).chain(numbered).find(|path| !path.exists()).unwrap_or_else(|| folder.join(name))
}

#[async_trait]
impl Source for Folder {
    async fn fetch(&mut self) -> Result<Fetched, Failure> {
        let folder = OsString::from(&self.folder);
        let failed = |error: io::Error| {
            Failure::new(Reason::Folder, format!("the folder {}: {error}", Path::new(&folder).display()))
        };
        let ready = self.look().map_err(failed)?;
        let more = ready.len() > 1;
        let Some((name, stamp)) = ready.into_iter().next() else { return Ok(Fetched::Nothing) };
        let payload = Payload::File(self.folder.join(&name));
        self.fetched = Some((name, stamp));
        Ok(Fetched::Something { payload, more })
    }

    async fn taken(&mut self) -> Result<(), Failure> {
        self.put_away(TAKEN).map_err(|error| Failure::new(Reason::Folder, format!("{error:#}")))
    }

    async fn unreadable(&mut self) -> Result<(), Failure> {
        self.put_away(UNREADABLE).map_err(|error| Failure::new(Reason::Folder, format!("{error:#}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(dir: &Path, done: Done) -> Folder {
        let inbox = dir.join("inbox");
        fs::create_dir_all(&inbox).unwrap();
        Folder::new(&inbox, done, Duration::from_secs(3_600), dir.join("taken.json")).unwrap()
    }

    /// The name of the next file, which is then taken.
    async fn next(folder: &mut Folder) -> Option<String> {
        match folder.fetch().await.unwrap() {
            Fetched::Nothing => None,
            Fetched::Something { payload: Payload::File(path), .. } => {
                folder.taken().await.unwrap();
                Some(path.file_name().unwrap().to_str().unwrap().to_owned())
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn files_are_taken_once_in_order_of_name_and_those_being_written_are_left() {
        for done in [Done::Move, Done::Keep] {
            let dir = tempfile::tempdir().unwrap();
            let mut inbox = folder(dir.path(), done);
            let write = |name: &str, text: &str| fs::write(dir.path().join("inbox").join(name), text).unwrap();
            for name in ["2.csv", "1.csv", ".hidden.csv", "3.csv.part", "4.CSV.TMP"] {
                write(name, "a\n1\n");
            }
            fs::create_dir(dir.path().join("inbox/folder.csv")).unwrap();
            assert_eq!(next(&mut inbox).await, None, "{done:?}: they may still grow");
            write("2.csv", "a\n1\n2\n");
            assert_eq!(next(&mut inbox).await.as_deref(), Some("1.csv"), "{done:?}");
            assert_eq!(next(&mut inbox).await.as_deref(), Some("2.csv"), "{done:?}");
            assert_eq!(next(&mut inbox).await, None, "{done:?}");
            // after a restart too
            let mut inbox = folder(dir.path(), done);
            assert_eq!((next(&mut inbox).await, next(&mut inbox).await), (None, None), "{done:?}");
            // another file of an old name is another file
            write("1.csv", "a\n9\n");
            assert_eq!((next(&mut inbox).await, next(&mut inbox).await.as_deref()), (None, Some("1.csv")), "{done:?}");
            let moved = fs::read_dir(dir.path().join("inbox/done")).map_or(0, Iterator::count);
            assert_eq!(moved, if done == Done::Move { 3 } else { 0 });
        }
    }

    #[tokio::test]
    async fn a_file_that_was_not_taken_comes_again_and_an_unreadable_one_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let mut inbox = folder(dir.path(), Done::Move);
        fs::write(dir.path().join("inbox/1.csv"), "\u{0}").unwrap();
        inbox.fetch().await.unwrap();
        for _ in 0..2 {
            assert!(matches!(inbox.fetch().await.unwrap(), Fetched::Something { more: false, .. }));
        }
        inbox.unreadable().await.unwrap();
        assert!(dir.path().join("inbox/failed/1.csv").is_file());
        assert_eq!(next(&mut inbox).await, None);
    }

    #[tokio::test]
    async fn a_file_that_was_long_not_touched_is_taken_at_once_and_a_folder_that_is_gone_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let mut inbox = Folder { every: Duration::ZERO, ..folder(dir.path(), Done::Keep) };
        fs::write(dir.path().join("inbox/1.csv"), "a\n").unwrap();
        assert_eq!(next(&mut inbox).await.as_deref(), Some("1.csv"));
        fs::remove_dir_all(dir.path().join("inbox")).unwrap();
        assert_eq!(inbox.fetch().await.unwrap_err().reason, Reason::Folder);
    }
}
