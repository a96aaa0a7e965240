//! Deletes a user: the address is free again, nobody logs in, and nothing moves in or out of the wallets. The row stays as the owner of
//! what is recorded; `accounts.erase` takes what is personal out of it.
//!
//! A transfer that is on its way decides against a deletion, and a deletion against a transfer that comes later. Whoever accepts
//! transactions reads the wallets with a statement that names the empty table `app.wallet_gate` as one whose rows it would lock, and so
//! holds `ROW SHARE` on it until the transfer is committed as pending. A deletion takes `EXCLUSIVE`, which waits for those and nothing
//! else (a backup and a report only read): then what was accepted is there to be seen, and what is accepted later sees closed wallets.
//! That costs a transfer next to nothing, as so weak a lock is taken without shared memory, and locks are granted in order.

use ledger::AccountId;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{User, read};
use crate::access::revoke_all;
use crate::access::scope::Scope;
use crate::audit;
use crate::error::Error;
use crate::ids::UserId;
use crate::principal::Principal;

/// Deletes the user, if `allows` says so of what it is now, in the caller's transaction.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Forbidden`] unless an administrator asks; [`Error::Stale`] when `allows` says no; [`Error::Conflict`]
/// `own_account`, `user_deleted`, `transactions_pending`, `money_held` or `wallet_not_empty`; [`Error::Unavailable`] when transfers
/// did not pause for long enough; when the database fails.
pub async fn delete(
    conn: &mut PgConnection,
    principal: &Principal,
    id: UserId,
    allows: impl FnOnce(&User) -> bool,
) -> Result<(), Error> {
    let user = read::lock(conn, principal, id).await?;
    if !principal.scopes.has(Scope::UsersAdmin) {
        return Err(Error::Forbidden("only an administrator deletes users"));
    }
    if !allows(&user) {
        return Err(Error::Stale);
    }
    if user.status == "deleted" {
        return Err(is_deleted());
    }
    if principal.user_id == id {
        return Err(conflict("own_account", "nobody deletes their own account: another administrator does"));
    }
    let accounts: Vec<Uuid> = user.wallets.iter().map(|wallet| wallet.account_id.0).collect();
    // Once without the gate, as it may read a long history, and then what came since.
    check_pending(conn, principal, &accounts, None).await?;
    close_gate(conn).await?;
    check_pending(conn, principal, &accounts, Some("15 minutes")).await?;
    check_money(conn, principal, &user).await?;
    bury(conn, principal, id).await?;
    revoke_all(conn, principal.book.shard, id, None, true).await?;
    audit::record(conn, principal, "user.delete", &id.to_string(), json!({})).await?;
    super::tell(conn, principal.book, "user.deleted", id).await?;
    Ok(())
}

/// The refusal of a change to a user who was deleted.
pub(super) fn is_deleted() -> Error {
    conflict("user_deleted", "this user was deleted")
}

fn conflict(code: &'static str, detail: &str) -> Error {
    Error::Conflict { code, detail: detail.to_owned(), existing: None }
}

/// Waits for the transfers that are being accepted, and lets no other begin until the transaction ends.
async fn close_gate(conn: &mut PgConnection) -> Result<(), Error> {
    // All transfers wait behind this one, so it must not wait for long.
    sqlx::query!("set local lock_timeout = '1s'").execute(&mut *conn).await?;
    let locked = sqlx::query!("lock table app.wallet_gate in exclusive mode").execute(&mut *conn).await;
    if let Err(error) = locked {
        let is_timeout = error.as_database_error().and_then(|error| error.code()).as_deref() == Some("55P03");
        return Err(if is_timeout { Error::Unavailable } else { error.into() });
    }
    sqlx::query!("set local lock_timeout to default").execute(&mut *conn).await?;
    Ok(())
}

/// That nothing of these accounts is still to be recorded, among what was accepted within the interval, if one is given.
async fn check_pending(
    conn: &mut PgConnection,
    principal: &Principal,
    accounts: &[Uuid],
    within: Option<&str>,
) -> Result<(), Error> {
    let is_pending = sqlx::query_scalar!(
        r#"with bound as materialized (
               -- The least UUIDv7 of that time: ids are of the clocks of those who accept, so it is generous.
               select (lpad(to_hex((extract(epoch from now() - $3::text::interval) * 1000)::bigint), 12, '0')
                       || '00000000000000000000')::uuid as id
           )
           select exists (
               select
               from unnest($2::uuid[]) as account (id)
               cross join bound
               cross join lateral (
                   (
                       select 1
                       from app.transaction
                       where from_account = account.id
                         and shard = $1
                         and status = 'pending'
                         and (bound.id is null or app.transaction.id > bound.id)
                       limit 1
                   )
                   union all
                   (
                       select 1
                       from app.transaction
                       where to_account = account.id
                         and shard = $1
                         and status = 'pending'
                         and (bound.id is null or app.transaction.id > bound.id)
                       limit 1
                   )
                   union all
                   (
                       select 1
                       from app.transaction_leg as leg
                       join app.transaction on transaction.shard = leg.shard and transaction.id = leg.transaction_id
                       where leg.account_id = account.id
                         and leg.shard = $1
                         and transaction.status = 'pending'
                         and (bound.id is null or leg.transaction_id > bound.id)
                       limit 1
                   )
               ) as pending
           ) as "exists!""#,
        principal.book.shard,
        accounts,
        within,
    )
    .fetch_one(conn)
    .await?;
    if is_pending {
        return Err(conflict("transactions_pending", "a transaction of this user is still to be recorded"));
    }
    Ok(())
}

/// That nothing is left in the wallets, nor held.
async fn check_money(conn: &mut PgConnection, principal: &Principal, user: &User) -> Result<(), Error> {
    let ids: Vec<AccountId> = user.wallets.iter().map(|wallet| wallet.account_id).collect();
    let accounts = ledger::accounts::find(conn, principal.book, &ids).await?;
    for account in &accounts {
        if account.held_out != 0 || account.held_in != 0 {
            return Err(conflict("money_held", &format!("money is held in account {}", account.id)));
        }
        if account.balance != 0 {
            return Err(conflict("wallet_not_empty", &format!("account {} is not empty", account.id)));
        }
    }
    Ok(())
}

/// Closes the wallets and makes a tombstone of the row: no password, and an address that nobody else can want.
async fn bury(conn: &mut PgConnection, principal: &Principal, id: UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "with closed as (
             update app.wallet
             set state = 'closed'
             where shard = $1 and owner_id = $3
         ), unused as (
             delete from app.password_reset
             where shard = $1 and user_id = $3
         )
         update app.account_user
         set status = 'deleted',
             email = id::text || '@deleted.invalid',
             password_hash = null,
             deleted_at = now(),
             updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
         where shard = $1 and book_id = $2 and id = $3",
        principal.book.shard,
        principal.book.id,
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}
