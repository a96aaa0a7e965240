//! `PUT /api/v1/users/{id}/password`

use domain::access::{password, resets};
use domain::validate::Findings;
use domain::{Error, Principal};
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use sqlx::Connection;

use crate::auth::{Caller, guessing, needs};
use crate::body::object::object;
use crate::body::text::{Id, Text};
use crate::body::{Body, Shape};
use crate::done::Done;
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::{Shared, State};

pub(crate) struct ChangePassword(pub(crate) State);

impl Operation for ChangePassword {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::BODY,
        refusals::ONE,
        guessing::REFUSALS,
        &[Refusal { status: 412, code: "precondition_failed", when: "The password was changed at the same moment." }],
        refusals::ANY,
    ];
}

object! {
    /// A change of the caller's own password.
    pub(crate) struct PasswordChange {
        /// The one of now.
        pub current_password: Text<1, { password::LENGTH_MAX }>,
        /// The one to have. Not one of those that are tried first.
        pub new_password: Text<{ password::LENGTH_MIN }, { password::LENGTH_MAX }>,
    }
    example { "current_password": "correct horse battery staple", "new_password": "a walrus plays the tuba at noon" }
}

impl Shape for PasswordChange {}

#[OpenApi(tag = "Tag::Users")]
impl ChangePassword {
    /// Change one's own password
    ///
    /// Takes a session, not an API key, and the password of now; wrong ones count as failed log-ins. All other sessions of the user end.
    #[oai(path = "/api/v1/users/:id/password", method = "put", operation_id = "changePassword")]
    async fn call(
        &self,
        #[oai(scope = "needs::CREDENTIALS_WRITE")] caller: Caller,
        /// The caller.
        id: Path<Id>,
        body: Body<PasswordChange>,
    ) -> Result<Done, Failure<Self>> {
        let Caller(principal) = caller;
        if id.0.0 != principal.user_id.0 {
            return Err(Problem::not_found().into());
        }
        if principal.session().is_none() {
            return Err(Problem::forbidden("A password is changed with a session, not with an API key.").into());
        }
        let PasswordChange { current_password, new_password } = body.value;
        let mut findings = Findings::default();
        password::check(&mut findings, "/new_password", &new_password);
        if *current_password == *new_password {
            findings.add("/new_password", "unchanged", "must be another one than now");
        }
        findings.into_result()?;
        let had = verified(&self.0, &principal, current_password).await?;
        let wanted = self.0.hashing.run(move || password::hash(&new_password)).await?;
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        resets::change(&mut tx, &principal, &had, &wanted).await?;
        tx.commit().await?;
        self.0.tokens.forget(principal.user_id);
        Ok(Done::Nothing)
    }
}

/// What is stored of the caller's password, if the given one is it.
async fn verified<const MIN: usize, const MAX: usize>(
    state: &Shared,
    principal: &Principal,
    given: Text<MIN, MAX>,
) -> Result<String, Problem> {
    let (email, stored) = resets::own(&mut *state.connection().await?, principal).await?;
    let attempt = guessing::admit(state, &email).await?;
    let checked = stored.clone();
    let fits = state.hashing.run(move || password::verify(&given, checked.as_deref())).await?;
    match stored.filter(|_| fits) {
        Some(stored) => Ok(stored),
        None => {
            guessing::failed(state, &attempt).await?;
            Err(Error::field("/current_password", "wrong_password", "must be your password of now").into())
        }
    }
}
