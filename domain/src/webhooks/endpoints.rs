//! Endpoints: made, read, changed and removed by their owners; staff sees all of the book's.

use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::reach::Reach;
use super::secret::{OLD_SIGNS_FOR, Secret};
use super::{ENDPOINTS_MAX, Endpoint, kinds};
use crate::audit;
use crate::error::{Error, FieldError};
use crate::ids::UserId;
use crate::page::{Listed, Page};
use crate::principal::Principal;

/// What an endpoint is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEndpoint {
    /// Where deliveries are posted.
    pub url: String,
    /// What its owner calls it: 1 to 500 characters.
    pub description: Option<String>,
    /// The kinds of event that are sent; empty: all.
    pub kinds: Vec<String>,
    /// Whether it gets the events of the whole book, which only staff may ask for.
    pub takes_book: bool,
}

/// What an endpoint is to become; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Where deliveries are posted.
    pub url: Option<String>,
    /// What its owner calls it; `Some(None)`: nothing.
    pub description: Option<Option<String>>,
    /// The kinds of event that are sent; empty: all.
    pub kinds: Option<Vec<String>>,
    /// Whether anything is sent.
    pub is_enabled: Option<bool>,
}

/// Which endpoints to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those of this user; none: all that the caller may see.
    pub owner: Option<UserId>,
    /// Which page.
    pub page: Page,
}

/// Makes an endpoint of the caller, in the caller's transaction. The secret is shown once.
///
/// # Errors
/// [`Error::Invalid`]; [`Error::Forbidden`] when it is to take the book and the caller is not staff; [`Error::Conflict`]
/// `too_many_webhooks`; when the database fails.
pub async fn create(
    conn: &mut PgConnection,
    principal: &Principal,
    new: &NewEndpoint,
    reach: &Reach,
) -> Result<(Endpoint, Secret), Error> {
    if new.takes_book && !principal.is_staff() {
        return Err(Error::Forbidden("only staff takes the events of the whole book"));
    }
    let url = checked(Some(&new.url), Some(&new.kinds), reach)?;
    let (id, secret) = (Uuid::now_v7(), Secret::generate());
    // One of the owner's at a time, so that their number is right.
    lock_owner(conn, principal).await?;
    let written = sqlx::query!(
        "insert into app.webhook_endpoint (shard, id, book_id, owner_id, url, description, kinds, takes_book, secret)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9
         where (select count(*) from app.webhook_endpoint where shard = $1 and owner_id = $4) < $10",
        principal.book.shard,
        id,
        principal.book.id,
        principal.user_id.0,
        url,
        new.description,
        &new.kinds,
        new.takes_book,
        secret.reveal(),
        ENDPOINTS_MAX,
    )
    .execute(&mut *conn)
    .await?;
    if written.rows_affected() == 0 {
        let detail = format!("you have {ENDPOINTS_MAX} webhooks, and nobody has more");
        return Err(Error::Conflict { code: "too_many_webhooks", detail, existing: None });
    }
    note(conn, principal, "webhook.create", id).await?;
    Ok((find(conn, principal, id).await?, secret))
}

async fn lock_owner(conn: &mut PgConnection, principal: &Principal) -> sqlx::Result<()> {
    sqlx::query!(
        "select id
         from app.account_user
         where shard = $1 and id = $2
         for no key update",
        principal.book.shard,
        principal.user_id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(())
}

/// The endpoint, if it is the caller's or the caller is staff.
///
/// # Errors
/// [`Error::NotFound`]; when the database fails.
pub async fn find(conn: &mut PgConnection, principal: &Principal, id: Uuid) -> Result<Endpoint, Error> {
    let found = sqlx::query_as!(
        Endpoint,
        "select id, owner_id as owner, url, description, kinds, takes_book, disabled_reason,
             case when old_secret_until > now() then old_secret_until end as old_secret_until,
             failing_since, created_at, updated_at
         from app.webhook_endpoint
         where shard = $1
           and book_id = $2
           and id = $3
           and ($4::uuid is null or owner_id = $4)",
        principal.book.shard,
        principal.book.id,
        id,
        principal.only_owner(),
    )
    .fetch_optional(conn)
    .await?;
    found.ok_or(Error::NotFound)
}

/// The same, held against changes until the caller's transaction ends.
///
/// # Errors
/// As [`find`].
pub async fn find_locked(conn: &mut PgConnection, principal: &Principal, id: Uuid) -> Result<Endpoint, Error> {
    sqlx::query!(
        "select id
         from app.webhook_endpoint
         where shard = $1 and id = $2
         for update",
        principal.book.shard,
        id,
    )
    .fetch_optional(&mut *conn)
    .await?;
    find(conn, principal, id).await
}

/// The endpoints that the caller may see, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut PgConnection, principal: &Principal, filter: &Filter) -> sqlx::Result<Listed<Endpoint>> {
    let endpoints = sqlx::query_as!(
        Endpoint,
        "select id, owner_id as owner, url, description, kinds, takes_book, disabled_reason,
             case when old_secret_until > now() then old_secret_until end as old_secret_until,
             failing_since, created_at, updated_at
         from app.webhook_endpoint
         where shard = $1
           and book_id = $2
           and ($3::uuid is null or owner_id = $3)
           and ($4::uuid is null or owner_id = $4)
           and id > coalesce($5, '00000000-0000-0000-0000-000000000000'::uuid)
         order by id
         limit $6",
        principal.book.shard,
        principal.book.id,
        principal.only_owner(),
        filter.owner.map(|owner| owner.0),
        filter.page.after,
        filter.page.fetch_limit(),
    );
    Ok(filter.page.cut(endpoints.fetch_all(conn).await?))
}

