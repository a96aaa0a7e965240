//! Whether a caller may join a topic, and what it missed of it.

use std::sync::Arc;

use domain::Principal;
use domain::events::Position;
use domain::events::log::LoggedEvent;
use domain::transactions;
use ledger::TransactionId;
use poem::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite::Message as Frame;
use uuid::Uuid;

use super::Phoenix;
use super::feed::Missed;
use super::frame::{self, Message, Payload};
use super::topics::{Topic, Who};
use crate::routes::visible_job;

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
#[derive(Debug, Serialize)]
pub(super) struct Response {
    /// What to hand over next time if nothing comes until then.
    last_event_id: String,
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
    if topic.scopes.iter().any(|scope| !caller.scopes.has(*scope)) {
        return Err(Refused::Unauthorized);
    }
    for who in &topic.who {
        if fits(phoenix, caller, *who, id).await? {
            return Ok(());
        }
    }
    Err(Refused::Unauthorized)
}

async fn fits(phoenix: &Phoenix, caller: &Principal, who: Who, id: &str) -> Result<bool, Refused> {
    // As we write it: another spelling would be another topic, of which nobody ever hears anything.
    let id = id.parse::<Uuid>().ok().filter(|uuid| uuid.to_string() == id);
    match (who, id) {
        (Who::Anyone, _) => Ok(true),
        (Who::Staff, _) => Ok(caller.is_staff()),
        (Who::Owner, Some(id)) => Ok(id == caller.user_id.0 || caller.is_staff()),
        (Who::Transaction, Some(id)) => sees_transaction(phoenix, caller, TransactionId(id)).await,
        (Who::Job, Some(id)) => sees_job(phoenix, caller, id).await,
        (_, None) => Ok(false),
    }
}

async fn sees_transaction(phoenix: &Phoenix, caller: &Principal, id: TransactionId) -> Result<bool, Refused> {
    let mut conn = phoenix.pool.acquire().await.map_err(|_| Refused::Unavailable)?;
    match transactions::find(&mut conn, caller, id).await {
        Ok(_) => Ok(true),
        Err(domain::Error::NotFound) => Ok(false),
        Err(_) => Err(Refused::Unavailable),
    }
}

async fn sees_job(phoenix: &Phoenix, caller: &Principal, id: Uuid) -> Result<bool, Refused> {
    let mut conn = phoenix.pool.acquire().await.map_err(|_| Refused::Unavailable)?;
    match visible_job(&mut conn, caller, id).await {
        Ok(_) => Ok(true),
        Err(problem) if problem.status() == StatusCode::NOT_FOUND => Ok(false),
        Err(_) => Err(Refused::Unavailable),
    }
}

/// What the client missed since the event that it says it heard last. It is a member already.
///
/// # Errors
/// [`Refused::Unavailable`] when the log cannot be read.
pub(super) async fn missed(
    phoenix: &Arc<Phoenix>,
    caller: &Principal,
    topic: &Topic,
    id: &str,
    message: &Message,
) -> Result<Joined, Refused> {
    let unavailable = |error| {
        tracing::warn!(%error, "the event log cannot be read for a client");
        Refused::Unavailable
    };
    let now = phoenix.feed.begin(phoenix, caller.book).await.map_err(unavailable)?;
    let has_presence = topic.has_presence;
    let Some(last) = last_event_id(message) else {
        let response = Response { last_event_id: now.to_string(), replayed: None, complete: None };
        return Ok(Joined { response, missed: Vec::new(), until: Position::START, has_presence });
    };
    let Missed { events, is_complete, until } = match last.parse() {
        Ok(last) => phoenix.feed.missed(caller.book, &topic.log_topics(id), last).await.map_err(unavailable)?,
        Err(_no_id_of_ours) => Missed { events: Vec::new(), is_complete: false, until: Position::START },
    };
    let render = |event: &LoggedEvent| {
        let (kind, payload) = topic.render(event)?;
        Some(frame::broadcast(&message.topic, kind, &payload))
    };
    let missed: Vec<Frame> = events.iter().filter_map(render).collect();
    let (replayed, last_event_id) = (Some(missed.len()), until.max(now).to_string());
    let response = Response { last_event_id, replayed, complete: Some(is_complete) };
    Ok(Joined { response, missed, until, has_presence })
}

fn last_event_id(message: &Message) -> Option<String> {
    let Payload::Json(payload) = &message.payload else { return None };
    serde_json::from_str::<Wish>(payload.get()).ok()?.last_event_id
}
