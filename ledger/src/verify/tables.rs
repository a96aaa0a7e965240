//! The rows of a book in memory: for books that are small, and for tests that damage what they hold.

use std::collections::HashSet;
use std::ops::Range;

use sqlx::PgConnection;
use uuid::Uuid;

use super::VerifyError;
use super::database::Database;
use super::rows::{AccountRow, CheckpointRow, EntryRow, HeadRow, HoldRow, LeafRow, TileRow};
use super::source::{Beyond, Ids, Source};
use crate::keyring::LogKey;
use crate::{Book, TransactionId};

/// Ids that come from the ledger, hashed under a key that is new in each run.
type IdSet<T> = HashSet<T, foldhash::quality::RandomState>;

/// A transaction with its leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its place in the log.
    pub seq: i64,
    /// Its name.
    pub id: Uuid,
    /// When it was recorded.
    pub recorded_at: i64,
    /// The transaction that it undoes.
    pub reverses: Option<Uuid>,
    /// The transaction that it undoes a part of.
    pub reverses_part: Option<Uuid>,
    /// The hold that it ends.
    pub resolves: Option<Uuid>,
    /// The hash of the leaf.
    pub leaf_hash: Vec<u8>,
    /// The leaf.
    pub leaf: Vec<u8>,
}

/// All rows of a book that a verification looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    /// Which book it is.
    pub book: Book,
    /// The keys that are listed for the log.
    pub keys: Vec<LogKey>,
    /// The head of the log.
    pub head: HeadRow,
    /// The accounts.
    pub accounts: Vec<AccountRow>,
    /// The transactions, by their place.
    pub transactions: Vec<Transaction>,
    /// The entries, each with its account.
    pub entries: Vec<(Uuid, EntryRow)>,
    /// The full tiles.
    pub tiles: Vec<TileRow>,
    /// The checkpoints, by their size.
    pub checkpoints: Vec<CheckpointRow>,
    /// The holds that are open.
    pub open_holds: Vec<HoldRow>,
    /// The ids that are refused for good.
    pub refusals: Vec<Uuid>,
}

impl Transaction {
    fn of(row: &LeafRow<'_>) -> Transaction {
        Transaction {
            seq: row.seq,
            id: row.id,
            recorded_at: row.recorded_at,
            reverses: row.reverses,
            reverses_part: row.reverses_part,
            resolves: row.resolves,
            leaf_hash: row.leaf_hash.to_vec(),
            leaf: row.leaf.to_vec(),
        }
    }

    fn row(&self) -> LeafRow<'_> {
        LeafRow {
            seq: self.seq,
            id: self.id,
            recorded_at: self.recorded_at,
            reverses: self.reverses,
            reverses_part: self.reverses_part,
            resolves: self.resolves,
            leaf_hash: &self.leaf_hash,
            leaf: &self.leaf,
        }
    }
}

