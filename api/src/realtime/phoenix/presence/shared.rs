//! Presence in several processes: each writes its own into the database and reads that of the others once a second, while anybody is
//! present here. A process of which nothing was heard for some seconds is gone, with all who were there.

use std::collections::{BTreeSet, HashMap};
use std::sync::Weak;
use std::time::Duration;

use ledger::Book;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Entries, Entry, Presence};
use crate::realtime::phoenix::Phoenix;
use crate::realtime::phoenix::members::Members;

/// The time between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// So long changes are gathered before they are shared.
const GATHER: Duration = Duration::from_millis(50);

/// A process of which nothing was heard for so long is gone.
const GONE: &str = "10 seconds";

/// What is to be told the others, by reference.
#[derive(Debug, Default)]
pub(super) struct Unshared {
    joins: BTreeSet<String>,
    leaves: BTreeSet<String>,
}

impl Unshared {
    pub(super) fn joined(&mut self, reference: &str) {
        self.joins.insert(reference.to_owned());
    }

    pub(super) fn left(&mut self, reference: &str) {
        // Who came and went in between was never there for the others.
        if !self.joins.remove(reference) {
            self.leaves.insert(reference.to_owned());
        }
    }
}

/// What was read of the others: their versions. None while nobody is present here.
type Versions = HashMap<Uuid, i64>;

/// Shares for as long as the channels are anybody's.
pub(in crate::realtime::phoenix) async fn run(phoenix: Weak<Phoenix>) {
    let (mut versions, mut is_in_step) = (Versions::new(), false);
    loop {
        let Some(phoenix) = phoenix.upgrade() else { return };
        let Phoenix { presence, members, pool, .. } = &*phoenix;
        if presence.is_used() || is_in_step {
            let looked = look(presence, members, pool, &mut versions, is_in_step).await;
            // After a failure nobody knows what was written: all of it is written again.
            is_in_step = looked.is_ok() && presence.is_used();
            if let Err(error) = looked {
                tracing::debug!(%error, "who is present in other processes is not known at the moment");
            }
        }
        let changed = presence.changed.notified();
        if tokio::time::timeout(PAUSE, changed).await.is_ok() {
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// Tells the others what changed here, and takes over what changed there.
async fn look(
    presence: &Presence,
    members: &Members,
    pool: &PgPool,
    versions: &mut Versions,
    is_in_step: bool,
) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    write(&mut tx, presence, is_in_step).await?;
    tx.commit().await?;
    if !presence.is_used() {
        versions.drain().for_each(|(process, _)| presence.replace(members, process, Entries::new()));
        return Ok(());
    }
    let mut conn = pool.acquire().await?;
    let there = others(&mut conn, presence.process).await?;
    versions.retain(|process, _| {
        let is_there = there.contains_key(process);
        if !is_there {
            presence.replace(members, *process, Entries::new());
        }
        is_there
    });
    for (process, version) in there {
        if versions.get(&process) != Some(&version) {
            presence.replace(members, process, read(&mut conn, process).await?);
            versions.insert(process, version);
        }
    }
    Ok(())
}

/// Says that this process is there, and writes what changed; all of it, if what the database has is not in step.
async fn write(conn: &mut PgConnection, presence: &Presence, is_in_step: bool) -> sqlx::Result<()> {
    let Unshared { joins, leaves } = std::mem::take(&mut presence.known().unshared);
    let changes = i64::from(!(joins.is_empty() && leaves.is_empty() && is_in_step));
    let is_new = sqlx::query_scalar!(
        r#"insert into app.presence_process as process (process_id)
           values ($1)
           on conflict (shard, process_id) do update
           set seen_at = now(), version = process.version + $2
           -- A row that was inserted has never been locked or updated.
           returning (xmax = 0) as "is_new!""#,
        presence.process,
        changes,
    )
    .fetch_one(&mut *conn)
    .await?;
    let is_whole = is_new || !is_in_step;
    let ended: Vec<String> = leaves.into_iter().collect();
    sqlx::query!(
        "delete from app.presence
         where shard = 0
           and process_id = $1
           and ($2 or reference = any($3))",
        presence.process,
        is_whole,
        &ended,
    )
    .execute(&mut *conn)
    .await?;
    let begun: Vec<(String, Entry)> = {
        let known = presence.known();
        let own = known.processes.get(&presence.process).into_iter().flatten();
        let wanted = own.filter(|(reference, _)| is_whole || joins.contains(*reference));
        wanted.map(|(reference, entry)| (reference.clone(), entry.clone())).collect()
    };
    insert(conn, presence.process, &begun).await
}

async fn insert(conn: &mut PgConnection, process: Uuid, entries: &[(String, Entry)]) -> sqlx::Result<()> {
    let of = |part: fn(&Entry) -> &str| entries.iter().map(|(_, entry)| part(entry).to_owned()).collect::<Vec<_>>();
    let references: Vec<String> = entries.iter().map(|(reference, _)| reference.clone()).collect();
    let books: Vec<i32> = entries.iter().map(|(_, entry)| entry.book.id).collect();
    let times: Vec<i64> = entries.iter().map(|(_, entry)| entry.online_at_s).collect();
    sqlx::query!(
        "insert into app.presence (process_id, reference, book_id, topic, key, online_at_s)
         select $1, entry.*
         from unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::bigint[]) as entry
         on conflict do nothing",
        process,
        &references,
        &books,
        &of(|entry| &entry.topic),
        &of(|entry| &entry.key),
        &times,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The other processes that are there, with their versions; those that have been gone for long are forgotten.
async fn others(conn: &mut PgConnection, own: Uuid) -> sqlx::Result<Versions> {
    let found = sqlx::query!(
        "select process_id, version
         from app.presence_process
         where shard = 0
           and process_id <> $1
           and seen_at > now() - $2::text::interval",
        own,
        GONE,
    )
    .fetch_all(&mut *conn)
    .await?;
    sqlx::query!("delete from app.presence_process where shard = 0 and seen_at < now() - interval '1 minute'")
        .execute(conn)
        .await?;
    Ok(found.into_iter().map(|row| (row.process_id, row.version)).collect())
}

async fn read(conn: &mut PgConnection, process: Uuid) -> sqlx::Result<Entries> {
    let found = sqlx::query!(
        "select reference, book_id, topic, key, online_at_s
         from app.presence
         where shard = 0
           and process_id = $1",
        process,
    )
    .fetch_all(conn)
    .await?;
    let entry = |book_id, topic, key, online_at_s| {
        let book = Book { id: book_id, ..Book::MAIN };
        Entry { book, topic, key, online_at_s }
    };
    let entries = found.into_iter().map(|row| (row.reference, entry(row.book_id, row.topic, row.key, row.online_at_s)));
    Ok(entries.collect())
}

/// Tells the others that this process is gone, with all who were there.
pub(in crate::realtime::phoenix) async fn leave(presence: &Presence, pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query!("delete from app.presence_process where shard = 0 and process_id = $1", presence.process)
        .execute(pool)
        .await?;
    Ok(())
}
