//! Long polls: for clients that cannot keep a WebSocket. A session lives in this process; a poll waits until there is something to
//! tell, a post brings what the client says. The answer is always 200, what came of it stands in its body.
//!
//! Without a WebSocket there is no way to send bytes: a reply in bytes is not sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use poem::endpoint::make;
use poem::http::StatusCode;
use poem::{Endpoint, Request, Response, get};
use serde::Serialize;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::Phoenix;
use super::connect::{self, Query};
use super::metrics;
use super::outbox::{Goodbye, Next, Outbox};
use super::session::Session;
use crate::state::State;

/// Where clients poll.
pub(super) const PATH: &str = "/socket/longpoll";

/// How a token of a session begins: a client sends it by the name that it has for its own token, too.
const TOKEN_PREFIX: &str = "poll_";

/// The other way in which a session's token comes.
const TOKEN_HEADER: &str = "x-phoenix-longpoll-token";

/// So many frames may come in one post.
const LINES_MAX: usize = 100;

/// So many frames are told in one poll.
const MESSAGES_MAX: usize = 500;

/// The pause between two looks for sessions that nobody polls any more.
const EXPIRE_PAUSE: Duration = Duration::from_secs(1);

/// The sessions, by their token.
#[derive(Default)]
pub(super) struct Polls(Mutex<HashMap<String, Arc<Poll>>>);

/// A session.
struct Poll {
    session: tokio::sync::Mutex<Session>,
    outbox: Arc<Outbox>,
    /// When it was polled last, or a poll ended.
    at: Mutex<Instant>,
}

/// The body of every answer.
#[derive(Serialize)]
struct Answer {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<String>>,
}

impl Answer {
    fn of(status: u16) -> Answer {
        Answer { status, token: None, messages: None }
    }

    fn respond(self) -> Response {
        let body = serde_json::to_string(&self).expect("texts are JSON");
        Response::builder().content_type("application/json").body(body)
    }
}

impl Polls {
    fn find(&self, request: &Request, query: &Query) -> Option<(String, Arc<Poll>)> {
        let token = request.header(TOKEN_HEADER).or(query.get("token"))?;
        let polls = self.0.lock().expect("nobody panics while holding the lock");
        polls.get(token).map(|poll| (token.to_owned(), poll.clone()))
    }

    fn add(&self, token: String, session: Session) {
        let (outbox, at) = (session.seat.outbox.clone(), Mutex::new(Instant::now()));
        let poll = Poll { session: tokio::sync::Mutex::new(session), outbox, at };
        self.0.lock().expect("nobody panics while holding the lock").insert(token, Arc::new(poll));
    }

    fn end(&self, token: &str) {
        self.0.lock().expect("nobody panics while holding the lock").remove(token);
    }

    /// Ends all of them: whoever polls next begins anew, elsewhere.
    pub(super) fn end_all(&self) {
        self.0.lock().expect("nobody panics while holding the lock").clear();
    }

    fn expire(&self, patience: Duration) {
        let is_alive = |poll: &Arc<Poll>| {
            let at = poll.at.lock().expect("nobody panics while holding the lock");
            at.elapsed() < patience
        };
        self.0.lock().expect("nobody panics while holding the lock").retain(|_, poll| is_alive(poll));
    }
}

/// Ends the sessions that nobody polls any more, for as long as the channels are anybody's.
pub(super) async fn expire(phoenix: Weak<Phoenix>) {
    loop {
        let Some(phoenix) = phoenix.upgrade() else { return };
        phoenix.polls.expire(phoenix.limits.poll_window * 3 / 2);
        drop(phoenix);
        tokio::time::sleep(EXPIRE_PAUSE).await;
    }
}

/// The endpoint.
pub(super) fn endpoint(state: &State) -> impl Endpoint + use<> {
    let (polls, posts) = (state.clone(), state.clone());
    let poll = make(move |request| {
        let state = polls.clone();
        async move { Ok::<_, poem::Error>(poll(&state, &request).await) }
    });
    let post = make(move |request| {
        let state = posts.clone();
        async move { post(&state, request).await }
    });
    get(poll).post(post)
}

