//! `GET /api/v1/ledger/breaks`

use domain::reconciliation::Severity;
use domain::reconciliation::breaks::{self, Filter};
use ledger::reconcile::Class;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::reconciliation::{BreakState, BreakView, ClassName, SeverityName};

pub(crate) struct ListBreaks(pub(crate) State);

impl Operation for ListBreaks {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Reconciliation")]
impl ListBreaks {
    /// List breaks
    ///
    /// For staff; oldest first. Without `state` those that are open or assigned.
    #[oai(path = "/api/v1/ledger/breaks", method = "get", operation_id = "listBreaks")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_ADMIN")] caller: Caller,
        uri: &Uri,
        /// Only those of this check.
        class: Query<Option<ClassName>>,
        /// Only those in this state.
        state: Query<Option<BreakState>>,
        /// Only those of this severity.
        severity: Query<Option<SeverityName>>,
        /// Only those that this run found or carried forward, in whatever state they are.
        reconciliation_id: Query<Option<Id>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<BreakView>, Failure<Self>> {
        let filter = Filter {
            class: class.0.and_then(|class| Class::parse(class.word())),
            state: state.0.map(|state| state.word().to_owned()),
            severity: severity.0.and_then(|severity| Severity::parse(severity.word())),
            run: reconciliation_id.0.map(|Id(id)| id),
            page: page(after.0, limit.0),
        };
        let listed = breaks::list(&mut *self.0.connection().await?, &caller.0, &filter).await?;
        let breaks = listed.items.iter().map(|found| BreakView::of(found, None)).collect();
        let page = Page::of(breaks, listed.has_more, |found: &BreakView| IdCursor::encode(found.id));
        Ok(Listed::of(&page, uri))
    }
}
