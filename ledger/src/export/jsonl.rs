//! Writing an export: each table as it is, whether right or wrong, out of one snapshot.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use sqlx::PgConnection;

use super::ExportError;
use super::digest::{self, Manifest};
use super::line::{Account, Balance, Checkpoint, Entry, Group, Key, Line, Recorded, Refusal};
use super::transaction;
use crate::Book;
use crate::keyring::LogKey;
use crate::keys::VerifierKey;
use crate::leaf::Leaf;
use crate::verify::copy::{Row, for_each_row};
use crate::verify::database::Database;
use crate::verify::rows::{CheckpointRow, EntryRow, HoldRow};
use crate::verify::source::Source as _;
use crate::verify::{Progress, VerifyError};

/// How much was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Transactions.
    pub transactions: u64,
    /// Entries.
    pub entries: u64,
    /// Accounts.
    pub accounts: u64,
}

/// Writes a book into a folder, which is made if it is not there and must be empty. The connection should be in a
/// transaction of one snapshot (repeatable read), so that the files belong together.
///
/// # Errors
/// When the database fails, there is no such book, the folder is not empty, or a file cannot be written.
pub async fn jsonl(
    conn: &mut PgConnection,
    book: Book,
    folder: &Path,
    mut progress: impl FnMut(Progress),
) -> Result<Exported, ExportError> {
    make_empty(folder)?;
    let mut database = Database { conn, book };
    let head = database.head().await?;
    let mut exporter = Exporter { database, folder };
    let accounts = exporter.accounts().await?;
    exporter.lists().await?;
    let transactions = exporter.transactions(head.size, &mut progress).await?;
    let entries = exporter.entries().await?;
    let manifest = Manifest::new(book, &head, folder)?;
    let mut file = Writer::create(folder, digest::FILE)?;
    file.write(manifest.to_text().as_bytes())?;
    file.finish()?;
    Ok(Exported { transactions, entries, accounts })
}

fn make_empty(folder: &Path) -> Result<(), ExportError> {
    let failed = |error| ExportError::File { path: folder.display().to_string(), error };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let is_empty = std::fs::read_dir(folder).map_err(failed)?.next().is_none();
    if is_empty { Ok(()) } else { Err(ExportError::NotEmpty(folder.display().to_string())) }
}

/// A file of lines.
struct Writer {
    path: String,
    file: BufWriter<File>,
    line: Vec<u8>,
    count: u64,
}

impl Writer {
    fn create(folder: &Path, name: &str) -> Result<Writer, ExportError> {
        let path = folder.join(name);
        let shown = path.display().to_string();
        let file = File::create_new(&path).map_err(|error| ExportError::File { path: shown.clone(), error })?;
        Ok(Writer { path: shown, file: BufWriter::with_capacity(1 << 18, file), line: Vec::new(), count: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.file.write_all(bytes).map_err(|error| ExportError::File { path: self.path.clone(), error })
    }

    /// Adds a line, which `write` makes.
    fn line(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), ExportError> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        write(&mut line);
        assert!(line.ends_with(b"}"), "a line is an object");
        line.push(b'\n');
        self.write(&line)?;
        self.line = line;
        self.count += 1;
        Ok(())
    }

    /// Everything is on the disk when this returns.
    fn finish(mut self) -> Result<u64, ExportError> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(|error| ExportError::File { path: self.path, error })?;
        Ok(self.count)
    }
}

/// A book on its way into a folder.
struct Exporter<'a, 'b> {
    database: Database<'a>,
    folder: &'b Path,
}

