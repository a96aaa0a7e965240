//! TLS by rustls: the certificate and its key are files, which may be replaced while the server runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How often to look whether the files have changed, at most.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a server proves its name with.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<Loaded>,
}

struct Loaded {
    config: Arc<ServerConfig>,
    changed_at: [Option<SystemTime>; 2],
    looked_at: Instant,
}

impl Tls {
    /// Reads a certificate, with those that lead to its root, and its private key; both as PEM.
    ///
    /// # Errors
    /// When a file cannot be read or is not what it should be, or the key is not the certificate's; it says which.
    pub fn load(certificate: &Path, key: &Path) -> Result<Tls, String> {
        let (changed_at, config) = (changed_at(certificate, key), config(certificate, key)?);
        let current = Mutex::new(Loaded { config, changed_at, looked_at: Instant::now() });
        Ok(Tls { certificate: certificate.to_owned(), key: key.to_owned(), current })
    }

    /// Accepts a connection with what the files hold by now; what is wrong with new ones is logged, and the last good ones stay.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.current.lock().expect("nobody panics while holding the lock");
        if current.looked_at.elapsed() >= LOOK_AGAIN {
            current.looked_at = Instant::now();
            self.look_again(&mut current);
        }
        Arc::clone(&current.config).into()
    }

    fn look_again(&self, current: &mut Loaded) {
        let changed_at = changed_at(&self.certificate, &self.key);
        if changed_at == current.changed_at {
            return;
        }
        match config(&self.certificate, &self.key) {
            Ok(config) => {
                (current.config, current.changed_at) = (config, changed_at);
                tracing::info!("the certificate was replaced");
            }
            // One of the two may have been replaced before the other: the next look finds both.
            Err(error) => tracing::warn!(%error, "the new certificate is not taken"),
        }
    }
}

fn changed_at(certificate: &Path, key: &Path) -> [Option<SystemTime>; 2] {
    [certificate, key].map(|file| file.metadata().and_then(|metadata| metadata.modified()).ok())
}

fn config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, String> {
    let wrong = |file: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| wrong(certificate, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let config = config.with_no_client_auth().with_single_cert(chain, private);
    let mut config = config.map_err(|error| wrong(certificate, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
