//! `POST /api/v1/webhook-deliveries/{id}/replay`

use jobs::send_webhook;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use sha2::{Digest, Sha256};

use super::started::{Started, keep};
use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct ReplayWebhookDelivery(pub(crate) State);

impl Operation for ReplayWebhookDelivery {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::PARAMETERS,
        refusals::ONE,
        refusals::IDEMPOTENT,
        &[
            Refusal { status: 409, code: "delivery_pending", when: "The delivery is under way." },
            Refusal { status: 409, code: "webhook_disabled", when: "The webhook is disabled." },
        ],
        refusals::ANY,
    ];
}

#[OpenApi(tag = "Tag::Webhooks")]
impl ReplayWebhookDelivery {
    /// Make a delivery again
    ///
    /// One that has ended, however it did. It is the same delivery under the same `webhook-id`, with ten attempts more.
    #[oai(path = "/api/v1/webhook-deliveries/:id/replay", method = "post", operation_id = "replayWebhookDelivery")]
    async fn call(
        &self,
        #[oai(scope = "needs::WEBHOOKS_WRITE")] caller: Caller,
        uri: &Uri,
        /// The delivery.
        id: Path<Id>,
        /// Makes the request safe to repeat: the same key makes the delivery once more.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
    ) -> Result<Started, Failure<Self>> {
        let fingerprint = Sha256::digest(uri.path()).into();
        let repeatable = repeatable(key.0, "POST /api/v1/webhook-deliveries/{id}/replay", fingerprint, keep);
        let (state, Caller(principal)) = (&self.0, caller);
        let sent = send_webhook::again(&state.pool, &state.notifier, &principal, id.0.0, repeatable.as_ref()).await?;
        Ok(Started::by(&sent))
    }
}
