//! Wallets: which ledger account belongs to whom.

use std::collections::HashMap;

use ledger::{AccountId, Book, Currency};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::ids::UserId;
use crate::principal::Principal;

/// One of a user's accounts, or one of the book's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wallet {
    /// The account in the ledger.
    pub account_id: AccountId,
    /// Whose money it is; none for the book's own accounts.
    pub owner_id: Option<UserId>,
    /// The only currency that it holds.
    pub currency: Currency,
    /// Whether the ledger account has been opened yet.
    pub is_open: bool,
    /// Whether its owner was deleted: nothing moves in or out any more.
    pub is_closed: bool,
}

impl Wallet {
    /// Whether the caller may see it and move what is in it.
    pub fn is_of(&self, principal: &Principal) -> bool {
        principal.is_staff() || self.owner_id == Some(principal.user_id)
    }
}

/// A row of `app.wallet`.
pub(crate) struct Row {
    pub(crate) account_id: Uuid,
    pub(crate) owner_id: Option<Uuid>,
    pub(crate) currency: String,
    pub(crate) state: String,
}

impl From<Row> for Wallet {
    fn from(row: Row) -> Wallet {
        Wallet {
            account_id: AccountId(row.account_id),
            owner_id: row.owner_id.map(UserId),
            currency: Currency::parse(&row.currency).expect("only known currencies are written"),
            is_open: row.state == "open",
            is_closed: row.state == "closed",
        }
    }
}

/// The wallets among these accounts of the book, by account.
///
/// # Errors
/// When the database fails.
pub async fn by_account(
    conn: &mut PgConnection,
    book: Book,
    accounts: &[AccountId],
) -> sqlx::Result<HashMap<AccountId, Wallet>> {
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.0).collect();
    let rows = sqlx::query_as!(
        Row,
        "select account_id, owner_id, currency, state
         from unnest($2::uuid[]) as input (wanted)
         -- One look-up in the primary key for each, whatever the planner thinks of the table.
         cross join lateral (
             select *
             from app.wallet
             where shard = $1 and account_id = input.wanted
             offset 0
         ) as found
         where book_id = $3",
        book.shard,
        &ids,
        book.id,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Wallet::from).map(|wallet| (wallet.account_id, wallet)).collect())
}

/// [`by_account`], and until the caller's transaction ends no user is deleted: a wallet that is open here is still open when what
/// depends on it is committed.
///
/// # Errors
/// When the database fails.
pub(crate) async fn by_account_guarded(
    conn: &mut PgConnection,
    book: Book,
    accounts: &[AccountId],
) -> sqlx::Result<HashMap<AccountId, Wallet>> {
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.0).collect();
    let rows = sqlx::query_as!(
        Row,
        "select account_id, owner_id, currency, state
         from unnest($2::uuid[]) as input (wanted)
         cross join lateral (
             select *
             from app.wallet
             where shard = $1 and account_id = input.wanted
             offset 0
         ) as found
         where book_id = $3
           -- Has no rows to lock. The table itself is locked by being named so, before the statement's snapshot is taken: see delete.rs.
           and not exists (select from app.wallet_gate for key share)",
        book.shard,
        &ids,
        book.id,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Wallet::from).map(|wallet| (wallet.account_id, wallet)).collect())
}

/// The wallet of this account, if the caller may see it.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it is somebody else's; when the database fails.
pub async fn find(conn: &mut PgConnection, principal: &Principal, account: AccountId) -> Result<Wallet, Error> {
    let found = by_account(conn, principal.book, &[account]).await?.remove(&account);
    found.filter(|wallet| wallet.is_of(principal)).ok_or(Error::NotFound)
}

/// The book's own accounts for the outside world, by currency.
///
/// # Errors
/// When the database fails.
pub async fn cash(conn: &mut PgConnection, book: Book) -> sqlx::Result<HashMap<Currency, Wallet>> {
    let rows = sqlx::query_as!(
        Row,
        "select account_id, owner_id, currency, state
         from app.wallet
         where shard = $1 and book_id = $2 and purpose = 'cash'",
        book.shard,
        book.id,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Wallet::from).map(|wallet| (wallet.currency, wallet)).collect())
}

/// The wallets of these users.
///
/// # Errors
/// When the database fails.
pub async fn of_users(conn: &mut PgConnection, shard: i16, users: &[Uuid]) -> sqlx::Result<Vec<Wallet>> {
    let rows = sqlx::query_as!(
        Row,
        "select account_id, owner_id, currency, state
         from app.wallet
         where shard = $1 and owner_id = any($2)
         order by owner_id, currency",
        shard,
        users,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Wallet::from).collect())
}

/// Marks accounts as opened in the ledger; those that were already stay as they are.
///
/// # Errors
/// When the database fails.
pub async fn mark_open(conn: &mut PgConnection, book: Book, accounts: &[AccountId]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.0).collect();
    sqlx::query!(
        "update app.wallet
         set state = 'open', opened_at = now()
         where shard = $1 and account_id = any($2) and state = 'opening'",
        book.shard,
        &ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}
