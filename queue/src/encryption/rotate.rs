//! Seals anew, with the current key, what is sealed with older ones.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use super::Keyring;
use super::seal::{Binding, open, seal};
use crate::settle::PLANNER;

/// What a rotation did. An older key is no longer needed once a rotation finds nothing `running` and nothing `unopened`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Live jobs that are sealed with the current key now.
    pub live: u64,
    /// Dead jobs that are.
    pub dead: u64,
    /// Jobs that were left with their key, because they were running or being worked on: rotate again.
    pub running: u64,
    /// Jobs that do not open with the keyring; they were left as they are.
    pub unopened: u64,
}

/// Seals the payloads of live and dead jobs that are sealed with other keys than the current one anew, so many in a
/// transaction. Running jobs are not disturbed: they keep their key, their claim and their epoch. The history is left
/// alone, since nothing opens it again; with its key, what it holds is gone.
///
/// # Errors
/// When the database fails; what was committed stays, and the next rotation goes on from there.
///
/// # Panics
/// When `batch` is 0.
pub async fn rotate(conn: &mut PgConnection, shard: i16, keyring: &Keyring, batch: u32) -> sqlx::Result<Rotated> {
    assert!(batch > 0, "a batch of none gets nowhere");
    let mut rotated = Rotated::default();
    let (live, unopened) = rotate_all(conn, shard, keyring, batch, Place::Live).await?;
    (rotated.live, rotated.unopened) = (live, unopened);
    let (dead, unopened) = rotate_all(conn, shard, keyring, batch, Place::Dead).await?;
    rotated.dead = dead;
    let left = count_older(conn, shard, keyring).await?;
    rotated.running = left.saturating_sub(rotated.unopened);
    rotated.unopened += unopened;
    Ok(rotated)
}

/// Which table is at work on.
#[derive(Debug, Clone, Copy)]
enum Place {
    Live,
    Dead,
}

/// A payload that is sealed with an older key.
struct Older {
    id: Uuid,
    kind: String,
    version: i16,
    payload: String,
}

/// Returns how many were sealed anew, and how many did not open.
async fn rotate_all(
    conn: &mut PgConnection,
    shard: i16,
    keyring: &Keyring,
    batch: u32,
    place: Place,
) -> sqlx::Result<(u64, u64)> {
    let (mut rotated, mut unopened, mut after) = (0, 0, Uuid::nil());
    loop {
        let mut tx = conn.begin().await?;
        // Planned each time: a plan from when the table was empty would read all of it for each batch.
        sqlx::raw_sql("set local plan_cache_mode = force_custom_plan").execute(&mut *tx).await?;
        let older = match place {
            Place::Live => find_live(&mut tx, shard, keyring, after, batch).await?,
            Place::Dead => find_dead(&mut tx, shard, keyring, after, batch).await?,
        };
        let Some(last) = older.last() else { return Ok((rotated, unopened)) };
        after = last.id;
        let (mut ids, mut payloads) = (Vec::new(), Vec::new());
        for one in &older {
            let binding = Binding { id: one.id, kind: &one.kind, version: one.version };
            match open(Some(keyring), binding, &one.payload) {
                Some(Ok(text)) => {
                    ids.push(one.id);
                    payloads.push(seal(keyring, binding, &text));
                }
                Some(Err(_)) | None => unopened += 1,
            }
        }
        rotated += ids.len() as u64;
        write(&mut tx, shard, place, &ids, &payloads).await?;
        tx.commit().await?;
    }
}

/// Locks them, so that no claim is under way; one that is leaves the row out.
async fn find_live(
    conn: &mut PgConnection,
    shard: i16,
    keyring: &Keyring,
    after: Uuid,
    batch: u32,
) -> sqlx::Result<Vec<Older>> {
    let older = sqlx::query_as!(
        Older,
        r#"
        select id, kind, version, payload::text as "payload!"
          from queue.job
         where shard = $1
           and id > $2
           and owner is null
           and payload #>> '{enc,alg}' is not null
           and payload #>> '{enc,key}' <> $3
         order by id
         limit $4
           for no key update skip locked
        "#,
        shard,
        after,
        keyring.current().id(),
        i64::from(batch),
    );
    older.fetch_all(conn).await
}

async fn find_dead(
    conn: &mut PgConnection,
    shard: i16,
    keyring: &Keyring,
    after: Uuid,
    batch: u32,
) -> sqlx::Result<Vec<Older>> {
    let older = sqlx::query_as!(
        Older,
        r#"
        select id, kind, version, payload::text as "payload!"
          from queue.dead_job
         where shard = $1
           and id > $2
           and payload #>> '{enc,alg}' is not null
           and payload #>> '{enc,key}' <> $3
         order by id
         limit $4
           for no key update
        "#,
        shard,
        after,
        keyring.current().id(),
        i64::from(batch),
    );
    older.fetch_all(conn).await
}

/// Writes payloads of rows that this transaction has locked.
async fn write(
    conn: &mut PgConnection,
    shard: i16,
    place: Place,
    ids: &[Uuid],
    payloads: &[String],
) -> sqlx::Result<()> {
    let planner: Vec<String> = PLANNER.iter().map(|(name, value)| format!("set local {name} = {value}")).collect();
    sqlx::raw_sql(AssertSqlSafe(planner.join("; "))).execute(&mut *conn).await?;
    // One look-up in the primary key for each, whatever the statistics say; see settle/any.sql.
    let written = match place {
        Place::Live => sqlx::query!(
            r#"
            update queue.job as job
               set payload = given.payload::json
              from unnest($2::uuid[], $3::text[]) as given(id, payload)
             where job.shard = any (array[$1::smallint])
               and job.id >= given.id
               and job.id <= given.id
            "#,
            shard,
            ids,
            payloads,
        ),
        Place::Dead => sqlx::query!(
            r#"
            update queue.dead_job as job
               set payload = given.payload::json
              from unnest($2::uuid[], $3::text[]) as given(id, payload)
             where job.shard = any (array[$1::smallint])
               and job.id >= given.id
               and job.id <= given.id
            "#,
            shard,
            ids,
            payloads,
        ),
    };
    let written = written.execute(conn).await?.rows_affected();
    assert_eq!(written, ids.len() as u64, "the rows are locked");
    Ok(())
}

/// How many live jobs are sealed with older keys.
async fn count_older(conn: &mut PgConnection, shard: i16, keyring: &Keyring) -> sqlx::Result<u64> {
    let older = sqlx::query_scalar!(
        r#"
        select count(*) as "older!"
          from queue.job
         where shard = $1 and payload #>> '{enc,alg}' is not null and payload #>> '{enc,key}' <> $2
        "#,
        shard,
        keyring.current().id(),
    );
    Ok(older.persistent(false).fetch_one(conn).await? as u64)
}
