//! Reads transactions by id or by reference.

use chrono::{DateTime, Utc};
use ledger::{AccountId, Book, Currency, Money, TransactionId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Ended, Hold, Kind, Status, Transaction, legs};
use crate::accounts::wallets;
use crate::error::Error;
use crate::ids::{ProductId, UserId};
use crate::principal::Principal;

/// A row of `app.transaction`.
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) from_account: Uuid,
    pub(super) to_account: Uuid,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) product_id: Option<Uuid>,
    pub(super) quantity: Option<i32>,
    pub(super) reverses: Option<Uuid>,
    pub(super) resolves: Option<Uuid>,
    pub(super) act: Option<String>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) is_over: bool,
    pub(super) ended: Option<String>,
    pub(super) leg_count: Option<i16>,
    pub(super) reference: Option<String>,
    pub(super) description: Option<String>,
    pub(super) effective_at: DateTime<Utc>,
    pub(super) created_by: Uuid,
    pub(super) created_at: DateTime<Utc>,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) seq: Option<i64>,
    pub(super) recorded_at: Option<DateTime<Utc>>,
}

impl Row {
    fn hold(&self) -> Option<Hold> {
        let ended = |name: &str| Ended::parse(name).expect("a check constraint holds the names of ends");
        let ended = self.ended.as_deref().map(ended);
        let hold = Hold { expires_at: self.expires_at, is_over: self.is_over, ended };
        (self.act.as_deref() == Some("hold")).then_some(hold)
    }
}

impl From<Row> for Transaction {
    fn from(row: Row) -> Transaction {
        let currency = Currency::parse(&row.currency).expect("only known currencies are written");
        Transaction {
            hold: row.hold(),
            is_part: row.act.as_deref() == Some("part"),
            legs: Vec::new(),
            resolves: row.resolves.map(TransactionId),
            id: TransactionId(row.id),
            kind: Kind::parse(&row.kind).expect("a check constraint holds the names of kinds"),
            from: AccountId(row.from_account),
            to: AccountId(row.to_account),
            amount: Money { minor: i128::from(row.amount), currency },
            product_id: row.product_id.map(ProductId),
            quantity: row.quantity,
            reverses: row.reverses.map(TransactionId),
            reference: row.reference,
            description: row.description,
            effective_at: row.effective_at,
            created_by: UserId(row.created_by),
            created_at: row.created_at,
            status: Status::parse(&row.status).expect("a check constraint holds the names of states"),
            reason: row.reason,
            seq: row.seq,
            recorded_at: row.recorded_at,
        }
    }
}

/// The book's transactions among these ids.
pub(super) async fn by_id(
    conn: &mut PgConnection,
    book: Book,
    ids: &[TransactionId],
) -> sqlx::Result<Vec<Transaction>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"select id, kind, from_account, to_account, amount, currency, product_id, quantity, reverses, resolves, act,
                expires_at, coalesce(expires_at <= now(), false) as "is_over!", ended, leg_count, reference, description,
                effective_at, created_by, created_at, status, reason, seq, recorded_at
         from unnest($2::uuid[]) as input (wanted)
         -- One look-up in the primary key for each, whatever the planner thinks of the table.
         cross join lateral (
             select *
             from app.transaction
             where shard = $1 and id = input.wanted
             offset 0
         ) as found
         where book_id = $3"#,
        book.shard,
        &ids,
        book.id,
    )
    .fetch_all(&mut *conn)
    .await?;
    whole(conn, book, rows).await
}

/// The transactions that these callers gave these references.
pub(super) async fn by_reference(
    conn: &mut PgConnection,
    book: Book,
    named: &[(UserId, String)],
) -> sqlx::Result<Vec<Transaction>> {
    let callers: Vec<Uuid> = named.iter().map(|(caller, _)| caller.0).collect();
    let references: Vec<String> = named.iter().map(|(_, reference)| reference.clone()).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"select id, kind, from_account, to_account, amount, currency, product_id, quantity, reverses, resolves, act,
                expires_at, coalesce(expires_at <= now(), false) as "is_over!", ended, leg_count, reference, description,
                effective_at, created_by, created_at, status, reason, seq, recorded_at
         from app.transaction
         where (shard, created_by, reference) in (
             select $1::smallint, input.created_by, input.reference
             from unnest($2::uuid[], $3::text[]) as input (created_by, reference)
         )"#,
        book.shard,
        &callers,
        &references,
    )
    .fetch_all(&mut *conn)
    .await?;
    whole(conn, book, rows).await
}

/// The transactions of these rows, with their legs.
pub(super) async fn whole(conn: &mut PgConnection, book: Book, rows: Vec<Row>) -> sqlx::Result<Vec<Transaction>> {
    let counted = |row: Row| {
        let count = row.leg_count;
        (Transaction::from(row), count)
    };
    legs::complete(conn, book, rows.into_iter().map(counted).collect()).await
}

/// The transactions among these ids, in no order, whoever's they are: for answers that were given before.
///
/// # Errors
/// When the database fails.
pub async fn find_many(conn: &mut PgConnection, book: Book, ids: &[TransactionId]) -> sqlx::Result<Vec<Transaction>> {
    by_id(conn, book, ids).await
}

/// How far these transactions of a shard have come; one that is not there is left out.
///
/// # Errors
/// When the database fails.
pub async fn statuses(
    conn: &mut PgConnection,
    shard: i16,
    ids: &[TransactionId],
) -> sqlx::Result<Vec<(TransactionId, Status)>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        "select found.id, found.status
         from unnest($2::uuid[]) as input (id)
         cross join lateral (
             select *
             from app.transaction
             where shard = $1 and id = input.id
             offset 0
         ) as found",
        shard,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    let status = |name: &str| Status::parse(name).expect("a check constraint holds the names of states");
    Ok(rows.into_iter().map(|row| (TransactionId(row.id), status(&row.status))).collect())
}

/// The transaction, if the caller made it or owns an account that takes part.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it is somebody else's; when the database fails.
pub async fn find(conn: &mut PgConnection, principal: &Principal, id: TransactionId) -> Result<Transaction, Error> {
    let found = by_id(conn, principal.book, &[id]).await?.pop().ok_or(Error::NotFound)?;
    if is_open_to(principal, &found) { Ok(found) } else { seen_by(conn, principal, found).await }
}

/// Whether the caller may see it whoever owns its accounts: as staff, or because it made it.
pub fn is_open_to(principal: &Principal, found: &Transaction) -> bool {
    principal.is_staff() || found.created_by == principal.user_id
}

/// The transaction, if the caller owns an account that takes part.
///
/// # Errors
/// [`Error::NotFound`] when it owns none; when the database fails.
pub async fn seen_by(conn: &mut PgConnection, principal: &Principal, found: Transaction) -> Result<Transaction, Error> {
    let accounts: Vec<AccountId> = found.all_legs().iter().map(|leg| leg.account).collect();
    let wallets = wallets::by_account(conn, principal.book, &accounts).await?;
    if wallets.values().any(|wallet| wallet.is_of(principal)) { Ok(found) } else { Err(Error::NotFound) }
}
