//! The API's certificate: the flags that name it, and how commands on this machine know the API by it; and those of authorities.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use api::Tls;
use clap::Args;
use jobs::webhooks::client::certificates;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};

/// The flags.
#[derive(Debug, Clone, Args)]
pub struct TlsArgs {
    /// File with the certificate, and those that lead to its root, as PEM; the API then speaks TLS only. Replaced while it runs, it is
    /// read again.
    #[arg(long, value_name = "FILE", env = "API_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// File with the certificate's private key, as PEM.
    #[arg(long, value_name = "FILE", env = "API_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl TlsArgs {
    /// What to speak TLS with.
    ///
    /// # Errors
    /// When a file is not what it should be.
    pub fn load(&self) -> Result<Option<Tls>> {
        let Some((certificate, key)) = self.files() else { return Ok(None) };
        let tls = Tls::load(certificate, key);
        tls.map(Some).map_err(|error| anyhow!("--tls-cert (API_TLS_CERT), --tls-key (API_TLS_KEY): {error}"))
    }

    /// The files of the certificate and of its key.
    pub fn files(&self) -> Option<(&Path, &Path)> {
        self.tls_cert.as_deref().zip(self.tls_key.as_deref())
    }

    /// What the API's addresses begin with.
    pub fn scheme(&self) -> &'static str {
        if self.files().is_some() { "https" } else { "http" }
    }
}

/// The authorities of a file that this flag named; none without one.
///
/// # Errors
/// When the file cannot be read or is none of certificates.
pub(crate) fn authorities(flag: &str, file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>> {
    let read = |file: &Path| certificates(file).with_context(|| format!("{flag}: {}", file.display()));
    file.map_or(Ok(Vec::new()), read)
}

/// Speaks TLS with a server on this machine that has the certificate of this file.
///
/// # Errors
/// When the file holds no certificate, or the server has another.
pub(crate) async fn connect(stream: TcpStream, address: IpAddr, certificate: &Path) -> Result<TlsStream<TcpStream>> {
    let certificate = CertificateDer::from_pem_file(certificate);
    let certificate = certificate.map_err(|error| anyhow!("reading the certificate: {error}"))?;
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .context("choosing versions of TLS")?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned { certificate, provider }))
        .with_no_client_auth();
    let connecting = TlsConnector::from(Arc::new(config)).connect(ServerName::from(address), stream);
    connecting.await.context("agreeing on TLS")
}

/// Believes the one certificate, and whoever proves to have its key. Its names and its issuer do not matter: the API is asked over the
/// loopback, which a certificate seldom names, and its file says which one it has.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
