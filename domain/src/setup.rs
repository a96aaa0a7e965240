//! What a new installation needs before its first request: the book's cash accounts and an administrator.

use ledger::accounts::{self, NewAccount, Overdraft};
use ledger::{AccountId, Book};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::access::keys;
use crate::access::token::Token;
use crate::accounts::wallets;
use crate::ids::UserId;
use crate::validate::CURRENCIES;

/// The address of the administrator that a new installation starts with.
pub const ADMIN_EMAIL: &str = "admin@localhost";

/// Opens the cash account of each currency where it is missing, in the caller's transaction.
///
/// They stand for the outside world, so they may be overdrawn: what they owe is what was deposited.
///
/// # Errors
/// When the database fails.
pub async fn open_cash_accounts(conn: &mut PgConnection, book: Book) -> sqlx::Result<()> {
    for currency in CURRENCIES {
        sqlx::query!(
            "insert into app.wallet (shard, book_id, account_id, purpose, currency)
             values ($1, $2, $3, 'cash', $4)
             on conflict (shard, book_id, currency) where purpose = 'cash' do nothing",
            book.shard,
            book.id,
            Uuid::now_v7(),
            currency.code(),
        )
        .execute(&mut *conn)
        .await?;
    }
    let cash: Vec<_> = wallets::cash(&mut *conn, book).await?.into_values().collect();
    let account = |wallet: &wallets::Wallet| NewAccount {
        id: wallet.account_id,
        currency: wallet.currency,
        overdraft: Overdraft::Allowed,
        code: 0,
        group: None,
    };
    accounts::open(&mut *conn, book, &cash.iter().map(account).collect::<Vec<_>>()).await?;
    let ids: Vec<AccountId> = cash.iter().map(|wallet| wallet.account_id).collect();
    wallets::mark_open(conn, book, &ids).await
}

/// Creates the administrator and its first API key, in the caller's transaction; none where there is one already.
///
/// # Errors
/// When the database fails.
pub async fn create_admin(conn: &mut PgConnection, book: Book) -> sqlx::Result<Option<Token>> {
    let id = UserId::new();
    let created = sqlx::query!(
        "insert into app.account_user (shard, book_id, id, email, name, role)
         values ($1, $2, $3, $4, 'Administrator', 'admin')
         on conflict (shard, book_id, lower(email)) do nothing",
        book.shard,
        book.id,
        id.0,
        ADMIN_EMAIL,
    )
    .execute(&mut *conn)
    .await?;
    if created.rows_affected() == 0 {
        return Ok(None);
    }
    keys::create(conn, book.shard, id, "first key").await.map(Some)
}

/// Another API key for the administrator, for whoever lost the first one; none where there is no administrator yet.
///
/// # Errors
/// When the database fails.
pub async fn create_admin_key(conn: &mut PgConnection, book: Book, name: &str) -> sqlx::Result<Option<Token>> {
    let id = sqlx::query_scalar!(
        "select id
         from app.account_user
         where shard = $1 and book_id = $2 and lower(email) = $3",
        book.shard,
        book.id,
        ADMIN_EMAIL,
    )
    .fetch_optional(&mut *conn)
    .await?;
    match id {
        Some(id) => keys::create(conn, book.shard, UserId(id), name).await.map(Some),
        None => Ok(None),
    }
}
