//! `POST /api/v1/limits/{name}/reset`

use jobs::submitted::Submitted;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use queue::control::Control;

use super::limits::find;
use super::set_limit::RESERVED;
use crate::auth::{Caller, needs};
use crate::body::names::LimitName;
use crate::deed::{self, Done};
use crate::idempotency::IdempotencyKey;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::queue::LimitView;

pub(crate) struct ResetLimit(pub(crate) State);

impl Operation for ResetLimit {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, RESERVED, refusals::IDEMPOTENT, refusals::ANY];
}

#[OpenApi(tag = "Tag::Queues")]
impl ResetLimit {
    /// Let the code's own value of a limit count again
    ///
    /// For staff. It does from the next start of a worker that declares the limit; until then the present one stays.
    #[oai(path = "/api/v1/limits/:name/reset", method = "post", operation_id = "resetLimit")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        uri: &Uri,
        /// The limit.
        name: Path<LimitName>,
        /// Makes the request safe to repeat: the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
    ) -> Result<Done<LimitView>, Failure<Self>> {
        let begun = deed::begin(&self.0, &caller, ("POST /api/v1/limits/{name}/reset", uri), key.0, None).await?;
        let mut doing = match begun {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => return Ok(Done::kept(&kept)),
        };
        let mut control = Control::new(doing.conn(), caller.0.book.shard, deed::actor(&caller))?;
        let _ = control.reset_limit(&name.0.0).await?;
        let limit = find(doing.conn(), &name.0.0).await?;
        Ok(deed::finish(&self.0, doing, &limit).await?)
    }
}
