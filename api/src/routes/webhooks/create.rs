//! `POST /api/v1/webhooks`

use domain::idempotency::Key;
use domain::webhooks::endpoints::{self, NewEndpoint};
use poem_openapi::param::Header;
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::PgConnection;

use super::shown_once::{self, Shown};
use super::{Kinds, kinds};
use crate::auth::{Caller, needs};
use crate::body::object::object;
use crate::body::text::Text;
use crate::body::{Body, Shape};
use crate::idempotency::IdempotencyKey;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::webhook::{WebhookScope, WebhookView};

pub(crate) struct CreateWebhook(pub(crate) State);

impl Operation for CreateWebhook {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::BODY,
        refusals::IDEMPOTENT,
        &[Refusal { status: 409, code: "too_many_webhooks", when: "The caller has twenty webhooks." }],
        refusals::ANY,
    ];
}

object! {
    /// What a webhook is made from.
    pub(crate) struct NewWebhook {
        /// Where deliveries are posted: an https address on the public internet.
        pub url: Text<1, 2_000>,
        /// What its owner calls it.
        pub description: Option<Text<1, 500>>,
        /// The kinds of event that are sent, such as `transaction.recorded`, or `transaction.*` for an area; all if absent or empty.
        pub kinds: Option<Kinds>,
        /// Whose events are sent; those of its owner if absent.
        pub scope: Option<WebhookScope>,
    }
    example { "url": "https://example.org/hooks", "kinds": ["transaction.*"], "description": "book-keeping" }
}

impl Shape for NewWebhook {}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The webhook, with its secret, which is shown this once.
    #[oai(status = 201)]
    Created(
        Reply<WebhookView>,
        /// Where it is looked after.
        #[oai(header = "Location")]
        String,
        /// `true` when this answers an earlier request of the same key; then it lacks `secret`.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

#[OpenApi(tag = "Tag::Webhooks")]
impl CreateWebhook {
    /// Create a webhook
    ///
    /// From now on events are posted to it, signed by Standard Webhooks with the secret that is shown this once. It is told everything of
    /// `kinds` that concerns its owner, whatever the scopes of the key that made it.
    #[oai(path = "/api/v1/webhooks", method = "post", operation_id = "createWebhook")]
    async fn call(
        &self,
        #[oai(scope = "needs::WEBHOOKS_WRITE")] caller: Caller,
        /// Makes the request safe to repeat: the same key and body make one webhook, whose secret is shown once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<NewWebhook>,
    ) -> Result<Response, Failure<Self>> {
        let new = NewEndpoint {
            url: body.value.url.into_inner(),
            description: body.value.description.map(Text::into_inner),
            kinds: body.value.kinds.map(kinds).unwrap_or_default(),
            takes_book: body.value.scope == Some(WebhookScope::Book),
        };
        let route = "POST /api/v1/webhooks";
        let key = key.0.map(|IdempotencyKey(key)| Key { route, key, fingerprint: body.fingerprint });
        let (state, Caller(principal)) = (&self.0, caller);
        let effect = async |conn: &mut PgConnection| {
            endpoints::create(conn, &principal, &new, &state.limits.webhook_reach).await
        };
        Ok(match shown_once::once(state, &principal, key.as_ref(), effect).await? {
            Shown::Now(view) => Response::Created(Reply::of(&view), location(&view.id.to_string()), None),
            Shown::Before(kept) => {
                let location = location(kept["id"].as_str().unwrap_or_default());
                Response::Created(Reply::kept(&kept), location, Some(true))
            }
        })
    }
}

fn location(id: &str) -> String {
    format!("/api/v1/webhooks/{id}")
}
