//! `POST /api/v1/jobs/{id}/reschedule`

use jobs::submitted::Submitted;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use queue::control::Control;

use super::act::{AGAINST, changed, visible};
use crate::auth::{Caller, needs};
use crate::body::object::object;
use crate::body::text::{Id, Time};
use crate::body::{Body, Shape};
use crate::deed::{self, Done};
use crate::idempotency::IdempotencyKey;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::job::JobView;

pub(crate) struct RescheduleJob(pub(crate) State);

impl Operation for RescheduleJob {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::ONE, refusals::BODY, AGAINST, refusals::IDEMPOTENT, refusals::ANY];
}

object! {
    /// Another time for a job.
    pub(crate) struct JobTime {
        /// When it is due, between the years 1900 and 2200; at once if that has passed.
        pub run_at: Time,
    }
    example { "run_at": "2030-01-31T09:30:00Z" }
}

impl Shape for JobTime {}

#[OpenApi(tag = "Tag::Jobs")]
impl RescheduleJob {
    /// Give a job another time
    ///
    /// For staff. One that waits for other jobs keeps waiting for them, and then for this time.
    #[oai(path = "/api/v1/jobs/:id/reschedule", method = "post", operation_id = "rescheduleJob")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        uri: &Uri,
        /// The job.
        id: Path<Id>,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<JobTime>,
    ) -> Result<Done<JobView>, Failure<Self>> {
        let request = ("POST /api/v1/jobs/{id}/reschedule", uri);
        let begun = deed::begin(&self.0, &caller, request, key.0, Some(body.fingerprint)).await?;
        let mut doing = match begun {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => return Ok(Done::kept(&kept)),
        };
        let job = visible(doing.conn(), &caller.0, id.0.0).await?;
        let mut control = Control::new(doing.conn(), caller.0.book.shard, deed::actor(&caller))?;
        changed(control.reschedule(&id.0.0.into(), body.value.run_at.0).await?, &job)?;
        let job = visible(doing.conn(), &caller.0, id.0.0).await?;
        let done = deed::finish(&self.0, doing, &JobView::from(&job)).await?;
        self.0.notifier.wake(job.queue);
        Ok(done)
    }
}
