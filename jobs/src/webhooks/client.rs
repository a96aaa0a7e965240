//! Posts one request to an address that a user named, without being led anywhere else.
//!
//! There is no connection pool, no proxy (whatever the environment says) and no redirect: the name is resolved, each of its addresses is
//! judged by [`Reach`], and the connection goes to one that passed, so that a second look-up cannot give another. TLS is verified against
//! the roots of webpki-roots, and those that were added.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::webhooks::reach::Reach;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::{Host, Url};

/// How long one attempt may take, from looking the name up to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection may take to be made, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is read and kept, in bytes.
pub const RESPONSE_BYTES_MAX: usize = 4_096;
/// How many addresses of a name are tried.
const ADDRESSES_MAX: usize = 4;
/// What the service calls itself.
const AGENT: &str = concat!("bitnexus-webhooks/", env!("CARGO_PKG_VERSION"));

/// An answer, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The `Retry-After` header, where it is a number of seconds.
    pub retry_after: Option<Duration>,
    /// The beginning of the body, at most [`RESPONSE_BYTES_MAX`]; what is not UTF-8 is replaced.
    pub body: String,
}

/// Why there is no answer. None of these says what lies in our own network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The address is none, or may not be reached.
    #[error("the address is not allowed: {0}")]
    NotAllowed(String),
    /// The name has no address.
    #[error("the name cannot be resolved")]
    Unresolved,
    /// Nobody took the connection.
    #[error("the connection failed: {0}")]
    Connect(String),
    /// TLS failed, for example because the certificate is not good for the name.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The answer is no HTTP.
    #[error("there was no proper answer: {0}")]
    Http(String),
    /// It took too long.
    #[error("there was no answer in time")]
    Timeout,
}

/// The certificates of a PEM file.
///
/// # Errors
/// When it cannot be read, or holds something else or nothing.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)?.collect::<Result<_, _>>()?;
    if certificates.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(certificates) }
}

/// How to speak TLS with somebody whose certificate is from an authority that browsers know, or from one of these.
pub fn tls(authorities: Vec<CertificateDer<'static>>) -> ClientConfig {
    let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    store.add_parsable_certificates(authorities);
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows the versions of TLS that are safe")
        .with_root_certificates(store)
        .with_no_client_auth()
}

/// The client; clones share what it trusts.
#[derive(Clone)]
pub struct Client {
    reach: Reach,
    tls: TlsConnector,
    timeout: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl Default for Client {
    /// One that connects to public addresses only, and trusts what browsers do.
    fn default() -> Client {
        Client::new(Reach::default(), Vec::new())
    }
}

impl Client {
    /// One that connects where `reach` says, and trusts these roots besides.
    pub fn new(reach: Reach, roots: Vec<CertificateDer<'static>>) -> Client {
        Client { reach, tls: TlsConnector::from(Arc::new(tls(roots))), timeout: TIMEOUT }
    }

    /// With another time for an attempt.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Client {
        Client { timeout, ..self }
    }

    /// Posts the body with these headers, which go before those that it has anyway.
    ///
    /// # Errors
    /// Why there was no answer; an answer of any status is none.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: String,
    ) -> Result<Answer, SendError> {
        timeout(self.timeout, self.post_in_time(url, headers, body)).await.unwrap_or(Err(SendError::Timeout))
    }

    async fn post_in_time(
        &self,
        url: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: String,
    ) -> Result<Answer, SendError> {
        let url = self.reach.check(url).map_err(|error| SendError::NotAllowed(error.detail))?;
        let by_tls = url.scheme() == "https";
        let request = request(&url, headers, body)?;
        let connecting = timeout(CONNECT_TIMEOUT, self.connect(&url, by_tls));
        let stream = connecting.await.unwrap_or(Err(SendError::Timeout))?;
        if !by_tls {
            return exchange(stream, request).await;
        }
        let name = server_name(&url)?;
        let handshake = timeout(CONNECT_TIMEOUT, self.tls.connect(name, stream));
        let stream = handshake.await.map_err(|_| SendError::Timeout)?;
        exchange(stream.map_err(|error| SendError::Tls(error.to_string()))?, request).await
    }

    /// A connection to one of the addresses that passed.
    async fn connect(&self, url: &Url, by_tls: bool) -> Result<TcpStream, SendError> {
        let port = url.port_or_known_default().expect("http and https have ports");
        let found: Vec<IpAddr> = match url.host() {
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            Some(Host::Domain(name)) => {
                let found = lookup_host((name, port)).await.map_err(|_| SendError::Unresolved)?;
                found.map(|address| address.ip()).collect()
            }
            None => Vec::new(),
        };
        if found.is_empty() {
            return Err(SendError::Unresolved);
        }
        let mut allowed = found.into_iter().filter(|address| self.reach.allows(*address, by_tls)).peekable();
        if allowed.peek().is_none() {
            return Err(SendError::NotAllowed("its name leads to no public address".to_owned()));
        }
        let mut failed = SendError::Unresolved;
        for address in allowed.take(ADDRESSES_MAX) {
            match TcpStream::connect(SocketAddr::new(address, port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = SendError::Connect(error.kind().to_string()),
            }
        }
        Err(failed)
    }
}

/// The name that the certificate has to be good for.
fn server_name(url: &Url) -> Result<ServerName<'static>, SendError> {
    let name = match url.host() {
        Some(Host::Ipv4(address)) => ServerName::IpAddress(IpAddr::V4(address).into()),
        Some(Host::Ipv6(address)) => ServerName::IpAddress(IpAddr::V6(address).into()),
        Some(Host::Domain(name)) => {
            // A name may end in the dot of the root; no certificate does.
            let name = name.trim_end_matches('.').to_owned();
            ServerName::try_from(name).map_err(|_| SendError::NotAllowed("its name is none".to_owned()))?
        }
        None => return Err(SendError::Unresolved),
    };
    Ok(name)
}

fn request(url: &Url, headers: &[(HeaderName, HeaderValue)], body: String) -> Result<Request<Full<Bytes>>, SendError> {
    let host = url.host_str().ok_or(SendError::Unresolved)?;
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let mut request = Request::post(target)
        .header(header::HOST, host)
        .header(header::USER_AGENT, AGENT)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| SendError::NotAllowed(error.to_string()))?;
    for (name, value) in headers {
        request.headers_mut().insert(name, value.clone());
    }
    Ok(request)
}

/// Sends the request and reads the answer; the connection ends with it.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, SendError> {
    let no_http = |error: hyper::Error| SendError::Http(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(no_http)?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(no_http)?;
        read(answer).await
    };
    tokio::pin!(connection);
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // The connection may end before its last bytes have been read.
        _ = &mut connection => exchange.await,
    }
}

/// Reads the beginning of an answer.
async fn read(answer: Response<Incoming>) -> Result<Answer, SendError> {
    let status = answer.status().as_u16();
    let retry_after = retry_after(answer.headers());
    let (mut body, mut bytes) = (answer.into_body(), Vec::new());
    while bytes.len() < RESPONSE_BYTES_MAX {
        match body.frame().await {
            Some(Ok(frame)) => bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
            // The status has been said; what is missing of the words about it does not matter.
            Some(Err(_)) | None => break,
        }
    }
    bytes.truncate(RESPONSE_BYTES_MAX);
    // PostgreSQL keeps no NUL in a text.
    let body = String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}");
    Ok(Answer { status, retry_after, body })
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
