//! `POST /api/v1/sessions`

use chrono::{DateTime, Utc};
use domain::access::{password, sessions};
use domain::{Principal, Role, accounts};
use ledger::Book;
use poem::http::StatusCode;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;

use crate::body::object::object;
use crate::body::text::Text;
use crate::body::{Body, Shape};
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::user::UserView;

pub(crate) struct CreateSession(pub(crate) State);

impl Operation for CreateSession {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::BODY,
        &[
            Refusal { status: 401, code: "invalid_credentials", when: "No active user has this address and password." },
            Refusal { status: 503, code: "busy", when: "Too many passwords are being checked." },
        ],
        refusals::ANY,
    ];
}

object! {
    /// What a user logs in with.
    pub(crate) struct Credentials {
        /// The address, without regard to case.
        pub email: Text<1, 254>,
        /// The password.
        pub password: Text<1, { password::LENGTH_MAX }>,
    }
    example { "email": "ada@example.org", "password": "correct horse battery staple" }
}

impl Shape for Credentials {}

/// A log-in that has just begun.
#[derive(Debug, Object, Serialize)]
pub(crate) struct Session {
    /// The bearer token, shown this once.
    token: String,
    /// From when on it is refused.
    expires_at: DateTime<Utc>,
    /// Whose session it is.
    user: UserView,
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The session.
    #[oai(status = 201)]
    Created(Reply<Session>),
}

#[OpenApi(tag = "Tag::Sessions")]
impl CreateSession {
    /// Log in
    ///
    /// The session lasts 12 hours. A wrong password and an unknown address get the same answer after the same work.
    #[oai(path = "/api/v1/sessions", method = "post", operation_id = "createSession")]
    async fn call(&self, body: Body<Credentials>) -> Result<Response, Failure<Self>> {
        let Credentials { email, password } = body.value;
        let found = sessions::credentials(&mut *self.0.connection().await?, &email).await?;
        let stored = found.as_ref().and_then(|found| found.password_hash.clone());
        // No connection is held meanwhile: hashing is slow.
        let fits = self.0.hashing.run(move || password::verify(&password, stored.as_deref())).await?;
        let found = found.filter(|_| fits).ok_or_else(refused)?;
        let mut connection = self.0.connection().await?;
        let new = sessions::begin(&mut connection, found.shard, found.user_id).await?;
        let itself = Principal::of(found.user_id, Role::User, Book::MAIN);
        let user = accounts::find(&mut connection, &itself, found.user_id).await?;
        let (token, expires_at) = (new.token.reveal().to_owned(), new.expires_at);
        Ok(Response::Created(Reply::of(&Session { token, expires_at, user: UserView::from(&user) })))
    }
}

fn refused() -> Problem {
    let detail = "No active user has this address and password.";
    Problem::new(StatusCode::UNAUTHORIZED, "invalid_credentials", detail).challenge()
}
