//! `GET /api/v1/jobs/{id}`

use std::time::Duration;

use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path, Query};

use super::act::visible;
use crate::auth::{Caller, needs};
use crate::body::integer::Integer;
use crate::body::text::Id;
use crate::found::{Found, KnownTags};
use crate::prefer::Prefer;
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
    /// A caller of the role `user` finds only the jobs of its own requests. With `wait`, or `Prefer: wait=N`, the answer is held until the
    /// job has ended, or that many seconds have passed.
    #[oai(path = "/api/v1/jobs/:id", method = "get", operation_id = "getJob")]
    async fn call(
        &self,
        #[oai(scope = "needs::JOBS_READ")] caller: Caller,
        known: KnownTags,
        /// The job.
        id: Path<Id>,
        /// For how many seconds to wait for its end.
        wait: Query<Option<Integer<1, 30>>>,
        /// `wait=N` does the same.
        prefer: Header<Option<Prefer>>,
    ) -> Result<Found<JobView>, Failure<Self>> {
        let id = id.0.0;
        let mut job = visible(&mut *self.0.connection().await?, &caller.0, id).await?;
        let wait = wait.0.map(|Integer(seconds)| Duration::from_secs(seconds.unsigned_abs()));
        let wait = wait.or(prefer.0.and_then(|Prefer(wait)| wait));
        if let Some(limit) = wait.filter(|_| !job.state.is_final()) {
            // No connection is held meanwhile.
            self.0.job_waiters.ended(caller.0.book.shard, id, limit).await;
            job = visible(&mut *self.0.connection().await?, &caller.0, id).await?;
        }
        Ok(Found::of(&JobView::from(&job), &known))
    }
}
