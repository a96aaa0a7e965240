//! One client: its channels, and what it may ask of them. The same for WebSockets and long polls.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use domain::Principal;
use domain::access::token::Token;
use serde::Serialize;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::Phoenix;
use super::frame::{self, Malformed, Message, Payload, Status};
use super::join::{self, Joined, Refused};
use super::metrics;
use super::outbox::Goodbye;
use super::presence::{Joiner, Tracked};
use super::sockets::Seat;

/// So many seconds' worth of joins may come at once: whoever connects again joins everything again.
const JOIN_BURST_SECONDS: f64 = 10.0;

/// A connected client.
pub(super) struct Session {
    pub(super) seat: Seat,
    phoenix: Arc<Phoenix>,
    caller: Principal,
    token: Token,
    channels: HashMap<String, Channel>,
    joins: Joins,
    /// When the token was last seen to be good.
    checked_at: Instant,
}

/// A topic that it has joined.
struct Channel {
    join_ref: String,
    presence: Option<Tracked>,
}

/// How many joins are left to it.
struct Joins {
    left: f64,
    at: Instant,
}

impl Session {
    /// Begins without channels.
    pub(super) fn new(phoenix: Arc<Phoenix>, seat: Seat, caller: Principal, token: Token) -> Session {
        let now = Instant::now();
        let left = f64::from(phoenix.limits.joins_per_second) * JOIN_BURST_SECONDS;
        let joins = Joins { left, at: now };
        Session { seat, phoenix, caller, token, channels: HashMap::new(), joins, checked_at: now }
    }

    /// Leaves everything, without a word to the client.
    pub(super) fn leave_all(&mut self) {
        for (topic, channel) in std::mem::take(&mut self.channels) {
            self.unsubscribe(&topic, &channel);
        }
    }

    /// Acts on a frame.
    ///
    /// # Errors
    /// When it is none of the protocol; the connection is then to be closed.
    pub(super) async fn take(&mut self, frame: &Frame) -> Result<(), Malformed> {
        let message = match frame {
            Frame::Text(text) => frame::decode_text(text)?,
            Frame::Binary(bytes) => frame::decode_binary(bytes)?,
            _ => return Ok(()),
        };
        metrics::received();
        match message.event.as_str() {
            "heartbeat" if message.topic == "phoenix" => self.reply(None, &message, Status::Ok, &Empty {}),
            "phx_join" => self.join(&message).await,
            "phx_leave" => self.leave(&message),
            _ => self.push(&message),
        }
        Ok(())
    }

    /// Looks whether the token is still good for the same; if not, or if its user may something else by now, it has to connect anew.
    pub(super) async fn check_access(&mut self) {
        match self.phoenix.principal(&self.token).await {
            Ok(Some(caller)) if caller == self.caller => self.checked_at = Instant::now(),
            Ok(_) => self.seat.outbox.close(Goodbye::Access),
            // Nobody can say: the next look does.
            Err(error) => tracing::debug!(%error, "a client's token could not be looked up"),
        }
    }

    /// The same if the last time is too long ago.
    pub(super) async fn check_access_if_due(&mut self) {
        if self.checked_at.elapsed() >= self.phoenix.access_trust() {
            self.check_access().await;
        }
    }

    /// Tells the client that all its channels are to be joined again, as events for them were lost.
    pub(super) fn break_channels(&mut self) {
        for (topic, channel) in std::mem::take(&mut self.channels) {
            self.unsubscribe(&topic, &channel);
            self.seat.outbox.push(frame::error(&channel.join_ref, &topic, "events were lost"));
        }
    }

    async fn join(&mut self, message: &Message) {
        let Some(join_ref) = message.join_ref.as_deref().or(message.reference.as_deref()) else { return };
        self.close(&message.topic);
        match self.admit(message).await {
            Ok(joined) => self.joined(message, join_ref, joined),
            Err(refused) => {
                self.phoenix.members.leave(self.caller.book, &message.topic, self.seat.id);
                self.refuse(refused.shows_join().then_some(join_ref), message, refused.as_str());
                metrics::refused_join(refused.as_str());
            }
        }
    }