/// Changes an endpoint that the caller holds by [`find_locked`]. One that is enabled begins anew, whatever failed before.
///
/// # Errors
/// [`Error::Invalid`]; when the database fails.
pub async fn change(
    conn: &mut PgConnection,
    principal: &Principal,
    endpoint: &Endpoint,
    change: &Change,
    reach: &Reach,
) -> Result<Endpoint, Error> {
    let url = checked(change.url.as_deref(), change.kinds.as_deref(), reach)?;
    sqlx::query!(
        "update app.webhook_endpoint
         set url = coalesce($3, url),
             description = case when $4 then $5 else description end,
             kinds = coalesce($6, kinds),
             disabled_reason = case
                 when $7 then null
                 when not $7 then coalesce(disabled_reason, 'by_hand')
                 else disabled_reason
             end,
             failing_since = case when $7 or $3 is not null then null else failing_since end,
             updated_at = now()
         where shard = $1 and id = $2",
        principal.book.shard,
        endpoint.id,
        url,
        change.description.is_some(),
        change.description.clone().flatten(),
        change.kinds.as_deref(),
        change.is_enabled,
    )
    .execute(&mut *conn)
    .await?;
    note(conn, principal, "webhook.change", endpoint.id).await?;
    find(conn, principal, endpoint.id).await
}

/// Removes an endpoint that the caller holds by [`find_locked`]. What is on its way to it is not sent any more.
///
/// # Errors
/// When the database fails.
pub async fn remove(conn: &mut PgConnection, principal: &Principal, endpoint: &Endpoint) -> sqlx::Result<()> {
    sqlx::query!("delete from app.webhook_endpoint where shard = $1 and id = $2", principal.book.shard, endpoint.id)
        .execute(&mut *conn)
        .await?;
    note(conn, principal, "webhook.delete", endpoint.id).await
}

/// Gives the endpoint a new secret, which is shown once; the one before signs beside it for a day.
///
/// # Errors
/// [`Error::NotFound`], also for staff: a secret is its owner's; when the database fails.
pub async fn rotate(conn: &mut PgConnection, principal: &Principal, id: Uuid) -> Result<(Endpoint, Secret), Error> {
    let secret = Secret::generate();
    let rotated = sqlx::query!(
        "update app.webhook_endpoint
         set old_secret = secret,
             old_secret_until = now() + make_interval(secs => $5),
             secret = $4,
             updated_at = now()
         where shard = $1 and id = $2 and owner_id = $3",
        principal.book.shard,
        id,
        principal.user_id.0,
        secret.reveal(),
        OLD_SIGNS_FOR.as_secs_f64(),
    )
    .execute(&mut *conn)
    .await?;
    if rotated.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    note(conn, principal, "webhook.rotate_secret", id).await?;
    Ok((find(conn, principal, id).await?, secret))
}

/// The address as it is kept; every field that breaks a rule is named.
fn checked(url: Option<&str>, kinds: Option<&[String]>, reach: &Reach) -> Result<Option<String>, Error> {
    let url = url.map(|url| reach.check(url)).transpose();
    let kinds = kinds.map_or(Ok(()), kinds::check);
    match (url, kinds) {
        (Ok(url), Ok(())) => Ok(url.map(String::from)),
        (url, kinds) => {
            let url: Option<FieldError> = url.err();
            Err(Error::Invalid(url.into_iter().chain(kinds.err().into_iter().flatten()).collect()))
        }
    }
}

/// What staff does is written down, and what is done by users to what is theirs is not.
async fn note(conn: &mut PgConnection, principal: &Principal, action: &'static str, id: Uuid) -> sqlx::Result<()> {
    if !principal.is_staff() {
        return Ok(());
    }
    audit::record(conn, principal, action, &id.to_string(), json!({})).await
}
