//! A connection to an Erlang node, as a hidden node of its own name: calls of its functions, by `rex`, which every node runs.
//!
//! One task reads and one writes. What is to be sent together goes out in one write; a connection on which nothing is said
//! for a while says so (a tick), and one on which nothing is heard is down. Whoever waits for an answer is told at once.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use super::metrics::Connected;
use super::term::Term;
use super::{epmd, handshake};

/// The largest message that is taken from the peer, in bytes; a longer one ends the connection.
pub const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What is read at once; room is made as bytes come, not as they are announced.
const CHUNK_BYTES: u64 = 64 * 1024;

/// Before each message: it stands for itself.
const PASS_THROUGH: u8 = 112;

/// The first elements of the control messages that are sent or understood.
const SEND: i64 = 2;
const REG_SEND: i64 = 6;
const MONITOR: i64 = 19;
const MONITOR_EXIT: i64 = 21;

/// A connection is quiet at most so long. A node takes another one for dead after 60 s, unless told otherwise.
const TICK: Duration = Duration::from_secs(2);
/// A node ticks every 15 s unless told otherwise; one that is silent for so long is down.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long connecting and the handshake may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// The process that runs calls for other nodes.
const REX: &str = "rex";

/// Where a node is, and what proves that we may talk to it.
#[derive(Clone)]
pub struct Address {
    name: String,
    host: String,
    cookie: String,
    epmd_port: u16,
}

/// No cookie in logs.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({})", self.node())
    }
}

/// The port that port mappers listen on.
pub const EPMD_PORT: u16 = 4369;

impl Address {
    /// A node by its whole name, such as `ledger@10.0.0.7`, and its cookie; none for what is no name of a node.
    pub fn new(node: &str, cookie: impl Into<String>) -> Option<Address> {
        let (name, host) = node.split_once('@')?;
        let is_word = |word: &str| {
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
            (1..=100).contains(&word.len()) && word.chars().all(is_allowed)
        };
        let (name, host, cookie) = (name.to_owned(), host.to_owned(), cookie.into());
        (is_word(&name) && is_word(&host)).then_some(Address { name, host, cookie, epmd_port: EPMD_PORT })
    }

    /// With another port for the port mapper.
    #[must_use]
    pub fn with_epmd_port(self, epmd_port: u16) -> Address {
        Address { epmd_port, ..self }
    }

    /// The node's whole name.
    pub fn node(&self) -> String {
        format!("{}@{}", self.name, self.host)
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The node cannot be reached; it may be later.
    #[error("{0}")]
    Down(String),
    /// Something listens there and does not answer.
    #[error("{0}")]
    Slow(String),
    /// The node does not want us: another cookie, or another language. Somebody has to look.
    #[error("{0}")]
    Refused(String),
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> ConnectError {
        ConnectError::Down(error.to_string())
    }
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// None came in time; what was asked for may have been done all the same.
    #[error("the node did not answer within {0:?}")]
    Timeout(Duration),
    /// The connection ended; what was asked for may have been done all the same.
    #[error("the connection ended: {0}")]
    Lost(String),
    /// The node could not run the function, or the function failed.
    #[error("the node says: {0}")]
    Failed(String),
}

/// Who waits for which answer, until the connection has ended, and why it did.
#[derive(Debug)]
enum Waiting {
    Open(HashMap<u64, oneshot::Sender<Result<Term, CallError>>>),
    Ended(String),
}

/// A connection; it ends when this is dropped.
#[derive(Debug)]
pub struct Node {
    own: Own,
    writer: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Arc<Mutex<Waiting>>,
    next: std::sync::atomic::AtomicU64,
    _tasks: JoinSet<()>,
}

/// What we are called on this connection.
#[derive(Clone, Debug)]
struct Own {
    name: String,
    creation: u32,
}

impl Own {
    /// A name that no other connection has: two of one name would not both be let in. The host is the peer's, so that both
    /// names are long or both are short.
    fn new(host: &str) -> Own {
        let random = Uuid::new_v4();
        let (creation, ..) = random.as_fields();
        Own { name: format!("bitnexus-{}@{host}", random.simple()), creation: creation | 4 }
    }

    fn pid(&self) -> Term {
        Term::Pid { node: self.name.clone(), words: [1, 0, self.creation] }
    }

