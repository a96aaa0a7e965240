//! `GET /api/v1/accounts/{id}`

use domain::accounts::wallets;
use ledger::AccountId;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::account::AccountView;

pub(crate) struct GetAccount(pub(crate) State);

impl Operation for GetAccount {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Accounts")]
impl GetAccount {
    /// Get an account and its balance
    ///
    /// The balance is the sum of the account's entries, to the last one that the ledger recorded.
    #[oai(path = "/api/v1/accounts/:id", method = "get", operation_id = "getAccount")]
    async fn call(
        &self,
        #[oai(scope = "needs::TRANSACTIONS_READ")] caller: Caller,
        known: KnownTags,
        /// The account.
        id: Path<Id>,
    ) -> Result<Found<AccountView>, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let wallet = wallets::find(&mut connection, &caller.0, AccountId(id.0.0)).await?;
        let account = ledger::accounts::find(&mut connection, caller.0.book, &[wallet.account_id]).await?.pop();
        Ok(Found::of(&AccountView::of(&wallet, account.as_ref()), &known))
    }
}
