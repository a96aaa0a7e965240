//! `PUT /api/v1/limits/{name}`

use jobs::submitted::Submitted;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use queue::control::{Control, LimitRule};

use super::limits::find;
use crate::auth::{Caller, needs};
use crate::body::integer::Integer;
use crate::body::names::LimitName;
use crate::body::object::object;
use crate::body::{Body, Shape};
use crate::deed::{self, Done};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::queue::LimitView;

pub(crate) struct SetLimit(pub(crate) State);

/// The refusal of what is the queue's own.
pub(super) const RESERVED: &[Refusal] =
    &[Refusal { status: 409, code: "limit_reserved", when: "The limit of sequences cannot be changed." }];

impl Operation for SetLimit {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::BODY, RESERVED, refusals::ANY];
}

object! {
    /// How often jobs of a key may run.
    pub(crate) struct RateRequest {
        /// So many tokens, of which a job takes one unless it says otherwise …
        pub tokens: Integer<1, 1_000_000>,
        /// … in so many seconds.
        pub per_s: Integer<1, 86_400>,
        /// How many may be saved up; as many as `tokens` if absent.
        pub burst: Option<Integer<1, 1_000_000>>,
    }
    example { "tokens": 100, "per_s": 60 }
}

object! {
    /// What a limit allows each of its keys; at least one of the two.
    pub(crate) struct LimitRequest {
        /// How many jobs of a key may run at once.
        pub running_max: Option<Integer<1, 1_000_000>>,
        /// How often.
        pub rate: Option<RateRequest>,
    }
    example { "running_max": 2, "rate": { "tokens": 100, "per_s": 60, "burst": 10 } }
}

impl Shape for LimitRequest {}

#[OpenApi(tag = "Tag::Queues")]
impl SetLimit {
    /// Set a limit
    ///
    /// For staff. It holds for every key of the limit, and from now on instead of what the code says.
    #[oai(path = "/api/v1/limits/:name", method = "put", operation_id = "setLimit")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        uri: &Uri,
        /// The limit: letters, digits and `_ - . : /`.
        name: Path<LimitName>,
        body: Body<LimitRequest>,
    ) -> Result<Done<LimitView>, Failure<Self>> {
        let begun = deed::begin(&self.0, &caller, ("PUT /api/v1/limits/{name}", uri), None, None).await?;
        let mut doing = match begun {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => return Ok(Done::kept(&kept)),
        };
        let mut control = Control::new(doing.conn(), caller.0.book.shard, deed::actor(&caller))?;
        let _ = control.set_limit(&name.0.0, rule(&body.value)).await?;
        let limit = find(doing.conn(), &name.0.0).await?;
        Ok(deed::finish(&self.0, doing, &limit).await?)
    }
}

/// The same as the queue says it.
fn rule(asked: &LimitRequest) -> LimitRule {
    let rate = asked.rate.as_ref().map(|rate| {
        let burst = rate.burst.map_or(rate.tokens.0, |Integer(burst)| burst);
        (rate.tokens.0 as f64 / rate.per_s.0 as f64, burst as f64)
    });
    LimitRule { running_max: asked.running_max.and_then(|Integer(max)| max.try_into().ok()), rate }
}
