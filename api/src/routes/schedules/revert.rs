//! `POST /api/v1/schedules/{name}/revert`

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

pub(crate) struct RevertSchedule(pub(crate) State);

impl Operation for RevertSchedule {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::IDEMPOTENT, refusals::ANY];
}

#[OpenApi(tag = "Tag::Schedules")]
impl RevertSchedule {
    /// Let code decide of a schedule again
    ///
    /// For staff. What the environment of the workers says of it, or else code, counts again, at once.
    #[oai(path = "/api/v1/schedules/:name/revert", method = "post", operation_id = "revertSchedule")]
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
        let begun = deed::begin(&self.0, &caller, ("POST /api/v1/schedules/{name}/revert", uri), key.0, None).await?;
        let mut doing = match begun {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => return Ok(Done::kept(&kept)),
        };
        schedule::revert(doing.conn(), &name.0).await?;
        note(doing.conn(), &caller, "revert_schedule", &name.0, None).await?;
        let now = schedule::get(doing.conn(), &name.0).await?;
        Ok(deed::finish(&self.0, doing, &ScheduleView::from(&now)).await?)
    }
}
