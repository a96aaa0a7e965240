//! `DELETE /api/v1/users/{id}`

use domain::{UserId, accounts};
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use sqlx::Connection;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::done::Done;
use crate::precondition::{self, IfMatch};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::user::UserView;

pub(crate) struct DeleteUser(pub(crate) State);

impl Operation for DeleteUser {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::PARAMETERS,
        refusals::CONDITIONAL,
        refusals::ONE,
        &[
            Refusal { status: 409, code: "user_deleted", when: "The user was deleted before." },
            Refusal { status: 409, code: "own_account", when: "Nobody deletes their own account." },
            Refusal {
                status: 409,
                code: "transactions_pending",
                when: "A transaction of the user is still to be recorded.",
            },
            Refusal { status: 409, code: "money_held", when: "Money of the user, or for the user, is held." },
            Refusal { status: 409, code: "wallet_not_empty", when: "A wallet of the user has a balance." },
            Refusal { status: 503, code: "unavailable", when: "Transfers did not pause for long enough; try again." },
        ],
        refusals::ANY,
    ];
}

#[OpenApi(tag = "Tag::Users")]
impl DeleteUser {
    /// Delete a user
    ///
    /// Takes the role `admin`. The address is free again, all sessions end and all API keys are withdrawn, and the wallets are closed, in
    /// one commit. The user is kept, `deleted`, as the owner of what is recorded; erasing what is personal is a job of its own. Against a
    /// transfer at the same moment one of the two wins, and the other is refused by name.
    #[oai(path = "/api/v1/users/:id", method = "delete", operation_id = "deleteUser")]
    async fn call(
        &self,
        #[oai(scope = "needs::USERS_ADMIN")] caller: Caller,
        /// The user.
        id: Path<Id>,
        /// The `ETag` of the user as it was read.
        #[oai(name = "If-Match")]
        if_match: Header<Option<IfMatch>>,
    ) -> Result<Done, Failure<Self>> {
        let tag = precondition::required(if_match.0)?;
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let allows = |user: &accounts::User| tag.holds(&UserView::from(user));
        accounts::delete(&mut tx, &caller.0, UserId(id.0.0), allows).await?;
        tx.commit().await?;
        self.0.tokens.forget(UserId(id.0.0));
        Ok(Done::Nothing)
    }
}
