//! Whether a caller may join a topic, and what it missed of it.

use domain::Principal;
use poem::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite::Message as Frame;
use uuid::Uuid;

use super::Phoenix;
use super::frame::{self, Message, Payload};
use super::log::{Missed, Position};
use super::topics::{Topic, Who};
use crate::routes::jobs::act;

/// Why a join is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no such topic.
    Unmatched,
    /// The topic is not the caller's. Whether it is anybody's is not told.
    Unauthorized,
    /// The client has joined too many.
    TooMany,
    /// It joins too fast.
    TooFast,
    /// The database does not answer.
    Unavailable,
}

/// A join that is let in.
pub(super) struct Joined {
    pub(super) response: Response,
    /// What it missed, as frames.
    pub(super) missed: Vec<Frame>,
    /// How far it has been told of everything.
    pub(super) until: Position,
    pub(super) has_presence: bool,
}

/// What the client is answered.
#[derive(Debug, Default, Serialize)]
pub(super) struct Response {
    /// How many events follow that it missed; only for who said what it heard last.
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<usize>,
    /// Whether they are all. If not, none follow: the client has to read the state anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
}

/// What a join may carry; a front end's own fields are its own.
#[derive(Deserialize)]
struct Wish {
    last_event_id: Option<String>,
}

impl Refused {
    /// As clients are told.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Refused::Unmatched => "unmatched topic",
            Refused::Unauthorized => "unauthorized",
            Refused::TooMany => "too many channels joined",
            Refused::TooFast => "too many joins",
            Refused::Unavailable => "unavailable",
        }
    }

    /// Phoenix names no join where it knows no topic.
    pub(super) fn shows_join(self) -> bool {
        self != Refused::Unmatched
    }
}

/// That the caller may join the topic with this id.
///
/// # Errors
/// [`Refused::Unauthorized`] if not; [`Refused::Unavailable`] when the database fails.
pub(super) async fn authorise(phoenix: &Phoenix, caller: &Principal, topic: &Topic, id: &str) -> Result<(), Refused> {
    if topic.scope.is_some_and(|scope| !caller.scopes.has(scope)) {
        return Err(Refused::Unauthorized);
    }
    let id = || id.parse::<Uuid>().ok().filter(|uuid| uuid.to_string() == id).ok_or(Refused::Unauthorized);
    let may = match topic.who {
        Who::Anyone => true,
        Who::Staff => caller.is_staff(),
        Who::Owner => id()? == caller.user_id.0 || caller.is_staff(),
        Who::Job => sees_job(phoenix, caller, id()?).await?,
    };
    if may { Ok(()) } else { Err(Refused::Unauthorized) }
}

async fn sees_job(phoenix: &Phoenix, caller: &Principal, id: Uuid) -> Result<bool, Refused> {
    let mut conn = phoenix.pool.acquire().await.map_err(|_| Refused::Unavailable)?;
    match act::visible(&mut conn, caller, id).await {
        Ok(_) => Ok(true),
        Err(problem) if problem.status() == StatusCode::NOT_FOUND => Ok(false),
        Err(_) => Err(Refused::Unavailable),
    }
}

/// What the client missed since the event that it says it heard last.
///
/// # Errors
/// [`Refused::Unavailable`] when the log cannot be read.
pub(super) async fn missed(
    phoenix: &Phoenix,
    caller: &Principal,
    topic: &Topic,
    id: &str,
    message: &Message,
) -> Result<Joined, Refused> {
    let has_presence = topic.has_presence;
    let Some(last) = last_event_id(message) else {
        return Ok(Joined { response: Response::default(), missed: vec![], until: Position::default(), has_presence });
    };
    let found = phoenix.feed.missed(caller.book, &topic.log_topics(id), &last).await;
    let Missed { events, is_complete, until } = found.map_err(|error| {
        tracing::warn!(%error, "what a client missed could not be read");
        Refused::Unavailable
    })?;
    let render = |event| {
        let (kind, payload) = topic.render(event)?;
        Some(frame::broadcast(&message.topic, kind, &payload))
    };
    let missed: Vec<Frame> = events.iter().filter_map(render).collect();
    let response = Response { replayed: Some(missed.len()), complete: Some(is_complete) };
    Ok(Joined { response, missed, until, has_presence })
}

fn last_event_id(message: &Message) -> Option<String> {
    let Payload::Json(payload) = &message.payload else { return None };
    serde_json::from_str::<Wish>(payload.get()).ok()?.last_event_id
}
