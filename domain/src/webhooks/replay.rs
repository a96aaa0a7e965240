//! Deliveries that are made again.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Endpoint;
use super::deliveries::Delivery;
use crate::error::Error;
use crate::principal::Principal;

/// Makes a delivery that has ended, or whose job `is_lost`, pending again, in the caller's transaction, for the job of this id.
///
/// # Errors
/// [`Error::Conflict`] `delivery_pending` when it has not ended, or `webhook_disabled`; when the database fails.
pub async fn one(
    conn: &mut PgConnection,
    principal: &Principal,
    (delivery, endpoint): (&Delivery, &Endpoint),
    job: Uuid,
    is_lost: bool,
) -> Result<(), Error> {
    if endpoint.disabled_reason.is_some() {
        let detail = "the webhook is disabled: enable it first".to_owned();
        return Err(Error::Conflict { code: "webhook_disabled", detail, existing: None });
    }
    let replayed = sqlx::query!(
        "update app.webhook_delivery
         set status = 'pending',
             job_id = $3,
             next_attempt_at = null,
             ended_at = null
         where shard = $1
           and id = $2
           -- Nobody else has made it again meanwhile.
           and (status <> 'pending' or ($4 and job_id = $5))",
        principal.book.shard,
        delivery.id,
        job,
        is_lost,
        delivery.job_id,
    )
    .persistent(false)
    .execute(conn)
    .await?;
    if replayed.rows_affected() == 0 {
        let detail = "the delivery is under way".to_owned();
        return Err(Error::Conflict { code: "delivery_pending", detail, existing: Some(delivery.id) });
    }
    Ok(())
}

/// Which deliveries of an endpoint are made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Where the endpoint lives.
    pub shard: i16,
    /// The endpoint.
    pub endpoint: Uuid,
    /// Those of events at or after this time.
    pub since: DateTime<Utc>,
    /// Those of events before this time.
    pub before: DateTime<Utc>,
}

/// Makes the next so many failed or cancelled deliveries of the range pending again, each for a job of the id beside it; nothing if the
/// endpoint is disabled or gone. They are those with ids after `after`.
///
/// # Errors
/// When the database fails.
pub async fn many(
    conn: &mut PgConnection,
    range: Range,
    after: Option<Uuid>,
    jobs: &[Uuid],
) -> sqlx::Result<Vec<(Uuid, Uuid)>> {
    let replayed = sqlx::query_scalar!(
        r#"with chosen as (
             select delivery.id, row_number() over (order by delivery.id) as place
             from app.webhook_delivery as delivery
             where delivery.shard = $1
               and delivery.endpoint_id = $2
               and delivery.status in ('failed', 'cancelled')
               and delivery.id > $3
               and delivery.id < $4
               and exists (
                   select
                   from app.webhook_endpoint as endpoint
                   where endpoint.shard = $1 and endpoint.id = $2 and endpoint.disabled_reason is null
               )
             order by delivery.id
             limit cardinality($5::uuid[])
         )
         update app.webhook_delivery as delivery
         set status = 'pending',
             job_id = ($5::uuid[])[chosen.place],
             next_attempt_at = null,
             ended_at = null
         from chosen
         where delivery.shard = $1
           and delivery.id = chosen.id
           and delivery.status in ('failed', 'cancelled')
         returning array[delivery.id, delivery.job_id] as "pair!""#,
        range.shard,
        range.endpoint,
        after.unwrap_or_else(|| first_of(range.since)),
        first_of(range.before),
        jobs,
    )
    .persistent(false)
    .fetch_all(conn)
    .await?;
    let mut replayed: Vec<_> = replayed.into_iter().map(|pair| (pair[0], pair[1])).collect();
    replayed.sort_unstable();
    Ok(replayed)
}

/// The id before every one of this time.
pub(super) fn first_of(time: DateTime<Utc>) -> Uuid {
    let ms = u128::from(u64::try_from(time.timestamp_millis()).unwrap_or(0));
    Uuid::from_u128(ms.min((1 << 48) - 1) << 80)
}
