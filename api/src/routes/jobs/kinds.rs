//! `GET /api/v1/job-kinds`

use jobs::catalogue::catalogue;
use poem::http::Uri;
use poem_openapi::OpenApi;
use queue::inspect;

use crate::auth::{Caller, needs};
use crate::page::{Listed, Page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::job_kind::JobKindView;

pub(crate) struct ListJobKinds(pub(crate) State);

impl Operation for ListJobKinds {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Jobs")]
impl ListJobKinds {
    /// List the kinds of job
    ///
    /// For staff: all of them on one page, with the JSON Schema of their payloads, an example, and their policies.
    #[oai(path = "/api/v1/job-kinds", method = "get", operation_id = "listJobKinds")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_READ")] caller: Caller,
        uri: &Uri,
    ) -> Result<Listed<JobKindView>, Failure<Self>> {
        let paused = inspect::paused_kinds(&mut *self.0.connection().await?, caller.0.book.shard).await?;
        let items = catalogue().iter().map(|kind| JobKindView::of(kind, &paused)).collect();
        Ok(Listed::of(&Page { items, next_cursor: None, has_more: false }, uri))
    }
}
