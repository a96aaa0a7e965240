//! Somebody's endpoint for webhooks: it keeps what it gets, and answers as it is told.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its first line, such as `POST /hooks HTTP/1.1`.
    pub line: String,
    /// Its headers, with names in small letters.
    pub headers: HashMap<String, String>,
    /// Its body.
    pub body: String,
}

impl Received {
    /// The header of this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("there is no {name} in {:?}", self.headers))
    }
}

/// What is answered; none: nothing, and the connection stays open.
pub type Answer = Option<String>;

/// The endpoint; it ends with the test's runtime.
#[derive(Debug)]
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    seen: mpsc::UnboundedReceiver<Received>,
    answer: Arc<Mutex<Answer>>,
}

/// An answer of this status, with these header lines (each with its end) and this body.
pub fn answer(status: u16, headers: &str, body: &str) -> Answer {
    Some(format!("HTTP/1.1 {status} Whatever\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()))
}

impl Receiver {
    /// Listens on a free port, and takes everything until told otherwise.
    pub async fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (sender, seen) = mpsc::unbounded_channel();
        let said = Arc::new(Mutex::new(answer(204, "", "")));
        let shared = Arc::clone(&said);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, sender.clone(), Arc::clone(&shared)));
            }
        });
        Receiver { address, seen, answer: said }
    }

    /// Answers like this from now on.
    pub fn says(&self, answer: Answer) {
        *self.answer.lock().expect("no test panics while it holds this") = answer;
    }

    /// Its address as an endpoint's.
    pub fn url(&self) -> String {
        format!("http://{}/hooks?from=test", self.address)
    }

    /// The next request.
    ///
    /// # Panics
    /// When none comes.
    pub async fn next(&mut self) -> Received {
        timeout(PATIENCE, self.seen.recv()).await.expect("a request comes in time").expect("the receiver runs")
    }

    /// What has come and was not looked at.
    pub fn unseen(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).collect()
    }
}

async fn serve(stream: TcpStream, seen: mpsc::UnboundedSender<Received>, answer: Arc<Mutex<Answer>>) {
    let mut stream = BufReader::new(stream);
    let Some(received) = read(&mut stream).await else { return };
    let answer = answer.lock().expect("no test panics while it holds this").clone();
    // The test may have ended.
    let _ = seen.send(received);
    match answer {
        Some(answer) => {
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        // Until the other side goes.
        None => drop(stream.read_u8().await),
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |line: &String| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let headers: HashMap<String, String> = lines.iter().skip(1).filter_map(header).collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Received { line: lines.first()?.clone(), headers, body: String::from_utf8(body).ok()? })
}
