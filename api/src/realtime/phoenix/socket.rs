//! The WebSocket: from the upgrade to the goodbye, one task for each client.
//!
//! poem's own WebSocket copies a message for each receiver and keeps large buffers; here frames are shared, and an idle client
//! costs a few kilobytes.

use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use poem::endpoint::make;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, Request, Response, Upgraded, get};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message as Frame};

use super::connect::{self, Query};
use super::limits::SocketLimits;
use super::metrics;
use super::outbox::{Goodbye, Next};
use super::session::Session;
use crate::problem::Problem;
use crate::state::State;

/// Where clients connect: their endpoint is `/socket`, to which they add the name of the transport.
pub(super) const PATH: &str = "/socket/websocket";

/// Buffers of a connection, in bytes; most frames are far shorter, and thousands of clients are idle.
const BUFFER_BYTES: usize = 1024;

/// So many frames are written before they are flushed.
const FRAMES_AT_ONCE: usize = 64;

/// A client that takes no byte for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long the end of a connection may take: it is polite, not necessary.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

type Socket = WebSocketStream<Upgraded>;

/// The endpoint.
pub(super) fn endpoint(state: &State) -> impl Endpoint + use<> {
    let state = state.clone();
    get(make(move |request| {
        let state = state.clone();
        async move { Ok::<_, poem::Error>(upgrade(&state, &request).await.unwrap_or_else(|refusal| refusal)) }
    }))
}

/// Lets the client in and answers with the upgrade; the connection goes on in a task of its own.
async fn upgrade(state: &State, request: &Request) -> Result<Response, Response> {
    let key = handshake(request).ok_or_else(not_a_websocket)?;
    let session = connect::admit(state, request, &Query::of(request)).await?;
    let upgrade = request.take_upgrade().map_err(|_| not_a_websocket())?;
    let limits = state.phoenix.limits.clone();
    tokio::spawn(async move {
        match upgrade.await {
            Ok(stream) => serve(stream, session, &limits).await,
            Err(error) => tracing::debug!(%error, "a client was gone before it was connected"),
        }
    });
    let mut response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    if connect::protocols(request).any(|protocol| protocol == "phoenix") {
        response = response.header(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("phoenix"));
    }
    let response = response.header(header::CONNECTION, HeaderValue::from_static("upgrade"));
    let response = response.header(header::UPGRADE, HeaderValue::from_static("websocket"));
    Ok(response.header(header::SEC_WEBSOCKET_ACCEPT, key).finish())
}

fn not_a_websocket() -> Response {
    let detail = "This is for WebSockets (RFC 6455, version 13).";
    poem::Error::from(Problem::new(StatusCode::BAD_REQUEST, "not_a_websocket", detail)).into_response()
}

/// What a client's key is answered with, if its request asks for a WebSocket.
fn handshake(request: &Request) -> Option<String> {
    let has = |name, wanted: &str| {
        let values = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|list| list.split(',')).any(|value| value.trim().eq_ignore_ascii_case(wanted))
    };
    let asks = has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
        && has(header::SEC_WEBSOCKET_VERSION, "13");
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).filter(|_| asks)?;
    Some(derive_accept_key(key.as_bytes()))
}

/// Serves a client to its end.
async fn serve(stream: Upgraded, mut session: Session, limits: &SocketLimits) {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(limits.frame_bytes_max))
        .max_frame_size(Some(limits.frame_bytes_max));
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    let goodbye = converse(&mut socket, &mut session, limits.idle_timeout).await;
    // Whoever is gone is there for nobody any more, however long the goodbye takes.
    metrics::closed(goodbye);
    session.leave_all();
    if let Some((code, reason)) = goodbye.map(Goodbye::frame) {
        let frame = CloseFrame { code, reason: reason.into() };
        let polite = async {
            socket.close(Some(frame)).await?;
            while socket.next().await.transpose()?.is_some() {}
            Ok::<_, tungstenite::Error>(())
        };
        let _ = timeout(CLOSE_TIMEOUT, polite).await;
    }
}

/// Carries frames to and fro until one side is done; the reason, if it is ours. What asks the database is boxed, or each idle client would
/// keep room for it.
async fn converse(socket: &mut Socket, session: &mut Session, idle_timeout: Duration) -> Option<Goodbye> {
    let mut heard_at = Instant::now();
    let mut tick = interval(idle_timeout / 4);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let outbox = session.seat.outbox.clone();
    loop {
        tokio::select! {
            frame = socket.next() => {
                heard_at = Instant::now();
                match frame? {
                    Ok(Frame::Close(_)) => return None,
                    Ok(frame) => {
                        if let Err(malformed) = Box::pin(session.take(&frame)).await {
                            return Some(Goodbye::Malformed(malformed.0));
                        }
                    }
                    Err(error) => return ours(&error),
                }
            }
            next = outbox.next() => match next {
                Next::Goodbye(goodbye) => return Some(goodbye),
                Next::CheckAccess => Box::pin(session.check_access()).await,
                Next::Broken => session.break_channels(),
                Next::Frame(frame) => {
                    let written = tokio::select! {
                        // Nearly always there is room for it at once.
                        biased;
                        written = timeout(WRITE_TIMEOUT, write(socket, session, frame)) => written,
                        goodbye = outbox.goodbye() => return Some(goodbye),
                    };
                    match written {
                        Ok(Ok(())) => {}
                        Ok(Err(_gone)) => return None,
                        Err(_late) => return Some(Goodbye::Slow),
                    }
                }
            },
            _ = tick.tick() => {
                if heard_at.elapsed() >= idle_timeout {
                    return Some(Goodbye::Idle);
                }
                Box::pin(session.check_access_if_due()).await;
            }
        }
    }
}

/// Writes this frame and others that wait behind it, as far as there are only frames.
async fn write(socket: &mut Socket, session: &Session, first: Frame) -> Result<(), tungstenite::Error> {
    socket.feed(first).await?;
    let mut written = 1;
    while written < FRAMES_AT_ONCE
        && let Some(frame) = session.seat.outbox.try_frame()
    {
        socket.feed(frame).await?;
        written += 1;
    }
    metrics::sent(written);
    socket.flush().await
}

/// What we say of an error, if there is still somebody to say it to.
fn ours(error: &tungstenite::Error) -> Option<Goodbye> {
    match error {
        tungstenite::Error::Capacity(_) => Some(Goodbye::TooLong),
        tungstenite::Error::Utf8(_) => Some(Goodbye::Malformed("text is UTF-8")),
        tungstenite::Error::Protocol(error) if !is_gone(error) => Some(Goodbye::Malformed("this is no WebSocket")),
        _ => None,
    }
}

fn is_gone(error: &tungstenite::error::ProtocolError) -> bool {
    matches!(error, tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)
}