    /// The reference of a call; the one of the monitor is 0.
    fn reference(&self, number: u64) -> Term {
        let words = vec![number as u32 & 0x3_ffff, (number >> 18) as u32, (number >> 50) as u32];
        Term::Reference { node: self.name.clone(), creation: self.creation, words }
    }
}

/// The number that a reference of ours was made from.
fn number_of(reference: &Term) -> Option<u64> {
    let Term::Reference { words, .. } = reference else { return None };
    let [low, middle, high] = words.as_slice() else { return None };
    Some(u64::from(*low) | u64::from(*middle) << 18 | u64::from(*high) << 50)
}

impl Node {
    /// Connects to a node and shakes hands.
    ///
    /// # Errors
    /// [`ConnectError`] says whether trying again may help.
    pub async fn connect(address: &Address) -> Result<Node, ConnectError> {
        let port = epmd::port(&address.host, address.epmd_port, &address.name).await;
        let port = port.map_err(|error| ConnectError::Down(format!("the port mapper does not answer: {error}")))?;
        let port = port.ok_or_else(|| ConnectError::Down("the port mapper knows no such node".to_owned()))?;
        let own = Own::new(&address.host);
        let shaking = async {
            let mut stream = TcpStream::connect((address.host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            let challenge = Uuid::new_v4().as_fields().0;
            let hello = handshake::Own { name: &own.name, creation: own.creation, challenge };
            handshake::connect(&mut stream, &hello, &address.cookie).await?;
            Ok::<_, ConnectError>(stream)
        };
        let stream = timeout(CONNECT_PATIENCE, shaking)
            .await
            .map_err(|_| ConnectError::Slow(format!("no handshake within {CONNECT_PATIENCE:?}")))??;
        Ok(Node::start(stream, own))
    }

    fn start(stream: TcpStream, own: Own) -> Node {
        let (reading, writing) = stream.into_split();
        let (writer, frames) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(Waiting::Open(HashMap::new())));
        let mut tasks = JoinSet::new();
        let told = waiting.clone();
        let connected = Connected::new();
        tasks.spawn(async move {
            let _connected = connected;
            let why = read_all(reading, &told).await;
            end(&told, &why);
        });
        let told = waiting.clone();
        tasks.spawn(async move {
            if let Err(error) = write_all(writing, frames).await {
                end(&told, &error.to_string());
            }
        });
        let node = Node { own, writer, waiting, next: 1.into(), _tasks: tasks };
        let monitor = vec![Term::Integer(MONITOR), node.own.pid(), Term::atom(REX), node.own.reference(0)];
        node.send(&[Term::Tuple(monitor)]);
        node
    }

    /// Whether the connection has ended.
    pub fn is_ended(&self) -> bool {
        matches!(*self.waiting.lock().expect("nobody panics with it"), Waiting::Ended(_))
    }

    /// Calls a function of the node and waits for what it returns.
    ///
    /// # Errors
    /// [`CallError`]: unless the function itself failed, nobody knows whether it was run.
    pub async fn call(
        &self,
        module: &str,
        function: &str,
        arguments: Vec<Term>,
        patience: Duration,
    ) -> Result<Term, CallError> {
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        match &mut *self.waiting.lock().expect("nobody panics with it") {
            Waiting::Open(waiting) => drop(waiting.insert(number, sender)),
            Waiting::Ended(why) => return Err(CallError::Lost(why.clone())),
        }
        let from = Term::Tuple(vec![self.own.pid(), self.own.reference(number)]);
        let what = vec![Term::atom(module), Term::atom(function), Term::List(arguments), Term::atom("user")];
        let what = Term::Tuple([vec![Term::atom("call")], what].concat());
        let control = vec![Term::Integer(REG_SEND), self.own.pid(), Term::atom(""), Term::atom(REX)];
        self.send(&[Term::Tuple(control), Term::Tuple(vec![Term::atom("$gen_call"), from, what])]);
        let answer = match timeout(patience, receiver).await {
            Ok(Ok(answer)) => answer?,
            Ok(Err(_)) => return Err(CallError::Lost("the connection was closed".to_owned())),
            Err(_) => {
                // An answer that comes later is nobody's.
                if let Waiting::Open(waiting) = &mut *self.waiting.lock().expect("nobody panics with it") {
                    waiting.remove(&number);
                }
                return Err(CallError::Timeout(patience));
            }
        };
        match answer {
            Term::Tuple(parts) if parts.len() == 2 && parts[0].is_atom("badrpc") => {
                Err(CallError::Failed(parts[1].to_string()))
            }
            answer => Ok(answer),
        }
    }

    /// A frame of these terms; a connection that has ended is told of by the task that reads.
    fn send(&self, terms: &[Term]) {
        let mut frame = vec![0, 0, 0, 0, PASS_THROUGH];
        terms.iter().for_each(|term| term.encode(&mut frame));
        let length = u32::try_from(frame.len() - 4).expect("we send less than 4 GiB");
        frame[..4].copy_from_slice(&length.to_be_bytes());
        let _ = self.writer.send(frame);
    }
}

/// Tells everybody who waits that nothing will come.
fn end(waiting: &Mutex<Waiting>, why: &str) {
    let mut waiting = waiting.lock().expect("nobody panics with it");
    if let Waiting::Open(open) = &mut *waiting {
        for (_, sender) in open.drain() {
            let _ = sender.send(Err(CallError::Lost(why.to_owned())));
        }
        *waiting = Waiting::Ended(why.to_owned());
    }
}

/// Writes what is sent, all that is there at once, and a tick when there is nothing for a while.
async fn write_all(mut stream: OwnedWriteHalf, mut frames: mpsc::UnboundedReceiver<Vec<u8>>) -> io::Result<()> {
    const BATCH: usize = 64;
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        match timeout(TICK, frames.recv_many(&mut batch, BATCH)).await {
            Ok(0) => return Ok(()),
            Ok(_) => stream.write_all(&batch.concat()).await?,
            Err(_) => stream.write_all(&[0; 4]).await?,
        }
        batch.clear();
    }
}

/// Reads until the connection ends; why it did.
async fn read_all(mut stream: OwnedReadHalf, waiting: &Mutex<Waiting>) -> String {
    loop {
        let frame = match timeout(SILENCE_MAX, read(&mut stream)).await {
            Err(_) => return format!("the node has been silent for {SILENCE_MAX:?}"),
            Ok(Err(error)) => return error.to_string(),
            Ok(Ok(frame)) => frame,
        };
        if let Err(why) = take(&frame, waiting) {
            return why;
        }
    }
}

/// One frame; an empty one is a tick.
async fn read(stream: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let length = stream.read_u32().await? as usize;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::other(format!("the node sends {length} bytes at once")));
    }
    let mut frame = Vec::with_capacity(length.min(CHUNK_BYTES as usize));
    while frame.len() < length {
        let missing = (length - frame.len()) as u64;
        if stream.take(missing.min(CHUNK_BYTES)).read_to_end(&mut frame).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(frame)
}

