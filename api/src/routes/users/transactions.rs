//! `GET /api/v1/users/{id}/transactions`

use domain::transactions::{self, Filter};
use domain::{Principal, Role, UserId, accounts};
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::transaction::{Status, TransactionView};

pub(crate) struct ListUserTransactions(pub(crate) State);

impl Operation for ListUserTransactions {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Users")]
impl ListUserTransactions {
    /// List a user's transactions
    ///
    /// Those that debit or credit one of the user's wallets, newest first. A caller of the role `user` finds only itself.
    #[oai(path = "/api/v1/users/:id/transactions", method = "get", operation_id = "listUserTransactions")]
    async fn call(
        &self,
        #[oai(scope = "needs::TRANSACTIONS_READ")] caller: Caller,
        uri: &Uri,
        /// The user.
        id: Path<Id>,
        /// Only those that have come so far.
        status: Query<Option<Status>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<TransactionView>, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let user = accounts::find(&mut connection, &caller.0, UserId(id.0.0)).await?;
        // What the user itself would see, whoever asks.
        let itself = Principal::of(user.id, Role::User, caller.0.book);
        let mut filter = Filter { page: page(after.0, limit.0), ..Filter::default() };
        filter.status = status.0.and_then(|status| transactions::State::parse(status.word()));
        let found = transactions::list(&mut connection, &itself, &filter).await?;
        let items = found.items.iter().map(TransactionView::from).collect();
        let page = Page { items, next_cursor: found.next.map(IdCursor::encode), has_more: found.has_more };
        Ok(Listed::of(&page, uri))
    }
}
