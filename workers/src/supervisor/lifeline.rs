//! The line between a supervisor and its child: the child's standard input, a socket of a pair.
//!
//! Its end tells the child that the supervisor is gone. The kernel's signal on a parent's death does that too, but
//! only on Linux, and a process that is just starting can miss a signal; it cannot miss the end of a file. Being a
//! socket, the line also carries questions: a number and what is asked, answered by the same number, a length and a
//! text. The child answers from its runtime, so one whose runtime is stuck is as silent as one that is stopped. And a
//! child whose input is no terminal is never stopped for reading one.
//!
//! The two ends may be of different releases (a rolling restart keeps the supervisor), so a question never changes its
//! meaning.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Set in the environment of a child whose standard input is a lifeline.
pub const VARIABLE: &str = "BITNEXUS_LIFELINE";

/// How long a child may take to tell its metrics; one that takes longer is stopped or stuck.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest answer that is believed, in bytes.
const ANSWER_MAX: usize = 64 << 20;

/// The length of an answer's head: a number and a length.
const HEAD: usize = 8;

/// Asks for the metrics, as Prometheus' text.
const METRICS: u8 = b'm';
/// Asks whether the child is at work: [`READY`], or anything else while it is starting.
const BEAT: u8 = b'b';

/// The answer of a child that is at work.
const READY: &str = "ready";

/// The supervisor's end of the line to one child.
#[derive(Debug)]
pub struct Line {
    state: Mutex<State>,
    opened: Instant,
    /// When the last answer came, in ms after `opened`.
    heard_ms: AtomicU64,
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
        let line = Line { state: Mutex::new(state), opened: Instant::now(), heard_ms: AtomicU64::new(0) };
        Ok((line, theirs.into()))
    }

    /// Asks the child for its metrics.
    ///
    /// # Errors
    /// When the child is gone, or does not answer in time.
    pub async fn ask(&self) -> io::Result<String> {
        self.question(METRICS, ANSWER_TIMEOUT).await
    }

    /// Whether the child is at work, and not just starting.
    ///
    /// # Errors
    /// When the child is gone, or gives no sign of life within `patience`.
    pub(super) async fn beat(&self, patience: Duration) -> io::Result<bool> {
        Ok(self.question(BEAT, patience).await? == READY)
    }

    /// How long the child has not answered anything; since the line was made if it never has.
    pub fn silence(&self) -> Duration {
        self.opened.elapsed().saturating_sub(Duration::from_millis(self.heard_ms.load(Ordering::Relaxed)))
    }

    async fn question(&self, question: u8, patience: Duration) -> io::Result<String> {
        let answer = timeout(patience, async { self.state.lock().await.ask(question).await }).await??;
        self.heard_ms.store(self.opened.elapsed().as_millis() as u64, Ordering::Relaxed);
        Ok(answer)
    }
}

impl State {
    async fn ask(&mut self, question: u8) -> io::Result<String> {
        self.asked = self.asked.wrapping_add(1);
        let mut frame = self.asked.to_be_bytes().to_vec();
        frame.push(question);
        // Five bytes go into a socket's buffer whole, or, when it is full, not at all.
        self.stream.write_all(&frame).await?;
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

/// What a child answers its supervisor.
pub struct Answers {
    /// Renders its metrics.
    pub metrics: Box<dyn Fn() -> String + Send>,
    /// Whether it is at work.
    pub readiness: Readiness,
}

/// Whether a process has begun its work, told to the supervisor above.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on it is at work.
    pub fn declare(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Answers {
    /// Those of a process that is at work from its start.
    pub fn ready(metrics: impl Fn() -> String + Send + 'static) -> Answers {
        let readiness = Readiness::default();
        readiness.declare();
        Answers { metrics: Box::new(metrics), readiness }
    }

    fn to(&self, question: u8) -> String {
        match question {
            METRICS => (self.metrics)(),
            BEAT if self.readiness.0.load(Ordering::Relaxed) => READY.to_owned(),
            _ => String::new(),
        }
    }
}

/// Cancels `gone` once the supervisor of this process, if it has one, is no more; until then answers its questions.
///
/// # Errors
/// When the standard input is not the socket that the environment says it is.
pub fn watch(gone: CancellationToken, answers: Answers) -> io::Result<()> {
    if std::env::var_os(VARIABLE).is_none() {
        return Ok(());
    }
    let stream = StdUnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    stream.set_nonblocking(true)?;
    let mut stream = UnixStream::from_std(stream)?;
    tokio::spawn(async move {
        while let Ok((number, question)) = next_question(&mut stream).await {
            if answer(&mut stream, number, &answers.to(question)).await.is_err() {
                break;
            }
        }
        gone.cancel();
    });
    Ok(())
}

async fn next_question(stream: &mut UnixStream) -> io::Result<(u32, u8)> {
    Ok((stream.read_u32().await?, stream.read_u8().await?))
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
        let (late, question) = next_question(&mut child).await.unwrap();
        assert_eq!(question, METRICS);
        answer(&mut child, late, "late").await.unwrap();
        let (got, ()) = tokio::join!(line.ask(), async {
            let (number, _) = next_question(&mut child).await.unwrap();
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
