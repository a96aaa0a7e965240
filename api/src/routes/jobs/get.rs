//! `GET /api/v1/jobs/{id}`

use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use queue::inspect;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::found::{Found, KnownTags};
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::job::JobView;

pub(crate) struct GetJob(pub(crate) State);

impl Operation for GetJob {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Jobs")]
impl GetJob {
    /// Get a job
    ///
    /// A caller of the role `user` finds only the jobs of its own requests.
    #[oai(path = "/api/v1/jobs/:id", method = "get", operation_id = "getJob")]
    async fn call(
        &self,
        #[oai(scope = "needs::JOBS_READ")] caller: Caller,
        known: KnownTags,
        /// The job.
        id: Path<Id>,
    ) -> Result<Found<JobView>, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let job = inspect::find(&mut connection, caller.0.book.shard, id.0.0).await?;
        let asked = caller.0.user_id.to_string();
        let may_see = |job: &inspect::JobView| caller.0.is_staff() || job.actor.as_deref() == Some(asked.as_str());
        let job = job.filter(may_see).ok_or_else(Problem::not_found)?;
        Ok(Found::of(&JobView::from(&job), &known))
    }
}
