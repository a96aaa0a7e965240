//! `POST /api/v1/jobs/bulk`

use jobs::submitted::Submitted;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Header;
use queue::control::{Action, Control, Select, parse_priority};

use super::filter::{CAP_DEFAULT, Cap, JobFilter, select};
use crate::auth::{Caller, needs};
use crate::body::choice::choice;
use crate::body::flag::Flag;
use crate::body::integer::Integer;
use crate::body::list::List;
use crate::body::object::object;
use crate::body::text::{Id, Time};
use crate::body::{Body, Shape};
use crate::deed::{self, Done};
use crate::idempotency::IdempotencyKey;
use crate::problem::{FieldProblem, Place, Problem};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::queue::BulkAnswer;

pub(crate) struct ChangeManyJobs(pub(crate) State);

impl Operation for ChangeManyJobs {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::BODY, refusals::IDEMPOTENT, refusals::ANY];
}

choice! {
    /// What to do to jobs.
    pub(crate) enum BulkAction {
        /// End them; those that run are asked to.
        Cancel = "cancel",
        /// Make those due now that are scheduled, also for their next attempt.
        Retry = "retry",
        /// Give those that do not run the time `run_at`.
        Reschedule = "reschedule",
        /// Give those that do not run the priority `priority`.
        Prioritise = "prioritise",
        /// Take those away that do not run, without a history; dead letters only if `states` or `ids` names them.
        Delete = "delete",
        /// Give dead letters another life.
        Redrive = "redrive",
    }
}

object! {
    /// Something to do to many jobs.
    pub(crate) struct BulkRequest {
        /// What.
        pub action: BulkAction,
        /// To which jobs; either this or `ids`.
        pub filter: Option<JobFilter>,
        /// To which jobs, by identifier.
        pub ids: Option<List<Id, 1, 1_000>>,
        /// The time for `reschedule`.
        pub run_at: Option<Time>,
        /// The priority for `prioritise`.
        pub priority: Option<Integer<0, 99>>,
        /// How many jobs at most; 1,000 if absent.
        pub limit: Option<Cap>,
        /// Only tell how many jobs would be tried.
        pub dry_run: Option<Flag>,
    }
    example { "action": "cancel", "filter": { "queue": "products", "states": ["ready"] }, "dry_run": true }
}

impl Shape for BulkRequest {}

#[OpenApi(tag = "Tag::Jobs")]
impl ChangeManyJobs {
    /// Change many jobs
    ///
    /// For staff. All of it is one commit, with one row in the audit. Repeat it while `has_more` is true and something was changed.
    #[oai(path = "/api/v1/jobs/bulk", method = "post", operation_id = "changeManyJobs")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        uri: &Uri,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<BulkRequest>,
    ) -> Result<Done<BulkAnswer>, Failure<Self>> {
        let asked = body.value;
        let action = action(asked.action, asked.run_at, asked.priority)?;
        let wanted = Wanted {
            route: "POST /api/v1/jobs/bulk",
            action,
            select: select(asked.filter, asked.ids)?,
            cap: asked.limit.unwrap_or(CAP_DEFAULT),
            is_dry: asked.dry_run == Some(Flag(true)),
        };
        Ok(wanted.carry_out(&self.0, &caller, uri, key.0, body.fingerprint).await?)
    }
}

/// The action with its value, which is there if and only if it takes one.
fn action(action: BulkAction, run_at: Option<Time>, priority: Option<Integer<0, 99>>) -> Result<Action, Problem> {
    let wrong = |pointer: &str, code, detail: &str| {
        Problem::invalid(vec![FieldProblem { at: Place::Pointer(pointer.to_owned()), code, detail: detail.to_owned() }])
    };
    let needed = |pointer: &str| wrong(pointer, "required", "This action takes it.");
    if run_at.is_some() && action != BulkAction::Reschedule {
        return Err(wrong("/run_at", "not_allowed", "Only reschedule takes it."));
    }
    if priority.is_some() && action != BulkAction::Prioritise {
        return Err(wrong("/priority", "not_allowed", "Only prioritise takes it."));
    }
    Ok(match action {
        BulkAction::Cancel => Action::Cancel,
        BulkAction::Retry => Action::Retry,
        BulkAction::Reschedule => Action::Reschedule(run_at.ok_or_else(|| needed("/run_at"))?.0),
        BulkAction::Prioritise => Action::Prioritise(parse_priority(priority.ok_or_else(|| needed("/priority"))?.0)?),
        BulkAction::Delete => Action::Delete,
        BulkAction::Redrive => Action::Redrive,
    })
}

/// What is to be done to many jobs.
pub(super) struct Wanted {
    pub(super) route: &'static str,
    pub(super) action: Action,
    pub(super) select: Select,
    pub(super) cap: Cap,
    pub(super) is_dry: bool,
}

impl Wanted {
    pub(super) async fn carry_out(
        &self,
        state: &State,
        caller: &Caller,
        uri: &Uri,
        key: Option<IdempotencyKey>,
        fingerprint: [u8; 32],
    ) -> Result<Done<BulkAnswer>, Problem> {
        let mut doing = match deed::begin(state, caller, (self.route, uri), key, Some(fingerprint)).await? {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => return Ok(Done::kept(&kept)),
        };
        let cap = usize::try_from(self.cap.0).expect("it is bounded and not negative");
        let mut control = Control::new(doing.conn(), caller.0.book.shard, deed::actor(caller))?.cap(cap)?;
        let answer = match self.is_dry {
            true => BulkAnswer::from(control.preview(self.action, &self.select).await?),
            false => BulkAnswer::from(control.bulk(self.action, &self.select).await?),
        };
        let done = deed::finish(state, doing, &answer).await?;
        for queue in jobs::QUEUES {
            state.notifier.wake(queue);
        }
        Ok(done)
    }
}
