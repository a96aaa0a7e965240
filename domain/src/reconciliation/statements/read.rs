//! Reads statements, and which of them are to be matched.

use chrono::{DateTime, NaiveDate, Utc};
use ledger::Book;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::page::{Listed, Page};
use crate::principal::Principal;

/// A statement, without its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its name in the system.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// The ledger account.
    pub account_id: Uuid,
    /// ISO 4217.
    pub currency: String,
    /// The first day.
    pub period_from: NaiveDate,
    /// The last day.
    pub period_to: NaiveDate,
    /// In minor units.
    pub opening: i64,
    /// In minor units.
    pub closing: i64,
    /// How many lines it has.
    pub lines: i32,
    /// How many of them are matched; none before it was tried.
    pub matched_lines: Option<i32>,
    /// When it was matched last.
    pub matched_at: Option<DateTime<Utc>>,
    /// Who brought it.
    pub imported_by: String,
    /// When.
    pub imported_at: DateTime<Utc>,
}

/// A page of statements, newest first; only `id`, if that is given.
///
/// # Errors
/// [`Error::Forbidden`] to users; when the database fails.
pub async fn list(
    conn: &mut PgConnection,
    principal: &Principal,
    id: Option<Uuid>,
    page: Page,
) -> Result<Listed<Statement>, Error> {
    if !principal.is_staff() {
        return Err(Error::Forbidden("only an operator or an administrator sees statements"));
    }
    let rows = sqlx::query_as!(
        Statement,
        "select id, name, account_id, currency, period_from, period_to, opening, closing, lines, matched_lines, matched_at,
                imported_by, imported_at
         from reconciliation.statement
         where shard = $1 and book = $2 and ($3::uuid is null or id = $3) and ($4::uuid is null or id < $4)
         order by id desc
         limit $5",
        principal.book.shard,
        principal.book.id,
        id,
        page.after,
        page.fetch_limit(),
    )
    .fetch_all(conn)
    .await?;
    Ok(page.cut(rows))
}

/// One statement.
///
/// # Errors
/// As [`list`]; [`Error::NotFound`].
pub async fn find(conn: &mut PgConnection, principal: &Principal, id: Uuid) -> Result<Statement, Error> {
    list(conn, principal, Some(id), Page::default()).await?.items.pop().ok_or(Error::NotFound)
}

/// The statement after this one that is to be matched: those that never were, and for a full run those that do not agree.
///
/// # Errors
/// When the database fails.
pub async fn due(conn: &mut PgConnection, book: Book, after: Uuid, is_full: bool) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "select s.id
         from reconciliation.statement as s
         where s.shard = $1
           and s.book = $2
           and s.id > $3
           and (
               s.matched_at is null
               or ($4 and exists (
                   select
                   from reconciliation.break as b
                   where b.shard = s.shard
                     and b.book = s.book
                     and b.class = 'R10'
                     and split_part(b.subject, '/', 1) = s.id::text
                     and b.state in ('open', 'assigned')
               ))
           )
         order by s.id
         limit 1",
        book.shard,
        book.id,
        after,
        is_full,
    )
    .fetch_optional(conn)
    .await
}

/// Lines of all matched statements, and how many of them were matched by themselves.
///
/// # Errors
/// When the database fails.
pub async fn auto_matched(conn: &mut PgConnection, book: Book) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"select coalesce(sum(lines), 0)::bigint as "lines!", coalesce(sum(matched_lines), 0)::bigint as "matched!"
           from reconciliation.statement
           where shard = $1 and book = $2 and matched_at is not null"#,
        book.shard,
        book.id,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.lines, row.matched))
}
