//! The gateway's keys as files: one line of text each, made once and never written over, a secret one for its owner only.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rand::TryRng;

/// What a key is for. Stands in its file, so that one can't be taken for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pseudonyms,
    RejectsSecret,
    RejectsPublic,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Kind::Pseudonyms => "yiping-pseudonym-key-1:",
            Kind::RejectsSecret => "yiping-rejects-secret-key-1:",
            Kind::RejectsPublic => "yiping-rejects-public-key-1:",
        }
    }

    /// A public half may be read by whoever runs a gateway.
    fn mode(self) -> u32 {
        if self == Kind::RejectsPublic { 0o644 } else { 0o600 }
    }
}

/// What is wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("key {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("key {}: expected one line that begins with {expected}; `yiping key new` makes one", path.display())]
    Malformed { path: PathBuf, expected: &'static str },
    #[error("key {} is there already: another one would make what was done with it useless; move it away first", path.display())]
    Exists { path: PathBuf },
    #[error("no randomness for a key: {0}")]
    NoRandomness(String),
}

/// 32 random bytes.
pub(crate) fn random() -> Result<[u8; 32], KeyError> {
    let mut bytes = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).map_err(|error| KeyError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}

pub(crate) fn read(path: &Path, kind: Kind) -> Result<[u8; 32], KeyError> {
    let text = fs::read_to_string(path).map_err(|source| KeyError::Unreadable { path: path.to_owned(), source })?;
    let key = text.trim().strip_prefix(kind.prefix()).and_then(|text| BASE64.decode(text).ok());
    key.and_then(|key| key.try_into().ok())
        .ok_or_else(|| KeyError::Malformed { path: path.to_owned(), expected: kind.prefix() })
}

/// Writes a key that isn't there yet, durably; its folder is made where it isn't.
pub(crate) fn write(path: &Path, kind: Kind, key: &[u8; 32]) -> Result<(), KeyError> {
    let make = || -> io::Result<()> {
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            fs::create_dir_all(dir)?;
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(kind.mode()).open(path)?;
        writeln!(file, "{}{}", kind.prefix(), BASE64.encode(key))?;
        file.sync_all()
    };
    make().map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.to_owned() },
        _ => KeyError::Unreadable { path: path.to_owned(), source },
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_its_owners_only_and_is_never_written_over_or_taken_for_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/pseudonym.key");
        let key = random().unwrap();
        write(&path, Kind::Pseudonyms, &key).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&path, Kind::Pseudonyms).unwrap(), key);
        assert!(matches!(write(&path, Kind::Pseudonyms, &random().unwrap()), Err(KeyError::Exists { .. })));
        assert_eq!(read(&path, Kind::Pseudonyms).unwrap(), key);
        assert!(matches!(read(&path, Kind::RejectsSecret), Err(KeyError::Malformed { .. })));
        assert_ne!(random().unwrap(), key);
    }
}
