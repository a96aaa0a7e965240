//! Taking in a file: piece by piece, unseen until it is complete. Statements arrive this way, too.

use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::header::Start;
use super::{Format, Kind};
use crate::access::scope::Scope;
use crate::error::Error;
use crate::ids::UserId;
use crate::principal::{Principal, Role};

/// The length of every piece but the last, in bytes.
pub const PIECE_BYTES: usize = 512 * 1024;

/// How many imports of one user may be under way at once.
pub const OPEN_MAX: i64 = 10;

/// Where a file's pieces are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upload {
    /// The import that it becomes.
    pub id: Uuid,
    shard: i16,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewUpload {
    /// What the rows are.
    pub kind: Kind,
    /// How they are written.
    pub format: Format,
    /// Whose the products become; the caller's if absent.
    pub owner: Option<UserId>,
}

/// A file that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complete {
    /// Its length.
    pub bytes: i64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// Where its rows begin.
    pub start: Start,
}

/// Begins an upload that nobody sees yet.
///
/// # Errors
/// [`Error::Forbidden`] when the caller may not import users, or products of others; [`Error::Conflict`] `too_many_imports`,
/// `owner_not_found`; when the database fails.
pub async fn begin(conn: &mut PgConnection, principal: &Principal, new: NewUpload) -> Result<Upload, Error> {
    check_rights(principal, new)?;
    open(conn, principal, new.owner.unwrap_or(principal.user_id), (new.kind.as_str(), new.format)).await
}

/// Begins the upload of a statement. It never becomes an import: whoever began it reads its pieces ([`piece`]) and discards it.
///
/// # Errors
/// [`Error::Forbidden`] to users; [`Error::Conflict`] `too_many_imports`; when the database fails.
pub async fn begin_statement(conn: &mut PgConnection, principal: &Principal) -> Result<Upload, Error> {
    if !principal.is_staff() {
        return Err(Error::Forbidden("only an operator or an administrator imports statements"));
    }
    open(conn, principal, principal.user_id, ("statement", Format::Csv)).await
}

async fn open(
    conn: &mut PgConnection,
    principal: &Principal,
    owner: UserId,
    (kind, format): (&str, Format),
) -> Result<Upload, Error> {
    let seen = sqlx::query!(
        r#"select (
               select count(*)
               from app.import
               where shard = $1 and created_by = $2 and state in ('uploading', 'waiting', 'running')
           ) as "open!",
           exists (
               select
               from app.account_user
               where shard = $1 and id = $3 and book_id = $4
           ) as "has_owner!""#,
        principal.book.shard,
        principal.user_id.0,
        owner.0,
        principal.book.id,
    )
    .fetch_one(&mut *conn)
    .await?;
    if seen.open >= OPEN_MAX {
        let detail = format!("{OPEN_MAX} imports of yours are under way: wait for one to end, or cancel its job");
        return Err(Error::Conflict { code: "too_many_imports", detail, existing: None });
    }
    if !seen.has_owner {
        let detail = "there is no user of this owner_id".to_owned();
        return Err(Error::Conflict { code: "owner_not_found", detail, existing: None });
    }
    let upload = Upload { id: Uuid::now_v7(), shard: principal.book.shard };
    sqlx::query!(
        "insert into app.import (shard, id, book_id, kind, format, owner_id, created_by)
         values ($1, $2, $3, $4, $5, $6, $7)",
        upload.shard,
        upload.id,
        principal.book.id,
        kind,
        format.as_str(),
        owner.0,
        principal.user_id.0,
    )
    .execute(conn)
    .await?;
    Ok(upload)
}

fn check_rights(principal: &Principal, new: NewUpload) -> Result<(), Error> {
    let is_admin = principal.role == Role::Admin;
    if new.kind == Kind::Users && !(is_admin && principal.scopes.has(Scope::UsersAdmin)) {
        return Err(Error::Forbidden("importing users takes the scope users:admin"));
    }
    if new.owner.is_some_and(|owner| owner != principal.user_id) && !is_admin {
        return Err(Error::Forbidden("only an administrator imports products of others"));
    }
    Ok(())
}

/// Writes the piece that begins at this byte of the file, in the caller's transaction, whose commit does not wait for the disk:
/// the commit that completes the upload does, for all of them.
///
/// # Errors
/// When the database fails, or the upload is gone.
pub async fn add(conn: &mut PgConnection, upload: Upload, begins_at: i64, piece: &[u8]) -> Result<(), Error> {
    sqlx::raw_sql(AssertSqlSafe("set local synchronous_commit = off")).execute(&mut *conn).await?;
    sqlx::query!(
        "insert into app.import_chunk (shard, import_id, begins_at, content)
         values ($1, $2, $3, $4)",
        upload.shard,
        upload.id,
        begins_at,
        piece,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The piece that begins at this byte; none when there is none, or the upload is gone.
///
/// # Errors
/// When the database fails.
pub async fn piece(conn: &mut PgConnection, upload: Upload, begins_at: i64) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "select content
         from app.import_chunk
         where shard = $1 and import_id = $2 and begins_at = $3",
        upload.shard,
        upload.id,
        begins_at,
    )
    .fetch_optional(conn)
    .await
}

/// Makes the file an import that waits for its job, in the caller's transaction, which enqueues the job.
///
/// # Errors
/// [`Error::Unavailable`] when the upload was given up meanwhile; when the database fails.
pub async fn complete(conn: &mut PgConnection, upload: Upload, file: &Complete) -> Result<(), Error> {
    let completed = sqlx::query!(
        "update app.import
         set state = 'waiting', columns = $3, begins_at = $4, bytes = $5, sha256 = $6
         where shard = $1 and id = $2 and state = 'uploading'",
        upload.shard,
        upload.id,
        &file.start.columns,
        file.start.begins_at,
        file.bytes,
        &file.sha256,
    )
    .execute(conn)
    .await?;
    if completed.rows_affected() == 1 { Ok(()) } else { Err(Error::Unavailable) }
}

/// Removes an upload that did not become an import, with its pieces.
///
/// # Errors
/// When the database fails.
pub async fn discard(conn: &mut PgConnection, upload: Upload) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from app.import
         where shard = $1 and id = $2 and state = 'uploading'",
        upload.shard,
        upload.id,
    )
    .execute(conn)
    .await?;
    Ok(())
}
