//! What users ask of deliveries: a test, and one that is made again. Each is a row and its job in one commit.

use domain::webhooks::deliveries::{self, Delivery};
use domain::webhooks::{endpoints, replay};
use domain::{Error, Principal};
use queue::inspect::{self, JobState};
use queue::{Job, NewJob, Notifier};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::deliver_webhook::{self, DeliverWebhook};
use crate::submitted::{self, Repeatable, Submitted};

/// Sends a test event to an endpoint that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; as [`deliveries::test`]; [`Error::IdempotencyMismatch`]; when the database fails.
pub async fn test(
    pool: &PgPool,
    notifier: &Notifier,
    principal: &Principal,
    endpoint: Uuid,
    repeatable: Option<&Repeatable<Delivery>>,
) -> Result<Submitted<Delivery>, Error> {
    let submitted = submitted::once(pool, principal, repeatable, async |conn: &mut PgConnection| {
        let endpoint = endpoints::find_locked(conn, principal, endpoint).await?;
        let delivery = deliveries::test(conn, principal, &endpoint).await?;
        enqueue(conn, principal, &delivery).await?;
        Ok(delivery)
    });
    let submitted = submitted.await?;
    notifier.wake(DeliverWebhook::QUEUE);
    Ok(submitted)
}

/// Makes a delivery again that the caller may see, under the same `webhook-id`.
///
/// # Errors
/// [`Error::NotFound`]; as [`replay::one`]; [`Error::IdempotencyMismatch`]; when the database fails.
pub async fn again(
    pool: &PgPool,
    notifier: &Notifier,
    principal: &Principal,
    delivery: Uuid,
    repeatable: Option<&Repeatable<Delivery>>,
) -> Result<Submitted<Delivery>, Error> {
    let submitted = submitted::once(pool, principal, repeatable, async |conn: &mut PgConnection| {
        let before = deliveries::find(conn, principal, delivery).await?;
        let endpoint = endpoints::find_locked(conn, principal, before.endpoint_id).await?;
        let is_lost = is_lost(conn, principal, &before).await?;
        replay::one(conn, principal, (&before, &endpoint), Uuid::now_v7(), is_lost).await?;
        let delivery = deliveries::find(conn, principal, delivery).await?;
        enqueue(conn, principal, &delivery).await?;
        Ok(delivery)
    });
    let submitted = submitted.await?;
    notifier.wake(DeliverWebhook::QUEUE);
    Ok(submitted)
}

/// Whether the delivery's job has ended without it, as when an operator cancelled it.
async fn is_lost(conn: &mut PgConnection, principal: &Principal, delivery: &Delivery) -> sqlx::Result<bool> {
    let job = inspect::find(conn, principal.book.shard, delivery.job_id).await?;
    let is_live =
        |state| matches!(state, JobState::Scheduled | JobState::Ready | JobState::Waiting | JobState::Running);
    Ok(!job.is_some_and(|job| is_live(job.state)))
}

async fn enqueue(conn: &mut PgConnection, principal: &Principal, delivery: &Delivery) -> Result<(), Error> {
    let job: NewJob = deliver_webhook::of(principal.book.shard, delivery.id, delivery.endpoint_id, delivery.job_id);
    let job = job.actor(principal.user_id.to_string());
    queue::enqueue(conn, &[job]).await.map_err(crate::record_transaction::enqueue_error)?;
    Ok(())
}
