//! `GET /api/v1/transactions`

use domain::transactions::{self, Filter};
use ledger::AccountId;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use crate::auth::{Caller, needs};
use crate::body::text::{Id, Text};
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::transaction::{Status, TransactionView};

pub(crate) struct ListTransactions(pub(crate) State);

impl Operation for ListTransactions {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::PARAMETERS,
        &[Refusal { status: 404, code: "not_found", when: "The account is not the caller's, or does not exist." }],
        refusals::ANY,
    ];
}

#[OpenApi(tag = "Tag::Transactions")]
impl ListTransactions {
    /// List transactions
    ///
    /// Newest first. A caller of the role `user` sees those of its own accounts.
    #[oai(path = "/api/v1/transactions", method = "get", operation_id = "listTransactions")]
    #[expect(clippy::too_many_arguments, reason = "each parameter of the operation is one argument")]
    async fn call(
        &self,
        #[oai(scope = "needs::TRANSACTIONS_READ")] caller: Caller,
        uri: &Uri,
        /// Only those that debit or credit this account.
        account: Query<Option<Id>>,
        /// Only those that have come so far.
        status: Query<Option<Status>>,
        /// Only the caller's own one of this reference; the other filters do not count then.
        reference: Query<Option<Text<1, 128>>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<TransactionView>, Failure<Self>> {
        let filter = Filter {
            account: account.0.map(|Id(id)| AccountId(id)),
            status: status.0.and_then(|status| transactions::Status::parse(status.word())),
            reference: reference.0.map(Text::into_inner),
            page: page(after.0, limit.0),
        };
        let listed = transactions::list(&mut *self.0.late_connection(&caller.0).await?, &caller.0, &filter).await?;
        let transactions = listed.items.iter().map(TransactionView::from).collect();
        let page =
            Page::of(transactions, listed.has_more, |transaction: &TransactionView| IdCursor::encode(transaction.id));
        Ok(Listed::of(&page, uri))
    }
}
