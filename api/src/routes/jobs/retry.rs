//! `POST /api/v1/jobs/{id}/retry`

use jobs::submitted::Submitted;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use queue::control::Control;
use queue::inspect::JobState;

use super::act::{AGAINST, changed, visible};
use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::deed::{self, Done};
use crate::idempotency::IdempotencyKey;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::job::JobView;

pub(crate) struct RetryJob(pub(crate) State);

impl Operation for RetryJob {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, AGAINST, refusals::IDEMPOTENT, refusals::ANY];
}

#[OpenApi(tag = "Tag::Jobs")]
impl RetryJob {
    /// Try a job again now
    ///
    /// One that waits for its next attempt, or for its time, is due now. One that is dead lives again, with all its attempts, under its
    /// identifier. A caller of the role `user` retries only jobs of its own requests.
    #[oai(path = "/api/v1/jobs/:id/retry", method = "post", operation_id = "retryJob")]
    async fn call(
        &self,
        #[oai(scope = "needs::JOBS_WRITE")] caller: Caller,
        uri: &Uri,
        /// The job.
        id: Path<Id>,
        /// Makes the request safe to repeat: the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
    ) -> Result<Done<JobView>, Failure<Self>> {
        let begun = deed::begin(&self.0, &caller, ("POST /api/v1/jobs/{id}/retry", uri), key.0, None).await?;
        let mut doing = match begun {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => return Ok(Done::kept(&kept)),
        };
        let job = visible(doing.conn(), &caller.0, id.0.0).await?;
        let mut control = Control::new(doing.conn(), caller.0.book.shard, deed::actor(&caller))?;
        let answer = match job.state {
            JobState::Dead => control.redrive(&id.0.0.into()).await?,
            _ => control.retry_now(&id.0.0.into()).await?,
        };
        changed(answer, &job)?;
        let job = visible(doing.conn(), &caller.0, id.0.0).await?;
        let done = deed::finish(&self.0, doing, &JobView::from(&job)).await?;
        self.0.notifier.wake(job.queue);
        Ok(done)
    }
}
