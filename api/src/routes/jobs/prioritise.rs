//! `POST /api/v1/jobs/{id}/prioritise`

use jobs::submitted::Submitted;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use queue::control::{Control, parse_priority};

use super::act::{AGAINST, changed, visible};
use crate::auth::{Caller, needs};
use crate::body::integer::Integer;
use crate::body::object::object;
use crate::body::text::Id;
use crate::body::{Body, Shape};
use crate::deed::{self, Done};
use crate::idempotency::IdempotencyKey;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::job::JobView;

pub(crate) struct PrioritiseJob(pub(crate) State);

impl Operation for PrioritiseJob {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::ONE, refusals::BODY, AGAINST, refusals::IDEMPOTENT, refusals::ANY];
}

object! {
    /// Another priority for a job.
    pub(crate) struct JobPriority {
        /// 0 to 99; the smaller runs first.
        pub priority: Integer<0, 99>,
    }
    example { "priority": 10 }
}

impl Shape for JobPriority {}

#[OpenApi(tag = "Tag::Jobs")]
impl PrioritiseJob {
    /// Give a job another priority
    ///
    /// For staff.
    #[oai(path = "/api/v1/jobs/:id/prioritise", method = "post", operation_id = "prioritiseJob")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        uri: &Uri,
        /// The job.
        id: Path<Id>,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<JobPriority>,
    ) -> Result<Done<JobView>, Failure<Self>> {
        let request = ("POST /api/v1/jobs/{id}/prioritise", uri);
        let begun = deed::begin(&self.0, &caller, request, key.0, Some(body.fingerprint)).await?;
        let mut doing = match begun {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => return Ok(Done::kept(&kept)),
        };
        let job = visible(doing.conn(), &caller.0, id.0.0).await?;
        let mut control = Control::new(doing.conn(), caller.0.book.shard, deed::actor(&caller))?;
        let priority = parse_priority(body.value.priority.0)?;
        changed(control.prioritise(&id.0.0.into(), priority).await?, &job)?;
        let job = visible(doing.conn(), &caller.0, id.0.0).await?;
        let done = deed::finish(&self.0, doing, &JobView::from(&job)).await?;
        self.0.notifier.wake(job.queue);
        Ok(done)
    }
}
