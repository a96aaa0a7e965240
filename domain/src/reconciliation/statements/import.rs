//! Imports a statement: line by line into the table, all or nothing, and the same file once.

use std::io::Read;

use ledger::Book;
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::NewStatement;
use super::csv::{Line, LineError, Lines};
use crate::imports::upload::{self, PIECE_BYTES, Upload};

/// Lines that are written at once.
const CHUNK: usize = 10_000;

/// What became of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// The statement.
    pub id: Uuid,
    /// Its lines.
    pub lines: u32,
    /// Whether the same file was there already; then nothing was written.
    pub is_repeated: bool,
}

/// Why a statement was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is wrong.
    #[error(transparent)]
    Line(#[from] LineError),
    /// What is told of it does not fit the ledger or itself.
    #[error("{field}: {problem}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The upload was given up meanwhile.
    #[error("the upload is gone")]
    Gone,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Imports a file in one transaction; memory is bounded whatever the file's size.
///
/// # Errors
/// When the file or what is told of it is wrong, or the database fails; then nothing is written.
pub async fn import(
    conn: &mut PgConnection,
    book: Book,
    new: &NewStatement,
    mut file: impl Read + Send,
    imported_by: &str,
) -> Result<Imported, ImportError> {
    let mut importer = Importer::begin(conn, book, new).await?;
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    loop {
        piece.clear();
        let read = file.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece);
        match read.map_err(|error| importer.lines.error(None, error.to_string()))? {
            0 => return importer.finish(imported_by).await,
            _ => importer.add(&piece).await?,
        }
    }
}

/// Imports a file of so many bytes that was uploaded, as [`import`] does. The upload stays.
///
/// # Errors
/// As [`import`]; [`ImportError::Gone`].
pub async fn import_upload(
    conn: &mut PgConnection,
    book: Book,
    new: &NewStatement,
    (upload, bytes): (Upload, i64),
    imported_by: &str,
) -> Result<Imported, ImportError> {
    let mut importer = Importer::begin(conn, book, new).await?;
    let mut begins_at = 0;
    while begins_at < bytes {
        let piece = upload::piece(&mut importer.tx, upload, begins_at).await?.ok_or(ImportError::Gone)?;
        importer.add(&piece).await?;
        begins_at += i64::try_from(piece.len()).expect("a piece is small");
    }
    importer.finish(imported_by).await
}

/// An import under way: what is written of it is nobody's to see before its end.
struct Importer<'a> {
    tx: Transaction<'a, Postgres>,
    book: Book,
    new: &'a NewStatement,
    id: Uuid,
    lines: Lines,
    chunk: Vec<Line>,
}

impl<'a> Importer<'a> {
    async fn begin(conn: &'a mut PgConnection, book: Book, new: &'a NewStatement) -> Result<Importer<'a>, ImportError> {
        check(conn, book, new).await?;
        let tx = conn.begin().await?;
        Ok(Importer { tx, book, new, id: Uuid::now_v7(), lines: Lines::new(), chunk: Vec::with_capacity(CHUNK) })
    }

    /// Writes what is whole once this has arrived.
    async fn add(&mut self, piece: &[u8]) -> Result<(), ImportError> {
        self.lines.add(Some(piece));
        self.write_lines().await
    }

    async fn write_lines(&mut self) -> Result<(), ImportError> {
        while let Some(line) = self.lines.next()? {
            self.chunk.push(line);
            if self.chunk.len() == CHUNK {
                self.write_chunk().await?;
            }
        }
        Ok(())
    }

    async fn write_chunk(&mut self) -> Result<(), ImportError> {
        insert_lines(&mut self.tx, self.book.shard, self.id, &self.chunk).await?;
        self.chunk.clear();
        Ok(())
    }

    /// Nothing more arrives.
    async fn finish(mut self, imported_by: &str) -> Result<Imported, ImportError> {
        self.lines.add(None);
        self.write_lines().await?;
        self.write_chunk().await?;
        let Importer { mut tx, book, new, id, lines, .. } = self;
        let (count, digest) = (lines.count(), lines.digest());
        if insert(&mut tx, book, id, new, &digest, count, imported_by).await? {
            tx.commit().await?;
            return Ok(Imported { id, lines: count, is_repeated: false });
        }
        let id = same(&mut tx, book, new, &digest).await?;
        tx.rollback().await?;
        Ok(Imported { id, lines: count, is_repeated: true })
    }
}

