//! `POST /api/v1/queues/{name}/resume`

use jobs::submitted::Submitted;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use queue::control::Control;

use super::get::find;
use crate::auth::{Caller, needs};
use crate::body::text::Text;
use crate::deed::{self, Done};
use crate::idempotency::IdempotencyKey;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::queue::QueueView;

pub(crate) struct ResumeQueue(pub(crate) State);

impl Operation for ResumeQueue {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::IDEMPOTENT, refusals::ANY];
}

#[OpenApi(tag = "Tag::Queues")]
impl ResumeQueue {
    /// Resume a queue
    ///
    /// For staff. Jobs are claimed from it again.
    #[oai(path = "/api/v1/queues/:name/resume", method = "post", operation_id = "resumeQueue")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        uri: &Uri,
        /// The queue.
        name: Path<Text<1, 128>>,
        /// Makes the request safe to repeat: the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
    ) -> Result<Done<QueueView>, Failure<Self>> {
        let begun = deed::begin(&self.0, &caller, ("POST /api/v1/queues/{name}/resume", uri), key.0, None).await?;
        let mut doing = match begun {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => return Ok(Done::kept(&kept)),
        };
        let shard = caller.0.book.shard;
        find(doing.conn(), shard, &name.0).await?;
        let _ = Control::new(doing.conn(), shard, deed::actor(&caller))?.resume_queue(&name.0).await?;
        let queue = find(doing.conn(), shard, &name.0).await?;
        Ok(deed::finish(&self.0, doing, &queue).await?)
    }
}
