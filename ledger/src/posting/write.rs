//! Writes a decision: everything in one statement, and then counts what was written.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::PostError;
use super::decide::Decision;
use crate::Book;
use crate::merkle::tiles::Appender;

mod columns;

use columns::{Accounts, Entries, Holds, Tiles, Transactions};

/// Appends the leaves to the tree and writes the whole of the decision.
pub(super) async fn write(
    conn: &mut PgConnection,
    book: Book,
    size_before: i64,
    mut appender: Appender,
    decision: &Decision,
) -> Result<(), PostError> {
    if decision.leaves.is_empty() && decision.refused.is_empty() {
        return Ok(());
    }
    assert_eq!(appender.frontier().size(), size_before as u64, "the tree is the one that was read");
    let transactions = Transactions::of(decision, &mut appender);
    let (entries, accounts, holds) = (Entries::of(decision), Accounts::of(decision), Holds::of(decision));
    let tiles = Tiles::of(appender.take_full());
    let refused: Vec<Uuid> = decision.refused.iter().map(|(id, _)| id.0).collect();
    let reasons: Vec<String> = decision.refused.iter().map(|(_, refusal)| refusal.as_str().to_owned()).collect();
    let size = size_before + decision.leaves.len() as i64;
    assert_eq!(appender.frontier().size(), size as u64, "each leaf is in the tree");
    assert_eq!(transactions.leaves.len(), transactions.leaf_hashes.len());
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
        &accounts.ids,
        &accounts.currencies,
        &accounts.overdrafts,
        &accounts.balances,
        &accounts.versions,
        &accounts.held_out,
        &accounts.held_in,
        &accounts.closed_seqs as &[Option<i64>],
        &refused,
        &reasons,
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
        &holds.ended
    )
    .fetch_one(conn)
    .await?;
    assert_eq!(written.tiles, tiles.indexes.len() as i64, "each tile is written");
    assert_eq!(written.holds, holds.ids.len() as i64, "each hold is listed");
    written.check(decision);
    match written.ended == holds.ended.len() as i64 {
        true => Ok(()),
        false => Err(PostError::Damaged("a hold that was open is not listed as such".to_owned())),
    }
}

/// How many rows the statement wrote.
struct Written {
    transactions: i64,
    entries: i64,
    balances: i64,
    refusals: i64,
    tiles: i64,
    heads: i64,
    holds: i64,
    ended: i64,
}

impl Written {
    fn check(&self, decision: &Decision) {
        assert_eq!(self.transactions, decision.leaves.len() as i64, "each transaction is written");
        assert_eq!(self.entries, decision.entries.len() as i64, "each entry is written");
        assert_eq!(self.balances, decision.accounts.len() as i64, "each balance is written");
        assert_eq!(self.refusals, decision.refused.len() as i64, "each refusal is written");
        assert_eq!(self.heads, 1, "the head moves on from where it was read");
    }
}
