//! `GET /api/v1/accounts/{id}/entries`

use domain::accounts::wallets;
use ledger::{AccountId, history};
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::page::{LIMIT_DEFAULT, Limit, Listed, Page, VersionCursor};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::account::EntryView;

pub(crate) struct ListEntries(pub(crate) State);

impl Operation for ListEntries {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Accounts")]
impl ListEntries {
    /// List an account's entries
    ///
    /// Newest first, each with the balance after it.
    #[oai(path = "/api/v1/accounts/:id/entries", method = "get", operation_id = "listEntries")]
    async fn call(
        &self,
        #[oai(scope = "needs::TRANSACTIONS_READ")] caller: Caller,
        uri: &Uri,
        /// The account.
        id: Path<Id>,
        /// The `next_cursor` of the page before.
        after: Query<Option<VersionCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<EntryView>, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let wallet = wallets::find(&mut connection, &caller.0, AccountId(id.0.0)).await?;
        let (before, limit) = (after.0.map(|cursor| cursor.0), limit.0.unwrap_or(LIMIT_DEFAULT).0);
        // One more than asked for tells whether there is another page.
        let mut entries =
            history::entries(&mut connection, caller.0.book, wallet.account_id, before, limit + 1).await?;
        let shown = usize::try_from(limit).expect("a limit is small and positive");
        let has_more = entries.len() > shown;
        entries.truncate(shown);
        let entries = entries.iter().map(|entry| EntryView::of(entry, wallet.currency)).collect();
        let page = Page::of(entries, has_more, |entry: &EntryView| VersionCursor::encode(entry.version));
        Ok(Listed::of(&page, uri))
    }
}
