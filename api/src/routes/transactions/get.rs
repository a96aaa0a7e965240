//! `GET /api/v1/transactions/{id}`

use std::time::Duration;

use domain::transactions::Status;
use ledger::TransactionId;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use crate::auth::{Caller, needs};
use crate::body::integer::Integer;
use crate::body::text::Id;
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::transaction::TransactionView;

pub(crate) struct GetTransaction(pub(crate) State);

impl Operation for GetTransaction {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Transactions")]
impl GetTransaction {
    /// Get a transaction
    ///
    /// A caller of the role `user` finds those it made and those of its own accounts.
    #[oai(path = "/api/v1/transactions/:id", method = "get", operation_id = "getTransaction")]
    async fn call(
        &self,
        #[oai(scope = "needs::TRANSACTIONS_READ")] caller: Caller,
        known: KnownTags,
        /// The transaction.
        id: Path<Id>,
        /// Holds the answer for up to so many seconds while the transaction is pending.
        wait: Query<Option<Integer<0, 30>>>,
    ) -> Result<Found<TransactionView>, Failure<Self>> {
        let mut found = self.0.lookups.transaction(&caller.0, TransactionId(id.0.0)).await?;
        if let (Some(Integer(seconds)), Status::Pending) = (wait.0, found.status) {
            let wait = Duration::from_secs(seconds.unsigned_abs());
            found = self.0.waiters.settled(caller.0.book, found.id, wait).await.unwrap_or(found);
        }
        Ok(Found::of(&TransactionView::from(&found), &known))
    }
}
