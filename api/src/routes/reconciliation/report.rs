//! `GET /api/v1/ledger/reconciliations/{id}/report`

use domain::page::LIMIT_MAX;
use domain::reconciliation::breaks::{self, Break, Filter};
use domain::reconciliation::runs;
use domain::{Error, Principal};
use poem_openapi::param::Path;
use poem_openapi::payload::Html;
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::reconciliation::page;

/// The most breaks that the page lists; it says how many there are.
const BREAKS_MAX: usize = 1_000;

/// The page carries its style and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

pub(crate) struct GetReport(pub(crate) State);

impl Operation for GetReport {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The report as a page.
    #[oai(status = 200)]
    Page(
        Html<String>,
        /// It runs no script and loads nothing.
        #[oai(header = "Content-Security-Policy")]
        String,
    ),
}

#[OpenApi(tag = "Tag::Reconciliation")]
impl GetReport {
    /// Get a reconciliation's report to print
    ///
    /// For staff. One page of HTML without scripts, fit for paper.
    #[oai(path = "/api/v1/ledger/reconciliations/:id/report", method = "get", operation_id = "getReconciliationReport")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_ADMIN")] caller: Caller,
        /// The reconciliation.
        id: Path<Id>,
    ) -> Result<Response, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let run = runs::find(&mut connection, &caller.0, id.0.0).await?;
        let breaks = all(&mut connection, &caller.0, run.id).await?;
        Ok(Response::Page(Html(page::render(&run, &breaks)), POLICY.to_owned()))
    }
}

/// The breaks of a run, page by page.
async fn all(conn: &mut PgConnection, caller: &Principal, run: Uuid) -> Result<Vec<Break>, Error> {
    let mut found: Vec<Break> = Vec::new();
    loop {
        let page = domain::Page { after: found.last().map(|last| last.id), limit: LIMIT_MAX };
        let listed = breaks::list(conn, caller, &Filter { run: Some(run), page, ..Filter::default() }).await?;
        found.extend(listed.items);
        if !listed.has_more || found.len() >= BREAKS_MAX {
            return Ok(found);
        }
    }
}
