//! `GET /api/v1/users/{id}/wallets`

use domain::{UserId, accounts};
use ledger::AccountId;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::page::{IdCursor, Listed, Page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::account::AccountView;

pub(crate) struct ListUserWallets(pub(crate) State);

impl Operation for ListUserWallets {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Users")]
impl ListUserWallets {
    /// List a user's wallets with their balances
    ///
    /// One a currency, by currency; they are few, so there is one page. A caller of the role `user` finds only itself.
    #[oai(path = "/api/v1/users/:id/wallets", method = "get", operation_id = "listUserWallets")]
    async fn call(
        &self,
        #[oai(scope = "needs::TRANSACTIONS_READ")] caller: Caller,
        uri: &Uri,
        /// The user.
        id: Path<Id>,
    ) -> Result<Listed<AccountView>, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let user = accounts::find(&mut connection, &caller.0, UserId(id.0.0)).await?;
        let ids: Vec<AccountId> = user.wallets.iter().map(|wallet| wallet.account_id).collect();
        let found = ledger::accounts::find(&mut connection, caller.0.book, &ids).await?;
        let view = |wallet: &accounts::Wallet| {
            AccountView::of(wallet, found.iter().find(|account| account.id == wallet.account_id))
        };
        let page =
            Page::of(user.wallets.iter().map(view).collect(), false, |view: &AccountView| IdCursor::encode(view.id));
        Ok(Listed::of(&page, uri))
    }
}
