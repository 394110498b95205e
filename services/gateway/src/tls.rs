//! TLS: the certificate and the key, read anew when their files change.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::Context;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// What a client may choose from, the better one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The server's side of TLS.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<(Stamps, Arc<ServerConfig>)>,
}

/// What tells one state of the two files from the next.
type Stamps = [Option<(SystemTime, u64, u64)>; 2];

impl Tls {
    /// Reads both files, PEM: the certificate with those of its issuers behind it, and its private key.
    ///
    /// # Errors
    /// A file can't be read, or the key is not the certificate's.
    pub fn open(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> anyhow::Result<Self> {
        let (certificate, key) = (certificate.into(), key.into());
        let seen = stamps(&certificate, &key);
        let config = Arc::new(read(&certificate, &key)?);
        Ok(Self { certificate, key, current: Mutex::new((seen, config)) })
    }

    /// For the next connection, as the files are now. Where they can't be read, or don't belong together (one of them is being
    /// replaced), those that were known hold.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = stamps(&self.certificate, &self.key);
        if seen != current.0 {
            match read(&self.certificate, &self.key) {
                Ok(config) => {
                    tracing::info!("certificate read again");
                    current.1 = Arc::new(config);
                }
                Err(error) => {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "certificate or key changed but can't be used; the known ones hold"
                    );
                }
            }
            current.0 = seen;
        }
        current.1.clone().into()
    }
}

fn stamps(certificate: &Path, key: &Path) -> Stamps {
    [certificate, key].map(|path| {
        let meta = fs::metadata(path).ok()?;
        Some((meta.modified().ok()?, meta.len(), meta.ino()))
    })
}

fn read(certificate: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(anyhow::Error::from)
        .and_then(|chain| if chain.is_empty() { Err(anyhow::anyhow!("there is none")) } else { Ok(chain) })
        .with_context(|| format!("gateway.tls.cert: {} holds no certificates in PEM", certificate.display()))?;
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("gateway.tls.key: {} holds no private key in PEM", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .with_context(|| format!("gateway.tls: {} is not the key of {}", key.display(), certificate.display()))?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}
