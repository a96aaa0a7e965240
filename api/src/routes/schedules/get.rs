//! `GET /api/v1/schedules/{name}`

use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use queue::schedule;

use crate::auth::{Caller, needs};
use crate::body::text::Text;
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::schedule::ScheduleView;

pub(crate) struct GetSchedule(pub(crate) State);

impl Operation for GetSchedule {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Schedules")]
impl GetSchedule {
    /// Get a schedule
    ///
    /// For staff. When it ticks next, and what became of its last ticks, is `getScheduleTicks`: what is shown here, and so its `ETag`,
    /// changes only when somebody changes the schedule.
    #[oai(path = "/api/v1/schedules/:name", method = "get", operation_id = "getSchedule")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_READ")] _caller: Caller,
        known: KnownTags,
        /// The schedule.
        name: Path<Text<1, 200>>,
    ) -> Result<Found<ScheduleView>, Failure<Self>> {
        let found = schedule::get(&mut *self.0.connection().await?, &name.0).await?;
        Ok(Found::of(&ScheduleView::from(&found), &known))
    }
}
