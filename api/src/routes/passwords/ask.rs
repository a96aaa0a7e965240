//! `POST /api/v1/password-resets`

use domain::access::resets;
use ledger::Book;
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::Connection;

use crate::body::object::object;
use crate::body::profile::Email;
use crate::body::{Body, Shape};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct AskPasswordReset(pub(crate) State);

impl Operation for AskPasswordReset {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::BODY, refusals::ANY];
}

object! {
    /// Who has forgotten a password.
    pub(crate) struct PasswordResetRequest {
        /// The address that the user logs in with.
        pub email: Email,
    }
    example { "email": "ada@example.org" }
}

impl Shape for PasswordResetRequest {}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// If an active user has this address, a token is on its way to it.
    #[oai(status = 202)]
    Accepted,
}

#[OpenApi(tag = "Tag::Users")]
impl AskPasswordReset {
    /// Ask for a new password
    ///
    /// The answer is the same whether or not a user has this address. The token goes to whoever sends e-mails, as the event
    /// `password_reset.requested`, at most once a minute for an address.
    #[oai(path = "/api/v1/password-resets", method = "post", operation_id = "askPasswordReset")]
    async fn call(&self, body: Body<PasswordResetRequest>) -> Result<Response, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        resets::ask(&mut tx, Book::MAIN, &body.value.email.0).await?;
        tx.commit().await?;
        Ok(Response::Accepted)
    }
}
