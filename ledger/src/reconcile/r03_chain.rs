//! R3: the entries of an account follow one from the other: versions from 1 without a gap, each balance the one before and
//! its amount, in the order of the log.

use sqlx::PgConnection;

use super::pages::{self, FOUND_MAX};
use super::{Class, Found, Page, Place, Scope};

pub(super) async fn page(conn: &mut PgConnection, scope: &Scope, place: Option<Place>) -> sqlx::Result<Page> {
    let accounts = pages::accounts(conn, scope, place).await?;
    let rows = sqlx::query!(
        r#"select wanted.id as "id!", e.version as "version!",
                  (e.version <> e.version_before + 1) as "is_gap!",
                  (e.balance::numeric <> e.balance_before::numeric + e.amount) as "is_off!",
                  (e.seq <= e.seq_before) as "is_out_of_order!",
                  e.seq as "seq!", e.amount as "amount!", e.balance as "balance!", e.balance_before as "balance_before!"
           from unnest($3::uuid[]) as wanted (id)
           -- The last entry before the page, from which the first in it has to follow.
           left join lateral (
               select version
               from ledger.entry
               where $4::bigint > 0 and shard = $1 and book = $2 and account_id = wanted.id and seq < $4
               order by version desc
               limit 1
           ) as before on true
           cross join lateral (
               select version, seq, amount, balance,
                      lag(version, 1, 0::bigint) over in_order as version_before,
                      lag(balance, 1, 0::bigint) over in_order as balance_before,
                      lag(seq, 1, -1::bigint) over in_order as seq_before
               from ledger.entry
               where shard = $1 and book = $2 and account_id = wanted.id and version >= coalesce(before.version, 0)
               window in_order as (order by version)
           ) as e
           where e.version > coalesce(before.version, 0)
               and e.seq < $5
               and (e.version <> e.version_before + 1
                   or e.balance::numeric <> e.balance_before::numeric + e.amount
                   or e.seq <= e.seq_before)
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
    let mut found = Vec::new();
    for row in rows {
        let subject = || ("entry", format!("{}/{}", row.id, row.version));
        let name = format!("entry {} of account {}", row.version, row.id);
        if row.is_gap {
            found.push(Found::new(
                Class::R3,
                "gap",
                subject(),
                format!("{name} does not follow the version before it"),
            ));
        }
        if row.is_off {
            let (balance, before, amount) = (row.balance, row.balance_before, row.amount);
            let detail = format!("{name} has the balance {balance}, after {before} and an amount of {amount}");
            found.push(Found::new(Class::R3, "running_balance", subject(), detail));
        }
        if row.is_out_of_order {
            let detail = format!("{name} is of leaf {}, no later than the entry before it", row.seq);
            found.push(Found::new(Class::R3, "order", subject(), detail));
        }
    }
    assert!(accounts.from <= accounts.to, "a page of the log goes forward");
    Ok(Page { found, scanned: accounts.scanned, next: accounts.next, frontier: None })
}
