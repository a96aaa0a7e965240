//! The days of the history: each is a partition, made ahead and dropped whole.

use chrono::{Days, NaiveDate};
use sqlx::error::DatabaseError;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// How many days are made ahead of today.
const DAYS_AHEAD: u64 = 7;

/// Makes the partitions of today and the days to come, and drops those of days more than `keep_days` ago. Jobs that were
/// filed in the default partition, because their day had none, move to their own.
///
/// # Errors
/// When the database fails, or a lock is not to be had within a second; nothing is broken then, try again later.
pub(crate) async fn keep_days(conn: &mut PgConnection, keep_days: u64) -> sqlx::Result<()> {
    let today = sqlx::query_scalar!(r#"select (now() at time zone 'utc')::date as "today!""#);
    let today = today.fetch_one(&mut *conn).await?;
    let existing = sqlx::query_scalar!(
        r#"
        select part.relname as "name!"
          from pg_inherits as link
          join pg_class as part on part.oid = link.inhrelid
         where link.inhparent = 'queue.job_history'::regclass
        "#
    );
    let existing = existing.fetch_all(&mut *conn).await?;
    for day in today.iter_days().take(DAYS_AHEAD as usize + 1) {
        if !existing.contains(&name(day)) {
            make(conn, day).await?;
        }
    }
    let oldest = today.checked_sub_days(Days::new(keep_days)).map(name);
    for old in existing.iter().filter(|name| name.starts_with(PREFIX) && name.len() == PREFIX.len() + 8) {
        if oldest.as_ref().is_some_and(|oldest| old < oldest) && old.ends_with(|end: char| end.is_ascii_digit()) {
            run(conn, &format!("drop table queue.{old}")).await?;
            tracing::info!(partition = old, "dropped a day of the job history");
        }
    }
    Ok(())
}

/// Deletes ended jobs of kinds that are kept for fewer days than the rest: those that came of age within the last two
/// days, so that it reads few of the history's days.
pub(crate) async fn keep_kinds(conn: &mut PgConnection, shard: i16, kinds: &[(&str, u16)]) -> sqlx::Result<()> {
    for (kind, days) in kinds {
        let deleted = sqlx::query!(
            r#"
            delete from queue.job_history
             where shard = $1
               and kind = $2
               and finished_at < statement_timestamp() - make_interval(days => $3)
               and finished_at >= statement_timestamp() - make_interval(days => $3 + 2)
            "#,
            shard,
            kind,
            i32::from(*days),
        );
        let mut tx = conn.begin().await?;
        // Every row of a day is looked at: the queue's own settings would have it by an index that helps nothing.
        sqlx::raw_sql("set local enable_seqscan = on").execute(&mut *tx).await?;
        let jobs = deleted.persistent(false).execute(&mut *tx).await?.rows_affected();
        tx.commit().await?;
        if jobs > 0 {
            tracing::info!(kind, jobs, "deleted ended jobs of a kind that is kept for fewer days");
        }
    }
    Ok(())
}

const PREFIX: &str = "job_history_";

fn name(day: NaiveDate) -> String {
    format!("{PREFIX}{}", day.format("%Y%m%d"))
}

/// Made apart and then attached, which locks less than making it in place. Nothing may be filed between what is moved and
/// the day's own partition, which would then be refused.
async fn make(conn: &mut PgConnection, day: NaiveDate) -> sqlx::Result<()> {
    let (name, next) = (name(day), day.succ_opt().expect("the calendar goes on"));
    let of_day = format!("finished_at >= '{day} 00:00:00+00' and finished_at < '{next} 00:00:00+00'");
    let statements = format!(
        "create table queue.{name} (like queue.job_history including all, constraint of_day check ({of_day}));
         lock table queue.job_history_default in access exclusive mode;
         with moved as (delete from queue.job_history_default where {of_day} returning *)
         insert into queue.{name} select * from moved;
         alter table queue.job_history attach partition queue.{name}
               for values from ('{day} 00:00:00+00') to ('{next} 00:00:00+00');
         alter table queue.{name} drop constraint of_day"
    );
    match run(conn, &statements).await {
        Err(error) if error.as_database_error().is_some_and(is_there_already) => Ok(()),
        made => made,
    }
}

/// Another process has just made the table (42P07), or was making it at this very moment (23505 of the catalogue).
fn is_there_already(error: &dyn DatabaseError) -> bool {
    error.code().as_deref() == Some("42P07") || error.constraint().is_some_and(|name| name.starts_with("pg_"))
}

async fn run(conn: &mut PgConnection, statements: &str) -> sqlx::Result<()> {
    let mut tx = conn.begin().await?;
    let statements = format!("set local lock_timeout = '1s'; set local enable_seqscan = on; {statements}");
    match sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut *tx).await {
        Ok(_) => tx.commit().await,
        Err(error) => {
            // Now, and not with the next statement of this connection, which may be an hour away.
            tx.rollback().await?;
            Err(error)
        }
    }
}
