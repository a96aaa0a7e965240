//! `DELETE /api/v1/jobs/{id}`

use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};
use queue::control::Control;
use sqlx::Connection;

use super::act::{AGAINST, changed, visible};
use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::deed;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct DeleteJob(pub(crate) State);

impl Operation for DeleteJob {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, AGAINST, refusals::ANY];
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// It is gone.
    #[oai(status = 204)]
    Deleted,
}

#[OpenApi(tag = "Tag::Jobs")]
impl DeleteJob {
    /// Delete a job
    ///
    /// For staff. A job that does not run, or a dead letter, is gone without a history; jobs that wait for it are told that it was
    /// cancelled. One that runs is cancelled first. What has ended stays until its day is dropped.
    #[oai(path = "/api/v1/jobs/:id", method = "delete", operation_id = "deleteJob")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        /// The job.
        id: Path<Id>,
    ) -> Result<Response, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let job = visible(&mut tx, &caller.0, id.0.0).await?;
        let mut control = Control::new(&mut tx, caller.0.book.shard, deed::actor(&caller))?;
        let answer = control.delete(&id.0.0.into()).await?;
        // One that began to run since it was looked at was asked to end instead, which is no deletion.
        let answer = queue::control::Answer { changed: answer.changed - answer.asked, ..answer };
        changed(answer, &job)?;
        tx.commit().await?;
        Ok(Response::Deleted)
    }
}
