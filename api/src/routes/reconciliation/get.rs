//! `GET /api/v1/ledger/reconciliations/{id}`

use domain::reconciliation::runs;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::reconciliation::ReconciliationView;

pub(crate) struct GetReconciliation(pub(crate) State);

impl Operation for GetReconciliation {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Reconciliation")]
impl GetReconciliation {
    /// Get a reconciliation
    ///
    /// For staff. The report: what was checked as of which size and root, and what was found. Its breaks are those of
    /// `listBreaks` with `reconciliation_id`.
    #[oai(path = "/api/v1/ledger/reconciliations/:id", method = "get", operation_id = "getReconciliation")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_ADMIN")] caller: Caller,
        known: KnownTags,
        /// The reconciliation.
        id: Path<Id>,
    ) -> Result<Found<ReconciliationView>, Failure<Self>> {
        let run = runs::find(&mut *self.0.connection().await?, &caller.0, id.0.0).await?;
        Ok(Found::of(&ReconciliationView::from(&run), &known))
    }
}
