//! Safe repair: derives what follows from the log again. No transaction, entry or leaf is ever touched.
//!
//! The caller's transaction holds the row of the book from the first statement on, so nobody posts meanwhile.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Scope, r04_holds};
use crate::leaf::Leaf;
use crate::{AccountId, Act, Book};

/// Holds the book, as a writer does. Its row is written anew: what writers remember of its accounts is out of date with that.
///
/// # Errors
/// When the database fails.
pub async fn lock(conn: &mut PgConnection, book: Book) -> sqlx::Result<()> {
    let locked = sqlx::query_scalar!(
        r#"update ledger.book
           set size = size
           where shard = $1
               and book = $2
           returning size"#,
        book.shard,
        book.id
    )
    .fetch_optional(conn)
    .await?;
    assert!(locked.is_some(), "a book is never removed");
    Ok(())
}

/// Writes the balance and version of an account's last entry into its row, if its entries add up to that; otherwise nothing
/// is done, and it says so.
///
/// # Errors
/// When the database fails.
pub async fn balance(conn: &mut PgConnection, book: Book, account: AccountId) -> sqlx::Result<bool> {
    let updated = sqlx::query!(
        r#"with total as (
               select coalesce(sum(amount), 0) as amount,
                      count(*) as count,
                      coalesce(max(version), 0) as version
               from ledger.entry
               where shard = $1
                   and book = $2
                   and account_id = $3
           ),
           last as (
               select balance, version
               from ledger.entry
               where shard = $1
                   and book = $2
                   and account_id = $3
               order by version desc
               limit 1
           )
           update ledger.account as a
           set balance = total.amount::bigint,
               version = total.version
           from total
           left join last on true
           where a.shard = $1
               and a.book = $2
               and a.id = $3
               -- Only if the entries agree with one another.
               and total.amount = coalesce(last.balance, 0)
               and total.count = total.version"#,
        book.shard,
        book.id,
        account.0
    )
    .execute(conn)
    .await?;
    assert!(updated.rows_affected() <= 1, "an account has one row");
    Ok(updated.rows_affected() == 1)
}

/// Writes what the open holds add up to into the rows of accounts that say something else; returns which.
///
/// # Errors
/// When the database fails.
pub async fn held(conn: &mut PgConnection, scope: &Scope) -> sqlx::Result<Vec<AccountId>> {
    let off = r04_holds::accounts_off(conn, scope).await?;
    let fits = |held: i128| i64::try_from(held).ok();
    let rows: Vec<(Uuid, i64, i64)> =
        off.iter().filter_map(|one| Some((one.account.0, fits(one.holds.out)?, fits(one.holds.r#in)?))).collect();
    let ids: Vec<Uuid> = rows.iter().map(|(id, _, _)| *id).collect();
    let out: Vec<i64> = rows.iter().map(|(_, out, _)| *out).collect();
    let r#in: Vec<i64> = rows.iter().map(|(_, _, r#in)| *r#in).collect();
    let updated = sqlx::query!(
        r#"update ledger.account as a
           set held_out = input.held_out,
               held_in = input.held_in
           from unnest($3::uuid[], $4::bigint[], $5::bigint[]) as input (id, held_out, held_in)
           where a.shard = $1
               and a.book = $2
               and a.id = input.id"#,
        scope.book.shard,
        scope.book.id,
        &ids,
        &out,
        &r#in
    )
    .execute(conn)
    .await?;
    assert_eq!(updated.rows_affected(), rows.len() as u64, "each account is there, as the book is held");
    Ok(ids.into_iter().map(AccountId).collect())
}

/// Takes a hold off the list of open ones if the log has no such hold, or has its end.
///
/// # Errors
/// When the database fails.
pub async fn unlist_hold(conn: &mut PgConnection, book: Book, hold: Uuid) -> sqlx::Result<bool> {
    let removed = sqlx::query!(
        r#"delete from ledger.open_hold as h
           where h.shard = $1
               and h.book = $2
               and h.id = $3
               and (
                   exists (select from ledger.transaction as e where e.shard = $1 and e.resolves = $3 and e.book = $2)
                   or not exists (
                       select from ledger.transaction as t
                       where t.shard = $1 and t.id = $3 and t.book = $2 and get_byte(t.leaf, 4) = 2
                   )
               )"#,
        book.shard,
        book.id,
        hold
    )
    .execute(conn)
    .await?;
    Ok(removed.rows_affected() == 1)
}

/// Lists a hold of the log as open that has not ended.
///
/// # Errors
/// When the database fails.
pub async fn list_hold(conn: &mut PgConnection, book: Book, hold: Uuid) -> sqlx::Result<bool> {
    let row = sqlx::query!(
        r#"select seq, leaf
           from ledger.transaction as t
           where t.shard = $1
               and t.id = $3
               and t.book = $2
               and not exists (select from ledger.transaction as e where e.shard = $1 and e.resolves = $3 and e.book = $2)"#,
        book.shard,
        book.id,
        hold
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some((seq, leaf)) = row.and_then(|row| Some((row.seq, Leaf::decode(&row.leaf).ok()?))) else {
        return Ok(false);
    };
    let Act::Hold { expires_at } = leaf.act else { return Ok(false) };
    let accounts: Vec<Uuid> = leaf.legs.iter().map(|leg| leg.account.0).collect();
    let listed = sqlx::query!(
        r#"insert into ledger.open_hold (shard, book, id, seq, expires_at, accounts)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (shard, book, id) do update
           set seq = excluded.seq, expires_at = excluded.expires_at, accounts = excluded.accounts"#,
        book.shard,
        book.id,
        hold,
        seq,
        expires_at,
        &accounts
    )
    .execute(conn)
    .await?;
    assert_eq!(listed.rows_affected(), 1);
    Ok(true)
}
