//! `POST /api/v1/schedules/{name}/run`

use jobs::submitted::Submitted;
use poem::http::{StatusCode, Uri};
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use queue::schedule;
use serde_json::json;

use super::policy::note;
use crate::accepted::{Accepted, AcceptedJob};
use crate::auth::{Caller, needs};
use crate::body::text::Text;
use crate::deed;
use crate::idempotency::IdempotencyKey;
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct RunSchedule(pub(crate) State);

const BUSY: &[Refusal] = &[Refusal {
    status: 409,
    code: "schedule_busy",
    when: "Its last job is live and its overlap policy is skip; `existing_id` is the job.",
}];

impl Operation for RunSchedule {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, BUSY, refusals::IDEMPOTENT, refusals::ANY];
}

#[OpenApi(tag = "Tag::Schedules")]
impl RunSchedule {
    /// Run a schedule now
    ///
    /// For staff. Enqueues its job once more, apart from its ticks and also while it is paused. It heeds the overlap policy.
    #[oai(path = "/api/v1/schedules/:name/run", method = "post", operation_id = "runSchedule")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        uri: &Uri,
        /// The schedule.
        name: Path<Text<1, 200>>,
        /// Makes the request safe to repeat: the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
    ) -> Result<Accepted, Failure<Self>> {
        let begun = deed::begin(&self.0, &caller, ("POST /api/v1/schedules/{name}/run", uri), key.0, None).await?;
        let mut doing = match begun {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => {
                let id = kept["job_id"].as_str().and_then(|id| id.parse().ok()).ok_or_else(Problem::internal)?;
                return Ok(Accepted::of(id, true));
            }
        };
        let queue = schedule::get_locked(doing.conn(), &name.0).await?.queue;
        let enqueued = schedule::run_now(doing.conn(), &name.0).await?;
        if !enqueued.created {
            let detail = "Its last job is live, and its overlap policy is to skip.";
            let busy = Problem::new(StatusCode::CONFLICT, "schedule_busy", detail);
            return Err(busy.extension("existing_id", enqueued.id.to_string()).into());
        }
        note(doing.conn(), &caller, "run_schedule", &name.0, Some(json!({ "job": enqueued.id }))).await?;
        deed::finish(&self.0, doing, &AcceptedJob { job_id: enqueued.id }).await?;
        self.0.notifier.wake(queue);
        Ok(Accepted::of(enqueued.id, false))
    }
}
