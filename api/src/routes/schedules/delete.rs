//! `DELETE /api/v1/schedules/{name}`

use poem_openapi::param::{Header, Path};
use poem_openapi::{ApiResponse, OpenApi};
use queue::schedule;
use sqlx::Connection;

use super::policy::note;
use crate::auth::{Caller, needs};
use crate::body::text::Text;
use crate::precondition::{self, IfMatch};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::schedule::ScheduleView;

pub(crate) struct DeleteSchedule(pub(crate) State);

impl Operation for DeleteSchedule {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::CONDITIONAL, refusals::ANY];
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// It is gone.
    #[oai(status = 204)]
    Deleted,
}

#[OpenApi(tag = "Tag::Schedules")]
impl DeleteSchedule {
    /// Delete a schedule
    ///
    /// For staff. Its jobs, and the record of its ticks, stay. One that code declares comes back with the next start of a worker: pause
    /// it instead.
    #[oai(path = "/api/v1/schedules/:name", method = "delete", operation_id = "deleteSchedule")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        /// The schedule.
        name: Path<Text<1, 200>>,
        /// The `ETag` of the schedule as you read it.
        #[oai(name = "If-Match")]
        if_match: Header<Option<IfMatch>>,
    ) -> Result<Response, Failure<Self>> {
        let tag = precondition::required(if_match.0)?;
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let before = schedule::get_locked(&mut tx, &name.0).await?;
        if !tag.holds(&ScheduleView::from(&before)) {
            return Err(domain::Error::Stale.into());
        }
        schedule::remove(&mut tx, &name.0).await?;
        note(&mut tx, &caller, "delete_schedule", &name.0, None).await?;
        tx.commit().await?;
        Ok(Response::Deleted)
    }
}
