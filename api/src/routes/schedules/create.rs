//! `POST /api/v1/schedules`

use jobs::by_hand::{check, known};
use jobs::submitted::Submitted;
use poem::http::Uri;
use poem_openapi::param::Header;
use poem_openapi::{ApiResponse, OpenApi};
use queue::control::parse_priority;
use queue::schedule::{self, CatchUp, Schedule};
use serde_json::json;

use super::policy::{CatchUpMax, catch_up, note, overlap};
use crate::auth::{Caller, needs};
use crate::body::integer::Integer;
use crate::body::object::object;
use crate::body::payload::Payload;
use crate::body::text::Text;
use crate::body::{Body, Shape};
use crate::deed;
use crate::idempotency::IdempotencyKey;
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::schedule::{CatchUpName, OverlapName, ScheduleView};

pub(crate) struct CreateSchedule(pub(crate) State);

const TAKEN: &[Refusal] =
    &[Refusal { status: 409, code: "schedule_exists", when: "There is a schedule of this name." }];

impl Operation for CreateSchedule {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::BODY, TAKEN, refusals::IDEMPOTENT, refusals::ANY];
}

object! {
    /// What is to be enqueued again and again, and when.
    pub(crate) struct NewScheduleRequest {
        /// Its name, for good.
        pub name: Text<1, 200>,
        /// The kind of its jobs, as `listJobKinds` names it.
        pub kind: Text<1, 128>,
        /// The payload of its jobs, which has to fit the schema of their kind.
        pub payload: Payload,
        /// Cron of five fields (minute first) or six (second first), `@every 5m`, or one of `@hourly`, `@daily`, `@weekly`, `@monthly` and
        /// `@yearly`.
        pub spec: Text<1, 200>,
        /// The IANA name of the zone that the fields of cron are local times of; UTC if absent.
        pub time_zone: Option<Text<1, 64>>,
        /// What becomes of ticks that nobody fired in time; `last` if absent.
        pub catch_up: Option<CatchUpName>,
        /// How many ticks `all` catches up with.
        pub catch_up_max: Option<CatchUpMax>,
        /// What a tick does while the last job is live; `allow` if absent.
        pub overlap: Option<OverlapName>,
        /// Another priority than their kind's for its jobs: 0 to 99, the smaller runs first.
        pub priority: Option<Integer<0, 99>>,
        /// How many attempts its jobs have, if not as many as their kind says.
        pub max_attempts: Option<Integer<1, 1_000>>,
    }
    example {
        "name": "categorize-nightly",
        "kind": "products.categorize",
        "payload": { "shard": 0, "book_id": 1 },
        "spec": "30 2 * * *",
        "time_zone": "Europe/London",
        "overlap": "skip"
    }
}

impl Shape for NewScheduleRequest {}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The schedule.
    #[oai(status = 201)]
    Created(
        Reply<ScheduleView>,
        /// The schedule's own address.
        #[oai(header = "Location")]
        String,
        /// `true` when this answers an earlier request of the same key.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

#[OpenApi(tag = "Tag::Schedules")]
impl CreateSchedule {
    /// Create a schedule
    ///
    /// For staff. Each tick makes one job, whichever worker fires it, also over restarts and changes of the clock.
    #[oai(path = "/api/v1/schedules", method = "post", operation_id = "createSchedule")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        uri: &Uri,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<NewScheduleRequest>,
    ) -> Result<Response, Failure<Self>> {
        let location = format!("/api/v1/schedules/{}", encoded(&body.value.name));
        let schedule = body.value.schedule(&caller)?;
        let request = ("POST /api/v1/schedules", uri);
        let mut doing = match deed::begin(&self.0, &caller, request, key.0, Some(body.fingerprint)).await? {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => return Ok(Response::Created(Reply::kept(&kept), location, Some(true))),
        };
        schedule::create(doing.conn(), &schedule).await?;
        let made = ScheduleView::from(&schedule::get(doing.conn(), &body.value.name).await?);
        let set = json!({ "kind": made.kind, "spec": made.spec, "time_zone": made.time_zone });
        note(doing.conn(), &caller, "create_schedule", &made.name, Some(set)).await?;
        deed::finish(&self.0, doing, &made).await?;
        Ok(Response::Created(Reply::of(&made), location, None))
    }
}

impl NewScheduleRequest {
    fn schedule(&self, caller: &Caller) -> Result<Schedule, Problem> {
        let book = caller.0.book;
        let mut job = check(known(&self.kind)?, &self.payload.0, book)?.shard(book.shard);
        if let Some(Integer(rank)) = self.priority {
            job = job.priority(parse_priority(rank)?);
        }
        if let Some(Integer(attempts)) = self.max_attempts {
            job = job.max_attempts(u16::try_from(attempts).expect("it is bounded and positive"));
        }
        let mut schedule = Schedule::of_job(&self.name, job, &self.spec)?;
        if let Some(zone) = &self.time_zone {
            schedule = schedule.time_zone(zone)?;
        }
        schedule = schedule.catch_up(catch_up(self.catch_up, self.catch_up_max)?.unwrap_or(CatchUp::Last));
        Ok(self.overlap.map_or(schedule.clone(), |name| schedule.overlap(overlap(name))))
    }
}

/// A name as one segment of a path.
fn encoded(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let each =
        name.bytes().map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    each.collect()
}
