//! `POST /api/v1/password-resets/confirm`

use domain::access::token::{Purpose, Token};
use domain::access::{password, resets};
use domain::validate::Findings;
use ledger::Book;
use poem_openapi::OpenApi;
use sqlx::Connection;

use crate::body::object::object;
use crate::body::text::Text;
use crate::body::{Body, Shape};
use crate::done::Done;
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct ConfirmPasswordReset(pub(crate) State);

impl Operation for ConfirmPasswordReset {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::BODY,
        &[
            Refusal { status: 409, code: "reset_token_not_valid", when: "The token is unknown, used or expired." },
            Refusal { status: 503, code: "busy", when: "Too many passwords are being hashed." },
        ],
        refusals::ANY,
    ];
}

object! {
    /// A new password, and the leave to set it.
    pub(crate) struct PasswordResetConfirmation {
        /// The token that was handed over or sent.
        pub token: Text<1, 200>,
        /// The password to have. Not one of those that are tried first.
        pub password: Text<{ password::LENGTH_MIN }, { password::LENGTH_MAX }>,
    }
    example { "token": "bnp_0000000000000000000000000000000000000000000000000", "password": "a walrus plays the tuba at noon" }
}

impl Shape for PasswordResetConfirmation {}

#[OpenApi(tag = "Tag::Users")]
impl ConfirmPasswordReset {
    /// Set a new password by a token
    ///
    /// The token is good once, for 30 minutes. All sessions of the user end, and log-ins that wrong passwords had locked are free again.
    #[oai(path = "/api/v1/password-resets/confirm", method = "post", operation_id = "confirmPasswordReset")]
    async fn call(&self, body: Body<PasswordResetConfirmation>) -> Result<Done, Failure<Self>> {
        let PasswordResetConfirmation { token, password } = body.value;
        let mut findings = Findings::default();
        password::check(&mut findings, "/password", &password);
        findings.into_result()?;
        let not_valid = || Problem::from(resets::not_valid());
        let token = Token::parse_as(Purpose::PasswordReset, &token).ok_or_else(not_valid)?;
        if !resets::is_good(&mut *self.0.connection().await?, Book::MAIN, &token).await? {
            return Err(not_valid().into());
        }
        // No connection is held meanwhile: hashing is slow.
        let hash = self.0.hashing.run(move || password::hash(&password)).await?;
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let user = resets::confirm(&mut tx, Book::MAIN, &token, &hash).await?;
        tx.commit().await?;
        self.0.tokens.forget(user);
        Ok(Done::Nothing)
    }
}
