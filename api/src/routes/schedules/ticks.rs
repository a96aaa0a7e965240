//! `GET /api/v1/schedules/{name}/ticks`

use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use queue::schedule;

use crate::auth::{Caller, needs};
use crate::body::text::Text;
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::schedule::TicksView;

/// How many past ticks are shown.
const PAST_MAX: u16 = 50;

pub(crate) struct GetScheduleTicks(pub(crate) State);

impl Operation for GetScheduleTicks {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Schedules")]
impl GetScheduleTicks {
    /// Get the ticks of a schedule
    ///
    /// For staff: the next ten, and the last fifty. Where clocks change, a schedule at given hours ticks once for each of its local times
    /// (one that is skipped, at the end of the gap; one that comes twice, the first time), and one of every hour keeps the pace of time.
    #[oai(path = "/api/v1/schedules/:name/ticks", method = "get", operation_id = "getScheduleTicks")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_READ")] caller: Caller,
        known: KnownTags,
        /// The schedule.
        name: Path<Text<1, 200>>,
    ) -> Result<Found<TicksView>, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let found = schedule::get(&mut connection, &name.0).await?;
        let past = schedule::ticks(&mut connection, caller.0.book.shard, &name.0, PAST_MAX).await?;
        Ok(Found::of(&TicksView::of(found, &past), &known))
    }
}
