//! The seal on what is kept of rejects: whoever has the gateway's public key can close it, only the secret key opens it.
//!
//! NaCl's box (X25519, then XChaCha20-Poly1305) from a key pair that a process makes for itself when it starts and of which it keeps
//! no secret half; each sealing has a nonce of its own. The gateway needs the public key only, so that a machine in the open can
//! refuse what it could never read again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use crypto_box::aead::Aead;
use crypto_box::{ChaChaBox, Nonce, PublicKey, SecretKey};
use sha2::{Digest, Sha256};

use crate::keys::{self, KeyError, Kind};

const FORMAT: u8 = 1;
const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;

/// Closes: what the gateway has.
pub struct Seal {
    key_id: String,
    own: PublicKey,
    cipher: ChaChaBox,
    sealed: AtomicU64,
}

/// Opens: what an operator has who may read rejects.
pub struct SealSecret(SecretKey);

/// Why something can't be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed to another key, or changed since")]
pub struct NotOurs;

impl Seal {
    /// # Errors
    /// The system has no randomness.
    pub fn to(public: [u8; KEY_LEN]) -> Result<Self, KeyError> {
        let ephemeral = SecretKey::from(keys::random()?);
        let public = PublicKey::from(public);
        let cipher = ChaChaBox::new(&public, &ephemeral);
        Ok(Self { key_id: key_id(&public), own: ephemeral.public_key(), cipher, sealed: AtomicU64::new(0) })
    }

    /// With the public key in a file.
    ///
    /// # Errors
    /// The file can't be read, or is none.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::to(keys::read(path, Kind::RejectsPublic)?)
    }

    /// The first 8 hex digits of the public key's SHA-256: which key opens what is sealed here.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The bytes, sealed, in base64.
    #[must_use]
    pub fn close(&self, bytes: &[u8]) -> String {
        let mut nonce = [0; NONCE_LEN];
        nonce[..8].copy_from_slice(&self.sealed.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        #[expect(clippy::expect_used, reason = "fails only for more than 256 GiB")]
        let text = self.cipher.encrypt(&Nonce::from(nonce), bytes).expect("a reject's bytes fit");
        BASE64.encode([&[FORMAT][..], self.own.as_bytes(), &nonce, &text].concat())
    }
}

impl SealSecret {
    /// # Errors
    /// The system has no randomness.
    pub fn new() -> Result<Self, KeyError> {
        Ok(Self(SecretKey::from(keys::random()?)))
    }

    /// # Errors
    /// The file can't be read, or is none.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Ok(Self(SecretKey::from(keys::read(path, Kind::RejectsSecret)?)))
    }

    /// Writes the secret half to `path`, for its owner only, and the public one beside it ([`public_path`]).
    ///
    /// # Errors
    /// One of them is there already, or can't be written.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        let public = public_path(path);
        if public.exists() {
            return Err(KeyError::Exists { path: public });
        }
        keys::write(path, Kind::RejectsSecret, &self.0.to_bytes())?;
        keys::write(&public, Kind::RejectsPublic, &self.public())
    }

    /// The half that closes.
    #[must_use]
    pub fn public(&self) -> [u8; KEY_LEN] {
        *self.0.public_key().as_bytes()
    }

    #[must_use]
    pub fn key_id(&self) -> String {
        key_id(&self.0.public_key())
    }

    /// What was sealed.
    ///
    /// # Errors
    /// It was sealed to another key, or changed since.
    pub fn open(&self, sealed: &str) -> Result<Vec<u8>, NotOurs> {
        let all = BASE64.decode(sealed).map_err(|_| NotOurs)?;
        let (&format, rest) = all.split_first().ok_or(NotOurs)?;
        let (own, rest) = rest.split_first_chunk::<KEY_LEN>().ok_or(NotOurs)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or(NotOurs)?;
        if format != FORMAT {
            return Err(NotOurs);
        }
        ChaChaBox::new(&PublicKey::from(*own), &self.0).decrypt(&Nonce::from(*nonce), text).map_err(|_| NotOurs)
    }
}

/// Where a secret key's public half lies: `rejects.pub` beside `rejects.key`.
#[must_use]
pub fn public_path(secret: &Path) -> PathBuf {
    secret.with_extension("pub")
}

fn key_id(public: &PublicKey) -> String {
    hex::encode(&Sha256::digest(public.as_bytes())[..4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_key_opens_what_its_public_half_closed_and_nothing_can_be_changed() {
        let (ours, theirs) = (SealSecret::new().unwrap(), SealSecret::new().unwrap());
        let seal = Seal::to(ours.public()).unwrap();
        assert_eq!(seal.key_id(), ours.key_id());
        let texts: [&[u8]; 3] = [b"", b"13800138000", &[0xff; 70_000]];
        for text in texts {
            let closed = seal.close(text);
            assert_eq!(ours.open(&closed).unwrap(), text);
            assert_eq!(theirs.open(&closed), Err(NotOurs));
            let mut changed = BASE64.decode(&closed).unwrap();
            *changed.last_mut().unwrap() ^= 1;
            assert_eq!(ours.open(&BASE64.encode(changed)), Err(NotOurs));
        }
        assert_eq!(ours.open("c2hvcnQ="), Err(NotOurs));
        // equal bytes don't look equal, within a process and over two
        let again = Seal::to(ours.public()).unwrap();
        let closed = [seal.close(b"same"), seal.close(b"same"), again.close(b"same")];
        assert!(closed[0] != closed[1] && closed[0][..60] != closed[2][..60]);
    }

    #[test]
    fn a_pair_comes_back_from_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rejects.key");
        SealSecret::new().unwrap().save(&path).unwrap();
        let closed = Seal::read(&dir.path().join("rejects.pub")).unwrap().close(b"text");
        assert_eq!(SealSecret::read(&path).unwrap().open(&closed).unwrap(), b"text");
        assert!(matches!(SealSecret::new().unwrap().save(&path), Err(KeyError::Exists { .. })));
    }
}
