//! Load over HTTP/1.1 from many connections that each wait for their answer: a client light enough to share the
//! machine with what it measures.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::percentile::Durations;

/// What the connections saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How long each answer took.
    pub(crate) took: Durations,
    /// Answers with another status than the expected one.
    pub(crate) other: u64,
}

/// Sends requests made by `request` from one connection until `end`; answers before `start` are not counted.
///
/// # Errors
/// When the connection breaks.
pub(crate) async fn ask_until(
    address: SocketAddr,
    mut request: impl FnMut() -> String,
    expected: u16,
    (start, end): (Instant, Instant),
) -> Result<Seen> {
    let mut connection = Connection::open(address).await?;
    let mut seen = Seen::default();
    loop {
        let began = Instant::now();
        if began >= end {
            return Ok(seen);
        }
        let status = connection.ask(&request()).await?;
        if status != expected {
            seen.other += 1;
        } else if began >= start {
            seen.took.add(began.elapsed());
        }
    }
}

/// The same from many connections, each with requests of its own, made by `requests` from the connection's number.
///
/// # Errors
/// When a connection breaks.
pub(crate) async fn ask_from_many<R: FnMut() -> String + Send + 'static>(
    address: SocketAddr,
    connections: u64,
    requests: impl Fn(u64) -> R,
    expected: u16,
    span: (Instant, Instant),
) -> Result<Seen> {
    let connections = (1..=connections).map(|number| {
        let request = requests(number);
        tokio::spawn(async move { ask_until(address, request, expected, span).await })
    });
    let mut all = Seen::default();
    for connection in connections.collect::<Vec<_>>() {
        let seen = connection.await??;
        all.took.merge(seen.took);
        all.other += seen.other;
    }
    Ok(all)
}

/// A request that posts `body`; `head` is the request line and headers, each with its line end.
pub(crate) fn post(head: &str, body: &str) -> String {
    format!("{head}content-length: {}\r\n\r\n{body}", body.len())
}

/// A connection that is kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub(crate) async fn open(address: SocketAddr) -> Result<Connection> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(16_384) })
    }

    /// Posts `body`; `head` is the request line and headers, each with its line end. Returns the status.
    ///
    /// # Errors
    /// When the connection breaks, or the answer has no length.
    pub(crate) async fn post(&mut self, head: &str, body: &str) -> Result<u16> {
        self.ask(&post(head, body)).await
    }

    /// Gets `path`; returns the status.
    ///
    /// # Errors
    /// When the connection breaks, or the answer has no length.
    pub(crate) async fn get(&mut self, path: &str) -> Result<u16> {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await
    }

    /// Sends a whole request; returns the status.
    ///
    /// # Errors
    /// When the connection breaks, or the answer has no length.
    pub(crate) async fn ask(&mut self, request: &str) -> Result<u16> {
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head_end = loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the connection was closed");
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
        };
        let (status, length) = parse(&self.buffer[..head_end])?;
        while self.buffer.len() < head_end + length {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the connection was closed");
        }
        Ok(status)
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Status and length of the body.
fn parse(head: &[u8]) -> Result<(u16, usize)> {
    let text = std::str::from_utf8(head).context("an answer's head is text")?;
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).context("an answer has a status")?;
    for line in text.lines() {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok((status, value.trim().parse()?));
        }
    }
    bail!("an answer without a length: {text}")
}

/// From `warm_up` from now, for `measured`.
pub(crate) fn window(warm_up: Duration, measured: Duration) -> (Instant, Instant) {
    let start = Instant::now() + warm_up;
    (start, start + measured)
}
