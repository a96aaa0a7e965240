//! `GET /api/v1/ledger/statements`

use domain::reconciliation::statements;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use crate::auth::{Caller, needs};
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::reconciliation::StatementView;

pub(crate) struct ListStatements(pub(crate) State);

impl Operation for ListStatements {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Reconciliation")]
impl ListStatements {
    /// List statements
    ///
    /// For staff; newest first, each with how many of its lines are matched.
    #[oai(path = "/api/v1/ledger/statements", method = "get", operation_id = "listStatements")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_ADMIN")] caller: Caller,
        uri: &Uri,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<StatementView>, Failure<Self>> {
        let page_wanted = page(after.0, limit.0);
        let listed = statements::list(&mut *self.0.connection().await?, &caller.0, None, page_wanted).await?;
        let statements = listed.items.iter().map(StatementView::from).collect();
        let page = Page::of(statements, listed.has_more, |one: &StatementView| IdCursor::encode(one.id));
        Ok(Listed::of(&page, uri))
    }
}
