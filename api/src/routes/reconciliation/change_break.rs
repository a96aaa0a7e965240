//! `PATCH /api/v1/ledger/breaks/{id}`

use domain::reconciliation::breaks::{self, Transition};
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::Connection;

use crate::auth::{Caller, needs};
use crate::body::object::object;
use crate::body::text::{Id, Text};
use crate::body::{Body, Shape};
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::reconciliation::{BreakState, BreakView};

pub(crate) struct ChangeBreak(pub(crate) State);

impl Operation for ChangeBreak {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::ONE, refusals::BODY, refusals::ANY];
}

object! {
    /// What is to become of a break.
    pub(crate) struct BreakChangeRequest {
        /// Its new state.
        pub state: BreakState,
        /// Who is to look after it; needed to assign it.
        pub assignee: Option<Text<1, 200>>,
        /// Why; it is kept with the change.
        pub why: Text<1, 2_000>,
    }
    example { "state": "assigned", "assignee": "ada@example.org", "why": "knows the bank" }
}

impl Shape for BreakChangeRequest {}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The break as it is now.
    #[oai(status = 200)]
    Changed(Reply<BreakView>),
}

#[OpenApi(tag = "Tag::Reconciliation")]
impl ChangeBreak {
    /// Assign, resolve, write off or reopen a break
    ///
    /// For staff. A resolved break that a later run finds again is open again; one that was written off stays so while its
    /// amount is the same.
    #[oai(path = "/api/v1/ledger/breaks/:id", method = "patch", operation_id = "changeBreak")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_ADMIN")] caller: Caller,
        /// The break.
        id: Path<Id>,
        body: Body<BreakChangeRequest>,
    ) -> Result<Response, Failure<Self>> {
        let wanted = Transition {
            state: body.value.state.word().to_owned(),
            assignee: body.value.assignee.map(Text::into_inner),
            why: body.value.why.into_inner(),
        };
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        breaks::change(&mut tx, &caller.0, id.0.0, &wanted).await?;
        let (found, changes) = breaks::find(&mut tx, &caller.0, id.0.0).await?;
        tx.commit().await?;
        Ok(Response::Changed(Reply::of(&BreakView::of(&found, Some(&changes)))))
    }
}
