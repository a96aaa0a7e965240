//! The list of keys in the database.

use sqlx::PgConnection;

use super::{KeyringError, LogKey, endorse};
use crate::Book;
use crate::checkpoint;
use crate::keys::{SigningKey, VerifierKey};

/// The keys of a book's log, retired ones too, the earliest first. Nothing says yet that they may be trusted.
///
/// # Errors
/// When the database fails or has something else than keys.
pub async fn list(conn: &mut PgConnection, book: Book) -> Result<Vec<LogKey>, KeyringError> {
    let rows = sqlx::query!(
        r#"select vkey, from_size, until_size, endorsement
           from ledger.log_key
           where shard = $1
               and book = $2
           order by from_size, added_at"#,
        book.shard,
        book.id
    )
    .fetch_all(conn)
    .await?;
    let key = |text: &str| VerifierKey::parse(text).map_err(|error| KeyringError::Damaged(error.to_string()));
    let rows = rows.into_iter().map(|row| {
        Ok(LogKey {
            key: key(&row.vkey)?,
            from_size: row.from_size,
            until_size: row.until_size,
            endorsement: row.endorsement,
        })
    });
    rows.collect()
}

/// Those of the keys that may sign for this size, in their order; there is one at least. A log without keys begins with the
/// first of them.
///
/// # Errors
/// When none may sign, or the database fails.
pub async fn in_force(
    conn: &mut PgConnection,
    book: Book,
    keys: &[SigningKey],
    size: i64,
) -> Result<Vec<SigningKey>, KeyringError> {
    let none = || KeyringError::NotInForce { book, size };
    let mut listed = lock(conn, book).await?;
    if listed.is_empty() {
        begin_with(conn, book, &keys.first().ok_or_else(none)?.verifier()).await?;
        listed = list(conn, book).await?;
    }
    assert!(!listed.is_empty(), "a log has a key once it was given one");
    let may_sign = |key: &&SigningKey| listed.iter().any(|one| one.key == key.verifier() && one.is_in_force(size));
    let found: Vec<SigningKey> = keys.iter().filter(may_sign).cloned().collect();
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

/// The list, none of whose keys is retired before the transaction ends.
async fn lock(conn: &mut PgConnection, book: Book) -> Result<Vec<LogKey>, KeyringError> {
    sqlx::query!(
        r#"select vkey
           from ledger.log_key
           where shard = $1
               and book = $2
               and until_size is null
           for share"#,
        book.shard,
        book.id
    )
    .fetch_all(&mut *conn)
    .await?;
    list(conn, book).await
}

/// The key that a log begins with, unless it has begun.
async fn begin_with(conn: &mut PgConnection, book: Book, key: &VerifierKey) -> Result<(), KeyringError> {
    sqlx::query!(
        r#"insert into ledger.log_key (shard, book, vkey, from_size)
           values ($1, $2, $3, 1)
           on conflict do nothing"#,
        book.shard,
        book.id,
        key.to_text()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets `new` sign from the next leaf on, endorsed by `old`, which signs as well until it is retired. A key that follows
/// already is left as it is. Do it in a transaction.
///
/// # Errors
/// When `old` is not in force, the names differ, or the database fails.
pub async fn rotate(
    conn: &mut PgConnection,
    book: Book,
    old: &SigningKey,
    new: &VerifierKey,
) -> Result<LogKey, KeyringError> {
    if old.name() != new.name() {
        return Err(KeyringError::OtherName { old: old.name().to_owned(), new: new.name().to_owned() });
    }
    begin_with(conn, book, &old.verifier()).await?;
    let listed = lock(conn, book).await?;
    if let Some(known) = listed.iter().find(|known| known.key == *new) {
        return Ok(known.clone());
    }
    let from_size = size(conn, book).await? + 1;
    let is_in_force = |key: &&LogKey| key.key == old.verifier() && key.is_in_force(from_size);
    listed.iter().find(is_in_force).ok_or(KeyringError::Unknown)?;
    let endorsement = endorse(old, new, from_size);
    sqlx::query!(
        r#"insert into ledger.log_key (shard, book, vkey, from_size, endorsement)
           values ($1, $2, $3, $4, $5)"#,
        book.shard,
        book.id,
        new.to_text(),
        from_size,
        endorsement
    )
    .execute(conn)
    .await?;
    assert!(from_size > 0, "a checkpoint covers a leaf");
    Ok(LogKey { key: new.clone(), from_size, until_size: None, endorsement: Some(endorsement) })
}

/// Ends the time of a key: it signs for no size beyond that of the last checkpoint, which is returned. Do it in a transaction.
///
/// # Errors
/// When the key is not in force, nobody else could sign yet, or the database fails.
pub async fn retire(conn: &mut PgConnection, book: Book, key: &VerifierKey) -> Result<i64, KeyringError> {
    // Whoever signs at this moment comes first.
    sqlx::query!(
        r#"select vkey
           from ledger.log_key
           where shard = $1
               and book = $2
           for update"#,
        book.shard,
        book.id
    )
    .fetch_all(&mut *conn)
    .await?;
    let signed = checkpoint::latest(conn, book).await?.map_or(0, |checkpoint| checkpoint.size);
    let listed = list(conn, book).await?;
    let in_force: Vec<&LogKey> = listed.iter().filter(|known| known.until_size.is_none()).collect();
    let own = in_force.iter().find(|known| known.key == *key).ok_or(KeyringError::Unknown)?;
    // Somebody else has to be able to sign for the very next head, whose size may be that of the last checkpoint and one.
    match in_force.iter().filter(|known| known.key != *key).map(|known| known.from_size).min() {
        None => return Err(KeyringError::OnlyKey),
        Some(from_size) if from_size > signed => return Err(KeyringError::TooEarly { from_size }),
        Some(_) => (),
    }
    let until = signed.max(own.from_size - 1);
    let retired = sqlx::query!(
        r#"update ledger.log_key
           set until_size = $4
           where shard = $1
               and book = $2
               and vkey = $3
               and until_size is null"#,
        book.shard,
        book.id,
        key.to_text(),
        until
    )
    .execute(conn)
    .await?;
    assert_eq!(retired.rows_affected(), 1, "the key was in force under the lock");
    Ok(until)
}

/// The size of the log, as committed.
async fn size(conn: &mut PgConnection, book: Book) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select size
           from ledger.book
           where shard = $1
               and book = $2"#,
        book.shard,
        book.id
    )
    .fetch_one(conn)
    .await
}
