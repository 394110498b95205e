//! The tokens: who may send which streams, as which sources. The file holds hashes only.
//!
//! A token is 256 random bits, so a plain SHA-256 of it can't be guessed back; a slow hash would only slow the gateway.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rand::TryRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use yiping_event::{Stream, TimeMs};

/// Tokens begin so, for scanners of leaked secrets and for people.
const PREFIX: &str = "yp_";

/// Something that not every token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Bring one's own `receivedtime`, and ticks: replay, simulator.
    SetReceived,
    /// Send rejects again, each as the token that sent it first (`yiping rejects replay`).
    Replay,
}

/// One department's permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Unique in the file; stands in rejects.
    pub name: String,
    /// SHA-256 of the token, hexadecimal.
    #[serde(with = "hex::serde")]
    pub sha256: [u8; 32],
    pub streams: Vec<Stream>,
    /// Patterns of the sources that it may send as; `*` stands for any text.
    pub sources: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rights: BTreeSet<Right>,
    /// From then on it is valid no more.
    #[serde(default, with = "yiping_event::time::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub expires: Option<TimeMs>,
    /// So many events a second may it send, on average; any number when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_per_s: Option<NonZeroU32>,
}

/// Why somebody who presents a token is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Unknown,
    Expired,
}

impl Token {
    pub fn has(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }

    pub fn may_send_as(&self, source: &str) -> bool {
        self.sources.iter().any(|pattern| matches(pattern, source))
    }
}

/// Whether `text` is what `pattern` says; `*` stands for any text, also none.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// What is wrong with a tokens file.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("tokens file {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("tokens file {}: {message}", path.display())]
    Malformed { path: PathBuf, message: String },
    #[error("no randomness for a token: {0}")]
    NoRandomness(String),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "token")]
    tokens: Vec<Token>,
}

/// The tokens of a file, read anew when the file changes.
pub struct Tokens {
    path: PathBuf,
    current: Mutex<Current>,
}

struct Current {
    seen: Option<Stamp>,
    tokens: Vec<Arc<Token>>,
}

impl Tokens {
    /// Opens the file. One that isn't there holds no tokens, until it is.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, TokenError> {
        let path = path.into();
        let seen = stamp(&path);
        let tokens = read(&path)?;
        if tokens.is_empty() {
            tracing::warn!(path = %path.display(), "no tokens: nobody can send events; `yiping token new` makes one");
        }
        Ok(Self { path, current: Mutex::new(Current { seen, tokens }) })
    }

    /// The permission that goes with a token as it was presented. Takes the same time whichever it is.
    ///
    /// # Errors
    /// Nobody has it, or it has expired by `now`.
    pub fn check(&self, presented: &str, now: TimeMs) -> Result<Arc<Token>, Refused> {
        let hash: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        let mut found = None;
        for token in self.current() {
            if bool::from(token.sha256.ct_eq(&hash)) {
                found = Some(token);
            }
        }
        let token = found.ok_or(Refused::Unknown)?;
        if token.expires.is_some_and(|expires| expires <= now) { Err(Refused::Expired) } else { Ok(token) }
    }

    /// The permission of that name, as the file has it now, whether it has expired or not.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Token>> {
        self.current().into_iter().find(|token| token.name == name)
    }

    /// The tokens as the file has them now. A file that can't be read leaves those that were known.
    fn current(&self) -> Vec<Arc<Token>> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = stamp(&self.path);
        if seen != current.seen {
            match read(&self.path) {
                Ok(tokens) => {
                    tracing::info!(count = tokens.len(), "tokens read again");
                    current.tokens = tokens;
                }
                Err(error) => tracing::error!(%error, "tokens file changed but can't be read; the known ones hold"),
            }
            current.seen = seen;
        }
        current.tokens.clone()
    }
}

/// What tells one state of the file from the next: a file renamed into place within the clock's grain has another inode.
type Stamp = (SystemTime, u64, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len(), meta.ino()))
}

