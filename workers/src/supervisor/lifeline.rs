//! The line between a supervisor and its child: the child's standard input, a socket of a pair.
//!
//! Its end tells the child that the supervisor is gone. The kernel's signal on a parent's death does that too, but
//! only on Linux, and a process that is just starting can miss a signal; it cannot miss the end of a file. Being a
//! socket, the line also carries the child's metrics: a request is a number, the answer the same number, a length and
//! a text. And a child whose input is no terminal is never stopped for reading one.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Set in the environment of a child whose standard input is a lifeline.
pub const VARIABLE: &str = "BITNEXUS_LIFELINE";

/// How long a child may take to answer; one that takes longer is stopped or stuck.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest answer that is believed, in bytes.
const ANSWER_MAX: usize = 64 << 20;

/// The length of an answer's head: a number and a length.
const HEAD: usize = 8;

/// The supervisor's end of the line to one child.
#[derive(Debug)]
pub struct Line {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stream: UnixStream,
    asked: u32,
    /// What has arrived and was not yet understood; it outlives a question that was given up.
    arrived: Vec<u8>,
}

impl Line {
    /// A line, and the end of it that becomes a child's standard input.
    pub(super) fn new() -> io::Result<(Line, OwnedFd)> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let state = State { stream: UnixStream::from_std(ours)?, asked: 0, arrived: Vec::new() };
        Ok((Line { state: Mutex::new(state) }, theirs.into()))
    }

    /// Asks the child for its metrics.
    ///
    /// # Errors
    /// When the child is gone, or does not answer in time.
    pub async fn ask(&self) -> io::Result<String> {
        let mut state = timeout(ANSWER_TIMEOUT, self.state.lock()).await?;
        timeout(ANSWER_TIMEOUT, state.ask()).await?
    }
}

impl State {
    async fn ask(&mut self) -> io::Result<String> {
        self.asked = self.asked.wrapping_add(1);
        self.stream.write_u32(self.asked).await?;
        loop {
            let (number, text) = self.next_answer().await?;
            // An older number is the late answer to a question that was given up.
            if number == self.asked {
                return String::from_utf8(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }

    async fn next_answer(&mut self) -> io::Result<(u32, Vec<u8>)> {
        self.fill(HEAD).await?;
        let word = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("a word is four bytes"));
        let (number, length) = (word(&self.arrived[..4]), word(&self.arrived[4..HEAD]) as usize);
        if length > ANSWER_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.fill(HEAD + length).await?;
        let text = self.arrived[HEAD..HEAD + length].to_vec();
        self.arrived.drain(..HEAD + length);
        Ok((number, text))
    }

    /// Reads until this many bytes are there; a caller that stops waiting loses none.
    async fn fill(&mut self, length: usize) -> io::Result<()> {
        while self.arrived.len() < length {
            if self.stream.read_buf(&mut self.arrived).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

/// Cancels `gone` once the supervisor of this process, if it has one, is no more; until then answers it with `metrics`.
///
/// # Errors
/// When the standard input is not the socket that the environment says it is.
pub fn watch(gone: CancellationToken, metrics: impl Fn() -> String + Send + 'static) -> io::Result<()> {
    if std::env::var_os(VARIABLE).is_none() {
        return Ok(());
    }
    let stream = StdUnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    stream.set_nonblocking(true)?;
    let mut stream = UnixStream::from_std(stream)?;
    tokio::spawn(async move {
        while let Ok(number) = stream.read_u32().await {
            if answer(&mut stream, number, &metrics()).await.is_err() {
                break;
            }
        }
        gone.cancel();
    });
    Ok(())
}

async fn answer(stream: &mut UnixStream, number: u32, text: &str) -> io::Result<()> {
    let length = u32::try_from(text.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut frame = Vec::with_capacity(HEAD + text.len());
    frame.extend(number.to_be_bytes());
    frame.extend(length.to_be_bytes());
    frame.extend(text.as_bytes());
    stream.write_all(&frame).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_late_answer_is_not_taken_for_the_next() {
        let (line, theirs) = Line::new().unwrap();
        let theirs = StdUnixStream::from(theirs);
        theirs.set_nonblocking(true).unwrap();
        let mut child = UnixStream::from_std(theirs).unwrap();
        let asked = async { assert!(timeout(Duration::from_millis(20), line.ask()).await.is_err()) };
        asked.await;
        let late = child.read_u32().await.unwrap();
        answer(&mut child, late, "late").await.unwrap();
        let (got, ()) = tokio::join!(line.ask(), async {
            let number = child.read_u32().await.unwrap();
            answer(&mut child, number, "on time").await.unwrap();
        });
        assert_eq!(got.unwrap(), "on time");
    }

    #[tokio::test]
    async fn the_end_of_the_child_is_an_error_at_once() {
        let (line, theirs) = Line::new().unwrap();
        drop(theirs);
        line.ask().await.unwrap_err();
    }
}
