//! Pseudonyms: what names a device or a stay is replaced by a keyed hash, so that the same one stays the same, and nobody without
//! the key can tell which it is (I11).
//!
//! `pKEYID-HASH`: the first 6 hex digits of the key's own SHA-256, so that a change of key is seen, and 96 bits of HMAC-SHA-256 over
//! the member's name and its value. The name is in it so that a device and a stay of the same number don't meet.

use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::keys::{self, KeyError, Kind};

/// A key, ready for use.
#[derive(Clone)]
pub struct Pseudonyms {
    key_id: String,
    mac: Hmac<Sha256>,
}

impl Pseudonyms {
    #[must_use]
    pub fn of(key: [u8; 32]) -> Self {
        let id = Sha256::new().chain_update(b"yiping pseudonym key").chain_update(key).finalize();
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mac = Hmac::new_from_slice(&key).expect("32 bytes are a key");
        Self { key_id: hex::encode(&id[..3]), mac }
    }

    /// # Errors
    /// The file can't be read, or is none.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Ok(Self::of(keys::read(path, Kind::Pseudonyms)?))
    }

    /// Makes a key and keeps it in `path`, for its owner only.
    ///
    /// # Errors
    /// There is one already, or it can't be written.
    pub fn make(path: &Path) -> Result<Self, KeyError> {
        let key = keys::random()?;
        keys::write(path, Kind::Pseudonyms, &key)?;
        Ok(Self::of(key))
    }

    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The pseudonym of a member's value: 32 characters.
    #[must_use]
    pub fn name(&self, member: &str, value: &str) -> String {
        let mut mac = self.mac.clone();
        mac.update(member.as_bytes());
        mac.update(&[0]);
        mac.update(value.as_bytes());
        format!("p{}-{}", self.key_id, hex::encode(&mac.finalize().into_bytes()[..12]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_the_same_after_a_restart_and_another_with_another_key_member_or_value() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pseudonym.key");
        let made = Pseudonyms::make(&path).unwrap();
        let name = made.name("device_id", "D00042");
        assert_eq!(Pseudonyms::read(&path).unwrap().name("device_id", "D00042"), name);
        assert!(name.starts_with(&format!("p{}-", made.key_id())) && name.len() == 32, "{name}");
        let other = Pseudonyms::of([7; 32]);
        for different in
            [other.name("device_id", "D00042"), made.name("session_id", "D00042"), made.name("device_id", "D00043")]
        {
            assert_ne!(different, name);
        }
        assert!(Pseudonyms::make(&path).is_err(), "a key in use is not written over");
    }

    /// The expected text was computed apart, by Python's `hmac`: key 32 × 07, message "device_id", 00, "D00042".
    #[test]
    fn it_is_hmac_sha_256() {
        assert_eq!(Pseudonyms::of([7; 32]).name("device_id", "D00042"), "p1a88d6-60677702eda8544eb971f22c");
    }
}