fn read(path: &Path) -> Result<Vec<Arc<Token>>, TokenError> {
    let File { tokens } = read_file(path)?;
    let malformed = |message| TokenError::Malformed { path: path.to_owned(), message };
    let mut names = BTreeSet::new();
    for token in &tokens {
        if !names.insert(&token.name) {
            return Err(malformed(format!("two tokens are named {:?}", token.name)));
        }
        if token.streams.is_empty() || token.sources.is_empty() {
            return Err(malformed(format!("token {:?} has no streams or no sources", token.name)));
        }
    }
    Ok(tokens.into_iter().map(Arc::new).collect())
}

fn read_file(path: &Path) -> Result<File, TokenError> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(File::default()),
        Err(source) => Err(TokenError::Unreadable { path: path.to_owned(), source }),
        Ok(text) => toml::from_str(&text)
            .map_err(|fault| TokenError::Malformed { path: path.to_owned(), message: fault.message().to_owned() }),
    }
}

/// A token that was just made: the only moment at which it can be shown.
pub struct NewToken {
    /// What the department sends; never stored.
    pub secret: String,
    /// What the file keeps.
    pub token: Token,
}

/// Makes a token.
pub fn new_token(
    name: impl Into<String>,
    streams: Vec<Stream>,
    sources: Vec<String>,
    rights: BTreeSet<Right>,
) -> Result<NewToken, TokenError> {
    let mut bits = [0_u8; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut bits).map_err(|error| TokenError::NoRandomness(error.to_string()))?;
    let secret = format!("{PREFIX}{}", hex::encode(bits));
    let token = Token {
        name: name.into(),
        sha256: Sha256::digest(secret.as_bytes()).into(),
        streams,
        sources,
        rights,
        expires: None,
        events_per_s: None,
    };
    Ok(NewToken { secret, token })
}

impl NewToken {
    /// Puts the hash into the file, in the place of one of the same name. Whole or not at all, for its owner only.
    pub fn save(&self, path: &Path) -> Result<(), TokenError> {
        let mut file = read_file(path)?;
        file.tokens.retain(|token| token.name != self.token.name);
        file.tokens.push(self.token.clone());
        file.write(path)
    }

    /// Takes it out of the file again; one of the same name that was made since stays.
    pub fn take_back(&self, path: &Path) -> Result<(), TokenError> {
        let mut file = read_file(path)?;
        file.tokens.retain(|token| token.sha256 != self.token.sha256);
        file.write(path)
    }
}

impl File {
    fn write(&self, path: &Path) -> Result<(), TokenError> {
        let unreadable = |source| TokenError::Unreadable { path: path.to_owned(), source };
        let text = toml::to_string(self)
            .map_err(|fault| TokenError::Malformed { path: path.to_owned(), message: fault.to_string() })?;
        let fresh = path.with_extension("toml.new");
        let write = || -> io::Result<()> {
            if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
                fs::create_dir_all(dir)?;
            }
            match fs::remove_file(&fresh) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
            out.write_all(text.as_bytes())?;
            // whoever writes it, root maybe, the gateway reads it: the file stays whose it or its folder is
            let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let whose = fs::metadata(path).or_else(|_| fs::metadata(folder))?;
            if whose.uid() != out.metadata()?.uid() {
                fchown(&out, Some(whose.uid()), Some(whose.gid()))?;
            }
            out.sync_all()?;
            fs::rename(&fresh, path)
        };
        write().map_err(unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_in_a_source_pattern_stands_for_any_text() {
        for (pattern, text, yes) in [
            ("/bus/weihai", "/bus/weihai", true),
            ("/bus/weihai", "/bus/weihai2", false),
            ("/bus/*", "/bus/", true),
            ("/bus/*", "/parking/1", false),
            ("*", "", true),
            ("*/gate", "/lot/7/gate", true),
            ("/a*b*c", "/axxbyyc", true),
            ("/a*b*c", "/ac", false),
            ("/ab*b", "/ab", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), yes, "{pattern:?} {text:?}");
        }
    }
}
