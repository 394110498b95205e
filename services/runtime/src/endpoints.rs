//! `endpoints.json`: how a person or a script on this machine reaches a running system. Holds secrets: mode 0600.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// The addresses (`http://host:port`) of what runs here, and the keys to it. What doesn't run is absent.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoints {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clickhouse: Option<String>,
    /// A gateway token of this system's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader: Option<Reader>,
}

/// A ClickHouse user that may only read.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reader {
    pub user: String,
    pub password: String,
}

impl Endpoints {
    const NAME: &str = "endpoints.json";

    /// Writes the file into `data_dir`, whole or not at all, readable by its owner only from its first byte on.
    pub fn write(&self, data_dir: &Path) -> io::Result<PathBuf> {
        let path = data_dir.join(Self::NAME);
        let fresh = data_dir.join(".endpoints.json.new");
        fs::create_dir_all(data_dir)?;
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        fs::rename(&fresh, &path)?;
        Ok(path)
    }

    /// Reads what a running system wrote into `data_dir`.
    pub fn read(data_dir: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(data_dir.join(Self::NAME))?)?)
    }

    /// Since when what runs here has run.
    ///
    /// # Errors
    /// Nothing runs here.
    pub fn since(data_dir: &Path) -> io::Result<SystemTime> {
        fs::metadata(data_dir.join(Self::NAME))?.modified()
    }

    /// Takes the file away at the end: an address that nobody answers misleads.
    pub fn remove(data_dir: &Path) -> io::Result<()> {
        match fs::remove_file(data_dir.join(Self::NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}
