//! `GET /api/v1/accounts/{id}/entries`

use domain::accounts::wallets;
use domain::transactions;
use ledger::{AccountId, history};
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use crate::auth::{Caller, needs};
use crate::body::text::{Id, Time};
use crate::page::{LIMIT_DEFAULT, Limit, Listed, Page, VersionCursor};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::routes::transactions::list::Order;
use crate::state::State;
use crate::views::account::EntryView;
use crate::views::transaction::Kind;

pub(crate) struct ListEntries(pub(crate) State);

impl Operation for ListEntries {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Accounts")]
impl ListEntries {
    /// List an account's entries
    ///
    /// Newest first unless `order` says otherwise, each with the balance after it. Types and counterparties are looked for in so many
    /// entries at a time: a page may hold fewer than its limit, or none, and still have a next one.
    #[oai(path = "/api/v1/accounts/:id/entries", method = "get", operation_id = "listEntries")]
    #[expect(clippy::too_many_arguments, reason = "each parameter of the operation is one argument")]
    async fn call(
        &self,
        #[oai(scope = "needs::TRANSACTIONS_READ")] caller: Caller,
        uri: &Uri,
        /// The account.
        id: Path<Id>,
        /// Only those that were recorded at this time or later.
        from: Query<Option<Time>>,
        /// Only those that were recorded before this time.
        before: Query<Option<Time>>,
        /// Only those of transactions of this type.
        #[oai(name = "type")]
        kind: Query<Option<Kind>>,
        /// Only those of transactions in which this account takes part too.
        counterparty: Query<Option<Id>>,
        /// Which way; newest first, if absent.
        order: Query<Option<Order>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<VersionCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<EntryView>, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let wallet = wallets::find(&mut connection, &caller.0, AccountId(id.0.0)).await?;
        let code = |kind: Kind| transactions::Kind::parse(kind.word()).map(transactions::Kind::code);
        let query = history::Query {
            order: match order.0 {
                Some(Order::OldestFirst) => history::Order::OldestFirst,
                Some(Order::NewestFirst) | None => history::Order::NewestFirst,
            },
            after: after.0.map(|cursor| cursor.0),
            from: from.0.map(|Time(time)| time),
            before: before.0.map(|Time(time)| time),
            code: kind.0.and_then(code),
            counterparty: counterparty.0.map(|Id(id)| AccountId(id)),
            limit: limit.0.unwrap_or(LIMIT_DEFAULT).0,
        };
        let found = history::page(&mut connection, caller.0.book, wallet.account_id, &query).await?;
        let items = found.entries.iter().map(|entry| EntryView::of(entry, wallet.currency)).collect();
        let next_cursor = found.next.map(VersionCursor::encode);
        let has_more = next_cursor.is_some();
        Ok(Listed::of(&Page { items, next_cursor, has_more }, uri))
    }
}
