//! A server that gives prepared answers in order, to see how a client takes them.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The server; it ends with the test's runtime.
#[derive(Debug)]
pub struct Scripted {
    /// Where it listens, such as `http://127.0.0.1:49152`.
    pub url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Gives each request the next of `answers`, then closes the connection. An answer is written as it stands; an
    /// empty one is a connection closed without any.
    pub async fn start(answers: Vec<String>) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            for answer in answers {
                let Ok((stream, _)) = listener.accept().await else { return };
                let request = answer_one(stream, &answer).await;
                log.lock().expect("no test panics while it holds this").push(request);
            }
        });
        Scripted { url, seen }
    }

    /// The requests so far: first line, a space, and the body.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no test panics while it holds this").clone()
    }
}

/// An answer with this status, extra header lines (each with its end) and JSON body.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

async fn answer_one(stream: TcpStream, answer: &str) -> String {
    let mut stream = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a client sends a number");
        }
        if first.is_empty() {
            first = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.expect("a client sends as much as it announced");
    stream.write_all(answer.as_bytes()).await.unwrap_or_default();
    format!("{first} {}", String::from_utf8_lossy(&body)).trim_end().to_owned()
}
