//! Throttles guessing: failures are counted for each address, whether or not a user has it, by the database's clock.
//!
//! An attempt counts as failed until it is known to be right, so that many at once are no way around the count. The first
//! [`FREE_FAILURES`] cost nothing; each one after that locks the address for twice as long as the one before, from 1 second to 15
//! minutes. A success clears it, and so does an hour without failures. A new password by a reset clears it too, so that locking somebody
//! out keeps them out of nothing but guessing. Source: OWASP Authentication, "Account Lockout".

use ledger::Book;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

/// So many failures in a row lock nothing.
pub const FREE_FAILURES: i32 = 4;

/// An attempt that may be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// How many have failed in a row, if this one does.
    pub failures: i32,
    /// For how many seconds the address is locked, if this one fails.
    pub locks_seconds: i32,
    /// Begins the name that the address has in logs.
    pub name: String,
}

/// The attempt may be checked, or how many seconds to wait first.
pub type Admission = Result<Attempt, u32>;

/// What an address is counted under.
fn email_hash(email: &str) -> [u8; 32] {
    Sha256::digest(email.to_lowercase().as_bytes()).into()
}

/// Counts an attempt on this address, unless it is locked.
///
/// # Errors
/// When the database fails.
pub async fn attempt(conn: &mut PgConnection, book: Book, email: &str) -> sqlx::Result<Admission> {
    let hash = email_hash(email);
    let counted = sqlx::query!(
        r#"insert into app.login_throttle as throttle (shard, book_id, email_hash, failures, failed_at, locked_until)
           values ($1, $2, $3, 1, now(), now())
           on conflict (shard, book_id, email_hash) do update
           set (failures, failed_at, locked_until) = (
               select next.failures,
                      now(),
                      now() + make_interval(secs => case when next.failures <= $4 then 0
                                                         else least(900, power(2, least(next.failures - $4 - 1, 20))) end)
               from (
                   select case when greatest(throttle.failed_at, throttle.locked_until) < now() - interval '1 hour' then 1
                               else least(throttle.failures + 1, 1000000) end
               ) as next (failures)
           )
           -- Failures that are yet to come were before the clock was put back. They lock nobody for as long as that, and still
           -- count. A minute is longer than any attempt takes: others that go on beside this one may have begun after it.
           where throttle.locked_until <= now() or throttle.failed_at > now() + interval '1 minute'
           returning failures, ceil(extract(epoch from locked_until - now()))::integer as "locks_seconds!""#,
        book.shard,
        book.id,
        &hash[..],
        FREE_FAILURES,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(counted) = counted else {
        return remaining(conn, book, &hash).await.map(Err);
    };
    let name = hash[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Ok(Attempt { failures: counted.failures, locks_seconds: counted.locks_seconds, name }))
}

/// For how many more seconds an address is locked, at least one.
async fn remaining(conn: &mut PgConnection, book: Book, hash: &[u8; 32]) -> sqlx::Result<u32> {
    let seconds = sqlx::query_scalar!(
        r#"select ceil(extract(epoch from locked_until - now()))::integer as "seconds!"
           from app.login_throttle
           where shard = $1 and book_id = $2 and email_hash = $3"#,
        book.shard,
        book.id,
        &hash[..],
    )
    .fetch_optional(conn)
    .await?;
    Ok(seconds.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(1).max(1))
}

/// Forgets the failures of an address: who has it is known to be who attempts.
///
/// # Errors
/// When the database fails.
pub async fn clear(conn: &mut PgConnection, book: Book, email: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from app.login_throttle
         where shard = $1 and book_id = $2 and email_hash = $3",
        book.shard,
        book.id,
        &email_hash(email)[..],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes some of the rows that no longer count, so that addresses that nobody has do not pile up.
///
/// # Errors
/// When the database fails.
pub async fn prune(conn: &mut PgConnection, book: Book) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from app.login_throttle
         where ctid = any (array (
             select ctid
             from app.login_throttle
             where shard = $1 and failed_at < now() - interval '1 day'
             order by failed_at
             limit 20
             for update skip locked
         ))",
        book.shard,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that a new password was asked for at this address; whether that was not done already within the last minute.
///
/// # Errors
/// When the database fails.
pub(super) async fn may_ask_for_reset(conn: &mut PgConnection, book: Book, email: &str) -> sqlx::Result<bool> {
    let noted = sqlx::query!(
        "insert into app.login_throttle as throttle (shard, book_id, email_hash, reset_asked_at)
         values ($1, $2, $3, now())
         on conflict (shard, book_id, email_hash) do update
         set reset_asked_at = now()
         where throttle.reset_asked_at is null
            or throttle.reset_asked_at < now() - interval '1 minute'
            or throttle.reset_asked_at > now() + interval '1 minute'",
        book.shard,
        book.id,
        &email_hash(email)[..],
    )
    .execute(conn)
    .await?;
    Ok(noted.rows_affected() > 0)
}
