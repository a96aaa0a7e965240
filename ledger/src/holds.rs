//! Holds whose time is over: found by index, and let expire in batches.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Builder;

use crate::posting::{AccountNow, BATCH_MAX, Memory, Outcome, PostError, Posting, Refusal, post_all};
use crate::{Act, Book, TransactionId};

/// What the id of an expiry is hashed from, before the id of its hold.
const EXPIRY_TAG: &[u8] = b"bitnexus/expiry/v1";

/// The id under which a hold expires: a UUIDv8 of the first 16 bytes of SHA-256 over a tag and the id of the hold. Whoever
/// lets it expire, and however often, asks for the same transaction.
pub fn expiry_id(hold: TransactionId) -> TransactionId {
    let hash: [u8; 32] = Sha256::new().chain_update(EXPIRY_TAG).chain_update(hold.0.as_bytes()).finalize().into();
    let bytes = *hash.first_chunk::<16>().expect("a hash has 32 bytes");
    TransactionId(Builder::from_custom_bytes(bytes).into_uuid())
}

/// Lets holds expire whose time is over by the database's clock, those that waited longest first and at most `limit` of them
/// (1 to [`BATCH_MAX`]). Returns those that were due: if they are as many as the limit, there may be more. Takes the book's row
/// only if some are.
///
/// # Errors
/// As [`posting::post`](crate::posting::post).
pub async fn expire(conn: &mut PgConnection, book: Book, limit: usize) -> Result<Expired, PostError> {
    let limit = limit.clamp(1, BATCH_MAX);
    let due = due(conn, book, limit as i64).await?;
    assert!(due.len() <= limit, "no more are found than were asked for");
    let postings: Vec<Posting> = due.iter().copied().map(expiry).collect();
    let posted = post_all(conn, book, &postings, &Memory::default()).await?;
    let mut ended = Vec::new();
    for ((hold, posting), outcome) in due.iter().zip(&postings).zip(posted.outcomes) {
        // Somebody else may have let it expire since it was found, under this id or another one.
        let is_over = match outcome {
            Outcome::Created { .. } | Outcome::Exists { .. } => true,
            Outcome::Refused(refusal) => refusal == Refusal::HoldEnded,
            Outcome::ExistsWithDifferent(_) => false,
        };
        if !is_over {
            return Err(PostError::Damaged(format!("{} cannot expire: {outcome:?}", posting.id)));
        }
        if let Outcome::Created { seq, recorded_at } = outcome {
            ended.push(Ended { hold: *hold, seq, recorded_at });
        }
    }
    Ok(Expired { due: due.len(), ended, accounts: posted.accounts })
}

/// What a call of [`expire`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// How many were due.
    pub due: usize,
    /// Those that it let expire; the others somebody else did.
    pub ended: Vec<Ended>,
    /// The accounts that it changed, as they are afterwards.
    pub accounts: Vec<AccountNow>,
}

/// A hold that expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub hold: TransactionId,
    /// The place of its expiry in the book.
    pub seq: i64,
    /// When that was recorded.
    pub recorded_at: DateTime<Utc>,
}

fn expiry(hold: TransactionId) -> Posting {
    Posting {
        id: expiry_id(hold),
        code: 0,
        legs: Vec::new(),
        effective_at: None,
        act: Act::Expire(hold),
        metadata_hash: [0; 32],
        linked: false,
    }
}

async fn due(conn: &mut PgConnection, book: Book, limit: i64) -> Result<Vec<TransactionId>, sqlx::Error> {
    let ids = sqlx::query_file_scalar!("src/holds/due.sql", book.shard, book.id, limit).fetch_all(conn).await?;
    Ok(ids.into_iter().map(TransactionId).collect())
}

/// How long it is until then, by the database's clock; zero if that is over.
///
/// # Errors
/// When the database fails.
pub async fn until(conn: &mut PgConnection, time: DateTime<Utc>) -> Result<Duration, sqlx::Error> {
    let micros = sqlx::query_scalar!(
        r#"select greatest(0, extract(epoch from $1 - clock_timestamp()) * 1000000)::bigint as "micros!""#,
        time
    )
    .fetch_one(conn)
    .await?;
    assert!(micros >= 0);
    Ok(Duration::from_micros(micros.unsigned_abs()))
}

/// The books of a shard that have a hold that is due, by their numbers. Looks at every book.
///
/// # Errors
/// When the database fails.
pub async fn books_with_due(conn: &mut PgConnection, shard: i16) -> Result<Vec<Book>, sqlx::Error> {
    let books = sqlx::query_scalar!(
        r#"select book.book
           from ledger.book
           cross join lateral (
               select expires_at
               from ledger.open_hold
               where shard = $1
                   and open_hold.book = book.book
                   and expires_at is not null
               order by shard, book, expires_at
               limit 1
           ) as next
           where book.shard = $1
               and next.expires_at <= statement_timestamp()
           order by book.book"#,
        shard
    )
    .fetch_all(conn)
    .await?;
    Ok(books.into_iter().map(|id| Book { shard, id }).collect())
}
