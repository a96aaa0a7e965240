//! Rows that nobody asks for any more: found by walking through a table page by page.
//!
//! No index leads to them: one by age would cost each request that adds a row, and this reads each page a few times a
//! day. A walk is bounded by the pages of a step, whatever is in them, and has one possible plan.

use sqlx::PgConnection;

/// Pages of 8 KiB that a step reads.
const PAGES: i64 = 2_000;

/// What is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    /// Answers kept for an `Idempotency-Key`, by when they were given.
    Answers,
    /// Sessions that have ended, by when they did.
    Sessions,
    /// Leaves to set a new password, by when they expired.
    PasswordResets,
}

impl Old {
    /// Each of them, in the order in which they are walked through.
    pub const ALL: [Old; 3] = [Old::Answers, Old::Sessions, Old::PasswordResets];
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// How many rows were removed.
    pub removed: u64,
    /// The page that the next step begins at; none at the end of the table.
    pub next: Option<i64>,
}

/// Removes what is older than so many hours from the pages of one step, in the caller's transaction.
///
/// # Errors
/// When the database fails.
pub async fn forget(conn: &mut PgConnection, shard: i16, old: Old, page: i64, hours: i32) -> sqlx::Result<Step> {
    let (from, to) = (format!("({page},0)"), format!("({},0)", page + PAGES));
    let removed = match old {
        Old::Answers => forget_answers(conn, shard, &from, &to, hours).await?,
        Old::Sessions => forget_sessions(conn, shard, &from, &to, hours).await?,
        Old::PasswordResets => forget_resets(conn, shard, &from, &to, hours).await?,
    };
    let end = pages(conn, old).await?;
    let next = page + PAGES;
    Ok(Step { removed, next: (next < end).then_some(next) })
}

/// How many pages the table has.
async fn pages(conn: &mut PgConnection, old: Old) -> sqlx::Result<i64> {
    let table = match old {
        Old::Answers => "app.idempotency",
        Old::Sessions => "app.session",
        Old::PasswordResets => "app.password_reset",
    };
    sqlx::query_scalar!(
        r#"select pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint as "pages!""#,
        table,
    )
    .fetch_one(conn)
    .await
}

async fn forget_answers(conn: &mut PgConnection, shard: i16, from: &str, to: &str, hours: i32) -> sqlx::Result<u64> {
    let removed = sqlx::query!(
        "delete from app.idempotency
         where ctid >= $2::text::tid
           and ctid < $3::text::tid
           and shard = $1
           and created_at < now() - make_interval(hours => $4)",
        shard,
        from,
        to,
        hours,
    );
    Ok(removed.persistent(false).execute(conn).await?.rows_affected())
}

async fn forget_sessions(conn: &mut PgConnection, shard: i16, from: &str, to: &str, hours: i32) -> sqlx::Result<u64> {
    let removed = sqlx::query!(
        "delete from app.session
         where ctid >= $2::text::tid
           and ctid < $3::text::tid
           and shard = $1
           -- Until its end, a session is found by tokens that were used: their second use has to be seen.
           and least(ends_at, revoked_at) < now() - make_interval(hours => $4)",
        shard,
        from,
        to,
        hours,
    );
    Ok(removed.persistent(false).execute(conn).await?.rows_affected())
}

async fn forget_resets(conn: &mut PgConnection, shard: i16, from: &str, to: &str, hours: i32) -> sqlx::Result<u64> {
    let removed = sqlx::query!(
        "delete from app.password_reset
         where ctid >= $2::text::tid
           and ctid < $3::text::tid
           and shard = $1
           and expires_at < now() - make_interval(hours => $4)",
        shard,
        from,
        to,
        hours,
    );
    Ok(removed.persistent(false).execute(conn).await?.rows_affected())
}
