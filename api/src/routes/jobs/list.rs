//! `GET /api/v1/jobs`

use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;
use queue::inspect::Search;

use super::filter::page_of;
use crate::auth::{Caller, needs};
use crate::body::text::{Id, Text, Time};
use crate::page::{IdCursor, Limit, Listed};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::job_summary::{JobSummaryView, StateName};

pub(crate) struct ListJobs(pub(crate) State);

impl Operation for ListJobs {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Jobs")]
impl ListJobs {
    /// List jobs
    ///
    /// Live, dead and ended ones, the highest identifier (so the newest) first. A caller of the role `user` sees only the jobs of its own
    /// requests. No index knows kinds, tags or errors, so each page looks at some 200,000 jobs at most: one that found few has less than
    /// `limit` items, or none, and `has_more` is still true. Children of a `parent` are found at once.
    #[oai(path = "/api/v1/jobs", method = "get", operation_id = "listJobs")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn call(
        &self,
        #[oai(scope = "needs::JOBS_READ")] caller: Caller,
        uri: &Uri,
        /// Only those in this queue.
        queue: Query<Option<Text<1, 128>>>,
        /// Only those of this kind.
        kind: Query<Option<Text<1, 128>>>,
        /// Only those in this state.
        state: Query<Option<StateName>>,
        /// Only those with this tag.
        tag: Query<Option<Text<1, 200>>>,
        /// Only those that this actor caused: a user's id, or `schedule:` and a name.
        actor: Query<Option<Text<1, 256>>>,
        /// Only those that this job enqueued.
        parent: Query<Option<Id>>,
        /// Only those enqueued at or after this time.
        created_after: Query<Option<Time>>,
        /// Only those enqueued before this time.
        created_before: Query<Option<Time>>,
        /// Only those due at or after this time.
        run_after: Query<Option<Time>>,
        /// Only those due before this time.
        run_before: Query<Option<Time>>,
        /// Only those with this text in their last error, whatever the case.
        error: Query<Option<Text<1, 200>>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<JobSummaryView>, Failure<Self>> {
        let search = Search {
            queue: queue.0.map(Text::into_inner),
            kind: kind.0.map(Text::into_inner),
            states: state.0.map(StateName::state).into_iter().collect(),
            tag: tag.0.map(Text::into_inner),
            actor: actor.0.map(Text::into_inner),
            parent: parent.0.map(|Id(id)| id),
            created_after: created_after.0.map(|Time(time)| time),
            created_before: created_before.0.map(|Time(time)| time),
            run_after: run_after.0.map(|Time(time)| time),
            run_before: run_before.0.map(|Time(time)| time),
            error: error.0.map(Text::into_inner),
        };
        let page = page_of(&self.0, &caller, search, after.0, limit.0).await?;
        Ok(Listed::of(&page, uri))
    }
}
