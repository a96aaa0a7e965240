//! `GET /api/v1/ledger/breaks/{id}`

use domain::reconciliation::breaks;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::reconciliation::BreakView;

pub(crate) struct GetBreak(pub(crate) State);

impl Operation for GetBreak {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Reconciliation")]
impl GetBreak {
    /// Get a break
    ///
    /// For staff; with its life: every change of its state, who made it and why.
    #[oai(path = "/api/v1/ledger/breaks/:id", method = "get", operation_id = "getBreak")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_ADMIN")] caller: Caller,
        known: KnownTags,
        /// The break.
        id: Path<Id>,
    ) -> Result<Found<BreakView>, Failure<Self>> {
        let (found, changes) = breaks::find(&mut *self.0.connection().await?, &caller.0, id.0.0).await?;
        Ok(Found::of(&BreakView::of(&found, Some(&changes)), &known))
    }
}
