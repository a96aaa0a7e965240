//! `GET /api/v1/ledger/reconciliations`

use domain::reconciliation::runs::{self, Filter};
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use crate::auth::{Caller, needs};
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::reconciliation::{ReconciliationView, RunState};

pub(crate) struct ListReconciliations(pub(crate) State);

impl Operation for ListReconciliations {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Reconciliation")]
impl ListReconciliations {
    /// List reconciliations
    ///
    /// For staff; newest first.
    #[oai(path = "/api/v1/ledger/reconciliations", method = "get", operation_id = "listReconciliations")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_ADMIN")] caller: Caller,
        uri: &Uri,
        /// Only those in this state.
        state: Query<Option<RunState>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<ReconciliationView>, Failure<Self>> {
        let state = state.0.map(|state| state.word().to_owned());
        let filter = Filter { id: None, state, page: page(after.0, limit.0) };
        let listed = runs::list(&mut *self.0.connection().await?, &caller.0, &filter).await?;
        let runs = listed.items.iter().map(ReconciliationView::from).collect();
        let page = Page::of(runs, listed.has_more, |run: &ReconciliationView| IdCursor::encode(run.id));
        Ok(Listed::of(&page, uri))
    }
}
