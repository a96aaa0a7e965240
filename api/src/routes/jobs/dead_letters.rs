//! `GET /api/v1/dead-letters`

use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;
use queue::inspect::{JobState, Search};

use super::filter::page_of;
use crate::auth::{Caller, needs};
use crate::body::text::Text;
use crate::page::{IdCursor, Limit, Listed};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::job_summary::JobSummaryView;

pub(crate) struct ListDeadLetters(pub(crate) State);

impl Operation for ListDeadLetters {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Jobs")]
impl ListDeadLetters {
    /// List dead letters
    ///
    /// Jobs that were given up, the highest identifier first; the same as `listJobs` with the state `dead`.
    #[oai(path = "/api/v1/dead-letters", method = "get", operation_id = "listDeadLetters")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn call(
        &self,
        #[oai(scope = "needs::JOBS_READ")] caller: Caller,
        uri: &Uri,
        /// Only those in this queue.
        queue: Query<Option<Text<1, 128>>>,
        /// Only those of this kind.
        kind: Query<Option<Text<1, 128>>>,
        /// Only those with this tag.
        tag: Query<Option<Text<1, 200>>>,
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
            states: vec![JobState::Dead],
            tag: tag.0.map(Text::into_inner),
            error: error.0.map(Text::into_inner),
            ..Search::default()
        };
        let page = page_of(&self.0, &caller, search, after.0, limit.0).await?;
        Ok(Listed::of(&page, uri))
    }
}
