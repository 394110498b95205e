//! Two random passwords, made once and kept beside the data (mode 0600), so that a restart doesn't lock people out.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rand::RngExt;

use super::EmbeddedError;

/// A ClickHouse user.
#[derive(Clone)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Writer and reader of this folder.
pub(super) fn load_or_make(data_dir: &Path) -> Result<(Credentials, Credentials), EmbeddedError> {
    let path = data_dir.join("credentials");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(EmbeddedError::Folder { path, source }),
    };
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let known = [lines.next(), lines.next()];
    let passwords = known.map(|line| line.map_or_else(random_password, str::to_owned));
    if known.contains(&None) {
        write_private(&path, &format!("{}\n{}\n", passwords[0], passwords[1]))?;
    }
    let [writer, reader] = passwords;
    Ok((
        Credentials { user: "yiping_writer".to_owned(), password: writer },
        Credentials { user: "yiping_reader".to_owned(), password: reader },
    ))
}

fn random_password() -> String {
    hex::encode(rand::rng().random::<[u8; 24]>())
}

/// A file that only its owner reads, whole or not at all.
pub(super) fn write_private(path: &PathBuf, text: &str) -> Result<(), EmbeddedError> {
    let at = |source| EmbeddedError::Folder { path: path.clone(), source };
    let part = path.with_extension("part");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(at)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(at)?;
    std::fs::rename(&part, path).map_err(at)
}
