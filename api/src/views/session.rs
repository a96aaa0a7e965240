//! Sessions.

use chrono::{DateTime, Utc};
use domain::access::sessions::{NewSession, Session};
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

use super::user::UserView;

/// A log-in that has just begun, or gone on.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Session")]
pub(crate) struct NewSessionView {
    /// What the session is called; no secret.
    pub id: Uuid,
    /// The bearer token, shown this once.
    pub token: String,
    /// From when on the bearer token is refused.
    pub expires_at: DateTime<Utc>,
    /// What refreshSession takes, once; shown this once.
    pub refresh_token: String,
    /// From when on the session cannot be refreshed: 30 days after the log-in.
    pub ends_at: DateTime<Utc>,
    /// Whose session it is.
    pub user: UserView,
}

impl NewSessionView {
    /// Shows the session of this user.
    pub(crate) fn of(new: &NewSession, user: UserView) -> NewSessionView {
        NewSessionView {
            id: new.id,
            token: new.token.reveal().to_owned(),
            expires_at: new.expires_at,
            refresh_token: new.refresh_token.reveal().to_owned(),
            ends_at: new.ends_at,
            user,
        }
    }
}

/// A log-in that has not ended.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "ListedSession")]
pub(crate) struct SessionView {
    /// What the session is called; no secret.
    pub id: Uuid,
    /// Whether this request was made with it.
    pub is_current: bool,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it was refreshed last; absent if it was not.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refreshed_at: Option<DateTime<Utc>>,
    /// From when on its bearer token is refused.
    pub expires_at: DateTime<Utc>,
    /// From when on it cannot be refreshed.
    pub ends_at: DateTime<Utc>,
    /// What the client called itself at log-in, at most 200 characters of it.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The IPv4 or IPv6 address that the log-in came from.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

impl SessionView {
    /// Shows a session to a caller whose own is `current`.
    pub(crate) fn of(session: &Session, current: Option<Uuid>) -> SessionView {
        SessionView {
            id: session.id,
            is_current: current == Some(session.id),
            created_at: session.created_at,
            refreshed_at: session.refreshed_at,
            expires_at: session.expires_at,
            ends_at: session.ends_at,
            user_agent: session.user_agent.clone(),
            address: session.address.map(|address| address.to_string()),
        }
    }
}