impl Exporter<'_, '_> {
    /// Writes one file; `read` makes a line of each row.
    async fn file<L: Line, const N: usize>(
        &mut self,
        columns: &str,
        table: &str,
        order: &str,
        read: impl Fn(&Row<'_, N>) -> Result<L, VerifyError>,
    ) -> Result<u64, ExportError> {
        let Book { shard, id } = self.database.book;
        // A copy takes no parameters, and these are numbers.
        let query =
            format!("select {columns} from ledger.{table} where shard = {shard} and book = {id} order by {order}");
        let mut writer = Writer::create(self.folder, L::FILE)?;
        let mut written = Ok(());
        for_each_row(self.database.conn, &query, |row| {
            let line = read(&row)?;
            if written.is_ok() {
                written = writer.line(|text| line.write(text));
            }
            Ok(())
        })
        .await?;
        written?;
        writer.finish()
    }

    async fn accounts(&mut self) -> Result<u64, ExportError> {
        let columns = "id, currency, overdraft, code::bigint, group_id, opened_at";
        let accounts = self.file(columns, "account", "id", |row: &Row<'_, 6>| {
            Ok(Account {
                id: row.uuid(0)?,
                currency: row.text(1)?,
                overdraft: row.boolean(2)?,
                code: row.bigint(3)?,
                group: row.uuid_or_null(4)?,
                opened_at: row.micros(5)?,
            })
        });
        let accounts = accounts.await?;
        let columns = "id, balance, version, held_out, held_in, closed_seq";
        let balances = self.file(columns, "account", "id", |row: &Row<'_, 6>| {
            Ok(Balance {
                account: row.uuid(0)?,
                balance: row.bigint(1)?,
                version: row.bigint(2)?,
                held_out: row.bigint(3)?,
                held_in: row.bigint(4)?,
                closed_seq: row.bigint_or_null(5)?,
            })
        });
        assert_eq!(balances.await?, accounts, "one snapshot has one count of accounts");
        Ok(accounts)
    }

    /// The small tables.
    async fn lists(&mut self) -> Result<(), ExportError> {
        let groups = self.file("id, name, parent_id, created_at", "account_group", "id", |row: &Row<'_, 4>| {
            Ok(Group { id: row.uuid(0)?, name: row.text(1)?, parent: row.uuid_or_null(2)?, created_at: row.micros(3)? })
        });
        groups.await?;
        let refusals = self.file("id, reason, refused_at", "refusal", "id", |row: &Row<'_, 3>| {
            Ok(Refusal { id: row.uuid(0)?, reason: row.text(1)?, refused_at: row.micros(2)? })
        });
        refusals.await?;
        let holds = self.file("id, seq, expires_at, accounts", "open_hold", "id", |row: &Row<'_, 4>| {
            let expires_at = row.micros_or_null(2)?;
            Ok(HoldRow { id: row.uuid(0)?, seq: row.bigint(1)?, expires_at, accounts: row.uuids(3)? })
        });
        holds.await?;
        let checkpoints = self.file("size, root, note, signed_at", "checkpoint", "size", |row: &Row<'_, 4>| {
            let row_of = CheckpointRow { size: row.bigint(0)?, root: row.bytes(1)?.to_vec(), note: row.text(2)? };
            Ok(Checkpoint { row: row_of, signed_at: row.micros(3)? })
        });
        checkpoints.await?;
        let columns = "from_size, until_size, vkey, endorsement, added_at";
        let keys = self.file(columns, "log_key", "from_size, added_at", |row: &Row<'_, 5>| {
            let key = VerifierKey::parse(&row.text(2)?).map_err(|_| VerifyError::Row("a key that is none"))?;
            let (from_size, until_size) = (row.bigint(0)?, row.bigint_or_null(1)?);
            let endorsement = row.text_or_null(3)?;
            Ok(Key { key: LogKey { key, from_size, until_size, endorsement }, added_at: row.micros(4)? })
        });
        keys.await?;
        let ids = self.file("id", "transaction", "id", |row: &Row<'_, 1>| Ok(Recorded(row.uuid(0)?)));
        ids.await.map(drop)
    }

    async fn entries(&mut self) -> Result<u64, ExportError> {
        let columns = "account_id, version, seq, amount, balance, effective_at";
        let entries = self.file(columns, "entry", "account_id, version", |row: &Row<'_, 6>| {
            let row_of = EntryRow {
                version: row.bigint(1)?,
                seq: row.bigint(2)?,
                amount: row.bigint(3)?,
                balance: row.bigint(4)?,
                effective_at: row.micros_or_null(5)?,
            };
            Ok(Entry { account: row.uuid(0)?, row: row_of })
        });
        entries.await
    }

    async fn transactions(&mut self, size: i64, progress: &mut impl FnMut(Progress)) -> Result<u64, ExportError> {
        let mut writer = Writer::create(self.folder, transaction::FILE)?;
        let (mut written, mut legs) = (Ok(()), Vec::new());
        let take = |row: &crate::verify::rows::LeafRow<'_>| {
            let leaf = Leaf::decode_into(row.leaf, std::mem::take(&mut legs)).ok();
            if written.is_ok() {
                let line =
                    |text: &mut Vec<u8>| transaction::write_line(text, row.seq, row.leaf_hash, row.leaf, leaf.as_ref());
                written = writer.line(line);
            }
            legs = leaf.map(|leaf| leaf.legs).unwrap_or_default();
            if writer.count.is_multiple_of(4_096) {
                progress(Progress { leaves: writer.count, leaves_total: size as u64 });
            }
        };
        self.database.leaves(0..i64::MAX, take).await?;
        written?;
        writer.finish()
    }
}
