//! Events as a stream of server-sent events (WHATWG HTML §9.2): bytes for as long as both sides stay.

use std::time::Duration;

use domain::access::token::Token;
use domain::events::Position;
use domain::events::log::LoggedEvent;
use futures::stream::{self, BoxStream, StreamExt};
use hyper::body::Bytes;
use poem::http::{HeaderName, HeaderValue, header};
use poem::{Body, IntoResponse, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use tokio::time::Instant;

use super::seats::Seat;
use super::subscription::{Ended, Subscription};
use crate::state::State;

/// The time between two signs of life, of which each asks again whether the caller may still listen.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a client waits before it comes back, in milliseconds.
const RETRY_MS: u32 = 2_000;

/// What one stream needs.
pub(crate) struct Stream {
    state: State,
    subscription: Subscription,
    /// Whose right is asked for again and again.
    token: Token,
    /// When it ends by itself, if nothing was sent before.
    until: Option<Instant>,
    seat: Seat,
    has_sent: bool,
}

impl Stream {
    /// A stream of what is subscribed to, for as long as the token is good.
    pub(crate) fn new(
        state: State,
        subscription: Subscription,
        token: Token,
        until: Option<Instant>,
        seat: Seat,
    ) -> Stream {
        Stream { state, subscription, token, until, seat, has_sent: false }
    }

    /// The bytes: first how to come back and where the stream begins, then the events, and a sign of life while there are none.
    pub(crate) fn bytes(self) -> BoxStream<'static, Bytes> {
        let id = self.subscription.caught_up().map(id_line).unwrap_or_default();
        let head = Bytes::from(format!("retry: {RETRY_MS}\n{id}\n"));
        let rest = stream::unfold(self, |mut stream| async move {
            let piece = stream.next().await?;
            Some((piece, stream))
        });
        stream::once(async move { head }).chain(rest).boxed()
    }

    /// What comes next; none: the stream ends, and the client comes back with the last id that it has.
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over() {
            return None;
        }
        let (now, beat) = (Instant::now(), Instant::now() + HEARTBEAT);
        let look = self.until.filter(|until| *until > now).unwrap_or(beat).min(beat);
        tokio::select! {
            biased;
            delivery = self.subscription.next() => match delivery {
                Ok(delivery) => {
                    self.has_sent = true;
                    Some(delivery.text(text))
                }
                Err(Ended::Lagged) => {
                    tracing::debug!(user = %self.seat.user(), "a stream of events was not read fast enough");
                    None
                }
                Err(Ended::Database(error)) => {
                    tracing::warn!(%error, "a stream of events ends");
                    None
                }
            },
            () = self.state.hub.closing() => None,
            () = tokio::time::sleep_until(look) => self.sign_of_life().await,
        }
    }

    /// Whether a stream that is to end has given all that there was.
    fn is_over(&self) -> bool {
        let is_due = self.until.is_some_and(|until| self.has_sent || until <= Instant::now());
        is_due && self.subscription.caught_up().is_some()
    }

    async fn sign_of_life(&self) -> Option<Bytes> {
        let caller = self.state.tokens.principal(&self.state.pool, self.token.clone()).await;
        // While the database cannot be asked, the stream stays: it carries nothing then either.
        if matches!(caller, Ok(None)) {
            return None;
        }
        let id = self.subscription.caught_up().map(id_line).unwrap_or_default();
        Some(format!(":\n{id}\n").into())
    }
}

/// With which a client that has seen nothing for long comes back to now, and not to what is no longer kept.
fn id_line(position: Position) -> String {
    format!("id: {position}\n")
}

/// One event. A payload is JSON on one line, so it is one line of data.
fn text(event: &LoggedEvent) -> Bytes {
    format!("id: {}\nevent: {}\ndata: {}\n\n", event.position, event.kind, event.payload).into()
}

/// The answer.
pub(crate) struct SseReply(pub(crate) BoxStream<'static, Bytes>);

impl Payload for SseReply {
    const CONTENT_TYPE: &'static str = "text/event-stream";

    fn schema_ref() -> MetaSchemaRef {
        let text = || MetaSchemaRef::Inline(Box::new(MetaSchema::new("string")));
        let schema = MetaSchema {
            description: Some("Server-sent events; each has these fields."),
            properties: vec![("id", text()), ("event", text()), ("data", text())],
            ..MetaSchema::new("object")
        };
        MetaSchemaRef::Inline(Box::new(schema))
    }
}

impl IntoResponse for SseReply {
    fn into_response(self) -> Response {
        let mut response = Response::builder().body(Body::from_bytes_stream(self.0.map(Ok::<_, std::io::Error>)));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        // A proxy that gathers pieces would hold the events back.
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        response
    }
}
