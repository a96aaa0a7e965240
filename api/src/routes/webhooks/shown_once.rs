//! Answers that show a secret once: what is kept for a repeated request lacks it.

use domain::Principal;
use domain::idempotency::{self, Begin, Key};
use domain::webhooks::Endpoint;
use domain::webhooks::secret::Secret;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::problem::Problem;
use crate::state::Shared;
use crate::views::webhook::WebhookView;

/// What came of the request.
pub(crate) enum Shown {
    /// It was done; the view has the secret.
    Now(Box<WebhookView>),
    /// It had been done; this was kept of the answer.
    Before(Value),
}

/// Does `effect` once for one key, in one transaction.
pub(crate) async fn once(
    state: &Shared,
    principal: &Principal,
    key: Option<&Key>,
    effect: impl AsyncFnOnce(&mut PgConnection) -> Result<(Endpoint, Secret), domain::Error>,
) -> Result<Shown, Problem> {
    let mut connection = state.connection().await?;
    let mut tx = connection.begin().await?;
    if let Some(key) = key {
        let begun = idempotency::begin(&mut tx, &[(principal, key)]).await?.pop().expect("one key, one answer")?;
        if let Begin::Replay(kept) = begun {
            return Ok(Shown::Before(kept));
        }
    }
    let (endpoint, secret) = effect(&mut tx).await?;
    let view = WebhookView::from(&endpoint);
    if let Some(key) = key {
        let kept = serde_json::to_value(&view).expect("a view is plain data");
        idempotency::finish(&mut tx, &[(principal, key, kept)]).await?;
    }
    tx.commit().await?;
    Ok(Shown::Now(Box::new(WebhookView { secret: Some(secret.reveal().to_owned()), ..view })))
}
