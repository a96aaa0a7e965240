//! A reader of server-sent events, as a browser's `EventSource` reads them.

use std::collections::VecDeque;

use reqwest::{Client, Response, StatusCode};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The last id that was sent, by this event or before it.
    pub id: String,
    /// Its kind.
    pub event: String,
    /// What it carries.
    pub data: String,
}

/// A stream that is being read.
#[derive(Debug)]
pub struct Sse {
    response: Response,
    buffer: Vec<u8>,
    ready: VecDeque<Sent>,
    /// The last id that was sent: with which to come back.
    pub last_id: String,
}

impl Sse {
    /// Opens a stream; the answer's status and text if it is refused.
    ///
    /// # Errors
    /// When it is refused, or, with the status 503, when there is nobody to ask.
    pub async fn open(
        http: &Client,
        url: &str,
        token: &str,
        last_id: Option<&str>,
    ) -> Result<Sse, (StatusCode, String)> {
        let mut request = http.get(url).bearer_auth(token).header("accept", "text/event-stream");
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let nobody = |error: reqwest::Error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string());
        let response = request.send().await.map_err(nobody)?;
        if response.status() != StatusCode::OK {
            return Err((response.status(), response.text().await.map_err(nobody)?));
        }
        let last_id = last_id.unwrap_or_default().to_owned();
        Ok(Sse { response, buffer: Vec::new(), ready: VecDeque::new(), last_id })
    }

    /// The next event; none when the stream has ended, however it did.
    pub async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some(sent) = self.ready.pop_front() {
                return Some(sent);
            }
            self.read().await?;
        }
    }

    /// Reads until the stream has said where it begins, which it does first.
    pub async fn begun(&mut self) {
        while self.last_id.is_empty() && self.read().await.is_some() {}
    }

    async fn read(&mut self) -> Option<()> {
        let chunk = self.response.chunk().await.ok().flatten()?;
        self.buffer.extend_from_slice(&chunk);
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            self.take(&String::from_utf8(block).expect("a stream of events is UTF-8"));
        }
        Some(())
    }

    fn take(&mut self, block: &str) {
        let (mut event, mut data) = (String::new(), None);
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut self.last_id),
                Some(("event", name)) => name.clone_into(&mut event),
                Some(("data", text)) => data = Some(text.to_owned()),
                _ => {}
            }
        }
        if let Some(data) = data {
            self.ready.push_back(Sent { id: self.last_id.clone(), event, data });
        }
    }
}
