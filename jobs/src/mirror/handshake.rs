//! The handshake of the Erlang distribution, version 6 (OTP 23 and newer), from the side that connects.
//!
//! A node that does not like us closes the connection. At which message it does so tells why: after our name, that it does
//! not take us; after the proof that we know the cookie, that we do not.

use std::io;

use md5::{Digest, Md5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::node::ConnectError;

/// What every node since OTP 25 has to understand, and monitors of names. No atom cache and no fragments: each message is
/// whole and stands for itself. Not published: other nodes do not hear of us.
const FLAGS: u64 = EXTENDED_REFERENCES
    | DIST_MONITOR
    | FUN_TAGS
    | DIST_MONITOR_NAME
    | NEW_FUN_TAGS
    | EXTENDED_PIDS_PORTS
    | EXPORT_PTR_TAG
    | BIT_BINARIES
    | NEW_FLOATS
    | UTF8_ATOMS
    | MAP_TAG
    | BIG_CREATION
    | HANDSHAKE_23
    | UNLINK_ID
    | MANDATORY_25_DIGEST
    | V4_NC;

const EXTENDED_REFERENCES: u64 = 0x4;
const DIST_MONITOR: u64 = 0x8;
const FUN_TAGS: u64 = 0x10;
const DIST_MONITOR_NAME: u64 = 0x20;
const NEW_FUN_TAGS: u64 = 0x80;
const EXTENDED_PIDS_PORTS: u64 = 0x100;
const EXPORT_PTR_TAG: u64 = 0x200;
const BIT_BINARIES: u64 = 0x400;
const NEW_FLOATS: u64 = 0x800;
const UTF8_ATOMS: u64 = 0x1_0000;
const MAP_TAG: u64 = 0x2_0000;
const BIG_CREATION: u64 = 0x4_0000;
const HANDSHAKE_23: u64 = 0x100_0000;
const UNLINK_ID: u64 = 0x200_0000;
const MANDATORY_25_DIGEST: u64 = 0x400_0000;
const V4_NC: u64 = 1 << 34;

/// Who we say that we are.
pub(super) struct Own<'a> {
    pub(super) name: &'a str,
    pub(super) creation: u32,
    pub(super) challenge: u32,
}

/// Makes us known to the node at the other end, and sees that both know the cookie.
pub(super) async fn connect(stream: &mut TcpStream, own: &Own<'_>, cookie: &str) -> Result<(), ConnectError> {
    send_name(stream, own).await?;
    match closed(read(stream).await, "the node closed the connection when it heard our name")?.as_slice() {
        b"sok" | b"sok_simultaneous" => {}
        [b's', status @ ..] => {
            let status = String::from_utf8_lossy(status);
            return Err(ConnectError::Refused(format!("the node does not take us: {status}")));
        }
        _ => return Err(unexpected()),
    }
    let theirs = closed(read(stream).await, "the node closed the connection before its challenge")?;
    let theirs = challenge_of(&theirs).ok_or_else(unexpected)?;
    let mut reply = vec![b'r'];
    reply.extend_from_slice(&own.challenge.to_be_bytes());
    reply.extend_from_slice(&digest(cookie, theirs));
    write(stream, &reply).await?;
    match closed(read(stream).await, "the cookie is not the node's")?.as_slice() {
        [b'a', proof @ ..] if *proof == digest(cookie, own.challenge) => Ok(()),
        _ => Err(ConnectError::Refused("the node does not know the cookie".to_owned())),
    }
}

async fn send_name(stream: &mut TcpStream, own: &Own<'_>) -> io::Result<()> {
    let mut name = vec![b'N'];
    name.extend_from_slice(&FLAGS.to_be_bytes());
    name.extend_from_slice(&own.creation.to_be_bytes());
    name.extend_from_slice(&u16::try_from(own.name.len()).map_err(io::Error::other)?.to_be_bytes());
    name.extend_from_slice(own.name.as_bytes());
    write(stream, &name).await
}

/// The challenge: after the tag and 8 bytes of flags.
fn challenge_of(message: &[u8]) -> Option<u32> {
    let (b'N', rest) = message.split_first()? else { return None };
    let bytes = rest.get(8..12)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

fn digest(cookie: &str, challenge: u32) -> [u8; 16] {
    Md5::new().chain_update(cookie).chain_update(challenge.to_string()).finalize().into()
}

/// A connection that ends here was refused.
fn closed(read: io::Result<Vec<u8>>, why: &str) -> Result<Vec<u8>, ConnectError> {
    use io::ErrorKind::{ConnectionReset, UnexpectedEof};
    read.map_err(|error| match error.kind() {
        UnexpectedEof | ConnectionReset => ConnectError::Refused(why.to_owned()),
        _ => ConnectError::Down(error.to_string()),
    })
}

fn unexpected() -> ConnectError {
    ConnectError::Refused("what listens there does not speak version 6 of the Erlang distribution".to_owned())
}

/// Messages of the handshake have 2 bytes of length: of what comes in, none is larger than 64 KiB.
async fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn write(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let mut frame = u16::try_from(message.len()).map_err(io::Error::other)?.to_be_bytes().to_vec();
    frame.extend_from_slice(message);
    stream.write_all(&frame).await
}
