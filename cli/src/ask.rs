//! Asks a role on this machine how it is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, Result, bail};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::tls;

/// Asks whoever listens there for this path: by TLS if it is to have the certificate of this file, else by plain HTTP.
///
/// # Errors
/// When nobody answers, or the answer is not that all is well.
pub(crate) async fn ask(listen: SocketAddr, path: &str, certificate: Option<&Path>) -> Result<()> {
    let address = reachable(listen);
    let scheme = if certificate.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}{path}");
    let answer = async {
        let stream = TcpStream::connect(address).await?;
        match certificate {
            Some(file) => exchange(tls::connect(stream, address.ip(), file).await?, address, path).await,
            None => exchange(stream, address, path).await,
        }
    };
    let status = answer.await.with_context(|| format!("asking {url}"))?;
    if !status.is_success() {
        bail!("{url} answers {status}");
    }
    Ok(())
}

/// Who listens on every address is reached over the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    address: SocketAddr,
    path: &str,
) -> Result<StatusCode> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path).header(header::HOST, address.to_string()).body(Empty::<Bytes>::new())?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    connection.abort();
    Ok(answer?.status())
}
