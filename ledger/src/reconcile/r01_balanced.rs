//! R1: debits equal credits, by currency: in each leaf, in the entries of each transaction, and over all accounts.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::found::minor;
use super::pages::{self, FOUND_MAX};
use super::{Class, Found, Page, Place, Scope};
use crate::leaf::Leaf;

pub(super) async fn page(conn: &mut PgConnection, scope: &Scope, place: Option<Place>) -> sqlx::Result<Page> {
    let mut page = if scope.is_sweep() {
        // A transaction's entries lie with their accounts, so all of them are summed up at once.
        Page { found: all_entries(conn, scope).await?, scanned: scope.size as u64, ..Page::default() }
    } else {
        of_window(conn, scope, place).await?
    };
    if page.next.is_none() {
        page.found.extend(totals(conn, scope).await?);
    }
    Ok(page)
}

async fn of_window(conn: &mut PgConnection, scope: &Scope, place: Option<Place>) -> sqlx::Result<Page> {
    let ((start, stop), _) = pages::window(scope, place.clone());
    let mut found = Vec::new();
    for row in pages::leaves(conn, scope.book, start, stop).await? {
        if let Ok(leaf) = Leaf::decode(&row.leaf) {
            found.extend(unbalanced(&leaf));
        }
    }
    let accounts = pages::accounts(conn, scope, place).await?;
    found.extend(entries_of(conn, scope, &accounts).await?);
    Ok(Page { found, scanned: accounts.scanned, next: accounts.next, frontier: None })
}

/// The currencies in which a leaf's legs do not add up to zero.
fn unbalanced(leaf: &Leaf) -> Vec<Found> {
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for leg in &leaf.legs {
        *sums.entry(leg.currency.code()).or_default() += i128::from(leg.amount);
    }
    let wrong = sums.into_iter().filter(|(_, sum)| *sum != 0);
    let found = |(currency, sum)| {
        let detail = format!("the legs of leaf {} add up to {sum} in {currency}", leaf.seq);
        Found::leaf(Class::R1, "leaf", leaf.seq, detail).amount(sum, currency)
    };
    wrong.map(found).collect()
}

fn of_entries(seq: i64, currency: Option<String>, sum: &str) -> Found {
    let currency = currency.unwrap_or_default();
    let detail = format!("the entries of leaf {seq} add up to {sum} in {currency}");
    let found = Found::leaf(Class::R1, "entries", seq, detail);
    if currency.is_empty() { found } else { found.amount(minor(sum), currency) }
}

async fn all_entries(conn: &mut PgConnection, scope: &Scope) -> sqlx::Result<Vec<Found>> {
    let rows = sqlx::query!(
        r#"select e.seq, a.currency as "currency?", sum(e.amount)::text as "sum!"
           from ledger.entry as e
           left join ledger.account as a on a.shard = e.shard and a.book = e.book and a.id = e.account_id
           where e.shard = $1
               and e.book = $2
               and e.seq < $3
           group by e.seq, a.currency
           having sum(e.amount) <> 0
           order by e.seq
           limit $4"#,
        scope.book.shard,
        scope.book.id,
        scope.size,
        FOUND_MAX
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| of_entries(row.seq, row.currency, &row.sum)).collect())
}

async fn entries_of(conn: &mut PgConnection, scope: &Scope, accounts: &pages::Accounts) -> sqlx::Result<Vec<Found>> {
    let rows = sqlx::query!(
        r#"select e.seq, a.currency as "currency?", sum(e.amount)::text as "sum!"
           from unnest($3::uuid[]) as wanted (id)
           left join lateral (
               select currency
               from ledger.account
               where shard = $1 and book = $2 and id = wanted.id
               offset 0
           ) as a on true
           -- Versions rise with the log: the page's entries are those after the last one before it.
           left join lateral (
               select version
               from ledger.entry
               where shard = $1 and book = $2 and account_id = wanted.id and seq < $4
               order by version desc
               limit 1
           ) as before on true
           cross join lateral (
               select seq, amount
               from ledger.entry
               where shard = $1
                   and book = $2
                   and account_id = wanted.id
                   and version > coalesce(before.version, 0)
                   and seq < $5
               offset 0
           ) as e
           group by e.seq, a.currency
           having sum(e.amount) <> 0
           order by e.seq
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
    Ok(rows.into_iter().map(|row| of_entries(row.seq, row.currency, &row.sum)).collect())
}

/// Over all accounts of a currency, balances and what is held add up to nothing.
async fn totals(conn: &mut PgConnection, scope: &Scope) -> sqlx::Result<Vec<Found>> {
    let rows = sqlx::query!(
        r#"select currency, sum(balance)::text as "balances!", (sum(held_in) - sum(held_out))::text as "held!"
           from ledger.account
           where shard = $1
               and book = $2
           group by currency
           having sum(balance) <> 0 or sum(held_in) <> sum(held_out)
           order by currency"#,
        scope.book.shard,
        scope.book.id
    )
    .fetch_all(conn)
    .await?;
    assert!(rows.len() <= 1_000, "there are fewer currencies");
    let found = |(sub_class, what, currency, sum): (&'static str, &str, &str, &str)| {
        let detail = format!("{what} of all accounts in {currency} add up to {sum}");
        Found::new(Class::R1, sub_class, ("currency", currency.to_owned()), detail).amount(minor(sum), currency)
    };
    let both = rows.iter().flat_map(|row| {
        [
            ("balances", "the balances", &*row.currency, &*row.balances),
            ("holds", "the holds", &*row.currency, &*row.held),
        ]
    });
    Ok(both.filter(|(_, _, _, sum)| minor(sum) != 0).map(found).collect())
}
