//! Reads transactions: by id, by reference, or a page of them, newest first.

use chrono::{DateTime, Utc};
use ledger::{AccountId, Book, Currency, Money, TransactionId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Kind, Status, Transaction};
use crate::accounts::wallets;
use crate::error::Error;
use crate::ids::{ProductId, UserId};
use crate::page::{Listed, Page};
use crate::principal::Principal;

/// Which transactions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those that debit or credit this account.
    pub account: Option<AccountId>,
    /// Only those that have come so far.
    pub status: Option<Status>,
    /// Only the caller's one of this reference.
    pub reference: Option<String>,
    /// Which page.
    pub page: Page,
}

/// A row of `app.transaction`.
struct Row {
    id: Uuid,
    kind: String,
    from_account: Uuid,
    to_account: Uuid,
    amount: i64,
    currency: String,
    product_id: Option<Uuid>,
    quantity: Option<i32>,
    reverses: Option<Uuid>,
    reference: Option<String>,
    description: Option<String>,
    effective_at: DateTime<Utc>,
    created_by: Uuid,
    created_at: DateTime<Utc>,
    status: String,
    reason: Option<String>,
    seq: Option<i64>,
    recorded_at: Option<DateTime<Utc>>,
}

impl From<Row> for Transaction {
    fn from(row: Row) -> Transaction {
        let currency = Currency::parse(&row.currency).expect("only known currencies are written");
        Transaction {
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
        "select id, kind, from_account, to_account, amount, currency, product_id, quantity, reverses, reference,
                description, effective_at, created_by, created_at, status, reason, seq, recorded_at
         from unnest($2::uuid[]) as input (wanted)
         -- One look-up in the primary key for each, whatever the planner thinks of the table.
         cross join lateral (
             select *
             from app.transaction
             where shard = $1 and id = input.wanted
             offset 0
         ) as found
         where book_id = $3",
        book.shard,
        &ids,
        book.id,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Transaction::from).collect())
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
        "select id, kind, from_account, to_account, amount, currency, product_id, quantity, reverses, reference,
                description, effective_at, created_by, created_at, status, reason, seq, recorded_at
         from app.transaction
         where (shard, created_by, reference) in (
             select $1::smallint, input.created_by, input.reference
             from unnest($2::uuid[], $3::text[]) as input (created_by, reference)
         )",
        book.shard,
        &callers,
        &references,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Transaction::from).collect())
}

/// Which of these products the book has.
pub(super) async fn existing_products(conn: &mut PgConnection, book: Book, ids: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select id
         from app.product
         where shard = $1 and id = any($2) and book_id = $3",
        book.shard,
        ids,
        book.id,
    )
    .fetch_all(conn)
    .await
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

/// The transaction, if the caller made it or owns one of its accounts.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it is somebody else's; when the database fails.
pub async fn find(conn: &mut PgConnection, principal: &Principal, id: TransactionId) -> Result<Transaction, Error> {
    let found = by_id(conn, principal.book, &[id]).await?.pop().ok_or(Error::NotFound)?;
    if principal.is_staff() || found.created_by == principal.user_id {
        return Ok(found);
    }
    let wallets = wallets::by_account(conn, principal.book, &[found.from, found.to]).await?;
    if wallets.values().any(|wallet| wallet.is_of(principal)) { Ok(found) } else { Err(Error::NotFound) }
}

/// One page of the transactions that the caller may see, newest first.
///
/// # Errors
/// [`Error::NotFound`] when the filter names somebody else's account; when the database fails.
pub async fn list(
    conn: &mut PgConnection,
    principal: &Principal,
    filter: &Filter,
) -> Result<Listed<Transaction>, Error> {
    let found = if let Some(reference) = &filter.reference {
        let named = [(principal.user_id, reference.clone())];
        by_reference(conn, principal.book, &named).await?
    } else if let Some(account) = filter.account {
        wallets::find(conn, principal, account).await?;
        of_accounts(conn, principal.book, &[account.0], filter).await?
    } else if principal.is_staff() {
        of_book(conn, principal.book, filter).await?
    } else {
        let own = wallets::of_users(conn, principal.book.shard, &[principal.user_id.0]).await?;
        let own: Vec<Uuid> = own.iter().map(|wallet| wallet.account_id.0).collect();
        of_accounts(conn, principal.book, &own, filter).await?
    };
    Ok(filter.page.cut(found))
}

/// A page of everything in the book.
async fn of_book(conn: &mut PgConnection, book: Book, filter: &Filter) -> sqlx::Result<Vec<Transaction>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, kind, from_account, to_account, amount, currency, product_id, quantity, reverses, reference,
                description, effective_at, created_by, created_at, status, reason, seq, recorded_at
         from app.transaction
         where shard = $1
           and book_id = $2
           and ($3::uuid is null or id < $3)
           and ($4::text is null or status = $4)
         order by id desc
         limit $5",
        book.shard,
        book.id,
        filter.page.after,
        filter.status.map(Status::as_str),
        filter.page.fetch_limit(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Transaction::from).collect())
}

/// A page of what debits or credits these accounts.
async fn of_accounts(
    conn: &mut PgConnection,
    book: Book,
    accounts: &[Uuid],
    filter: &Filter,
) -> sqlx::Result<Vec<Transaction>> {
    let rows = sqlx::query_file_as!(
        Row,
        "src/transactions/of_accounts.sql",
        book.shard,
        accounts,
        filter.page.after,
        filter.status.map(Status::as_str),
        filter.page.fetch_limit(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Transaction::from).collect())
}