/// Begins a session, or waits for what there is to tell in one.
async fn poll(state: &State, request: &Request) -> Response {
    let (query, phoenix) = (Query::of(request), &state.phoenix);
    let Some((token, poll)) = phoenix.polls.find(request, &query) else {
        return match connect::admit(state, request, &query).await {
            Ok(session) => begin(phoenix, session),
            Err(refusal) if refusal.status() == StatusCode::FORBIDDEN => Answer::of(403).respond(),
            Err(refusal) => refusal,
        };
    };
    poll.touch();
    let window = phoenix.limits.poll_window.min(state.limits.request_timeout / 2);
    let told = timeout(window, poll.wait()).await;
    poll.touch();
    match told {
        Err(_nothing) => Answer { token: Some(token), messages: Some(Vec::new()), ..Answer::of(204) }.respond(),
        Ok(Ok(messages)) => Answer { token: Some(token), messages: Some(messages), ..Answer::of(200) }.respond(),
        Ok(Err(goodbye)) => {
            metrics::closed(Some(goodbye));
            phoenix.polls.end(&token);
            // The client drops its session and begins anew.
            Answer { messages: Some(Vec::new()), ..Answer::of(410) }.respond()
        }
    }
}

/// Answers with a new session: 410 says that the client had none.
fn begin(phoenix: &Phoenix, session: Session) -> Response {
    let mut random = [0; 32];
    getrandom::fill(&mut random).expect("the operating system gives random bytes");
    let token = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    phoenix.polls.add(token.clone(), session);
    Answer { token: Some(token), messages: Some(Vec::new()), ..Answer::of(410) }.respond()
}

/// Takes what the client says: a frame a line, as JSON or as base64 of a binary one.
async fn post(state: &State, mut request: Request) -> poem::Result<Response> {
    let query = Query::of(&request);
    let Some((token, poll)) = state.phoenix.polls.find(&request, &query) else {
        return Ok(Answer::of(410).respond());
    };
    let bytes_max = state.limits.body_bytes_max;
    let body = timeout(state.limits.body_timeout, request.take_body().into_bytes_limit(bytes_max)).await;
    let Ok(Ok(body)) = body else { return Ok(Answer::of(413).respond()) };
    let mut session = poll.session.lock().await;
    let lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let frame_bytes_max = state.phoenix.limits.frame_bytes_max;
    let is_bounded = lines.len() <= LINES_MAX && lines.iter().all(|line| line.len() <= frame_bytes_max);
    for line in lines.into_iter().take_while(|_| is_bounded) {
        let taken = match frame(line) {
            Some(frame) => session.take(&frame).await.is_ok(),
            None => false,
        };
        if !taken {
            poll.outbox.close(Goodbye::Malformed("a line is a frame"));
            break;
        }
    }
    drop(session);
    let is_open = poll.outbox.has_goodbye().is_none();
    if !is_open {
        state.phoenix.polls.end(&token);
    }
    Ok(Answer::of(if !is_bounded {
        413
    } else if is_open {
        200
    } else {
        410
    })
    .respond())
}

fn frame(line: &[u8]) -> Option<Frame> {
    if line.starts_with(b"[") {
        return Some(Frame::text(std::str::from_utf8(line).ok()?));
    }
    Some(Frame::binary(STANDARD.decode(line).ok()?))
}

impl Poll {
    fn touch(&self) {
        *self.at.lock().expect("nobody panics while holding the lock") = Instant::now();
    }

    /// What there is to tell, as soon as there is something.
    async fn wait(&self) -> Result<Vec<String>, Goodbye> {
        self.session.lock().await.check_access_if_due().await;
        loop {
            match self.outbox.next().await {
                Next::Goodbye(goodbye) => return Err(goodbye),
                Next::CheckAccess => self.session.lock().await.check_access().await,
                Next::Broken => self.session.lock().await.break_channels(),
                Next::Frame(Frame::Text(first)) => {
                    let rest = std::iter::from_fn(|| self.outbox.try_frame()).take(MESSAGES_MAX);
                    let texts = rest.filter_map(|frame| frame.into_text().ok());
                    let messages: Vec<String> =
                        std::iter::once(first).chain(texts).map(|text| text.to_string()).collect();
                    metrics::sent(messages.len());
                    return Ok(messages);
                }
                Next::Frame(_bytes) => {}
            }
        }
    }
}
