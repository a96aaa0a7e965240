//! `GET /api/v1/queues`

use poem::http::Uri;
use poem_openapi::OpenApi;
use queue::inspect;

use crate::auth::{Caller, needs};
use crate::page::{Listed, Page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::queue::QueueView;

pub(crate) struct ListQueues(pub(crate) State);

impl Operation for ListQueues {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Queues")]
impl ListQueues {
    /// List queues
    ///
    /// For staff: all of them on one page, with how many jobs are where. The figures are exact, and kept rather than counted.
    #[oai(path = "/api/v1/queues", method = "get", operation_id = "listQueues")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_READ")] caller: Caller,
        uri: &Uri,
    ) -> Result<Listed<QueueView>, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let queues = inspect::queues(&mut connection, caller.0.book.shard, &jobs::QUEUES).await?;
        let items = queues.into_iter().map(QueueView::from).collect();
        Ok(Listed::of(&Page { items, next_cursor: None, has_more: false }, uri))
    }
}
