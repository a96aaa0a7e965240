//! `POST /api/v1/api-keys`

use domain::Principal;
use domain::access::keys::{self, NewKey};
use domain::idempotency::{self, Begin, Key};
use poem_openapi::param::Header;
use poem_openapi::{ApiResponse, OpenApi};
use serde_json::Value;
use sqlx::Connection;

use crate::auth::{Caller, needs};
use crate::body::list::List;
use crate::body::object::object;
use crate::body::profile::ScopeName;
use crate::body::text::{Text, Time};
use crate::body::{Body, Shape};
use crate::idempotency::IdempotencyKey;
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::{Shared, State};
use crate::views::key::ApiKeyView;

pub(crate) struct CreateApiKey(pub(crate) State);

impl Operation for CreateApiKey {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::BODY, refusals::IDEMPOTENT, refusals::ANY];
}

object! {
    /// What an API key is made from.
    pub(crate) struct NewApiKey {
        /// What its owner calls it.
        pub name: Text<1, 100>,
        /// What it may do, of what the caller may; all of that if absent.
        pub scopes: Option<List<ScopeName, 1, 32>>,
        /// From when on it is refused; never if absent. A key that was made with a key that ends ends no later.
        pub expires_at: Option<Time>,
    }
    example { "name": "nightly export", "scopes": ["transactions:read"], "expires_at": "2099-12-31T00:00:00Z" }
}

impl Shape for NewApiKey {}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The key, shown this once.
    #[oai(status = 201)]
    Created(
        Reply<ApiKeyView>,
        /// Where it is looked after.
        #[oai(header = "Location")]
        String,
        /// `true` when this answers an earlier request of the same key; then it lacks `key`, which is not kept.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

#[OpenApi(tag = "Tag::Sessions")]
impl CreateApiKey {
    /// Create an API key
    ///
    /// It carries the caller's rights, or some of them, and is shown this once.
    #[oai(path = "/api/v1/api-keys", method = "post", operation_id = "createApiKey")]
    async fn call(
        &self,
        #[oai(scope = "needs::CREDENTIALS_WRITE")] caller: Caller,
        /// Makes the request safe to repeat: the same key and body make one API key, which is shown once.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<NewApiKey>,
    ) -> Result<Response, Failure<Self>> {
        let new = NewKey {
            name: body.value.name.into_inner(),
            scopes: body.value.scopes.map(|List(names)| names.into_iter().map(|ScopeName(scope)| scope).collect()),
            expires_at: body.value.expires_at.map(|Time(time)| time),
        };
        let route = "POST /api/v1/api-keys";
        let key = key.0.map(|IdempotencyKey(key)| Key { route, key, fingerprint: body.fingerprint });
        Ok(match create(&self.0, &caller.0, &new, key.as_ref()).await? {
            Created::Now(view) => Response::Created(Reply::of(&view), location(&view.id.to_string()), None),
            Created::Before(kept) => {
                let location = location(kept["id"].as_str().unwrap_or_default());
                Response::Created(Reply::kept(&kept), location, Some(true))
            }
        })
    }
}

enum Created {
    Now(Box<ApiKeyView>),
    /// What was kept of the answer, without the key itself.
    Before(Value),
}

async fn create(state: &Shared, principal: &Principal, new: &NewKey, key: Option<&Key>) -> Result<Created, Problem> {
    let mut connection = state.connection().await?;
    let mut tx = connection.begin().await?;
    if let Some(key) = key {
        let begun = idempotency::begin(&mut tx, &[(principal, key)]).await?.pop().expect("one key, one answer")?;
        if let Begin::Replay(kept) = begun {
            return Ok(Created::Before(kept));
        }
    }
    let (made, token) = keys::issue(&mut tx, principal, new).await?;
    let view = ApiKeyView::from(&made);
    if let Some(key) = key {
        let kept = serde_json::to_value(&view).expect("a view is plain data");
        idempotency::finish(&mut tx, &[(principal, key, kept)]).await?;
    }
    tx.commit().await?;
    Ok(Created::Now(Box::new(ApiKeyView { key: Some(token.reveal().to_owned()), ..view })))
}

fn location(id: &str) -> String {
    format!("/api/v1/api-keys/{id}")
}
