//! How far an import is: moved on in the commit of the rows that it speaks of.

use ledger::Book;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::upload::PIECE_BYTES;
use super::{Applied, FINDINGS_MAX, Finding, Format, Kind, Source, Tally};
use crate::ids::UserId;

/// Where the next row begins: what a job saves with each batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The byte of the file.
    pub byte: i64,
    /// The line, from 1.
    pub line: i64,
    /// Rows before it.
    pub rows: i64,
}

/// What a batch came to, and where the next one begins.
#[derive(Debug)]
pub struct Batch<'a> {
    /// What came of the rows.
    pub applied: &'a Applied,
    /// Where the next row begins.
    pub place: Place,
}

/// The import, if it is to be gone on with; none when it is over or was never complete.
///
/// # Errors
/// When the database fails.
pub async fn source(conn: &mut PgConnection, shard: i16, id: Uuid) -> sqlx::Result<Option<Source>> {
    let row = sqlx::query!(
        "select book_id, kind, format, owner_id, columns, begins_at, bytes, rows, created, existing, refused
         from app.import
         where shard = $1 and id = $2 and state in ('waiting', 'running')",
        shard,
        id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Source {
        id,
        book: Book { shard, id: row.book_id },
        kind: Kind::parse(&row.kind).expect("a check constraint holds the kinds"),
        format: Format::parse(&row.format).expect("a check constraint holds the formats"),
        owner: UserId(row.owner_id),
        columns: row.columns,
        begins_at: row.begins_at,
        bytes: row.bytes,
        tally: Tally { rows: row.rows, created: row.created, existing: row.existing, refused: row.refused },
    }))
}

/// The bytes from this one to the end of its piece; none at the end of the file.
///
/// # Errors
/// When the database fails.
pub async fn chunk(conn: &mut PgConnection, source: &Source, byte: i64) -> sqlx::Result<Option<Vec<u8>>> {
    let piece = i64::try_from(PIECE_BYTES).expect("a piece is small");
    let begins_at = byte - byte % piece;
    let content = sqlx::query_scalar!(
        r#"select case when $4::integer = 0 then content else substring(content from $4 + 1) end as "content!"
           from app.import_chunk
           where shard = $1 and import_id = $2 and begins_at = $3"#,
        source.book.shard,
        source.id,
        begins_at,
        i32::try_from(byte - begins_at).expect("a piece is small"),
    )
    .fetch_optional(conn)
    .await?;
    Ok(content.filter(|content| !content.is_empty()))
}

/// Adds what a batch came to, in the transaction that wrote its rows; false when the import was stopped meanwhile, and the
/// transaction must not commit.
///
/// # Errors
/// When the database fails.
pub async fn advance(conn: &mut PgConnection, source: &Source, batch: &Batch<'_>) -> sqlx::Result<bool> {
    let (tally, findings) = (batch.applied.tally, &batch.applied.findings);
    let count = i64::try_from(findings.len()).expect("a batch is small");
    let before = sqlx::query_scalar!(
        r#"update app.import
           set state = 'running',
               bytes_done = $3,
               rows = rows + $4,
               created = created + $5,
               existing = existing + $6,
               refused = refused + $7,
               findings = findings + $8
           where shard = $1 and id = $2 and state in ('waiting', 'running')
           returning findings - $8 as "before!""#,
        source.book.shard,
        source.id,
        batch.place.byte,
        tally.rows,
        tally.created,
        tally.existing,
        tally.refused,
        count,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(before) = before else { return Ok(false) };
    keep(conn, source, before, findings).await?;
    Ok(true)
}

/// Keeps findings behind those that there are, up to [`FINDINGS_MAX`].
async fn keep(conn: &mut PgConnection, source: &Source, before: i64, findings: &[Finding]) -> sqlx::Result<()> {
    let room = usize::try_from(FINDINGS_MAX - before).unwrap_or(0);
    let kept = &findings[..findings.len().min(room)];
    if kept.is_empty() {
        return Ok(());
    }
    let numbers: Vec<i64> = (before + 1..).take(kept.len()).collect();
    let rows: Vec<i64> = kept.iter().map(|finding| finding.row).collect();
    let lines: Vec<i64> = kept.iter().map(|finding| finding.line).collect();
    let fields: Vec<Option<String>> = kept.iter().map(|finding| finding.field.clone()).collect();
    let codes: Vec<String> = kept.iter().map(|finding| finding.code.clone()).collect();
    let details: Vec<String> = kept.iter().map(|finding| finding.detail.clone()).collect();
    sqlx::query!(
        r#"insert into app.import_finding (shard, import_id, number, "row", line, field, code, detail)
           select $1, $2, input.number, input.of_row, input.line, input.field, input.code, input.detail
           from unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[])
               as input (number, of_row, line, field, code, detail)"#,
        source.book.shard,
        source.id,
        &numbers,
        &rows,
        &lines,
        &fields as &[Option<String>],
        &codes,
        &details,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends an import whose file was read to its end, and removes the file; false when it was stopped meanwhile.
///
/// # Errors
/// When the database fails.
pub async fn finish(conn: &mut PgConnection, source: &Source) -> sqlx::Result<bool> {
    end(conn, source.book.shard, source.id, "finished").await
}

/// Ends an import before the end of its file, and removes the file; false when it was over.
///
/// # Errors
/// When the database fails.
pub async fn stop(conn: &mut PgConnection, shard: i16, id: Uuid) -> sqlx::Result<bool> {
    end(conn, shard, id, "stopped").await
}

async fn end(conn: &mut PgConnection, shard: i16, id: Uuid, state: &str) -> sqlx::Result<bool> {
    let ended = sqlx::query!(
        "update app.import
         set state = $3, finished_at = now(), bytes_done = case when $3 = 'finished' then bytes else bytes_done end
         where shard = $1 and id = $2 and state in ('waiting', 'running')",
        shard,
        id,
        state,
    )
    .execute(&mut *conn)
    .await?;
    if ended.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!("delete from app.import_chunk where shard = $1 and import_id = $2", shard, id).execute(conn).await?;
    Ok(true)
}
