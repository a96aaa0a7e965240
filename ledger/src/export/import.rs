//! Replay: an export, verified first, by bulk copies into an empty book, all in one transaction.

use std::path::Path;

use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::copy_in::{CHUNK, Rows};
use super::digest::Manifest;
use super::line::{Account, Balance, Checkpoint, Entry, Group, Key, Line, Refusal};
use super::lines::{Lines, next};
use super::{transaction, verify};
use crate::Book;
use crate::keys::VerifierKey;
use crate::leaf::Leaf;
use crate::merkle::Hash;
use crate::merkle::tiles::Appender;
use crate::verify::rows::{HeadRow, HoldRow};
use crate::verify::{Finding, Progress, Report, VerifyError};

/// How much was put into the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Transactions.
    pub transactions: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why nothing was put into the book.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The export cannot be read.
    #[error(transparent)]
    Export(#[from] VerifyError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The export is not sound.
    #[error("the export is not sound: {} ({} findings in all)", .0.findings[0], .0.findings.len() as u64 + .0.findings_left_out)]
    NotSound(Box<Report>),
    /// The book has something in it already.
    #[error("book {book} is not empty: it has rows in ledger.{table}")]
    NotEmpty {
        /// The book.
        book: Book,
        /// The first table that has rows of it.
        table: String,
    },
    /// The export was changed while it was read: its leaves have another root than the head says.
    #[error("what was read has another root than book.json says: the export was changed meanwhile")]
    Root,
    /// The export was changed while it was read: a line can no longer be read.
    #[error("{0}")]
    Line(Finding),
}

/// Puts an export into the book that it is of, which must be there and empty. The export is verified first, as
/// [`verify`](fn@verify::verify) does, with these keys; the root is derived again from what is written, before it is committed.
///
/// # Errors
/// When the export is not sound, the book is not empty or not there, or the database fails. Nothing is written then.
pub async fn import(
    conn: &mut PgConnection,
    folder: &Path,
    keys: &[VerifierKey],
    progress: impl FnMut(Progress),
) -> Result<Imported, ImportError> {
    let report = verify::verify(folder, keys, |_| ())?;
    if !report.is_clean() {
        return Err(ImportError::NotSound(Box::new(report)));
    }
    let manifest = Manifest::read(folder)?;
    let head = manifest.head().expect("an export that is sound has a head");
    let mut tx = conn.begin().await?;
    let mut importer = Importer { conn: &mut tx, book: manifest.book(), folder };
    importer.lock_empty().await?;
    importer.accounts().await?;
    importer.lists().await?;
    let root = importer.transactions(&head, progress).await?;
    importer.entries().await?;
    importer.head(&head).await?;
    tx.commit().await?;
    assert_eq!(root.as_slice(), head.root, "what is committed has the root of the export");
    Ok(Imported { transactions: head.size as u64, root })
}

/// A book on its way into the database.
struct Importer<'a> {
    conn: &'a mut PgConnection,
    book: Book,
    folder: &'a Path,
}

