//! `PUT /api/v1/queues/{name}/limit`

use jobs::submitted::Submitted;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use queue::control::Control;

use super::get::find;
use crate::auth::{Caller, needs};
use crate::body::integer::Integer;
use crate::body::object::object;
use crate::body::text::Text;
use crate::body::{Body, Shape};
use crate::deed::{self, Done};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::queue::QueueView;

pub(crate) struct LimitQueue(pub(crate) State);

impl Operation for LimitQueue {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::ONE, refusals::BODY, refusals::ANY];
}

object! {
    /// How much of a queue may run at once.
    pub(crate) struct QueueLimit {
        /// How many of its jobs, over all processes; 0 for none, null or absent for any number.
        pub running_max: Option<Integer<0, 1_000_000>>,
    }
    example { "running_max": 10 }
}

impl Shape for QueueLimit {}

#[OpenApi(tag = "Tag::Queues")]
impl LimitQueue {
    /// Limit a queue
    ///
    /// For staff. The limit counts jobs that begin from now on. How many jobs of one key run, and how often, is the matter of named limits
    /// (`setLimit`).
    #[oai(path = "/api/v1/queues/:name/limit", method = "put", operation_id = "limitQueue")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        uri: &Uri,
        /// The queue.
        name: Path<Text<1, 128>>,
        body: Body<QueueLimit>,
    ) -> Result<Done<QueueView>, Failure<Self>> {
        let begun = deed::begin(&self.0, &caller, ("PUT /api/v1/queues/{name}/limit", uri), None, None).await?;
        let mut doing = match begun {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => return Ok(Done::kept(&kept)),
        };
        let shard = caller.0.book.shard;
        find(doing.conn(), shard, &name.0).await?;
        let max = body.value.running_max.and_then(|Integer(max)| max.try_into().ok());
        let _ = Control::new(doing.conn(), shard, deed::actor(&caller))?.limit_queue(&name.0, max).await?;
        let queue = find(doing.conn(), shard, &name.0).await?;
        Ok(deed::finish(&self.0, doing, &queue).await?)
    }
}
