//! Certificates that sign themselves, a server that has one, and a client that shows what a server makes of one.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Makes `certificate.pem` and `key.pem` in the folder, for this name; false if this machine has no openssl.
pub fn make(folder: &Path, name: &str) -> bool {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    openssl.args(["-subj", &format!("/CN={name}"), "-addext", &format!("subjectAltName=DNS:{name}")]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"]).arg(folder.join("key.pem"));
    openssl.arg("-out").arg(folder.join("certificate.pem"));
    openssl.output().is_ok_and(|output| output.status.success())
}

/// Takes TLS with what [`make`] has made for `localhost` in this folder, and passes what comes on to the server at `url` in the clear,
/// until the test's runtime ends; returns the address that begins with `https://`.
///
/// # Panics
/// When the folder has no certificate.
pub async fn front(folder: &Path, url: &str) -> String {
    let to: SocketAddr = url.trim_start_matches("http://").parse().expect("an address of this machine");
    let chain = CertificateDer::pem_file_iter(folder.join("certificate.pem")).expect("a certificate was made");
    let chain = chain.collect::<Result<_, _>>().expect("openssl writes PEM");
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("a key was made");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows the versions of TLS that are safe")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("the key is the certificate's");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Whoever does not believe the certificate hangs up.
                let Ok(mut outside) = acceptor.accept(stream).await else { return };
                let Ok(mut inside) = TcpStream::connect(to).await else { return };
                let _ = copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    format!("https://localhost:{port}")
}

/// What openssl's client sees when it asks for `/livez`: the subject of the certificate, and the answer.
///
/// # Panics
/// When the client cannot be started.
pub async fn ask(address: &str) -> String {
    let request = "GET /livez HTTP/1.1\\r\\nhost: localhost\\r\\nconnection: close\\r\\n\\r\\n";
    let command = format!("printf '{request}' | openssl s_client -connect {address} -alpn http/1.1 -ign_eof 2>&1");
    let output = tokio::task::spawn_blocking(move || Command::new("sh").args(["-c", &command]).output());
    let output = output.await.expect("it does not panic").expect("a shell can be started");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