impl Importer<'_> {
    /// Holds the row of the book, so that nobody else writes; it must have nothing yet.
    async fn lock_empty(&mut self) -> Result<(), ImportError> {
        let Book { shard, id } = self.book;
        let size = sqlx::query_scalar!(
            r#"select size
               from ledger.book
               where shard = $1
                   and book = $2
               for no key update"#,
            shard,
            id
        );
        size.fetch_optional(&mut *self.conn).await?.ok_or(VerifyError::NoSuchBook(self.book))?;
        let found = sqlx::query_scalar!(
            r#"select case
                   when exists (select from ledger.transaction where shard = $1 and book = $2) then 'transaction'
                   when exists (select from ledger.account where shard = $1 and book = $2) then 'account'
                   when exists (select from ledger.account_group where shard = $1 and book = $2) then 'account_group'
                   when exists (select from ledger.entry where shard = $1 and book = $2) then 'entry'
                   when exists (select from ledger.refusal where shard = $1 and book = $2) then 'refusal'
                   when exists (select from ledger.checkpoint where shard = $1 and book = $2) then 'checkpoint'
                   when exists (select from ledger.log_key where shard = $1 and book = $2) then 'log_key'
               end"#,
            shard,
            id
        );
        match found.fetch_one(&mut *self.conn).await? {
            Some(table) => Err(ImportError::NotEmpty { book: self.book, table }),
            None => Ok(()),
        }
    }

    /// Copies one file into one table; `put` appends the columns of a line, after shard and book.
    async fn file<L: Line>(
        &mut self,
        table: &str,
        columns: &str,
        mut put: impl FnMut(&mut Rows, L),
    ) -> Result<(), ImportError> {
        let mut lines = Lines::open(self.folder, L::FILE)?;
        let mut rows = Rows::new(table, &format!("shard, book, {columns}"));
        let mut findings = Vec::new();
        while let Some(line) = next::<L>(&mut lines, &mut findings)? {
            put(rows.row().smallint(self.book.shard).integer(self.book.id), line);
            if rows.len() >= CHUNK {
                rows.send(self.conn).await?;
            }
        }
        rows.send(self.conn).await?;
        findings.into_iter().next().map_or(Ok(()), |finding| Err(ImportError::Line(finding)))
    }

    async fn accounts(&mut self) -> Result<(), ImportError> {
        let mut balances = Lines::open(self.folder, Balance::FILE)?;
        let mut unread = Ok(());
        let columns =
            "id, currency, overdraft, code, group_id, opened_at, balance, version, held_out, held_in, closed_seq";
        let copied = self.file("account", columns, |rows, account: Account| {
            let balance = next::<Balance>(&mut balances, &mut Vec::new()).ok().flatten();
            let Some(balance) = balance.filter(|balance| balance.account == account.id) else {
                unread = Err(ImportError::Line(balances.finding("it is not the balance of its account")));
                // The row has to have its columns; nothing of it is committed.
                for _ in 0..11 {
                    rows.null();
                }
                return;
            };
            rows.uuid(account.id).bytes(account.currency.as_bytes()).boolean(account.overdraft);
            rows.integer(account.code as i32).or_null(account.group, Rows::uuid).micros(account.opened_at);
            rows.bigint(balance.balance).bigint(balance.version).bigint(balance.held_out).bigint(balance.held_in);
            rows.or_null(balance.closed_seq, Rows::bigint);
        });
        let copied = copied.await;
        unread.and(copied)
    }

    /// The small tables.
    async fn lists(&mut self) -> Result<(), ImportError> {
        self.file("account_group", "id, name, parent_id, created_at", |rows, group: Group| {
            rows.uuid(group.id).bytes(group.name.as_bytes()).or_null(group.parent, Rows::uuid).micros(group.created_at);
        })
        .await?;
        self.file("refusal", "id, reason, refused_at", |rows, refusal: Refusal| {
            rows.uuid(refusal.id).bytes(refusal.reason.as_bytes()).micros(refusal.refused_at);
        })
        .await?;
        self.file("open_hold", "id, seq, expires_at, accounts", |rows, hold: HoldRow| {
            rows.uuid(hold.id).bigint(hold.seq).or_null(hold.expires_at, Rows::micros).uuids(&hold.accounts);
        })
        .await?;
        self.file("checkpoint", "size, root, note, signed_at", |rows, Checkpoint { row, signed_at }| {
            rows.bigint(row.size).bytes(&row.root).bytes(row.note.as_bytes()).micros(signed_at);
        })
        .await?;
        let columns = "vkey, from_size, until_size, endorsement, added_at";
        self.file("log_key", columns, |rows, Key { key, added_at }| {
            rows.bytes(key.key.to_text().as_bytes()).bigint(key.from_size).or_null(key.until_size, Rows::bigint);
            rows.or_null(key.endorsement.as_deref().map(str::as_bytes), Rows::bytes).micros(added_at);
        })
        .await
    }

    async fn entries(&mut self) -> Result<(), ImportError> {
        let columns = "account_id, version, seq, amount, balance, effective_at";
        self.file("entry", columns, |rows, Entry { account, row }| {
            rows.uuid(account).bigint(row.version).bigint(row.seq).bigint(row.amount).bigint(row.balance);
            rows.or_null(row.effective_at, Rows::micros);
        })
        .await
    }

    /// The log and its tiles, which are derived again from it.
    async fn transactions(&mut self, head: &HeadRow, mut progress: impl FnMut(Progress)) -> Result<Hash, ImportError> {
        let mut lines = Lines::open(self.folder, transaction::FILE)?;
        let columns = "seq, id, recorded_at, reverses, reverses_part, resolves, leaf_hash, leaf";
        let mut rows = Rows::new("transaction", &format!("shard, book, {columns}"));
        let mut tiles = Rows::new("tile", "shard, book, level, index, root, hashes");
        let mut appender = Appender::empty();
        let (mut hash, mut bytes) = (Vec::new(), Vec::new());
        while let Some(text) = lines.next_line()? {
            let seq = transaction::read(text, &mut hash, &mut bytes);
            let leaf = Leaf::decode(&bytes).ok().filter(|leaf| seq.is_some_and(|(seq, _)| seq == leaf.seq));
            let Some(leaf) = leaf else { return Err(ImportError::Line(lines.finding("it cannot be read"))) };
            appender.push(crate::merkle::leaf_hash(&bytes));
            self.transaction(&mut rows, &leaf, &hash, &bytes);
            if rows.len() >= CHUNK {
                rows.send(self.conn).await?;
                self.tiles(&mut tiles, &mut appender).await?;
                progress(Progress { leaves: appender.frontier().size(), leaves_total: head.size as u64 });
            }
        }
        rows.send(self.conn).await?;
        self.tiles(&mut tiles, &mut appender).await?;
        let frontier = appender.frontier();
        let is_whole = frontier.size() == head.size as u64 && frontier.to_bytes() == head.frontier;
        if is_whole && frontier.root().as_slice() == head.root { Ok(frontier.root()) } else { Err(ImportError::Root) }
    }

    fn transaction(&self, rows: &mut Rows, leaf: &Leaf, hash: &[u8], bytes: &[u8]) {
        let id = |id: Option<crate::TransactionId>| -> Option<Uuid> { id.map(|id| id.0) };
        rows.row().smallint(self.book.shard).integer(self.book.id);
        rows.bigint(leaf.seq).uuid(leaf.id.0).micros(leaf.recorded_at.timestamp_micros());
        rows.or_null(id(leaf.act.reverses()), Rows::uuid).or_null(id(leaf.act.reverses_part()), Rows::uuid);
        rows.or_null(id(leaf.act.resolves()), Rows::uuid).bytes(hash).bytes(bytes);
    }

    async fn tiles(&mut self, rows: &mut Rows, appender: &mut Appender) -> Result<(), ImportError> {
        for tile in appender.take_full() {
            rows.row().smallint(self.book.shard).integer(self.book.id);
            rows.smallint(tile.level.into()).bigint(tile.index as i64).bytes(&tile.root).bytes(&tile.hashes);
        }
        rows.send(self.conn).await?;
        Ok(())
    }

    async fn head(&mut self, head: &HeadRow) -> Result<(), ImportError> {
        let recorded_at = head.recorded_at.and_then(chrono::DateTime::from_timestamp_micros);
        let updated = sqlx::query!(
            r#"update ledger.book
               set size = $3, root = $4, frontier = $5, recorded_at = $6
               where shard = $1
                   and book = $2
                   and size = 0"#,
            self.book.shard,
            self.book.id,
            head.size,
            head.root,
            head.frontier,
            recorded_at
        );
        let updated = updated.execute(&mut *self.conn).await?.rows_affected();
        assert_eq!(updated, 1, "the book is ours and empty");
        Ok(())
    }
}
