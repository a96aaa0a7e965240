//! `POST /api/v1/sessions`

use domain::access::sessions::{self, NewSession, Start, TOKEN_SECONDS};
use domain::access::{password, throttle};
use domain::{Principal, Role, accounts};
use ledger::Book;
use poem::http::StatusCode;
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::Connection;

use crate::auth::client::Client;
use crate::auth::guessing;
use crate::body::integer::Integer;
use crate::body::object::object;
use crate::body::text::Text;
use crate::body::{Body, Shape};
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::{Shared, State};
use crate::views::session::NewSessionView;
use crate::views::user::UserView;

pub(crate) struct CreateSession(pub(crate) State);

impl Operation for CreateSession {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::BODY,
        guessing::REFUSALS,
        &[Refusal { status: 401, code: "invalid_credentials", when: "No active user has this address and password." }],
        refusals::ANY,
    ];
}

/// Seconds that a bearer token may be good for.
type TokenSeconds = Integer<{ TOKEN_SECONDS.0 as i64 }, { TOKEN_SECONDS.1 as i64 }>;

object! {
    /// What a user logs in with.
    pub(crate) struct Credentials {
        /// The address, without regard to case.
        pub email: Text<1, 254>,
        /// The password.
        pub password: Text<1, { password::LENGTH_MAX }>,
        /// For how many seconds a bearer token of the session is good; 43,200, which is 12 hours, if absent.
        pub token_seconds: Option<TokenSeconds>,
    }
    example { "email": "ada@example.org", "password": "correct horse battery staple", "token_seconds": 3600 }
}

impl Shape for Credentials {}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The session.
    #[oai(status = 201)]
    Created(Reply<NewSessionView>),
}

#[OpenApi(tag = "Tag::Sessions")]
impl CreateSession {
    /// Log in
    ///
    /// The bearer token is good for 15 minutes to 12 hours, as asked for; refreshSession goes on from there, for 30 days in all. A wrong
    /// password and an unknown address get the same answer after the same work. After four wrong ones in a row the address is locked, for
    /// a second at first and twice as long each time, up to 15 minutes.
    #[oai(path = "/api/v1/sessions", method = "post", operation_id = "createSession")]
    async fn call(&self, client: Client, body: Body<Credentials>) -> Result<Response, Failure<Self>> {
        let Credentials { email, password, token_seconds } = body.value;
        let attempt = guessing::admit(&self.0, &email).await?;
        let found = sessions::credentials(&mut *self.0.connection().await?, &email).await?;
        let stored = found.as_ref().and_then(|found| found.password_hash.clone());
        // No connection is held meanwhile: hashing is slow.
        let checked = self.0.hashing.run(move || check(&password, stored.as_deref())).await?;
        let (Some(found), Checked { fits: true, strong }) = (found, checked) else {
            guessing::failed(&self.0, &attempt).await?;
            return Err(refused().into());
        };
        let start = client.start(token_seconds.and_then(|Integer(seconds)| i32::try_from(seconds).ok()));
        let new = begin(&self.0, &email, &found, &start, strong.as_deref()).await?;
        Ok(Response::Created(Reply::of(&shown(&self.0, &new).await?)))
    }
}

/// What a password came to.
struct Checked {
    fits: bool,
    /// The same password hashed with more work, where the stored one took too little.
    strong: Option<String>,
}

fn check(given: &str, stored: Option<&str>) -> Checked {
    let fits = password::verify(given, stored);
    let strong = stored.filter(|_| fits).and_then(|stored| password::strengthened(given, stored));
    Checked { fits, strong }
}

/// Begins the session and forgets the failures before it, in one commit.
async fn begin(
    state: &Shared,
    email: &str,
    found: &sessions::Credentials,
    start: &Start,
    strong: Option<&str>,
) -> Result<NewSession, Problem> {
    let mut connection = state.connection().await?;
    let mut tx = connection.begin().await?;
    let new = sessions::begin(&mut tx, found, start).await?.ok_or_else(refused)?;
    if let Some(strong) = strong {
        sessions::strengthen(&mut tx, found, strong).await?;
    }
    throttle::clear(&mut tx, Book::MAIN, email).await?;
    tx.commit().await?;
    Ok(new)
}

/// The session with its user.
pub(super) async fn shown(state: &Shared, new: &NewSession) -> Result<NewSessionView, Problem> {
    let itself = Principal::of(new.user_id, Role::User, Book::MAIN);
    let user = accounts::find(&mut *state.connection().await?, &itself, new.user_id).await?;
    Ok(NewSessionView::of(new, UserView::from(&user)))
}

fn refused() -> Problem {
    let detail = "No active user has this address and password.";
    Problem::new(StatusCode::UNAUTHORIZED, "invalid_credentials", detail).challenge()
}
