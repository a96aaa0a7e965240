//! Groups of accounts, one within another: a view of the books that proves nothing, so it may change.

use sqlx::PgConnection;

use crate::{AccountId, Book, Currency, GroupId};

/// A group to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGroup {
    /// The group's identifier; making it again changes nothing.
    pub id: GroupId,
    /// What people call it, 1 to 200 characters; no two groups of a book have the same.
    pub name: String,
    /// The group that it is within; fixed for ever, so that no group is ever within itself.
    pub parent: Option<GroupId>,
}

/// What became of a [`NewGroup`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupOutcome {
    /// It is there now and was not before.
    Created,
    /// It was there already, just so.
    Exists,
    /// Its identifier or its name is another group's; nothing is changed.
    ExistsWithDifferent,
}

/// Why nothing was done to a group.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// There is no such group in this book.
    #[error("there is no group {0}")]
    NoSuchGroup(GroupId),
    /// There is no such account in this book.
    #[error("there is no account {0}")]
    NoSuchAccount(AccountId),
}

/// What the accounts of a group come to, in one currency, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupBalance {
    /// The currency.
    pub currency: Currency,
    /// How many accounts of it there are, closed ones included.
    pub accounts: i64,
    /// The sum of their balances.
    pub balance: i128,
    /// The sum of what is held of them.
    pub held_out: i128,
    /// The sum of what holds would bring them.
    pub held_in: i128,
}

/// Makes a group.
///
/// # Errors
/// When the database fails, the group that it is to be within is not there, or the name has no or too many characters (an
/// error of the database).
pub async fn create(conn: &mut PgConnection, book: Book, group: &NewGroup) -> Result<GroupOutcome, GroupError> {
    if let Some(parent) = group.parent {
        find(conn, book, parent).await?.ok_or(GroupError::NoSuchGroup(parent))?;
    }
    let inserted = sqlx::query!(
        r#"insert into ledger.account_group (shard, book, id, name, parent_id)
           values ($1, $2, $3, $4, $5)
           on conflict do nothing"#,
        book.shard,
        book.id,
        group.id.0,
        group.name,
        group.parent.map(|parent| parent.0)
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    assert!(inserted <= 1, "one group is made");
    if inserted == 1 {
        return Ok(GroupOutcome::Created);
    }
    let found = find(conn, book, group.id).await?;
    Ok(if found.as_ref() == Some(group) { GroupOutcome::Exists } else { GroupOutcome::ExistsWithDifferent })
}

/// The group of this identifier.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut PgConnection, book: Book, id: GroupId) -> Result<Option<NewGroup>, sqlx::Error> {
    sqlx::query_as!(
        NewGroup,
        r#"select id as "id: GroupId", name, parent_id as "parent: GroupId"
           from ledger.account_group
           where shard = $1
               and book = $2
               and id = $3"#,
        book.shard,
        book.id,
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// Moves an account into a group, or out of the one it is in. Waits for the writer of the book and then holds its row, as a
/// posting does: whoever held the account and waited for the book would stand in the way of one who does the reverse. Writers
/// that remember the account see by the book's row, which is written anew, that it was moved.
///
/// # Errors
/// When the database fails, or there is no such group or account.
pub async fn move_into(
    conn: &mut PgConnection,
    book: Book,
    account: AccountId,
    group: Option<GroupId>,
) -> Result<(), GroupError> {
    if let Some(group) = group {
        find(conn, book, group).await?.ok_or(GroupError::NoSuchGroup(group))?;
    }
    sqlx::query!(
        r#"update ledger.book
           set size = size
           where shard = $1
               and book = $2"#,
        book.shard,
        book.id
    )
    .execute(&mut *conn)
    .await?;
    let moved = sqlx::query!(
        r#"update ledger.account
           set group_id = $4
           where shard = $1
               and book = $2
               and id = $3"#,
        book.shard,
        book.id,
        account.0,
        group.map(|group| group.0)
    )
    .execute(conn)
    .await?
    .rows_affected();
    assert!(moved <= 1, "one account is moved");
    if moved == 1 { Ok(()) } else { Err(GroupError::NoSuchAccount(account)) }
}

/// What the accounts of a group, and of all groups within it, come to: one row for each currency, by its code.
///
/// # Errors
/// When the database fails, or there is no such group.
pub async fn balances(conn: &mut PgConnection, book: Book, group: GroupId) -> Result<Vec<GroupBalance>, GroupError> {
    find(conn, book, group).await?.ok_or(GroupError::NoSuchGroup(group))?;
    let rows = sqlx::query!(
        r#"with recursive member as (
               select $3::uuid as id
               union
               select within.id
               from member
               join ledger.account_group as within on within.shard = $1 and within.book = $2 and within.parent_id = member.id
           )
           select account.currency,
               count(*) as "accounts!",
               sum(account.balance)::text as "balance!",
               sum(account.held_out)::text as "held_out!",
               sum(account.held_in)::text as "held_in!"
           from member
           join ledger.account on account.shard = $1 and account.book = $2 and account.group_id = member.id
           group by account.currency
           order by account.currency"#,
        book.shard,
        book.id,
        group.0
    )
    .fetch_all(conn)
    .await?;
    // The sum of bigints is wider than one, and is read as text.
    let wide = |sum: String| sum.parse::<i128>().expect("a sum of whole numbers is a whole number");
    let balances = rows.into_iter().map(|row| GroupBalance {
        currency: Currency::parse(&row.currency).expect("only currencies of the table are stored"),
        accounts: row.accounts,
        balance: wide(row.balance),
        held_out: wide(row.held_out),
        held_in: wide(row.held_in),
    });
    Ok(balances.collect())
}
