//! Where an Erlang node listens: its machine's port mapper knows.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// `PORT_PLEASE2_REQ`, and what its answer begins with.
const ASK: u8 = 122;
const ANSWER: u8 = 119;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The port of the node of this name (without its host); none if no such node runs.
///
/// # Errors
/// When the port mapper cannot be reached or says something else.
pub(super) async fn port(host: &str, epmd_port: u16, name: &str) -> io::Result<Option<u16>> {
    timeout(PATIENCE, ask(host, epmd_port, name)).await?
}

async fn ask(host: &str, epmd_port: u16, name: &str) -> io::Result<Option<u16>> {
    let mut stream = TcpStream::connect((host, epmd_port)).await?;
    let length = u16::try_from(name.len() + 1).map_err(io::Error::other)?;
    let mut request = length.to_be_bytes().to_vec();
    request.push(ASK);
    request.extend_from_slice(name.as_bytes());
    stream.write_all(&request).await?;
    if stream.read_u8().await? != ANSWER {
        return Err(io::Error::other("the port mapper speaks another language"));
    }
    if stream.read_u8().await? != 0 {
        return Ok(None);
    }
    stream.read_u16().await.map(Some)
}
