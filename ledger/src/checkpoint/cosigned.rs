//! What witnesses signed of the book's checkpoints, and the checkpoints with it: notes of which each signature stands in a line of
//! its own, the log's first.

use sqlx::PgConnection;

use super::note::Body;
use super::{Checkpoint, hash};
use crate::Book;
use crate::witness::cosignature::CosignatureKey;

/// How many cosignatures are looked through for a checkpoint that enough witnesses signed: with two of them and a
/// checkpoint each second, the last two and three quarters of an hour.
pub const LINES_MAX: i64 = 20_000;

/// Keeps the line by which a witness signed a checkpoint of the book; one that it signs again keeps its first line.
///
/// # Errors
/// When the database fails.
///
/// # Panics
/// When the line is not the witness's signature of the checkpoint: whoever brings it has checked that.
pub async fn keep(
    conn: &mut PgConnection,
    book: Book,
    checkpoint: &Checkpoint,
    (key, line): (&CosignatureKey, &str),
) -> Result<(), sqlx::Error> {
    let body = Body::read(&checkpoint.note).expect("a checkpoint has a note that can be read");
    assert_eq!(body.size, checkpoint.size as u64, "a note is of its checkpoint");
    assert!(key.time_of(&body, line).is_some(), "a cosignature checks before it is kept");
    sqlx::query!(
        r#"insert into ledger.cosignature (shard, book, witness, size, line)
           values ($1, $2, $3, $4, $5)
           on conflict (shard, book, witness, size) do nothing"#,
        book.shard,
        book.id,
        key.to_text(),
        checkpoint.size,
        format!("{}\n", line.trim_end_matches('\n'))
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The size that each of the witnesses signed for last, as far as it was kept; 0 if it signed for none.
///
/// # Errors
/// When the database fails.
pub async fn sizes(
    conn: &mut PgConnection,
    book: Book,
    keys: impl Iterator<Item = &CosignatureKey>,
) -> Result<Vec<u64>, sqlx::Error> {
    let keys: Vec<String> = keys.map(CosignatureKey::to_text).collect();
    let sizes = sqlx::query_scalar!(
        r#"select coalesce(signed.size, 0) as "size!"
           from unnest($3::text[]) with ordinality as asked (witness, place)
           left join lateral (
               select size
               from ledger.cosignature
               where shard = $1
                   and book = $2
                   and witness = asked.witness
               order by size desc
               limit 1
           ) as signed on true
           order by asked.place"#,
        book.shard,
        book.id,
        &keys
    )
    .fetch_all(conn)
    .await?;
    assert_eq!(sizes.len(), keys.len(), "each witness has a size");
    Ok(sizes.into_iter().map(|size| size as u64).collect())
}

/// The last checkpoint of the book that so many witnesses signed, with the lines of all that did; none if there is none among
/// the last [`LINES_MAX`] cosignatures.
///
/// # Errors
/// When the database fails.
pub async fn latest(conn: &mut PgConnection, book: Book, witnesses: u32) -> Result<Option<Checkpoint>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select size, root, note, signed_at
           from ledger.checkpoint
           where shard = $1
               and book = $2
               and size = (
                   select size
                   from (
                       select size
                       from ledger.cosignature
                       where shard = $1
                           and book = $2
                       order by size desc
                       limit $4
                   ) as line
                   group by size
                   having count(*) >= $3
                   order by size desc
                   limit 1
               )"#,
        book.shard,
        book.id,
        i64::from(witnesses),
        LINES_MAX
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let last = Checkpoint { size: row.size, root: hash(row.root), note: row.note, signed_at: row.signed_at };
    with_lines(conn, book, last).await.map(Some)
}

/// The checkpoint with the lines of the witnesses that signed it, in the order of their names.
///
/// # Errors
/// When the database fails.
pub async fn with_lines(conn: &mut PgConnection, book: Book, mut of: Checkpoint) -> Result<Checkpoint, sqlx::Error> {
    let lines = sqlx::query_scalar!(
        r#"select line
           from ledger.cosignature
           where shard = $1
               and book = $2
               and size = $3
           order by witness"#,
        book.shard,
        book.id,
        of.size
    )
    .fetch_all(conn)
    .await?;
    assert!(of.note.ends_with('\n'), "a note ends its last line");
    lines.iter().for_each(|line| of.note.push_str(line));
    Ok(of)
}
