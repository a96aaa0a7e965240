//! Deliveries, as their endpoint's owner sees them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::{Builder, Uuid, Variant, Version};

use super::replay::first_of;
use super::{Endpoint, Status, TEST_KIND};
use crate::error::Error;
use crate::page::{Listed, Page};
use crate::principal::Principal;

/// One event on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What it is called in addresses.
    pub id: Uuid,
    /// Where it goes.
    pub endpoint_id: Uuid,
    /// The event's place in the log, or the id of a test; sent as `webhook-id`.
    pub event_id: String,
    /// The kind of event.
    pub kind: String,
    /// `pending`, `delivered`, `failed` or `cancelled`.
    pub status: String,
    /// The job that delivers it.
    pub job_id: Uuid,
    /// How often it was tried.
    pub attempts: i32,
    /// The HTTP status of the last answer.
    pub last_status: Option<i16>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it is tried again.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When it was delivered, given up or cancelled.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Which deliveries of an endpoint to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those that are there.
    pub status: Option<Status>,
    /// Which page; its `after` is the last delivery of the page before.
    pub page: Page,
}

/// The deliveries of an endpoint that the caller may see, the latest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &mut PgConnection,
    principal: &Principal,
    endpoint: &Endpoint,
    filter: &Filter,
) -> sqlx::Result<Listed<Delivery>> {
    let ids = sqlx::query_scalar!(
        "select id
         from app.webhook_delivery
         where shard = $1
           and endpoint_id = $2
           and ($3::text is null or status = $3)
           and id < coalesce($4, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
         order by id desc
         limit $5",
        principal.book.shard,
        endpoint.id,
        filter.status.map(Status::as_str),
        filter.page.after,
        filter.page.fetch_limit(),
    );
    // Planned each time: a plan from when the table was empty would read all of it.
    let page = filter.page.cut(ids.persistent(false).fetch_all(&mut *conn).await?);
    Ok(Listed { items: read(conn, principal, &page.items).await?, has_more: page.has_more })
}

/// A delivery to an endpoint that the caller may see.
///
/// # Errors
/// [`Error::NotFound`]; when the database fails.
pub async fn find(conn: &mut PgConnection, principal: &Principal, id: Uuid) -> Result<Delivery, Error> {
    read(conn, principal, &[id]).await?.pop().ok_or(Error::NotFound)
}

/// Those of the deliveries that the caller may see, in the order given.
async fn read(conn: &mut PgConnection, principal: &Principal, ids: &[Uuid]) -> sqlx::Result<Vec<Delivery>> {
    sqlx::query_as!(
        Delivery,
        r#"select delivery.id as "id!", delivery.endpoint_id as "endpoint_id!", delivery.event_id as "event_id!",
             delivery.kind as "kind!", delivery.status as "status!", delivery.job_id as "job_id!",
             delivery.attempts as "attempts!", delivery.last_status, delivery.last_error, delivery.next_attempt_at,
             delivery.created_at as "created_at!", delivery.ended_at
         from unnest($2::uuid[]) with ordinality as wanted (id, place)
         -- Row by row, so that no plan reads the whole table.
         cross join lateral (
             select *
             from app.webhook_delivery
             where shard = $1 and id = wanted.id
             offset 0
         ) as delivery
         cross join lateral (
             select owner_id, book_id
             from app.webhook_endpoint
             where shard = $1 and id = delivery.endpoint_id
             offset 0
         ) as endpoint
         where endpoint.book_id = $3
           and ($4::uuid is null or endpoint.owner_id = $4)
         order by wanted.place"#,
        principal.book.shard,
        ids,
        principal.book.id,
        principal.only_owner(),
    )
    .fetch_all(conn)
    .await
}

/// What is posted of a delivery that the caller may see.
///
/// # Errors
/// When the database fails, or there is no such delivery.
pub async fn body_of(conn: &mut PgConnection, shard: i16, id: Uuid) -> sqlx::Result<String> {
    let body = sqlx::query_scalar!("select body from app.webhook_delivery where shard = $1 and id = $2", shard, id);
    body.persistent(false).fetch_one(conn).await
}

/// A delivery that is to be made; its job has the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct New {
    pub(super) endpoint_id: Uuid,
    pub(super) event_id: String,
    pub(super) at: DateTime<Utc>,
    pub(super) book_id: i32,
    pub(super) kind: String,
    pub(super) body: String,
}

