//! `POST /api/v1/schedules/{name}/resume`

use jobs::submitted::Submitted;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use queue::schedule;

use super::policy::note;
use crate::auth::{Caller, needs};
use crate::body::text::Text;
use crate::deed::{self, Done};
use crate::idempotency::IdempotencyKey;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::schedule::ScheduleView;

pub(crate) struct ResumeSchedule(pub(crate) State);

impl Operation for ResumeSchedule {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::IDEMPOTENT, refusals::ANY];
}

#[OpenApi(tag = "Tag::Schedules")]
impl ResumeSchedule {
    /// Resume a schedule
    ///
    /// For staff. It goes on with the next tick from now: those during the pause are not caught up with.
    #[oai(path = "/api/v1/schedules/:name/resume", method = "post", operation_id = "resumeSchedule")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        uri: &Uri,
        /// The schedule.
        name: Path<Text<1, 200>>,
        /// Makes the request safe to repeat: the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
    ) -> Result<Done<ScheduleView>, Failure<Self>> {
        let begun = deed::begin(&self.0, &caller, ("POST /api/v1/schedules/{name}/resume", uri), key.0, None).await?;
        let mut doing = match begun {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => return Ok(Done::kept(&kept)),
        };
        schedule::resume(doing.conn(), &name.0).await?;
        note(doing.conn(), &caller, "resume_schedule", &name.0, None).await?;
        let now = schedule::get(doing.conn(), &name.0).await?;
        Ok(deed::finish(&self.0, doing, &ScheduleView::from(&now)).await?)
    }
}
