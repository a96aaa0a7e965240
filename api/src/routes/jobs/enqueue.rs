//! `POST /api/v1/jobs`

use jobs::by_hand::{self, ByHand};
use jobs::submitted::Submitted;
use poem_openapi::OpenApi;
use poem_openapi::param::Header;
use queue::control::parse_priority;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::accepted::Accepted;
use crate::auth::{Caller, needs};
use crate::body::integer::Integer;
use crate::body::list::List;
use crate::body::object::object;
use crate::body::payload::Payload;
use crate::body::text::{Text, Time};
use crate::body::{Body, Shape};
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct EnqueueJob(pub(crate) State);

const TAKEN: &[Refusal] = &[Refusal {
    status: 409,
    code: "job_exists",
    when: "A job of this kind with this unique key lives; `existing_id` is it.",
}];

impl Operation for EnqueueJob {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::BODY, TAKEN, refusals::IDEMPOTENT, refusals::ANY];
}

object! {
    /// A job to enqueue by hand.
    pub(crate) struct NewJobRequest {
        /// Its kind, as `listJobKinds` names it.
        pub kind: Text<1, 128>,
        /// Its payload, which has to fit the schema of its kind.
        pub payload: Payload,
        /// Another queue than its kind's.
        pub queue: Option<Text<1, 128>>,
        /// When it is due, between the years 1900 and 2200; now if absent.
        pub run_at: Option<Time>,
        /// Another priority than its kind's: 0 to 99, the smaller runs first.
        pub priority: Option<Integer<0, 99>>,
        /// How often it is tried at most, if not as often as its kind says.
        pub max_attempts: Option<Integer<1, 1_000>>,
        /// No other job of its kind with this key is enqueued while it lives.
        pub unique_key: Option<Text<1, 200>>,
        /// Words to find it by.
        pub tags: Option<List<Text<1, 200>, 0, 20>>,
    }
    example { "kind": "products.categorize", "payload": { "shard": 0, "book_id": 1 }, "tags": ["by hand"] }
}

impl Shape for NewJobRequest {}

#[OpenApi(tag = "Tag::Jobs")]
impl EnqueueJob {
    /// Enqueue a job
    ///
    /// For administrators: any kind of job, with a payload that is checked against the schema of its kind before it is stored.
    #[oai(path = "/api/v1/jobs", method = "post", operation_id = "enqueueJob")]
    async fn call(
        &self,
        #[oai(scope = "needs::JOBS_ADMIN")] caller: Caller,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<NewJobRequest>,
    ) -> Result<Accepted, Failure<Self>> {
        let repeatable = repeatable(key.0, "POST /api/v1/jobs", body.fingerprint, kept);
        let by_hand = body.value.into_by_hand()?;
        let state = &self.0;
        match by_hand::submit(&state.pool, &state.notifier, &caller.0, &by_hand, repeatable.as_ref()).await? {
            Submitted::Done(id) => Ok(Accepted::of(id, false)),
            Submitted::Replayed(kept) => {
                let id = kept["job_id"].as_str().and_then(|id| id.parse().ok()).ok_or_else(Problem::internal)?;
                Ok(Accepted::of(id, true))
            }
        }
    }
}

fn kept(id: &Uuid) -> Option<Value> {
    Some(json!({ "job_id": id }))
}

impl NewJobRequest {
    fn into_by_hand(self) -> Result<ByHand, Problem> {
        Ok(ByHand {
            kind: self.kind.into_inner(),
            payload: self.payload.0,
            queue: self.queue.map(Text::into_inner),
            run_at: self.run_at.map(|Time(time)| time),
            priority: self.priority.map(|Integer(rank)| parse_priority(rank)).transpose()?,
            max_attempts: self.max_attempts.and_then(|Integer(attempts)| attempts.try_into().ok()),
            unique_key: self.unique_key.map(Text::into_inner),
            tags: self.tags.into_iter().flat_map(|List(tags)| tags).map(Text::into_inner).collect(),
        })
    }
}
