//! From events to deliveries: whom each event concerns, and which of their endpoints want it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::deliveries::{New, body, insert};
use super::kinds::lets_through;
use crate::events::log::LoggedEvent;
use crate::events::topic;

/// What the topics of users begin with.
const USER: &str = "user:";

/// The name of the follower that makes deliveries of events.
pub const FOLLOWER: &str = "webhooks";

/// More owners than these are not asked for one by one: then everything is read.
const TOPICS_MAX: usize = 500;

/// What of the log the endpoints may want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing: there is no endpoint.
    Nothing,
    /// What has one of these topics.
    Topics(Vec<String>),
    /// All.
    Everything,
}

/// Whether nobody else holds the follower's cursor; it is then held until the caller's transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn is_free(conn: &mut PgConnection, shard: i16) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"with free as materialized (
             select
             from app.event_cursor
             where shard = $1 and follower = $2
             for no key update skip locked
         )
         select exists (select from free)
             or not exists (select from app.event_cursor where shard = $1 and follower = $2) as "is_free!""#,
        shard,
        FOLLOWER,
    )
    .fetch_one(conn)
    .await
}

/// What of the log the endpoints may want now.
///
/// # Errors
/// When the database fails.
pub async fn wanted(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Wanted> {
    let owners = sqlx::query!(
        r#"select owner_id, bool_or(takes_book) as "takes_book!"
         from app.webhook_endpoint
         where shard = $1 and disabled_reason is null
         group by owner_id
         limit $2"#,
        shard,
        TOPICS_MAX as i64 + 1,
    )
    .fetch_all(conn)
    .await?;
    Ok(match owners.len() {
        0 => Wanted::Nothing,
        1..=TOPICS_MAX if owners.iter().all(|owner| !owner.takes_book) => {
            Wanted::Topics(owners.iter().map(|owner| topic::user(owner.owner_id)).collect())
        }
        _ => Wanted::Everything,
    })
}

/// An endpoint that may want some of the events.
struct Wants {
    id: Uuid,
    book_id: i32,
    owner_id: Uuid,
    kinds: Vec<String>,
    takes_book: bool,
    created_at: DateTime<Utc>,
}

impl Wants {
    fn takes(&self, event: &LoggedEvent) -> bool {
        let is_theirs = self.takes_book || users(event).any(|user| user == self.owner_id);
        // What happened before there was an endpoint is not for it, however late it is read.
        let is_new = self.created_at <= event.at;
        self.book_id == event.book.id && is_theirs && is_new && lets_through(&self.kinds, &event.kind)
    }
}

/// E-mails carry secrets, which are for nobody's endpoint.
fn is_public(event: &LoggedEvent) -> bool {
    event.topics.iter().all(|topic| topic != topic::MAIL)
}

/// The users whom an event concerns.
fn users(event: &LoggedEvent) -> impl Iterator<Item = Uuid> {
    event.topics.iter().filter_map(|topic| topic.strip_prefix(USER)?.parse().ok())
}

/// Writes the deliveries of these events in the caller's transaction, each once however often it is asked; the new ones, each with
/// its endpoint, whose jobs have to be enqueued under the deliveries' ids.
///
/// # Errors
/// When the database fails.
pub async fn dispatch(conn: &mut PgConnection, shard: i16, events: &[LoggedEvent]) -> sqlx::Result<Vec<(Uuid, Uuid)>> {
    let endpoints = wanting(conn, shard, events).await?;
    let mut new = Vec::new();
    for event in events.iter().filter(|event| is_public(event)) {
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.takes(event)) {
            new.push(New {
                endpoint_id: endpoint.id,
                event_id: event.position.to_string(),
                at: event.at,
                book_id: event.book.id,
                kind: event.kind.clone(),
                body: body(&event.kind, event.at, &event.payload),
            });
        }
    }
    insert(conn, shard, &new).await
}

/// The enabled endpoints of those whom the events concern, and of staff that takes everything.
async fn wanting(conn: &mut PgConnection, shard: i16, events: &[LoggedEvent]) -> sqlx::Result<Vec<Wants>> {
    let users: HashSet<Uuid> = events.iter().flat_map(users).collect();
    let books: HashSet<i32> = events.iter().map(|event| event.book.id).collect();
    sqlx::query_as!(
        Wants,
        r#"select endpoint.id as "id!", endpoint.book_id as "book_id!", endpoint.owner_id as "owner_id!",
             endpoint.kinds as "kinds!", endpoint.takes_book as "takes_book!",
             endpoint.created_at as "created_at!"
         from (
             select own.*
             from unnest($2::uuid[]) as concerned (id)
             cross join lateral (
                 select id, book_id, owner_id, kinds, takes_book, disabled_reason, created_at
                 from app.webhook_endpoint
                 where shard = $1 and owner_id = concerned.id and not takes_book
                 offset 0
             ) as own
             union all
             select everything.*
             from unnest($3::integer[]) as book (id)
             cross join lateral (
                 select id, book_id, owner_id, kinds, takes_book, disabled_reason, created_at
                 from app.webhook_endpoint
                 where shard = $1 and book_id = book.id and takes_book
                 offset 0
             ) as everything
         ) as endpoint
         cross join lateral (
             select status, role
             from app.account_user
             where shard = $1 and id = endpoint.owner_id
             offset 0
         ) as owner
         where endpoint.disabled_reason is null
           and owner.status = 'active'
           and (not endpoint.takes_book or owner.role in ('admin', 'operator'))"#,
        shard,
        &users.into_iter().collect::<Vec<_>>(),
        &books.into_iter().collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .await
}
