//! Writes a decision: everything in one statement, and then counts what was written.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::PostError;
use super::decide::Decision;
use super::memory::{Place, Remembered, Version};
use super::read::Places;
use crate::Book;
use crate::merkle::Hash;
use crate::merkle::tiles::Appender;

mod columns;

use columns::{Accounts, Entries, Holds, Refusals, Tiles, Transactions};

/// The row of the book that the batch follows.
pub(super) struct Before {
    pub(super) version: Version,
    /// Where it lies.
    pub(super) place: String,
}

/// Appends the leaves to the tree, writes the whole of the decision and remembers its accounts; returns the version of the
/// book's row from then on.
pub(super) async fn write(
    conn: &mut PgConnection,
    book: Book,
    before: Before,
    appender: Appender,
    places: &Places,
    decision: &Decision,
    remembered: &mut Remembered,
) -> Result<Version, PostError> {
    if decision.leaves.is_empty() && decision.refused.is_empty() {
        return Ok(before.version);
    }
    let size = before.version.size + decision.leaves.len() as i64;
    let (written, root) = write_all(conn, book, before, appender, places, decision).await?;
    written.remember(book, decision, remembered)?;
    Ok(Version { written_by: written.written_by, size, root })
}

/// The one statement; returns the new root as well.
async fn write_all(
    conn: &mut PgConnection,
    book: Book,
    before: Before,
    mut appender: Appender,
    places: &Places,
    decision: &Decision,
) -> Result<(Written, Hash), PostError> {
    let size_before = before.version.size;
    assert_eq!(appender.frontier().size(), size_before as u64, "the tree is the one that was read");
    let transactions = Transactions::of(decision, &mut appender);
    let (entries, accounts, holds) = (Entries::of(decision), Accounts::of(decision, places), Holds::of(decision));
    let (tiles, refusals) = (Tiles::of(appender.take_full()), Refusals::of(decision));
    let size = size_before + decision.leaves.len() as i64;
    assert_eq!(appender.frontier().size(), size as u64, "each leaf is in the tree");
    let root = appender.frontier().root();
    let written = sqlx::query_file_as!(
        Written,
        "src/posting/write.sql",
        book.shard,
        book.id,
        &transactions.seqs,
        &transactions.ids,
        &transactions.recorded_at,
        &transactions.reverses as &[Option<Uuid>],
        &transactions.reverses_part as &[Option<Uuid>],
        &transactions.resolves as &[Option<Uuid>],
        &transactions.leaf_hashes,
        &transactions.leaves,
        &entries.accounts,
        &entries.versions,
        &entries.seqs,
        &entries.amounts,
        &entries.balances,
        &entries.effective_at as &[Option<DateTime<Utc>>],
        &accounts.places,
        &accounts.ids,
        &accounts.balances,
        &accounts.versions,
        &accounts.held_out,
        &accounts.held_in,
        &accounts.closed_seqs as &[Option<i64>],
        &refusals.ids,
        &refusals.reasons,
        &tiles.levels,
        &tiles.indexes,
        &tiles.roots,
        &tiles.hashes,
        size,
        root.as_slice(),
        &appender.frontier().to_bytes(),
        transactions.recorded_at.last().copied(),
        size_before,
        &holds.ids,
        &holds.seqs,
        &holds.expires_at as &[Option<DateTime<Utc>>],
        &holds.accounts,
        &holds.ended,
        before.place
    )
    .fetch_one(conn)
    .await?;
    match written.ended == holds.ended.len() as i64 {
        true => Ok((written, root)),
        false => Err(PostError::Damaged("a hold that was open is not listed as such".to_owned())),
    }
}

/// What the statement says of what it changed: what it inserts, it inserts whole or fails.
struct Written {
    /// The transaction that the book's row is of now.
    written_by: String,
    /// The accounts that changed, and where they lie now.
    accounts: Vec<Uuid>,
    places: Vec<String>,
    ended: i64,
}

impl Written {
    /// Keeps where the accounts lie now, each of which was where it was thought to lie.
    fn remember(&self, book: Book, decision: &Decision, remembered: &mut Remembered) -> Result<(), PostError> {
        if self.accounts.len() != decision.accounts.len() {
            assert!(!remembered.is_empty(), "what was read under the lock is where it was");
            return Err(PostError::Moved(book));
        }
        let places = self.places.iter().map(|place| Place::parse(place).expect("a row has a place"));
        let places: HashMap<Uuid, Place> = self.accounts.iter().copied().zip(places).collect();
        for (account, state) in &decision.accounts {
            remembered.insert(*account, *state, places[&account.0]);
        }
        Ok(())
    }
}