/// Understands a frame: an answer goes to who waits for it, and what else there is to hear of is passed over.
fn take(frame: &[u8], waiting: &Mutex<Waiting>) -> Result<(), String> {
    let Some((&PASS_THROUGH, rest)) = frame.split_first() else {
        return if frame.is_empty() { Ok(()) } else { Err("the node sends frames of another kind".to_owned()) };
    };
    let (control, rest) = Term::decode(rest).map_err(|error| error.to_string())?;
    let Term::Tuple(control) = control else { return Err("a control message is no tuple".to_owned()) };
    match control.first() {
        Some(Term::Integer(SEND)) => {
            let (message, _) = Term::decode(rest).map_err(|error| error.to_string())?;
            let Term::Tuple(parts) = message else { return Ok(()) };
            let Ok([reference, answer]) = <[Term; 2]>::try_from(parts) else { return Ok(()) };
            let Some(number) = number_of(&reference) else { return Ok(()) };
            if let Waiting::Open(waiting) = &mut *waiting.lock().expect("nobody panics with it")
                && let Some(sender) = waiting.remove(&number)
            {
                let _ = sender.send(Ok(answer));
            }
            Ok(())
        }
        Some(Term::Integer(MONITOR_EXIT)) => Err(format!("the node's {REX} has ended")),
        _ => Ok(()),
    }
}
