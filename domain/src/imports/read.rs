//! Reads imports and what they found. Staff see all of a book, others their own.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Finding, Format, Import, Kind, Tally};
use crate::error::Error;
use crate::ids::UserId;
use crate::page::{Listed, Page};
use crate::principal::Principal;

/// Which imports to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this kind.
    pub kind: Option<Kind>,
    /// Only those in this state.
    pub state: Option<&'static str>,
    /// Which page.
    pub page: Page,
}

/// A row of `app.import`.
struct Row {
    id: Uuid,
    kind: String,
    format: String,
    owner_id: Uuid,
    created_by: Uuid,
    state: String,
    bytes: i64,
    sha256: Vec<u8>,
    bytes_done: i64,
    rows: i64,
    created: i64,
    existing: i64,
    refused: i64,
    findings: i64,
    created_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

impl From<Row> for Import {
    fn from(row: Row) -> Import {
        Import {
            id: row.id,
            kind: Kind::parse(&row.kind).expect("a check constraint holds the kinds"),
            format: Format::parse(&row.format).expect("a check constraint holds the formats"),
            owner_id: UserId(row.owner_id),
            created_by: UserId(row.created_by),
            state: row.state,
            bytes: row.bytes,
            sha256: row.sha256,
            bytes_done: row.bytes_done,
            tally: Tally { rows: row.rows, created: row.created, existing: row.existing, refused: row.refused },
            findings: row.findings,
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}

/// The import, if the caller may see it.
///
/// # Errors
/// [`Error::NotFound`]; when the database fails.
pub async fn find(conn: &mut PgConnection, principal: &Principal, id: Uuid) -> Result<Import, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select id, kind, format, owner_id, created_by, state, bytes, sha256 as "sha256!", bytes_done, rows, created,
                  existing, refused, findings, created_at, finished_at
           from app.import
           where shard = $1
             and id = $2
             and book_id = $3
             and ($4::uuid is null or created_by = $4)
             and state <> 'uploading'"#,
        principal.book.shard,
        id,
        principal.book.id,
        principal.only_owner(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(Import::from).ok_or(Error::NotFound)
}

/// One page of the imports that the caller may see, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut PgConnection, principal: &Principal, filter: &Filter) -> Result<Listed<Import>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, kind, format, owner_id, created_by, state, bytes, sha256 as "sha256!", bytes_done, rows, created,
                  existing, refused, findings, created_at, finished_at
           from app.import
           where shard = $1
             and book_id = $2
             and ($3::uuid is null or created_by = $3)
             and ($4::text is null or kind = $4)
             and ($5::text is null or state = $5)
             and ($6::uuid is null or id < $6)
             and state <> 'uploading'
           order by id desc
           limit $7"#,
        principal.book.shard,
        principal.book.id,
        principal.only_owner(),
        filter.kind.map(Kind::as_str),
        filter.state,
        filter.page.after,
        filter.page.fetch_limit(),
    )
    .fetch_all(conn)
    .await?;
    Ok(filter.page.cut(rows.into_iter().map(Import::from).collect()))
}

/// The findings of an import behind this number, in their order, at most so many.
///
/// # Errors
/// When the database fails.
pub async fn findings(
    conn: &mut PgConnection,
    principal: &Principal,
    import: Uuid,
    (after, limit): (i64, i64),
) -> sqlx::Result<Vec<Finding>> {
    sqlx::query_as!(
        Finding,
        r#"select number, "row", line, field, code, detail
           from app.import_finding
           where shard = $1 and import_id = $2 and number > $3
           order by number
           limit $4"#,
        principal.book.shard,
        import,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}
