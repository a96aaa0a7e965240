//! From events to deliveries: whom each event concerns, and which of their endpoints want it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::deliveries::{New, body, insert};
use super::kinds::lets_through;

/// An event, as far as webhooks need it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Its place in the log.
    pub id: String,
    /// The book that it happened in.
    pub book_id: i32,
    /// The users whom it concerns.
    pub users: Vec<Uuid>,
    /// What happened.
    pub kind: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The facts, as JSON text.
    pub payload: String,
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
    fn takes(&self, event: &Told) -> bool {
        let is_theirs = self.takes_book || event.users.contains(&self.owner_id);
        // What happened before there was an endpoint is not for it, however late it is read.
        let is_new = self.created_at <= event.at;
        self.book_id == event.book_id && is_theirs && is_new && lets_through(&self.kinds, &event.kind)
    }
}

/// Writes the deliveries of these events in the caller's transaction, each once however often it is asked; the new ones, each with
/// its endpoint, whose jobs have to be enqueued under the deliveries' ids.
///
/// # Errors
/// When the database fails.
pub async fn dispatch(conn: &mut PgConnection, shard: i16, events: &[Told]) -> sqlx::Result<Vec<(Uuid, Uuid)>> {
    let endpoints = wanting(conn, shard, events).await?;
    let mut new = Vec::new();
    for event in events {
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.takes(event)) {
            new.push(New {
                endpoint_id: endpoint.id,
                event_id: event.id.clone(),
                at: event.at,
                book_id: event.book_id,
                kind: event.kind.clone(),
                body: body(&event.kind, event.at, &event.payload),
            });
        }
    }
    insert(conn, shard, &new).await
}

/// The enabled endpoints of those whom the events concern, and of staff that takes everything.
async fn wanting(conn: &mut PgConnection, shard: i16, events: &[Told]) -> sqlx::Result<Vec<Wants>> {
    let users: HashSet<Uuid> = events.iter().flat_map(|event| event.users.iter().copied()).collect();
    let books: HashSet<i32> = events.iter().map(|event| event.book_id).collect();
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
