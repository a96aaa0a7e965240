//! Writes a decision: everything in one statement, and then counts what was written.

use sqlx::PgConnection;
use uuid::Uuid;

use super::PostError;
use super::decide::Decision;
use crate::Book;
use crate::merkle::leaf_hash;
use crate::merkle::tiles::{Appender, TILE_WIDTH, Tile};

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
    let entries = Entries::of(decision);
    let accounts = Accounts::of(decision);
    let tiles = Tiles::of(appender.take_full());
    let refused: Vec<Uuid> = decision.refused.iter().map(|(id, _)| id.0).collect();
    let reasons: Vec<String> = decision.refused.iter().map(|(_, refusal)| refusal.as_str().to_owned()).collect();
    let size = size_before + decision.leaves.len() as i64;
    assert_eq!(appender.frontier().size(), size as u64, "each leaf is in the tree");
    assert_eq!(transactions.leaves.len(), transactions.leaf_hashes.len());
    assert!(accounts.ids.len() <= entries.accounts.len(), "only accounts with an entry change");
    let root = appender.frontier().root();
    let written = sqlx::query_file!(
        "src/posting/write.sql",
        book.shard,
        book.id,
        &transactions.seqs,
        &transactions.ids,
        &transactions.recorded_at,
        &transactions.reverses as &[Option<Uuid>],
        &transactions.leaf_hashes,
        &transactions.leaves,
        &entries.accounts,
        &entries.versions,
        &entries.seqs,
        &entries.amounts,
        &entries.balances,
        &accounts.ids,
        &accounts.currencies,
        &accounts.overdrafts,
        &accounts.balances,
        &accounts.versions,
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
        size_before
    )
    .fetch_one(conn)
    .await?;
    assert_eq!(written.transactions, decision.leaves.len() as i64, "each transaction is written");
    assert_eq!(written.entries, decision.entries.len() as i64, "each entry is written");
    assert_eq!(written.balances, decision.accounts.len() as i64, "each balance is written");
    assert_eq!(written.refusals, decision.refused.len() as i64, "each refusal is written");
    assert_eq!(written.tiles, tiles.indexes.len() as i64, "each tile is written");
    assert_eq!(written.heads, 1, "the head moves on from where it was read");
    Ok(())
}

/// The columns of the new transactions.
#[derive(Default)]
struct Transactions {
    seqs: Vec<i64>,
    ids: Vec<Uuid>,
    recorded_at: Vec<chrono::DateTime<chrono::Utc>>,
    reverses: Vec<Option<Uuid>>,
    leaf_hashes: Vec<Vec<u8>>,
    leaves: Vec<Vec<u8>>,
}

impl Transactions {
    /// Encodes each leaf, hashes it, and appends it to the tree.
    fn of(decision: &Decision, appender: &mut Appender) -> Transactions {
        let mut columns = Transactions::default();
        for leaf in &decision.leaves {
            assert_eq!(leaf.seq as u64, appender.frontier().size(), "a leaf's index in the tree is its seq");
            let bytes = leaf.encode();
            let hash = leaf_hash(&bytes);
            appender.push(hash);
            columns.seqs.push(leaf.seq);
            columns.ids.push(leaf.id.0);
            columns.recorded_at.push(leaf.recorded_at);
            columns.reverses.push(leaf.act.reverses().map(|original| original.0));
            columns.leaf_hashes.push(hash.to_vec());
            columns.leaves.push(bytes);
        }
        assert!(columns.recorded_at.is_sorted_by(|one, next| one < next), "each is recorded later than the one before");
        columns
    }
}

/// The columns of the new entries.
#[derive(Default)]
struct Entries {
    accounts: Vec<Uuid>,
    versions: Vec<i64>,
    seqs: Vec<i64>,
    amounts: Vec<i64>,
    balances: Vec<i64>,
}

impl Entries {
    fn of(decision: &Decision) -> Entries {
        let mut columns = Entries::default();
        let mut sum: i128 = 0;
        // In the order of their index, so that neighbours in it are written one after the other.
        let mut sorted: Vec<_> = decision.entries.iter().collect();
        sorted.sort_unstable_by_key(|entry| (entry.account, entry.version));
        for entry in sorted {
            assert!(entry.version >= 1 && entry.amount != 0);
            sum += i128::from(entry.amount);
            columns.accounts.push(entry.account.0);
            columns.versions.push(entry.version);
            columns.seqs.push(entry.seq);
            columns.amounts.push(entry.amount);
            columns.balances.push(entry.balance);
        }
        assert_eq!(sum, 0, "what is credited was debited");
        columns
    }
}

/// The columns of the accounts that are touched, in the order of their index.
#[derive(Default)]
struct Accounts {
    ids: Vec<Uuid>,
    currencies: Vec<String>,
    overdrafts: Vec<bool>,
    balances: Vec<i64>,
    versions: Vec<i64>,
}

impl Accounts {
    fn of(decision: &Decision) -> Accounts {
        let mut sorted: Vec<_> = decision.accounts.iter().collect();
        sorted.sort_unstable_by_key(|(id, _)| **id);
        let mut columns = Accounts::default();
        for (id, account) in sorted {
            assert!(account.overdraft.is_allowed() || account.balance >= 0, "no overdraft unless allowed");
            assert!(account.version >= 1, "an account that is touched has an entry");
            columns.ids.push(id.0);
            columns.currencies.push(account.currency.code().to_owned());
            columns.overdrafts.push(account.overdraft.is_allowed());
            columns.balances.push(account.balance);
            columns.versions.push(account.version);
        }
        columns
    }
}

/// The columns of the tiles that became full.
#[derive(Default)]
struct Tiles {
    levels: Vec<i16>,
    indexes: Vec<i64>,
    roots: Vec<Vec<u8>>,
    hashes: Vec<Vec<u8>>,
}

impl Tiles {
    fn of(full: Vec<Tile>) -> Tiles {
        let mut columns = Tiles::default();
        for tile in full {
            assert_eq!(tile.hashes.len(), TILE_WIDTH * 32, "only full tiles are written");
            columns.levels.push(i16::from(tile.level));
            columns.indexes.push(tile.index as i64);
            columns.roots.push(tile.root.to_vec());
            columns.hashes.push(tile.hashes);
        }
        columns
    }
}