impl Tables {
    /// A book without rows.
    pub fn empty(book: Book) -> Tables {
        Tables {
            book,
            keys: Vec::new(),
            head: HeadRow { root: crate::merkle::empty_root().to_vec(), ..HeadRow::default() },
            accounts: Vec::new(),
            transactions: Vec::new(),
            entries: Vec::new(),
            tiles: Vec::new(),
            checkpoints: Vec::new(),
            open_holds: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// Reads all rows of a book, as the connection's transaction sees them. Memory grows with the leaves.
    ///
    /// # Errors
    /// When the database fails or there is no such book.
    pub async fn read(conn: &mut PgConnection, book: Book) -> Result<Tables, VerifyError> {
        let refusals = sqlx::query_scalar!(
            r#"select id
               from ledger.refusal
               where shard = $1
                   and book = $2
               order by id"#,
            book.shard,
            book.id
        );
        let refusals = refusals.fetch_all(&mut *conn).await?;
        let mut source = Database { conn, book };
        let (keys, head) = (source.keys().await?, source.head().await?);
        let mut tables = Tables { keys, head, refusals, ..Tables::empty(book) };
        source.accounts(|row| tables.accounts.push(row.clone())).await?;
        source.leaves(0..i64::MAX, |row| tables.transactions.push(Transaction::of(row))).await?;
        source.entries(None, |account, entry| tables.entries.push((account, *entry))).await?;
        for level in 0..crate::merkle::tiles::LEVELS as i16 {
            tables.tiles.extend(source.tiles(level, 0..i64::MAX).await?);
        }
        tables.checkpoints = source.checkpoints(0..i64::MAX).await?;
        source.open_holds(|row| tables.open_holds.push(row.clone())).await?;
        assert_eq!(tables.book, book);
        Ok(tables)
    }
}

impl Source for &Tables {
    fn book(&self) -> Book {
        self.book
    }

    async fn keys(&mut self) -> Result<Vec<LogKey>, VerifyError> {
        Ok(self.keys.clone())
    }

    async fn head(&mut self) -> Result<HeadRow, VerifyError> {
        Ok(self.head.clone())
    }

    async fn accounts(&mut self, take: impl FnMut(&AccountRow)) -> Result<(), VerifyError> {
        self.accounts.iter().for_each(take);
        Ok(())
    }

    async fn leaves(&mut self, range: Range<i64>, mut take: impl FnMut(&LeafRow<'_>)) -> Result<(), VerifyError> {
        assert!(self.transactions.is_sorted_by_key(|row| row.seq), "rows come in the order of the log");
        let first = self.transactions.partition_point(|row| row.seq < range.start);
        let stop = self.transactions.partition_point(|row| row.seq < range.end);
        self.transactions[first..stop].iter().for_each(|row| take(&row.row()));
        Ok(())
    }

    async fn originals(&mut self, ids: &[Uuid], mut take: impl FnMut(&LeafRow<'_>)) -> Result<(), VerifyError> {
        let ids: HashSet<&Uuid> = ids.iter().collect();
        self.transactions.iter().filter(|row| ids.contains(&row.id)).for_each(|row| take(&row.row()));
        Ok(())
    }

    async fn tiles(&mut self, level: i16, range: Range<i64>) -> Result<Vec<TileRow>, VerifyError> {
        let wanted = |tile: &&TileRow| tile.level == level && range.contains(&tile.index);
        Ok(self.tiles.iter().filter(wanted).cloned().collect())
    }

    async fn checkpoints(&mut self, sizes: Range<i64>) -> Result<Vec<CheckpointRow>, VerifyError> {
        let mut rows: Vec<_> = self.checkpoints.iter().filter(|row| sizes.contains(&row.size)).cloned().collect();
        rows.sort_by_key(|row| row.size);
        Ok(rows)
    }

    async fn entries(&mut self, of: Option<Uuid>, mut take: impl FnMut(Uuid, &EntryRow)) -> Result<(), VerifyError> {
        let wanted = |(account, _): &&(Uuid, EntryRow)| of.is_none_or(|of| of == *account);
        self.entries.iter().filter(wanted).for_each(|(account, entry)| take(*account, entry));
        Ok(())
    }

    async fn open_holds(&mut self, take: impl FnMut(&HoldRow)) -> Result<(), VerifyError> {
        self.open_holds.iter().for_each(take);
        Ok(())
    }

    async fn beyond(&mut self, size: i64) -> Result<Beyond, VerifyError> {
        let leaves = self.transactions.iter().map(|row| row.seq).filter(|seq| !(0..size).contains(seq));
        let width = |level: i16| size.checked_shr(8 * (level as u32 + 1)).unwrap_or(0);
        let tiles = self.tiles.iter().map(|tile| (tile.level, tile.index));
        let tiles = tiles.filter(|(level, index)| !(0..width(*level)).contains(index));
        let checkpoints = self.checkpoints.iter().map(|row| row.size).filter(|covers| !(1..=size).contains(covers));
        Ok(Beyond { leaves: leaves.collect(), tiles: tiles.collect(), checkpoints: checkpoints.collect() })
    }

    async fn ids(&mut self) -> Result<Ids, VerifyError> {
        let refused: IdSet<&Uuid> = self.refusals.iter().collect();
        let mut recorded: IdSet<Uuid> = HashSet::with_capacity_and_hasher(self.transactions.len(), Default::default());
        let mut ids = Ids { refusals: self.refusals.len() as u64, ..Ids::default() };
        for row in &self.transactions {
            if refused.contains(&row.id) {
                ids.refused_and_recorded.push(TransactionId(row.id));
            }
            if !recorded.insert(row.id) {
                ids.recorded_twice.push(TransactionId(row.id));
            }
        }
        Ok(ids)
    }
}
