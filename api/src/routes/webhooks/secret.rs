//! `POST /api/v1/webhooks/{id}/secret`

use domain::idempotency::Key;
use domain::webhooks::endpoints;
use poem::http::Uri;
use poem_openapi::param::{Header, Path};
use poem_openapi::{ApiResponse, OpenApi};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::shown_once::{self, Shown};
use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::idempotency::IdempotencyKey;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::webhook::WebhookView;

pub(crate) struct RotateWebhookSecret(pub(crate) State);

impl Operation for RotateWebhookSecret {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::IDEMPOTENT, refusals::ANY];
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The webhook, with its new secret, which is shown this once.
    #[oai(status = 200)]
    Rotated(
        Reply<WebhookView>,
        /// `true` when this answers an earlier request of the same key; then it lacks `secret`.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

#[OpenApi(tag = "Tag::Webhooks")]
impl RotateWebhookSecret {
    /// Give a webhook a new secret
    ///
    /// Deliveries are signed with both, the new one and the one before, for 24 hours, and then with the new one. Only the owner does this,
    /// since only the owner may know the secret.
    #[oai(path = "/api/v1/webhooks/:id/secret", method = "post", operation_id = "rotateWebhookSecret")]
    async fn call(
        &self,
        #[oai(scope = "needs::WEBHOOKS_WRITE")] caller: Caller,
        uri: &Uri,
        /// The webhook.
        id: Path<Id>,
        /// Makes the request safe to repeat: the same key makes one secret, which is shown once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
    ) -> Result<Response, Failure<Self>> {
        let (route, fingerprint) = ("POST /api/v1/webhooks/{id}/secret", Sha256::digest(uri.path()).into());
        let key = key.0.map(|IdempotencyKey(key)| Key { route, key, fingerprint });
        let (state, Caller(principal)) = (&self.0, caller);
        let effect = async |conn: &mut PgConnection| endpoints::rotate(conn, &principal, id.0.0).await;
        Ok(match shown_once::once(state, &principal, key.as_ref(), effect).await? {
            Shown::Now(view) => Response::Rotated(Reply::of(&view), None),
            Shown::Before(kept) => Response::Rotated(Reply::kept(&kept), Some(true)),
        })
    }
}