    /// Says so, then tells what it missed, then who is there.
    fn joined(&mut self, message: &Message, join_ref: &str, joined: Joined) {
        let (topic, book) = (&message.topic, self.caller.book);
        let reference = message.reference.as_deref().unwrap_or(join_ref);
        let reply = frame::reply(Some(join_ref), reference, topic, Status::Ok, &joined.response);
        let frames = std::iter::once(reply).chain(joined.missed).collect();
        self.phoenix.members.release(book, topic, self.seat.id, frames, joined.until);
        let presence = joined.has_presence.then(|| {
            let joiner = Joiner { caller: &self.caller, topic, join_ref, outbox: &self.seat.outbox };
            self.phoenix.presence.track(&self.phoenix.members, &joiner)
        });
        self.channels.insert(topic.clone(), Channel { join_ref: join_ref.to_owned(), presence });
    }

    /// Whether it may join; if so it is a member, and what comes is held for it.
    async fn admit(&mut self, message: &Message) -> Result<Joined, Refused> {
        let limits = &self.phoenix.limits;
        if self.channels.len() >= limits.channels_max {
            return Err(Refused::TooMany);
        }
        if !self.joins.take(limits.joins_per_second.into(), Instant::now()) {
            return Err(Refused::TooFast);
        }
        let (topic, id) = limits.topics.find(&message.topic).ok_or(Refused::Unmatched)?;
        let caller = self.caller;
        join::authorise(&self.phoenix, &caller, topic, id).await?;
        self.phoenix.members.join(caller.book, &message.topic, self.seat.id, &self.seat.outbox);
        join::missed(&self.phoenix, &caller, topic, id, message).await
    }

    /// Leaves a topic that the client asks to leave; it hears that it did, also if it was not there.
    fn leave(&mut self, message: &Message) {
        let current = self.channels.get(&message.topic).map(|channel| channel.join_ref.as_str());
        if current.is_some() && message.join_ref.is_some() && message.join_ref.as_deref() != current {
            return;
        }
        self.reply(message.join_ref.as_deref(), message, Status::Ok, &Empty {});
        self.close(&message.topic);
    }

    /// Ends the channel of a topic, if there is one, and tells the client so.
    fn close(&mut self, topic: &str) {
        if let Some(channel) = self.channels.remove(topic) {
            self.unsubscribe(topic, &channel);
            self.seat.outbox.push(frame::close(&channel.join_ref, topic));
        }
    }

    fn unsubscribe(&self, topic: &str, channel: &Channel) {
        self.phoenix.members.leave(self.caller.book, topic, self.seat.id);
        if let Some(tracked) = &channel.presence {
            self.phoenix.presence.untrack(&self.phoenix.members, tracked);
        }
    }

    /// Answers what a client says on a topic: `ping` with what it carries, everything else with an error.
    fn push(&self, message: &Message) {
        let Some(channel) = self.channels.get(&message.topic) else {
            return self.refuse(None, message, "unmatched topic");
        };
        let join_ref = channel.join_ref.as_str();
        if message.join_ref.as_deref().is_some_and(|given| given != join_ref) {
            // Of a join that is over: its client does not wait for an answer.
            return;
        }
        match (message.event.as_str(), &message.payload) {
            ("ping", Payload::Json(payload)) => self.reply(Some(join_ref), message, Status::Ok, payload),
            ("ping", Payload::Binary(bytes)) => {
                let reference = message.reference.as_deref();
                let reply =
                    reference.and_then(|reference| frame::binary_reply(join_ref, reference, &message.topic, bytes));
                reply.into_iter().for_each(|reply| self.seat.outbox.push(reply));
            }
            _ => self.refuse(Some(join_ref), message, "unmatched event"),
        }
    }

    fn refuse(&self, join_ref: Option<&str>, message: &Message, reason: &str) {
        self.reply(join_ref, message, Status::Error, &Reason { reason });
    }

    /// Replies, if the client wants a reply.
    fn reply(&self, join_ref: Option<&str>, message: &Message, status: Status, response: &impl Serialize) {
        if let Some(reference) = message.reference.as_deref() {
            self.seat.outbox.push(frame::reply(join_ref, reference, &message.topic, status, response));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.leave_all();
    }
}

impl Joins {
    /// Takes one, if one is left.
    fn take(&mut self, per_second: f64, now: Instant) -> bool {
        let back = now.duration_since(self.at).as_secs_f64() * per_second;
        (self.left, self.at) = ((self.left + back).min(per_second * JOIN_BURST_SECONDS), now);
        let may = self.left >= 1.0;
        self.left -= if may { 1.0 } else { 0.0 };
        may
    }
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct Reason<'a> {
    reason: &'a str,
}
