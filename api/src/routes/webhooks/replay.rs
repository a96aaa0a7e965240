//! `POST /api/v1/webhooks/{id}/replay`

use chrono::{DateTime, Utc};
use domain::webhooks::endpoints;
use jobs::replay_webhooks;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use sha2::{Digest, Sha256};

use crate::accepted::{Accepted, keep};
use crate::auth::{Caller, needs};
use crate::body::object::object;
use crate::body::text::{Id, Time};
use crate::body::{Body, Shape};
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct ReplayWebhook(pub(crate) State);

impl Operation for ReplayWebhook {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::ONE, refusals::BODY, refusals::IDEMPOTENT, refusals::ANY];
}

object! {
    /// Which deliveries are made again.
    pub(crate) struct WebhookReplay {
        /// Those of events at or after this time.
        pub since: Time,
        /// Those of events before this time; all if absent.
        pub before: Option<Time>,
    }
    example { "since": "2026-01-31T09:30:00Z" }
}

impl Shape for WebhookReplay {}

#[OpenApi(tag = "Tag::Webhooks")]
impl ReplayWebhook {
    /// Make failed deliveries again
    ///
    /// Those that failed or were cancelled, as far as they are kept (30 days). A job makes them pending, and its result says how many there
    /// were (`replayed`): none while the webhook is disabled.
    #[oai(path = "/api/v1/webhooks/:id/replay", method = "post", operation_id = "replayWebhook")]
    async fn call(
        &self,
        #[oai(scope = "needs::WEBHOOKS_WRITE")] caller: Caller,
        uri: &Uri,
        /// The webhook.
        id: Path<Id>,
        /// Makes the request safe to repeat: the same key and body replay once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<WebhookReplay>,
    ) -> Result<Accepted, Failure<Self>> {
        let mut hash = Sha256::new();
        hash.update(uri.path());
        hash.update(body.fingerprint);
        let repeatable = repeatable(key.0, "POST /api/v1/webhooks/{id}/replay", hash.finalize().into(), keep);
        let (state, Caller(principal)) = (&self.0, caller);
        let endpoint = endpoints::find(&mut *state.connection().await?, &principal, id.0.0).await?;
        let (Time(since), before) = (body.value.since, body.value.before.map(|Time(before)| before));
        let range = (&endpoint, since, before.unwrap_or(DateTime::<Utc>::MAX_UTC));
        let submitted =
            replay_webhooks::submit(&state.pool, &state.notifier, &principal, range, repeatable.as_ref()).await?;
        Ok(Accepted::by(&submitted))
    }
}
