//! R2: the row of an account says what its last entry says, and what its entries add up to.

use sqlx::PgConnection;

use super::found::minor;
use super::pages::{self, FOUND_MAX};
use super::{Class, Found, Page, Place, Scope};
use crate::AccountId;

pub(super) async fn page(conn: &mut PgConnection, scope: &Scope, place: Option<Place>) -> sqlx::Result<Page> {
    let accounts = pages::accounts(conn, scope, place).await?;
    let rows = sqlx::query!(
        r#"select a.id as "id: AccountId", a.currency,
                  (a.balance::numeric - coalesce(last.balance, 0))::text as "balance!",
                  (a.version - coalesce(last.version, 0)) as "version!",
                  (a.balance - coalesce(total.amount, 0))::text as "sum!"
           from unnest($3::uuid[]) as wanted (id)
           cross join lateral (
               select *
               from ledger.account
               where shard = $1 and book = $2 and id = wanted.id
               offset 0
           ) as a
           left join lateral (
               select balance, version
               from ledger.entry
               where shard = $1 and book = $2 and account_id = wanted.id
               order by version desc
               limit 1
           ) as last on true
           -- All entries are only added up when all accounts are gone through; else the chain of R3 stands for it.
           left join lateral (
               select sum(amount) as amount
               from ledger.entry
               where $4 and shard = $1 and book = $2 and account_id = wanted.id
           ) as total on true
           where a.balance <> coalesce(last.balance, 0)
               or a.version <> coalesce(last.version, 0)
               or ($4 and a.balance <> coalesce(total.amount, 0))
           limit $5"#,
        scope.book.shard,
        scope.book.id,
        &accounts.ids,
        scope.is_sweep(),
        FOUND_MAX
    )
    .fetch_all(conn)
    .await?;
    let mut found = Vec::new();
    for row in rows {
        let account = row.id;
        let of = |sub_class, detail: String, difference: &str| {
            Found::account(Class::R2, sub_class, account, detail).amount(minor(difference), row.currency.clone())
        };
        if row.balance != "0" {
            let detail = format!("the balance of account {account} is {} beyond its last entry's", row.balance);
            found.push(of("balance", detail, &row.balance));
        } else if scope.is_sweep() && row.sum != "0" {
            let detail = format!("the balance of account {account} is {} beyond the sum of its entries", row.sum);
            found.push(of("sum", detail, &row.sum));
        }
        if row.version != 0 {
            let detail = format!("the version of account {account} is {} beyond its last entry's", row.version);
            found.push(Found::account(Class::R2, "version", account, detail));
        }
    }
    assert!(found.iter().all(|one| one.class == Class::R2), "each check finds its own class");
    Ok(Page { found, scanned: accounts.scanned, next: accounts.next, frontier: None })
}
