//! `PATCH /api/v1/schedules/{name}`

use jobs::by_hand::{check, known};
use jobs::submitted::Submitted;
use poem::http::Uri;
use poem_openapi::param::{Header, Path};
use poem_openapi::{ApiResponse, OpenApi};
use queue::control::parse_priority;
use queue::schedule::{self, Change};
use serde_json::json;

use super::policy::{CatchUpMax, catch_up, note, overlap};
use crate::auth::{Caller, needs};
use crate::body::integer::Integer;
use crate::body::object::object;
use crate::body::payload::Payload;
use crate::body::text::Text;
use crate::body::{Body, Shape};
use crate::deed;
use crate::precondition::{self, IfMatch};
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::schedule::{CatchUpName, OverlapName, ScheduleView};

pub(crate) struct ChangeSchedule(pub(crate) State);

impl Operation for ChangeSchedule {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::ONE, refusals::CONDITIONAL, refusals::BODY, refusals::ANY];
}

object! {
    /// What to change of a schedule; what is absent or null stays as it is.
    pub(crate) struct ScheduleChangeRequest {
        /// The payload of its jobs, which has to fit the schema of their kind.
        pub payload: Option<Payload>,
        /// When it ticks: cron of five fields or six, `@every 5m`, or a word such as `@daily`.
        pub spec: Option<Text<1, 200>>,
        /// The IANA name of its time zone.
        pub time_zone: Option<Text<1, 64>>,
        /// What becomes of ticks that nobody fired in time.
        pub catch_up: Option<CatchUpName>,
        /// How many ticks `all` catches up with.
        pub catch_up_max: Option<CatchUpMax>,
        /// What a tick does while the last job is live.
        pub overlap: Option<OverlapName>,
        /// The priority of its jobs: 0 to 99, the smaller runs first.
        pub priority: Option<Integer<0, 99>>,
        /// How many attempts its jobs have.
        pub max_attempts: Option<Integer<1, 1_000>>,
    }
    example { "spec": "0 3 * * *", "time_zone": "Europe/London" }
}

impl Shape for ScheduleChangeRequest {}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The schedule as it is now.
    #[oai(status = 200)]
    Changed(
        Reply<ScheduleView>,
        /// Changes whenever the schedule does.
        #[oai(header = "ETag")]
        String,
    ),
}

#[OpenApi(tag = "Tag::Schedules")]
impl ChangeSchedule {
    /// Change a schedule
    ///
    /// For staff. If it is to tick at other times it does so from now on, and forgets ticks that are due and not fired. What code and
    /// environment declare of it does not count any more, until `revertSchedule`.
    #[oai(path = "/api/v1/schedules/:name", method = "patch", operation_id = "changeSchedule")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        uri: &Uri,
        /// The schedule.
        name: Path<Text<1, 200>>,
        /// The `ETag` of the schedule as you read it.
        #[oai(name = "If-Match")]
        if_match: Header<Option<IfMatch>>,
        body: Body<ScheduleChangeRequest>,
    ) -> Result<Response, Failure<Self>> {
        let tag = precondition::required(if_match.0)?;
        let request = ("PATCH /api/v1/schedules/{name}", uri);
        let Submitted::Done(mut doing) = deed::begin(&self.0, &caller, request, None, None).await? else {
            unreachable!("a request without a key is no repetition");
        };
        let before = schedule::get_locked(doing.conn(), &name.0).await?;
        if !tag.holds(&ScheduleView::from(&before)) {
            return Err(domain::Error::Stale.into());
        }
        let change = body.value.change(&caller, &before.kind)?;
        schedule::change(doing.conn(), &name.0, &change).await?;
        let now = ScheduleView::from(&schedule::get(doing.conn(), &name.0).await?);
        note(doing.conn(), &caller, "change_schedule", &name.0, Some(json!(now))).await?;
        deed::finish(&self.0, doing, &now).await?;
        let reply = Reply::of(&now);
        let tag = reply.tag();
        Ok(Response::Changed(reply, tag))
    }
}

impl ScheduleChangeRequest {
    fn change(self, caller: &Caller, kind: &str) -> Result<Change, Problem> {
        if let Some(Payload(payload)) = &self.payload {
            check(known(kind)?, payload, caller.0.book)?;
        }
        Ok(Change {
            spec: self.spec.map(Text::into_inner),
            time_zone: self.time_zone.map(Text::into_inner),
            catch_up: catch_up(self.catch_up, self.catch_up_max)?,
            overlap: self.overlap.map(overlap),
            payload: self.payload.map(|Payload(payload)| payload),
            priority: self.priority.map(|Integer(rank)| parse_priority(rank)).transpose()?,
            max_attempts: self.max_attempts.and_then(|Integer(attempts)| attempts.try_into().ok()),
        })
    }
}
