//! From events to deliveries: whom each event concerns, and which of their endpoints want it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::deliveries::{New, body, insert};
use super::kinds::lets_through;

/// An event, as far as webhooks need it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The event.
    pub id: Uuid,
    /// The book that it happened in.
    pub book_id: i32,
    /// The users whom it concerns.
    pub users: Vec<Uuid>,
    /// What happened.
    pub kind: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The facts.
    pub payload: Value,
}

/// An endpoint that may want some of the events.
struct Wants {
    id: Uuid,
    book_id: i32,
    owner_id: Uuid,
    kinds: Vec<String>,
    takes_book: bool,
}

impl Wants {
    fn takes(&self, event: &Told) -> bool {
        let is_theirs = self.takes_book || event.users.contains(&self.owner_id);
        self.book_id == event.book_id && is_theirs && lets_through(&self.kinds, &event.kind)
    }
}

/// Writes the deliveries of these events in the caller's transaction, each once however often it is asked; the ids of the new ones, whose
/// jobs have to be enqueued under the same ids.
///
/// # Errors
/// When the database fails.
pub async fn dispatch(conn: &mut PgConnection, shard: i16, events: &[Told]) -> sqlx::Result<Vec<Uuid>> {
    let endpoints = wanting(conn, shard, events).await?;
    let mut new = Vec::new();
    for event in events {
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.takes(event)) {
            new.push(New {
                endpoint_id: endpoint.id,
                event_id: event.id,
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
             endpoint.kinds as "kinds!", endpoint.takes_book as "takes_book!"
         from (
             select own.*
             from unnest($2::uuid[]) as concerned (id)
             cross join lateral (
                 select id, book_id, owner_id, kinds, takes_book, disabled_reason
                 from app.webhook_endpoint
                 where shard = $1 and owner_id = concerned.id and not takes_book
                 offset 0
             ) as own
             union all
             select everything.*
             from unnest($3::integer[]) as book (id)
             cross join lateral (
                 select id, book_id, owner_id, kinds, takes_book, disabled_reason
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
