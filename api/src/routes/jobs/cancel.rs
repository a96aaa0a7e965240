//! `POST /api/v1/jobs/{id}/cancel`

use jobs::catalogue;
use jobs::submitted::Submitted;
use poem::http::{StatusCode, Uri};
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use queue::control::Control;

use super::act::{AGAINST, changed, visible};
use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::deed::{self, Done};
use crate::idempotency::IdempotencyKey;
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::job::JobView;

pub(crate) struct CancelJob(pub(crate) State);

const PROMISED: &[Refusal] = &[Refusal {
    status: 409,
    code: "job_not_cancellable",
    when: "The job does what somebody was promised, such as recording an accepted transaction; only staff cancel it.",
}];

impl Operation for CancelJob {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::PARAMETERS,
        refusals::ONE,
        PROMISED,
        AGAINST,
        refusals::IDEMPOTENT,
        refusals::ANY,
    ];
}

#[OpenApi(tag = "Tag::Jobs")]
impl CancelJob {
    /// Cancel a job
    ///
    /// One that does not run is `cancelled` at once. One that runs is asked to end (`cancel_asked_by`), and is `cancelled` a moment later
    /// unless it ends by itself before. A caller of the role `user` cancels only jobs of its own requests.
    #[oai(path = "/api/v1/jobs/:id/cancel", method = "post", operation_id = "cancelJob")]
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
        let begun = deed::begin(&self.0, &caller, ("POST /api/v1/jobs/{id}/cancel", uri), key.0, None).await?;
        let mut doing = match begun {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => return Ok(Done::kept(&kept)),
        };
        let job = visible(doing.conn(), &caller.0, id.0.0).await?;
        let is_promise = !catalogue::find(&job.kind).is_some_and(|kind| kind.is_cancellable);
        if is_promise && !caller.0.is_staff() {
            let detail = "This job does what somebody was promised; only staff cancel it.";
            return Err(Problem::new(StatusCode::CONFLICT, "job_not_cancellable", detail).into());
        }
        let mut control = Control::new(doing.conn(), caller.0.book.shard, deed::actor(&caller))?;
        changed(control.cancel(&id.0.0.into()).await?, &job)?;
        let job = visible(doing.conn(), &caller.0, id.0.0).await?;
        Ok(deed::finish(&self.0, doing, &JobView::from(&job)).await?)
    }
}
