//! Whom the transfers are between.

use anyhow::Result;
use ledger::posting::Memory;
use ledger::{AccountId, Book};
use sqlx::PgPool;
use uuid::Uuid;

use super::super::ledger::fund;

/// Accounts that transfers go between.
pub(in crate::suites) const USUAL: usize = 10_000;

/// Funded ledger accounts, each the open wallet of a user.
pub(in crate::suites) async fn open(pool: &PgPool, number: usize) -> Result<Vec<AccountId>> {
    let accounts = fund(pool, number, &Memory::default()).await?;
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.0).collect();
    let owners: Vec<Uuid> = accounts.iter().map(|_| Uuid::now_v7()).collect();
    sqlx::query(
        "insert into app.account_user (shard, book_id, id, email, name, role)
         select $1, $2, owner, owner || '@example.org', 'Somebody', 'user'
         from unnest($3::uuid[]) as owner",
    )
    .bind(Book::MAIN.shard)
    .bind(Book::MAIN.id)
    .bind(&owners)
    .execute(pool)
    .await?;
    sqlx::query(
        "insert into app.wallet (shard, book_id, account_id, owner_id, purpose, currency, state, opened_at)
         select $1, $2, account, owner, 'wallet', 'GBP', 'open', now()
         from unnest($3::uuid[], $4::uuid[]) as wallet (account, owner)",
    )
    .bind(Book::MAIN.shard)
    .bind(Book::MAIN.id)
    .bind(&ids)
    .bind(&owners)
    .execute(pool)
    .await?;
    Ok(accounts)
}
