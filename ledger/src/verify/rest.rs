//! What needs no pass over the log: the head, the accounts as they are, and rows where none can be.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::VerifyError;
use super::copy::for_each_row;
use super::finding::Finding;
use super::fold::{AccountFold, Fold};
use crate::accounts::Overdraft;
use crate::{Book, Currency, TransactionId};

/// The head as its row has it.
pub(super) struct Head {
    pub(super) size: i64,
    pub(super) root: Vec<u8>,
    pub(super) frontier: Vec<u8>,
    pub(super) recorded_at: Option<chrono::DateTime<chrono::Utc>>,
}

pub(super) async fn head(conn: &mut PgConnection, book: Book) -> Result<Head, VerifyError> {
    let head = sqlx::query_as!(
        Head,
        r#"select size, root, frontier, recorded_at
           from ledger.book
           where shard = $1
               and book = $2"#,
        book.shard,
        book.id
    );
    head.fetch_optional(conn).await?.ok_or(VerifyError::NoSuchBook(book))
}

/// All accounts of the book, with nothing posted to them yet.
pub(super) async fn accounts(conn: &mut PgConnection, book: Book) -> Result<HashMap<Uuid, AccountFold>, VerifyError> {
    let Book { shard, id } = book;
    let query = format!(
        "select id, currency, overdraft, balance, version from ledger.account where shard = {shard} and book = {id}"
    );
    let mut accounts = HashMap::new();
    for_each_row::<5>(conn, &query, |row| {
        let currency = std::str::from_utf8(row.bytes(1)?).ok().and_then(|code| Currency::parse(code).ok());
        let account = AccountFold {
            currency,
            overdraft: Overdraft::from_allowed(row.boolean(2)?),
            row_balance: row.bigint(3)?,
            row_version: row.bigint(4)?,
            balance: 0,
            version: 0,
            entries: 0,
        };
        accounts.insert(row.uuid(0)?, account);
        Ok(())
    })
    .await?;
    Ok(accounts)
}

/// Compares the head with the tree that the fold has built.
pub(super) fn check_head(fold: &mut Fold, head: &Head) {
    let frontier = fold.appender.frontier();
    let columns = [
        ("root", frontier.root().as_slice() == head.root),
        ("frontier", frontier.to_bytes() == head.frontier),
        ("recorded_at", fold.recorded_at == head.recorded_at.map(|at| at.timestamp_micros())),
    ];
    for (column, _) in columns.into_iter().filter(|(_, same)| !same) {
        fold.findings.add(Finding::Head { column });
    }
}

/// Finds leaves and tiles that the head does not cover.
pub(super) async fn check_none_beyond(conn: &mut PgConnection, fold: &mut Fold, size: i64) -> Result<(), VerifyError> {
    let Book { shard, id } = fold.book;
    let leaves = sqlx::query_scalar!(
        r#"select seq
           from ledger.transaction
           where shard = $1
               and book = $2
               and seq >= $3
           order by seq"#,
        shard,
        id,
        size
    );
    for seq in leaves.fetch_all(&mut *conn).await? {
        fold.findings.add(Finding::LeafBeyondHead { seq });
    }
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
    for tile in tiles.fetch_all(conn).await? {
        fold.findings.add(Finding::TileBeyondHead { level: tile.level, index: tile.index });
    }
    Ok(())
}

/// How many ids are refused; finds those that are recorded too.
pub(super) async fn check_refusals(conn: &mut PgConnection, fold: &mut Fold) -> Result<u64, VerifyError> {
    let Book { shard, id } = fold.book;
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
    for transaction in both.fetch_all(&mut *conn).await? {
        fold.findings.add(Finding::RefusedAndRecorded { transaction });
    }
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from ledger.refusal
           where shard = $1
               and book = $2"#,
        shard,
        id
    );
    Ok(count.fetch_one(conn).await? as u64)
}
