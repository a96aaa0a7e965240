//! `GET /api/v1/workers`

use poem::http::Uri;
use poem_openapi::OpenApi;
use queue::inspect;

use crate::auth::{Caller, needs};
use crate::page::{Listed, Page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::worker::WorkerView;

pub(crate) struct ListWorkers(pub(crate) State);

impl Operation for ListWorkers {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Queues")]
impl ListWorkers {
    /// List worker processes
    ///
    /// For staff: all of them on one page, the newest first.
    #[oai(path = "/api/v1/workers", method = "get", operation_id = "listWorkers")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_READ")] caller: Caller,
        uri: &Uri,
    ) -> Result<Listed<WorkerView>, Failure<Self>> {
        let processes = inspect::processes(&mut *self.0.connection().await?, caller.0.book.shard).await?;
        let items = processes.into_iter().map(WorkerView::from).collect();
        Ok(Listed::of(&Page { items, next_cursor: None, has_more: false }, uri))
    }
}
