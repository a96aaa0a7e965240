//! Runs: asked for, begun at a size of the log, ended with a report.

use chrono::{DateTime, Utc};
use ledger::Book;
use ledger::reconcile::Scope;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Window;
use crate::error::Error;
use crate::page::{Listed, Page};
use crate::principal::Principal;

/// A run of the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its name, which is that of its job.
    pub id: Uuid,
    /// `full` or `incremental`.
    pub kind: String,
    /// Whether it may repair.
    pub repair: bool,
    /// `waiting`, `running`, `clean` or `breaks`.
    pub state: String,
    /// Who asked.
    pub asked_by: String,
    /// When.
    pub asked_at: DateTime<Utc>,
    /// Leaves that an earlier run verified.
    pub from_size: i64,
    /// Leaves of the log as of this run; none before it has begun.
    pub size: Option<i64>,
    /// The root over them.
    pub root: Option<Vec<u8>>,
    /// The check that it is at.
    pub step: Option<String>,
    /// Snapshots that it read.
    pub snapshots: i32,
    /// Rows that it looked at.
    pub scanned: i64,
    /// Findings beyond the most that are kept.
    pub left_out: i64,
    /// Breaks of earlier runs that are open still.
    pub carried: i32,
    /// Open breaks that it found no more.
    pub gone: i32,
    /// Breaks that it repaired.
    pub healed: i32,
    /// For each class: findings, new ones, and amounts by currency.
    pub classes: Value,
    /// SHA-256 of the report.
    pub digest: Option<Vec<u8>>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A run to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its name.
    pub id: Uuid,
    /// The book.
    pub book: Book,
    /// Whether everything is checked.
    pub is_full: bool,
    /// Whether it may repair.
    pub repair: bool,
    /// Who asks.
    pub asked_by: String,
}

/// Writes a run that has not begun; one that is there already stays as it is.
///
/// # Errors
/// When the database fails.
pub async fn ask(conn: &mut PgConnection, new: &NewRun) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into reconciliation.run (shard, id, book, kind, repair, asked_by)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (shard, id) do nothing",
        new.book.shard,
        new.id,
        new.book.id,
        if new.is_full { "full" } else { "incremental" },
        new.repair,
        new.asked_by,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Where the next incremental run goes on.
struct Verified {
    size: i64,
    frontier: Vec<u8>,
    requests_since: Option<DateTime<Utc>>,
}

/// What the last run that ended has verified. Requests are looked at again from an hour before it began, since one that was
/// pending then is decided only later.
async fn verified(conn: &mut PgConnection, book: Book) -> sqlx::Result<Option<Verified>> {
    sqlx::query_as!(
        Verified,
        r#"select verified_size as "size!", frontier as "frontier!", started_at - interval '1 hour' as requests_since
           from reconciliation.run
           where shard = $1 and book = $2 and ended_at is not null and frontier is not null
           order by ended_at desc
           limit 1"#,
        book.shard,
        book.id,
    )
    .fetch_optional(conn)
    .await
}

/// Begins a run, or goes on with one: its window is fixed the first time, by the head as the run's snapshot sees it.
///
/// # Errors
/// When the database fails.
pub async fn begin(
    conn: &mut PgConnection,
    book: Book,
    id: Uuid,
    head: &ledger::reconcile::Head,
) -> sqlx::Result<Window> {
    let verified = verified(conn, book).await?.filter(|verified| verified.size <= head.size);
    let (size, frontier, since) =
        verified.map_or((0, Vec::new(), None), |verified| (verified.size, verified.frontier, verified.requests_since));
    let row = sqlx::query!(
        r#"update reconciliation.run
           set state = 'running',
               started_at = coalesce(started_at, clock_timestamp()),
               snapshots = snapshots + 1,
               from_size = case when started_at is not null then from_size when kind = 'full' then 0 else $3 end,
               frontier = case when started_at is not null then frontier when kind = 'full' then '' else $4 end,
               requests_since = case when started_at is not null or kind = 'full' then requests_since else $5 end,
               size = coalesce(size, $6),
               root = coalesce(root, $7)
           where shard = $1 and id = $2 and ended_at is null
           returning kind, from_size, frontier as "frontier!", requests_since, size as "size!", root as "root!""#,
        book.shard,
        id,
        size,
        frontier,
        since,
        head.size,
        &head.root[..],
    )
    .fetch_one(conn)
    .await?;
    let ledger = Scope {
        book,
        from: row.from_size,
        frontier: row.frontier,
        size: row.size,
        root: row.root.try_into().expect("a CHECK holds roots to 32 bytes"),
        is_full: row.kind == "full",
    };
    Ok(Window { ledger, requests_since: row.requests_since })
}

/// Adds to what a run has looked at, and says what it does now.
///
/// # Errors
/// When the database fails.
pub async fn advance(
    conn: &mut PgConnection,
    shard: i16,
    id: Uuid,
    step: &str,
    scanned: u64,
    left_out: u64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update reconciliation.run
         set step = $3, scanned = scanned + $4, left_out = left_out + $5
         where shard = $1 and id = $2",
        shard,
        id,
        step,
        i64::try_from(scanned).expect("fewer rows than that"),
        i64::try_from(left_out).expect("fewer rows than that"),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A run, for staff.
///
/// # Errors
/// [`Error::Forbidden`] to users; [`Error::NotFound`]; when the database fails.
pub async fn find(conn: &mut PgConnection, principal: &Principal, id: Uuid) -> Result<Run, Error> {
    let filter = Filter { id: Some(id), ..Filter::default() };
    list(conn, principal, &filter).await?.items.pop().ok_or(Error::NotFound)
}

/// Which runs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this one.
    pub id: Option<Uuid>,
    /// Only in this state.
    pub state: Option<String>,
    /// Which page.
    pub page: Page,
}

/// A page of runs, newest first.
///
/// # Errors
/// [`Error::Forbidden`] to users; when the database fails.
pub async fn list(conn: &mut PgConnection, principal: &Principal, filter: &Filter) -> Result<Listed<Run>, Error> {
    if !principal.is_staff() {
        return Err(Error::Forbidden("only an operator or an administrator sees reconciliations"));
    }
    let rows = sqlx::query_as!(
        Run,
        "select id, kind, repair, state, asked_by, asked_at, from_size, size, root, step, snapshots, scanned, left_out,
                carried, gone, healed, classes, digest, started_at, ended_at
         from reconciliation.run
         where shard = $1
           and book = $2
           and ($3::uuid is null or id = $3)
           and ($4::text is null or state = $4)
           and ($5::uuid is null or id < $5)
         order by id desc
         limit $6",
        principal.book.shard,
        principal.book.id,
        filter.id,
        filter.state.as_deref(),
        filter.page.after,
        filter.page.fetch_limit(),
    )
    .fetch_all(conn)
    .await?;
    Ok(filter.page.cut(rows))
}
