//! R5: no account is beyond its bound: not now, what is held included, and not after any of its entries.

use sqlx::PgConnection;

use super::found::minor;
use super::pages::{self, FOUND_MAX};
use super::{Class, Found, Page, Place, Scope};
use crate::AccountId;

pub(super) async fn page(conn: &mut PgConnection, scope: &Scope, place: Option<Place>) -> sqlx::Result<Page> {
    let accounts = pages::accounts(conn, scope, place).await?;
    let mut found = now(conn, scope, &accounts).await?;
    found.extend(before(conn, scope, &accounts).await?);
    assert!(found.len() <= 2 * FOUND_MAX as usize, "a page is bounded");
    Ok(Page { found, scanned: accounts.scanned, next: accounts.next, frontier: None })
}

/// Accounts that have less than nothing left.
async fn now(conn: &mut PgConnection, scope: &Scope, accounts: &pages::Accounts) -> sqlx::Result<Vec<Found>> {
    let rows = sqlx::query!(
        r#"select a.id as "id: AccountId", a.currency, (a.balance::numeric - a.held_out)::text as "available!"
           from unnest($3::uuid[]) as wanted (id)
           cross join lateral (
               select *
               from ledger.account
               where shard = $1 and book = $2 and id = wanted.id
               offset 0
           ) as a
           where not a.overdraft
               and a.balance::numeric - a.held_out < 0
           limit $4"#,
        scope.book.shard,
        scope.book.id,
        &accounts.ids,
        FOUND_MAX
    )
    .fetch_all(conn)
    .await?;
    let found = |account: AccountId, currency: String, available: &str| {
        let detail = format!("account {account} has {available} available, and may not be below zero");
        Found::account(Class::R5, "available", account, detail).amount(minor(available), currency)
    };
    Ok(rows.into_iter().map(|row| found(row.id, row.currency, &row.available)).collect())
}

/// Entries after which an account had less than nothing, the first of each account.
async fn before(conn: &mut PgConnection, scope: &Scope, accounts: &pages::Accounts) -> sqlx::Result<Vec<Found>> {
    let rows = sqlx::query!(
        r#"select a.id as "id: AccountId", a.currency, e.version, e.balance
           from unnest($3::uuid[]) as wanted (id)
           cross join lateral (
               select *
               from ledger.account
               where shard = $1 and book = $2 and id = wanted.id
               offset 0
           ) as a
           left join lateral (
               select version
               from ledger.entry
               where $4::bigint > 0 and shard = $1 and book = $2 and account_id = wanted.id and seq < $4
               order by version desc
               limit 1
           ) as before on true
           cross join lateral (
               select version, balance
               from ledger.entry
               where shard = $1
                   and book = $2
                   and account_id = wanted.id
                   and version > coalesce(before.version, 0)
                   and seq < $5
                   and balance < 0
               order by version
               limit 1
           ) as e
           where not a.overdraft
           limit $6"#,
        scope.book.shard,
        scope.book.id,
        &accounts.ids,
        accounts.from,
        accounts.to,
        FOUND_MAX
    )
    .fetch_all(conn)
    .await?;
    let found = |account: AccountId, currency: String, version: i64, balance: i64| {
        let detail = format!("account {account} was at {balance} after its entry {version}, and may not be below zero");
        Found::account(Class::R5, "entry", account, detail).amount(balance.into(), currency)
    };
    Ok(rows.into_iter().map(|row| found(row.id, row.currency, row.version, row.balance)).collect())
}
