//! `GET /api/v1/queues/{name}`

use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use queue::inspect;
use sqlx::PgConnection;

use crate::auth::{Caller, needs};
use crate::body::text::Text;
use crate::found::{Found, KnownTags};
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::queue::QueueView;

pub(crate) struct GetQueue(pub(crate) State);

impl Operation for GetQueue {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Queues")]
impl GetQueue {
    /// Get a queue
    ///
    /// For staff.
    #[oai(path = "/api/v1/queues/:name", method = "get", operation_id = "getQueue")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_READ")] caller: Caller,
        known: KnownTags,
        /// The queue.
        name: Path<Text<1, 128>>,
    ) -> Result<Found<QueueView>, Failure<Self>> {
        let queue = find(&mut *self.0.connection().await?, caller.0.book.shard, &name.0).await?;
        Ok(Found::of(&queue, &known))
    }
}

/// The queue of this name, if jobs or operators know of one.
pub(super) async fn find(conn: &mut PgConnection, shard: i16, name: &str) -> Result<QueueView, Problem> {
    let queues = inspect::queues(conn, shard, &jobs::QUEUES).await?;
    let found = queues.into_iter().find(|queue| queue.counts.queue == name);
    found.map(QueueView::from).ok_or_else(Problem::not_found)
}
