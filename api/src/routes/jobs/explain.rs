//! `GET /api/v1/jobs/{id}/explain`

use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};

use super::act::visible;
use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::job_summary::ExplanationView;

pub(crate) struct ExplainJob(pub(crate) State);

impl Operation for ExplainJob {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// Why it is where it is, at this moment.
    #[oai(status = 200)]
    Explained(Reply<ExplanationView>),
}

#[OpenApi(tag = "Tag::Jobs")]
impl ExplainJob {
    /// Explain why a job does not run
    ///
    /// Names all that holds it up, in the order in which it would have to be cleared; or what became of it. A caller of the role `user`
    /// finds only the jobs of its own requests.
    #[oai(path = "/api/v1/jobs/:id/explain", method = "get", operation_id = "explainJob")]
    async fn call(
        &self,
        #[oai(scope = "needs::JOBS_READ")] caller: Caller,
        /// The job.
        id: Path<Id>,
    ) -> Result<Response, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        visible(&mut connection, &caller.0, id.0.0).await?;
        let explanation = queue::explain::explain(&mut connection, caller.0.book.shard, id.0.0).await?;
        let explanation = explanation.ok_or_else(Problem::not_found)?;
        Ok(Response::Explained(Reply::of(&ExplanationView::from(&explanation))))
    }
}