/// The statement of the same file that is there already.
async fn same(conn: &mut PgConnection, book: Book, new: &NewStatement, digest: &[u8; 32]) -> sqlx::Result<Uuid> {
    sqlx::query_scalar!(
        "select id
         from reconciliation.statement
         where shard = $1 and book = $2 and account_id = $3 and digest = $4",
        book.shard,
        book.id,
        new.account.0,
        &digest[..],
    )
    .fetch_one(conn)
    .await
}

/// What is told of a statement has to fit the account and itself.
///
/// # Errors
/// [`ImportError::Field`]; when the database fails.
pub async fn check(conn: &mut PgConnection, book: Book, new: &NewStatement) -> Result<(), ImportError> {
    let wrong = |field, problem: String| Err(ImportError::Field { field, problem });
    let found = ledger::accounts::find(conn, book, &[new.account]).await?;
    let Some(account) = found.first() else {
        return wrong("account", format!("there is no account {}", new.account));
    };
    if account.currency != new.currency() || new.closing.currency != new.currency() {
        return wrong("currency", format!("the account is held in {}", account.currency.code()));
    }
    if new.period_from > new.period_to {
        return wrong("period_to", "the last day is before the first".to_owned());
    }
    if !(0..=31).contains(&new.tolerance_days) || new.tolerance_amount < 0 {
        return wrong("tolerance", "days are 0 to 31, an amount is not below zero".to_owned());
    }
    if !(1..=200).contains(&new.name.chars().count()) || new.name.chars().any(char::is_control) {
        return wrong("name", "it has 1 to 200 characters".to_owned());
    }
    Ok(())
}

async fn insert_lines(conn: &mut PgConnection, shard: i16, statement: Uuid, lines: &[Line]) -> sqlx::Result<()> {
    let numbers: Vec<i32> = lines.iter().map(|line| i32::try_from(line.line).expect("lines are bounded")).collect();
    let days: Vec<_> = lines.iter().map(|line| line.booked_on).collect();
    let amounts: Vec<i64> = lines.iter().map(|line| line.amount).collect();
    let currencies: Vec<String> = lines.iter().map(|line| line.currency.code().to_owned()).collect();
    let references: Vec<_> = lines.iter().map(|line| line.reference.clone()).collect();
    let ids: Vec<_> = lines.iter().map(|line| line.external_id.clone()).collect();
    let descriptions: Vec<_> = lines.iter().map(|line| line.description.clone()).collect();
    let inserted = sqlx::query!(
        "insert into reconciliation.statement_line (
             shard, statement_id, line, booked_on, amount, currency, reference, external_id, description
         )
         select $1, $2, input.*
         from unnest($3::integer[], $4::date[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[]) as input",
        shard,
        statement,
        &numbers,
        &days,
        &amounts,
        &currencies,
        &references as &[Option<String>],
        &ids as &[Option<String>],
        &descriptions as &[Option<String>],
    )
    .execute(conn)
    .await?;
    assert_eq!(inserted.rows_affected(), lines.len() as u64, "each line has its own number");
    Ok(())
}

/// Writes the statement itself; false if the account has one of the same file already.
async fn insert(
    conn: &mut PgConnection,
    book: Book,
    id: Uuid,
    new: &NewStatement,
    digest: &[u8; 32],
    lines: u32,
    imported_by: &str,
) -> sqlx::Result<bool> {
    let minor = |money: ledger::Money| i64::try_from(money.minor).expect("an amount is at most 10^18");
    let inserted = sqlx::query!(
        "insert into reconciliation.statement (
             shard, id, book, digest, name, account_id, currency, period_from, period_to, opening, closing, lines,
             tolerance_days, tolerance_amount, imported_by
         )
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         on conflict (shard, book, account_id, digest) do nothing",
        book.shard,
        id,
        book.id,
        &digest[..],
        new.name,
        new.account.0,
        new.currency().code(),
        new.period_from,
        new.period_to,
        minor(new.opening),
        minor(new.closing),
        i32::try_from(lines).expect("lines are bounded"),
        new.tolerance_days,
        new.tolerance_amount,
        imported_by,
    )
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() == 1)
}
