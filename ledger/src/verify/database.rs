//! The database as a source: rows come by copy, and everything is of the one snapshot that the caller's transaction has.

use std::ops::Range;

use sqlx::PgConnection;
use uuid::Uuid;

use super::VerifyError;
use super::copy::{Row, for_each_row};
use super::rows::{AccountRow, CheckpointRow, CosignatureRow, EntryRow, HeadRow, HoldRow, LeafRow, TileRow};
use super::source::{Beyond, Ids, Source};
use crate::keyring::{self, LogKey};
use crate::{Book, TransactionId};

/// How many originals are looked up in one statement.
const ORIGINALS: usize = 10_000;

/// A book in a database.
pub(crate) struct Database<'a> {
    pub(crate) conn: &'a mut PgConnection,
    pub(crate) book: Book,
}

impl Database<'_> {
    /// A copy takes no parameters, and these are numbers.
    fn condition(&self) -> String {
        let Book { shard, id } = self.book;
        format!("where shard = {shard} and book = {id}")
    }
}

impl Source for Database<'_> {
    fn book(&self) -> Book {
        self.book
    }

    async fn keys(&mut self) -> Result<Vec<LogKey>, VerifyError> {
        Ok(keyring::list(self.conn, self.book).await?)
    }

    async fn head(&mut self) -> Result<HeadRow, VerifyError> {
        let head = sqlx::query!(
            r#"select size, root, frontier, recorded_at
               from ledger.book
               where shard = $1
                   and book = $2"#,
            self.book.shard,
            self.book.id
        );
        let head = head.fetch_optional(&mut *self.conn).await?.ok_or(VerifyError::NoSuchBook(self.book))?;
        let recorded_at = head.recorded_at.map(|at| at.timestamp_micros());
        Ok(HeadRow { size: head.size, root: head.root, frontier: head.frontier, recorded_at })
    }

    async fn accounts(&mut self, mut take: impl FnMut(&AccountRow)) -> Result<(), VerifyError> {
        let query = format!(
            "select id, currency, overdraft, balance, version, held_out, held_in, closed_seq from ledger.account {}",
            self.condition()
        );
        for_each_row::<8>(self.conn, &query, |row| {
            take(&AccountRow {
                id: row.uuid(0)?,
                currency: String::from_utf8_lossy(row.bytes(1)?).into_owned(),
                overdraft: row.boolean(2)?,
                balance: row.bigint(3)?,
                version: row.bigint(4)?,
                held_out: row.bigint(5)?,
                held_in: row.bigint(6)?,
                closed_seq: row.bigint_or_null(7)?,
            });
            Ok(())
        })
        .await
    }

    async fn leaves(&mut self, range: Range<i64>, mut take: impl FnMut(&LeafRow<'_>)) -> Result<(), VerifyError> {
        let query = format!(
            "select seq, id, recorded_at, reverses, reverses_part, resolves, leaf_hash, leaf \
             from ledger.transaction {} and seq >= {} and seq < {} \
             order by seq",
            self.condition(),
            range.start,
            range.end
        );
        for_each_row(self.conn, &query, |row| {
            take(&leaf_row(&row)?);
            Ok(())
        })
        .await
    }

    async fn originals(&mut self, ids: &[Uuid], mut take: impl FnMut(&LeafRow<'_>)) -> Result<(), VerifyError> {
        for ids in ids.chunks(ORIGINALS) {
            let rows = sqlx::query!(
                r#"select t.seq, t.id, t.recorded_at, t.reverses, t.reverses_part, t.resolves, t.leaf_hash, t.leaf
                   from unnest($3::uuid[]) as wanted (id)
                   cross join lateral (
                       select *
                       from ledger.transaction
                       where shard = $1
                           and id = wanted.id
                       offset 0
                   ) as t
                   where t.book = $2"#,
                self.book.shard,
                self.book.id,
                ids
            );
            for row in rows.fetch_all(&mut *self.conn).await? {
                take(&LeafRow {
                    seq: row.seq,
                    id: row.id,
                    recorded_at: row.recorded_at.timestamp_micros(),
                    reverses: row.reverses,
                    reverses_part: row.reverses_part,
                    resolves: row.resolves,
                    leaf_hash: &row.leaf_hash,
                    leaf: &row.leaf,
                });
            }
        }
        Ok(())
    }

    async fn tiles(&mut self, level: i16, range: Range<i64>) -> Result<Vec<TileRow>, VerifyError> {
        let rows = sqlx::query_as!(
            TileRow,
            r#"select level, index, root as "root?", hashes
               from ledger.tile
               where shard = $1
                   and book = $2
                   and level = $3
                   and index >= $4
                   and index < $5"#,
            self.book.shard,
            self.book.id,
            level,
            range.start,
            range.end
        );
        Ok(rows.fetch_all(&mut *self.conn).await?)
    }

    async fn checkpoints(&mut self, sizes: Range<i64>) -> Result<Vec<CheckpointRow>, VerifyError> {
        let rows = sqlx::query_as!(
            CheckpointRow,
            r#"select size, root, note
               from ledger.checkpoint
               where shard = $1
                   and book = $2
                   and size >= $3
                   and size < $4
               order by size"#,
            self.book.shard,
            self.book.id,
            sizes.start,
            sizes.end
        );
        Ok(rows.fetch_all(&mut *self.conn).await?)
    }

    async fn cosignatures(&mut self, sizes: Range<i64>) -> Result<Vec<CosignatureRow>, VerifyError> {
        let rows = sqlx::query_as!(
            CosignatureRow,
            r#"select size, witness, line
               from ledger.cosignature
               where shard = $1
                   and book = $2
                   and size >= $3
                   and size < $4"#,
            self.book.shard,
            self.book.id,
            sizes.start,
            sizes.end
        );
        Ok(rows.fetch_all(&mut *self.conn).await?)
    }

    async fn entries(&mut self, of: Option<Uuid>, mut take: impl FnMut(Uuid, &EntryRow)) -> Result<(), VerifyError> {
        let account = of.map(|account| format!(" and account_id = '{account}'")).unwrap_or_default();
        let query = format!(
            "select account_id, version, seq, amount, balance, effective_at from ledger.entry {}{account}",
            self.condition()
        );
        for_each_row::<6>(self.conn, &query, |row| {
            let entry = EntryRow {
                version: row.bigint(1)?,
                seq: row.bigint(2)?,
                amount: row.bigint(3)?,
                balance: row.bigint(4)?,
                effective_at: row.micros_or_null(5)?,
            };
            take(row.uuid(0)?, &entry);
            Ok(())
        })
        .await
    }

    async fn open_holds(&mut self, mut take: impl FnMut(&HoldRow)) -> Result<(), VerifyError> {
        let query = format!("select id, seq, expires_at, accounts from ledger.open_hold {}", self.condition());
        for_each_row::<4>(self.conn, &query, |row| {
            take(&HoldRow {
                id: row.uuid(0)?,
                seq: row.bigint(1)?,
                expires_at: row.micros_or_null(2)?,
                accounts: row.uuids(3)?,
            });
            Ok(())
        })
        .await
    }

    async fn beyond(&mut self, size: i64) -> Result<Beyond, VerifyError> {
        let Book { shard, id } = self.book;
        let leaves = sqlx::query_scalar!(
            r#"select seq
               from ledger.transaction
               where shard = $1
                   and book = $2
                   and (seq < 0 or seq >= $3)
               order by seq"#,
            shard,
            id,
            size
        );
        let leaves = leaves.fetch_all(&mut *self.conn).await?;
        let tiles = sqlx::query!(
            r#"select level, index
               from ledger.tile
               where shard = $1
                   and book = $2
                   and (index < 0 or index >= $3::bigint >> (8 * (level + 1)))
               order by level, index"#,
            shard,
            id,
            size
        );
        let tiles = tiles.fetch_all(&mut *self.conn).await?;
        let checkpoints = sqlx::query_scalar!(
            r#"select size
               from ledger.checkpoint
               where shard = $1
                   and book = $2
                   and (size < 1 or size > $3)
               order by size"#,
            shard,
            id,
            size
        );
        let checkpoints = checkpoints.fetch_all(&mut *self.conn).await?;
        Ok(Beyond { leaves, tiles: tiles.into_iter().map(|tile| (tile.level, tile.index)).collect(), checkpoints })
    }

    async fn ids(&mut self) -> Result<Ids, VerifyError> {
        let Book { shard, id } = self.book;
        let both = sqlx::query_scalar!(
            r#"select r.id as "id: TransactionId"
               from ledger.refusal as r
               join ledger.transaction as t on t.shard = r.shard and t.book = r.book and t.id = r.id
               where r.shard = $1
                   and r.book = $2
               order by r.id"#,
            shard,
            id
        );
        let refused_and_recorded = both.fetch_all(&mut *self.conn).await?;
        let twice = sqlx::query_scalar!(
            r#"select id as "id!: TransactionId"
               from (
                   select id, lag(id) over (order by id) as before
                   from ledger.transaction
                   where shard = $1
                       and book = $2
               ) as recorded
               where id = before"#,
            shard,
            id
        );
        let recorded_twice = twice.fetch_all(&mut *self.conn).await?;
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!"
               from ledger.refusal
               where shard = $1
                   and book = $2"#,
            shard,
            id
        );
        let refusals = count.fetch_one(&mut *self.conn).await? as u64;
        Ok(Ids { refusals, refused_and_recorded, recorded_twice })
    }
}

fn leaf_row<'a>(row: &Row<'a, 8>) -> Result<LeafRow<'a>, VerifyError> {
    Ok(LeafRow {
        seq: row.bigint(0)?,
        id: row.uuid(1)?,
        recorded_at: row.micros(2)?,
        reverses: row.uuid_or_null(3)?,
        reverses_part: row.uuid_or_null(4)?,
        resolves: row.uuid_or_null(5)?,
        leaf_hash: row.bytes(6)?,
        leaf: row.bytes(7)?,
    })
}