/// Writes deliveries that are not there yet; those that are new, each with its endpoint.
pub(super) async fn insert(conn: &mut PgConnection, shard: i16, new: &[New]) -> sqlx::Result<Vec<(Uuid, Uuid)>> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let written = sqlx::query!(
        "insert into app.webhook_delivery (shard, id, job_id, book_id, endpoint_id, event_id, kind, body)
         select $1, given.id, given.id, given.book_id, given.endpoint_id, given.event_id, given.kind, given.body
         from unnest($2::uuid[], $3::integer[], $4::uuid[], $5::text[], $6::text[], $7::text[])
             as given (id, book_id, endpoint_id, event_id, kind, body)
         on conflict (shard, id) do nothing
         returning id, endpoint_id",
        shard,
        &new.iter().map(|new| derived_id((&new.event_id, new.at), new.endpoint_id)).collect::<Vec<_>>(),
        &new.iter().map(|new| new.book_id).collect::<Vec<_>>(),
        &new.iter().map(|new| new.endpoint_id).collect::<Vec<_>>(),
        &new.iter().map(|new| new.event_id.clone()).collect::<Vec<_>>(),
        &new.iter().map(|new| new.kind.clone()).collect::<Vec<_>>(),
        &new.iter().map(|new| new.body.clone()).collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .await?;
    Ok(written.into_iter().map(|row| (row.id, row.endpoint_id)).collect())
}

/// Writes the delivery of a test event to an endpoint that the caller may see; its job has to be enqueued under the same id.
///
/// # Errors
/// [`Error::Conflict`] `webhook_disabled`; when the database fails.
pub async fn test(conn: &mut PgConnection, principal: &Principal, endpoint: &Endpoint) -> Result<Delivery, Error> {
    if endpoint.disabled_reason.is_some() {
        let detail = "the webhook is disabled: enable it first".to_owned();
        return Err(Error::Conflict { code: "webhook_disabled", detail, existing: None });
    }
    let at = sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(&mut *conn).await?;
    let new = New {
        endpoint_id: endpoint.id,
        event_id: format!("test-{}", Uuid::now_v7()),
        at,
        book_id: principal.book.id,
        kind: TEST_KIND.to_owned(),
        body: body(TEST_KIND, at, &json!({ "webhook_id": endpoint.id }).to_string()),
    };
    let written = insert(conn, principal.book.shard, std::slice::from_ref(&new)).await?;
    assert_eq!(written.len(), 1, "the id of a new event has not been used");
    find(conn, principal, written[0].0).await
}

/// What is posted.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: String,
    data: &'a RawValue,
}

/// What is posted of an event, whose facts are JSON text.
pub(super) fn body(kind: &str, at: DateTime<Utc>, data: &str) -> String {
    let data: &RawValue = serde_json::from_str(data).expect("the facts of an event are JSON");
    let timestamp = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    serde_json::to_string(&Body { r#type: kind, timestamp, data }).expect("a tree of JSON serialises")
}

/// The id of the delivery of this event to this endpoint: of the event's time, and the same whenever it is asked for. The
/// twelve bits after the millisecond tell its fraction (RFC 9562 §6.2, method 3), so that ids of one millisecond are in the
/// order of their events, to the microsecond.
fn derived_id((event, at): (&str, DateTime<Utc>), endpoint: Uuid) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(endpoint.as_bytes());
    hash.update(event);
    let mut bytes: [u8; 16] = hash.finalize()[..16].try_into().expect("a hash is longer");
    bytes[..6].copy_from_slice(&first_of(at).as_bytes()[..6]);
    let micros = at.timestamp_subsec_micros() % 1_000;
    let fraction = u16::try_from((micros << 12) / 1_000).expect("a fraction of 2^12");
    bytes[6..8].copy_from_slice(&fraction.to_be_bytes());
    Builder::from_bytes(bytes).with_variant(Variant::RFC4122).with_version(Version::SortRand).into_uuid()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn an_id_is_of_the_events_time_and_of_one_endpoint() {
        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
        let at = DateTime::from_timestamp_millis(1_767_225_600_123).unwrap();
        let id = derived_id(("7-1", at), one);
        assert_eq!(id, derived_id(("7-1", at), one));
        assert!(id != derived_id(("7-1", at), other) && id != derived_id(("7-2", at), one));
        assert_eq!(id.get_version_num(), 7);
        assert!(id > first_of(at));
        let ids: Vec<Uuid> =
            (0..1_000).map(|micros| derived_id(("7-1", at + TimeDelta::microseconds(micros)), one)).collect();
        assert!(ids.is_sorted_by(|one, next| one < next), "ids of one millisecond are in the order of their events");
        assert!(ids[999] < first_of(at + TimeDelta::milliseconds(1)));
    }

    #[test]
    fn a_body_is_that_of_the_standard() {
        let at = DateTime::from_timestamp(1_767_225_600, 5_000).unwrap();
        let body = body("transaction.recorded", at, r#"{"seq": 7}"#);
        let expected = r#"{"type":"transaction.recorded","timestamp":"2026-01-01T00:00:00.000005Z","data":{"seq": 7}}"#;
        assert_eq!(body, expected);
    }
}
