//! `GET /api/v1/jobs/{id}/payload`

use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, Object, OpenApi};
use queue::inspect;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct GetJobPayload(pub(crate) State);

impl Operation for GetJobPayload {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

/// What a job was told to do.
#[derive(Debug, Object, Serialize)]
pub(crate) struct JobPayload {
    /// The job.
    id: Uuid,
    /// Its payload as it is stored; a sealed one stays sealed.
    payload: Value,
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The payload.
    #[oai(status = 200)]
    Payload(Reply<JobPayload>),
}

#[OpenApi(tag = "Tag::Jobs")]
impl GetJobPayload {
    /// Get the payload of a job
    ///
    /// For staff.
    #[oai(path = "/api/v1/jobs/:id/payload", method = "get", operation_id = "getJobPayload")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        /// The job.
        id: Path<Id>,
    ) -> Result<Response, Failure<Self>> {
        let id = id.0.0;
        let payload = inspect::payload(&mut *self.0.connection().await?, caller.0.book.shard, id).await?;
        let payload = payload.ok_or_else(Problem::not_found)?;
        Ok(Response::Payload(Reply::of(&JobPayload { id, payload })))
    }
}
