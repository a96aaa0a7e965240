//! `POST /api/v1/sessions/refresh`

use domain::access::sessions::{self, NewSession, Refreshed};
use domain::access::token::{Purpose, Token};
use ledger::Book;
use poem::http::StatusCode;
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::Connection;

use super::create::shown;
use crate::body::object::object;
use crate::body::text::Text;
use crate::body::{Body, Shape};
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::session::NewSessionView;

pub(crate) struct RefreshSession(pub(crate) State);

impl Operation for RefreshSession {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::BODY,
        &[Refusal {
            status: 401,
            code: "invalid_refresh_token",
            when: "The token is unknown, was used before, or its session has ended: log in.",
        }],
        refusals::ANY,
    ];
}

object! {
    /// What a session goes on with.
    pub(crate) struct RefreshRequest {
        /// The `refresh_token` of the last answer.
        pub refresh_token: Text<1, 200>,
    }
    example { "refresh_token": "bnr_0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" }
}

impl Shape for RefreshRequest {}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The session with its new tokens; those of before are no longer good.
    #[oai(status = 201)]
    Continued(Reply<NewSessionView>),
}

#[OpenApi(tag = "Tag::Sessions")]
impl RefreshSession {
    /// Refresh a session
    ///
    /// Both tokens are replaced. A refresh token is good once: used again it ends the session, because two hold it (RFC 9700). Only the
    /// very last one, within 10 seconds, gets the same answer again, as that may have been lost.
    #[oai(path = "/api/v1/sessions/refresh", method = "post", operation_id = "refreshSession")]
    async fn call(&self, body: Body<RefreshRequest>) -> Result<Response, Failure<Self>> {
        let given = Token::parse_as(Purpose::Refresh, &body.value.refresh_token).ok_or_else(refused)?;
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let refreshed = sessions::refresh(&mut tx, Book::MAIN, &given).await?;
        tx.commit().await?;
        drop(connection);
        if let Refreshed::Continued(NewSession { user_id, .. }) | Refreshed::Reused { user_id, .. } = &refreshed {
            self.0.tokens.forget(*user_id);
        }
        match refreshed {
            Refreshed::Continued(new) => Ok(Response::Continued(Reply::of(&shown(&self.0, &new).await?))),
            Refreshed::Reused { id, user_id } => {
                tracing::warn!(session = %id, user = %user_id, "a refresh token was used twice; its session was ended");
                Err(refused().into())
            }
            Refreshed::Refused => Err(refused().into()),
        }
    }
}

fn refused() -> Problem {
    let detail = "This refresh token is unknown or was used before, or its session has ended.";
    Problem::new(StatusCode::UNAUTHORIZED, "invalid_refresh_token", detail).challenge()
}
