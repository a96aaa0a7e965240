//! `GET /api/v1/users/{id}/statistics`

use chrono::{DateTime, Utc};
use domain::UserId;
use domain::accounts::statistics::{self, Statistics};
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct GetStatistics(pub(crate) State);

impl Operation for GetStatistics {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

/// What was counted of a user.
#[derive(Debug, Object, Serialize)]
pub(crate) struct UserStatistics {
    /// Products that are not archived.
    products: i64,
    /// Transactions that were recorded and moved the user's money.
    transactions: i64,
    /// When the user last asked for a transaction or created a product; null: never.
    last_active_at: Option<DateTime<Utc>>,
    /// When this was counted.
    counted_at: DateTime<Utc>,
}

impl From<Statistics> for UserStatistics {
    fn from(counted: Statistics) -> UserStatistics {
        let Statistics { products, transactions, last_active_at, counted_at } = counted;
        UserStatistics { products, transactions, last_active_at, counted_at }
    }
}

#[OpenApi(tag = "Tag::Users")]
impl GetStatistics {
    /// Get what was counted of a user
    ///
    /// As of `counted_at`, when `processUsers` with `recount` last came by; 404 before that.
    #[oai(path = "/api/v1/users/:id/statistics", method = "get", operation_id = "getUserStatistics")]
    async fn call(
        &self,
        #[oai(scope = "needs::USERS_READ")] caller: Caller,
        known: KnownTags,
        /// The user.
        id: Path<Id>,
    ) -> Result<Found<UserStatistics>, Failure<Self>> {
        let counted = statistics::find(&mut *self.0.connection().await?, &caller.0, UserId(id.0.0)).await?;
        Ok(Found::of(&UserStatistics::from(counted), &known))
    }
}
