//! Brings the schedules that code declares into the database.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use super::manage::announce;
use super::{Schedule, ScheduleError, layers};

/// What became of declared schedules; names in alphabetical order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// Made, or changed to what code says now.
    pub written: Vec<String>,
    /// Left as an operator changed or made them.
    pub kept: Vec<String>,
    /// In the database from an earlier declaration, or another program's, and not among these. They go on ticking until
    /// somebody removes them.
    pub undeclared: Vec<String>,
}

/// Makes these schedules, or changes them to what they are in code and environment, except those that were changed at run
/// time; of these it only keeps what code and environment say. Whether they are paused stays as it is. Doing it again, or
/// in many processes at once, does nothing more; of processes that say different things, the last one counts, in all.
///
/// # Errors
/// [`ScheduleError::CatchUp`] and [`ScheduleError::Database`]; nothing is written then.
pub async fn declare(conn: &mut PgConnection, schedules: &[Schedule]) -> Result<Declared, ScheduleError> {
    let mut tx = conn.begin().await?;
    let mut written = write(&mut tx, schedules, true).await?;
    written.sort_unstable();
    // The rows are locked now, also of those that are not written.
    layers::keep(&mut tx, schedules).await?;
    tx.commit().await?;
    let names: Vec<String> = schedules.iter().map(|schedule| schedule.name.clone()).collect();
    let others = sqlx::query!(
        r#"
        select name, name = any ($1) as "is_kept!"
          from queue.schedule
         where case when name = any ($1) then is_overridden or not is_declared else is_declared end
         order by name
        "#,
        &names,
    );
    let mut declared = Declared { written, ..Declared::default() };
    for other in others.fetch_all(&mut *conn).await? {
        (if other.is_kept { &mut declared.kept } else { &mut declared.undeclared }).push(other.name);
    }
    if !declared.written.is_empty() {
        announce(conn).await?;
    }
    Ok(declared)
}

/// Declares the schedules of a worker process, and says what is not as its code says.
pub(crate) async fn declare_all(conn: &mut PgConnection, schedules: &[Schedule]) -> sqlx::Result<()> {
    match declare(conn, schedules).await {
        Ok(declared) => {
            tracing::info!(?declared, "schedules are declared");
            Ok(())
        }
        Err(ScheduleError::Database(error)) => Err(error),
        Err(error) => {
            tracing::error!(%error, "the schedules of this process are wrong; none of them is declared");
            Ok(())
        }
    }
}

/// Writes schedules as code declares them, or makes those of an operator; returns the names of those written.
pub(super) async fn write(
    conn: &mut PgConnection,
    schedules: &[Schedule],
    from_code: bool,
) -> Result<Vec<String>, ScheduleError> {
    for schedule in schedules {
        schedule.check()?;
    }
    let now = sqlx::query_scalar!(r#"select statement_timestamp() as "now!""#).fetch_one(&mut *conn).await?;
    let each = || schedules.iter();
    let written = sqlx::query_file_scalar!(
        "src/schedule/declare.sql",
        from_code,
        &each().map(|one| one.name.as_str()).collect::<Vec<_>>() as &[&str],
        &each().map(|one| one.job.shard).collect::<Vec<_>>(),
        &each().map(|one| one.job.kind.as_ref()).collect::<Vec<_>>() as &[&str],
        &each().map(|one| one.job.queue.as_ref()).collect::<Vec<_>>() as &[&str],
        &each().map(|one| one.job.priority.rank()).collect::<Vec<_>>(),
        &each().map(|one| one.job.max_attempts as i16).collect::<Vec<_>>(),
        &each().map(|one| one.job.plain_payload()).collect::<Vec<_>>() as &[&str],
        &each().map(|one| one.job.version).collect::<Vec<_>>(),
        &each().map(|one| one.when().0.to_string()).collect::<Vec<_>>(),
        &each().map(|one| one.when().1.name()).collect::<Vec<_>>() as &[&str],
        &each().map(|one| one.catch_up.as_str()).collect::<Vec<_>>() as &[&str],
        &each().map(|one| one.catch_up.max() as i16).collect::<Vec<_>>(),
        &each().map(|one| one.overlap.as_str()).collect::<Vec<_>>() as &[&str],
        &each().map(|one| one.next_after(now)).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
    );
    Ok(written.fetch_all(conn).await?)
}
