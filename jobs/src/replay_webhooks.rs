//! Makes all deliveries of an endpoint again that failed in a time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::webhooks::Endpoint;
use domain::webhooks::replay::{self, Range};
use domain::{Error, Principal};
use queue::{Job, JobContext, JobError, NewJob, Notifier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::deliver_webhook;
use crate::submitted::{self, Repeatable, Submitted};

/// Makes the failed deliveries of one endpoint again.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = ReplayWebhooks {
    shard: 0, endpoint_id: Uuid::nil(), since: DateTime::UNIX_EPOCH, before: DateTime::UNIX_EPOCH,
})]
pub struct ReplayWebhooks {
    /// Where the endpoint lives.
    shard: i16,
    /// The endpoint.
    endpoint_id: Uuid,
    /// Those of events at or after this time.
    since: DateTime<Utc>,
    /// Those of events before this time.
    before: DateTime<Utc>,
}

/// Deliveries in a step.
const STEP: usize = 500;

/// How far it is.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Place {
    after: Option<Uuid>,
    replayed: usize,
}

/// Enqueues the replay of an endpoint that the caller may see.
///
/// # Errors
/// [`Error::IdempotencyMismatch`]; when the database fails.
pub async fn submit(
    pool: &PgPool,
    notifier: &Notifier,
    principal: &Principal,
    (endpoint, since, before): (&Endpoint, DateTime<Utc>, DateTime<Utc>),
    repeatable: Option<&Repeatable<Uuid>>,
) -> Result<Submitted<Uuid>, Error> {
    let shard = principal.book.shard;
    let job = ReplayWebhooks { shard, endpoint_id: endpoint.id, since, before };
    let job = NewJob::of(&job).expect("the payload is plain data").actor(principal.user_id.to_string());
    let submitted = submitted::once(pool, principal, repeatable, async |conn: &mut PgConnection| {
        queue::enqueue(conn, std::slice::from_ref(&job)).await.map_err(crate::record_transaction::enqueue_error)?;
        Ok(job.id)
    });
    let submitted = submitted.await?;
    notifier.wake(ReplayWebhooks::QUEUE);
    Ok(submitted)
}

impl Job for ReplayWebhooks {
    const KIND: &'static str = "webhooks.replay";
    const QUEUE: &'static str = crate::WEBHOOKS_QUEUE;
    const CANCEL_GRACE: Duration = Duration::from_secs(5);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let Self { shard, endpoint_id: endpoint, since, before } = self;
        let range = Range { shard, endpoint, since, before };
        let mut place: Place = ctx.cursor().await?.unwrap_or_default();
        loop {
            let jobs: Vec<Uuid> = (0..STEP).map(|_| Uuid::now_v7()).collect();
            let replayed = replay::many(ctx.tx().await?, range, place.after, &jobs).await?;
            let Some((last, _)) = replayed.last() else { break };
            place = Place { after: Some(*last), replayed: place.replayed + replayed.len() };
            for (delivery, job) in &replayed {
                ctx.enqueue(deliver_webhook::of(shard, *delivery, endpoint, *job)).await?;
            }
            ctx.commit_step(&place).await?;
            ctx.progress(&json!({ "replayed": place.replayed })).await?;
            if ctx.is_cancelled() {
                return Err(JobError::cancel("somebody asked for the end of the replay"));
            }
        }
        ctx.set_result(&json!({ "replayed": place.replayed }))
    }
}
