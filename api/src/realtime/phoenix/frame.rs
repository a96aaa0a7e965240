//! Frames of Phoenix's serializer 2.0.0: text is always `[join_ref, ref, topic, event, payload]`, binary has lengths of one byte each.
//!
//! References are the client's: they are echoed and never understood. A payload that we do not read is passed on as it came.

#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::{Bytes, Message as Frame};

/// The kinds of binary frames that we know.
const BINARY_PUSH: u8 = 0;
const BINARY_REPLY: u8 = 1;

/// Bytes of a topic, an event or a reference: what a binary frame has room for.
const NAME_BYTES_MAX: usize = 255;

/// What a client sent.
#[derive(Debug)]
pub(super) struct Message {
    /// Which join of the topic it belongs to.
    pub(super) join_ref: Option<String>,
    /// By which the client knows the reply; without one it wants none.
    pub(super) reference: Option<String>,
    pub(super) topic: String,
    pub(super) event: String,
    pub(super) payload: Payload,
}

/// What it carries.
#[derive(Debug)]
pub(super) enum Payload {
    Json(Box<RawValue>),
    Binary(Vec<u8>),
}

/// Why a frame is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// How a reply begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    Error,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Error => "error",
        }
    }
}

/// Reads a text frame; what stands behind the fifth element is ignored, as Phoenix does.
pub(super) fn decode_text(text: &str) -> Result<Message, Malformed> {
    let parts: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| Malformed("a frame is an array"))?;
    let [join_ref, reference, topic, event, payload, ..] = parts[..] else {
        return Err(Malformed("a frame has five elements"));
    };
    let name = |part: &RawValue, why| match serde_json::from_str::<Option<String>>(part.get()) {
        Ok(name) if name.as_ref().is_none_or(|name| name.len() <= NAME_BYTES_MAX) => Ok(name),
        _ => Err(Malformed(why)),
    };
    let topic = name(topic, "topic is a short string")?;
    let event = name(event, "event is a short string")?;
    Ok(Message {
        join_ref: name(join_ref, "join_ref is a short string or null")?,
        reference: name(reference, "ref is a short string or null")?,
        topic: topic.ok_or(Malformed("topic is no null"))?,
        event: event.ok_or(Malformed("event is no null"))?,
        payload: Payload::Json(payload.to_owned()),
    })
}

/// Reads a binary frame: `0, |join_ref|, |ref|, |topic|, |event|`, then those, then the payload.
pub(super) fn decode_binary(bytes: &[u8]) -> Result<Message, Malformed> {
    let &[BINARY_PUSH, join_ref, reference, topic, event, ref rest @ ..] = bytes else {
        return Err(Malformed("a binary frame is a push with four lengths"));
    };
    let mut rest = rest;
    let mut take = |length: u8| {
        let (part, others) = rest.split_at_checked(length.into()).ok_or(Malformed("a binary frame ends early"))?;
        rest = others;
        std::str::from_utf8(part).map(str::to_owned).map_err(|_| Malformed("a name in a binary frame is no UTF-8"))
    };
    let given = |text: String| (!text.is_empty()).then_some(text);
    let (join_ref, reference) = (given(take(join_ref)?), given(take(reference)?));
    let (topic, event) = (take(topic)?, take(event)?);
    Ok(Message { join_ref, reference, topic, event, payload: Payload::Binary(rest.to_vec()) })
}

/// The answer to a message that has a reference: the response is JSON.
pub(super) fn reply(
    join_ref: Option<&str>,
    reference: &str,
    topic: &str,
    status: Status,
    response: &impl Serialize,
) -> Frame {
    #[derive(Serialize)]
    struct Reply<'a, R> {
        status: &'a str,
        response: &'a R,
    }
    text(&(join_ref, reference, topic, "phx_reply", Reply { status: status.as_str(), response }))
}

/// The same with bytes, and always ok. The names came in frames, so each is short enough for one.
pub(super) fn binary_reply(join_ref: &str, reference: &str, topic: &str, response: &[u8]) -> Option<Frame> {
    let names = [join_ref, reference, topic, Status::Ok.as_str()];
    let mut bytes = vec![BINARY_REPLY];
    for name in names {
        bytes.push(u8::try_from(name.len()).ok()?);
    }
    names.iter().for_each(|name| bytes.extend_from_slice(name.as_bytes()));
    bytes.extend_from_slice(response);
    Some(Frame::Binary(Bytes::from(bytes)))
}

/// Something for this socket alone.
pub(super) fn push(join_ref: &str, topic: &str, event: &str, payload: &impl Serialize) -> Frame {
    text(&(Some(join_ref), None::<&str>, topic, event, payload))
}

/// Something for all sockets of the topic: it names no join, so it is encoded once.
pub(super) fn broadcast(topic: &str, event: &str, payload: &impl Serialize) -> Frame {
    text(&(None::<&str>, None::<&str>, topic, event, payload))
}

/// Tells that the channel is closed for good (`phx_close`).
pub(super) fn close(join_ref: &str, topic: &str) -> Frame {
    text(&(join_ref, join_ref, topic, "phx_close", Empty {}))
}

/// Tells that the channel broke (`phx_error`): the client joins again.
pub(super) fn error(join_ref: &str, topic: &str, reason: &str) -> Frame {
    #[derive(Serialize)]
    struct Reason<'a> {
        reason: &'a str,
    }
    text(&(join_ref, join_ref, topic, "phx_error", Reason { reason }))
}

#[derive(Serialize)]
struct Empty {}

fn text(parts: &impl Serialize) -> Frame {
    Frame::Text(serde_json::to_string(parts).expect("strings and JSON are JSON").into())
}
