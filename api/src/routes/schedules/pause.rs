//! `POST /api/v1/schedules/{name}/pause`

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

pub(crate) struct PauseSchedule(pub(crate) State);

impl Operation for PauseSchedule {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::IDEMPOTENT, refusals::ANY];
}

#[OpenApi(tag = "Tag::Schedules")]
impl PauseSchedule {
    /// Pause a schedule
    ///
    /// For staff. It ticks no more; jobs that it has made are left alone.
    #[oai(path = "/api/v1/schedules/:name/pause", method = "post", operation_id = "pauseSchedule")]
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
        let begun = deed::begin(&self.0, &caller, ("POST /api/v1/schedules/{name}/pause", uri), key.0, None).await?;
        let mut doing = match begun {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => return Ok(Done::kept(&kept)),
        };
        schedule::pause(doing.conn(), &name.0).await?;
        note(doing.conn(), &caller, "pause_schedule", &name.0, None).await?;
        let now = schedule::get(doing.conn(), &name.0).await?;
        Ok(deed::finish(&self.0, doing, &ScheduleView::from(&now)).await?)
    }
}
