//! Accounts: opened once under a name that the caller chooses, closed by a transaction, and never removed or changed.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{AccountId, Book, Currency, GroupId};

pub mod groups;

/// Whether an account's balance may be below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdraft {
    /// The balance is never below zero, at no point of the log.
    Forbidden,
    /// Any balance; for accounts that stand for the world outside, such as cash.
    Allowed,
}

/// An account to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// The account's name; opening it again changes nothing.
    pub id: AccountId,
    /// What it is held in; fixed for ever.
    pub currency: Currency,
    /// Its bound; fixed for ever.
    pub overdraft: Overdraft,
    /// Its number in the chart of accounts; fixed for ever.
    pub code: u16,
    /// The group that it begins in; [`groups::move_into`] changes it.
    pub group: Option<GroupId>,
}

/// What became of a [`NewAccount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountOutcome {
    /// It is open now and was not before.
    Created,
    /// It was open already, just so.
    Exists,
    /// It was open already with another currency, bound or code, and stays as it was.
    ExistsWithDifferent,
}

/// An account as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub id: AccountId,
    /// What it is held in.
    pub currency: Currency,
    /// Its bound.
    pub overdraft: Overdraft,
    /// Its number in the chart of accounts.
    pub code: u16,
    /// The group that it is in.
    pub group: Option<GroupId>,
    /// Minor units.
    pub balance: i128,
    /// Minor units that open holds would take.
    pub held_out: i128,
    /// Minor units that open holds would bring; not available yet.
    pub held_in: i128,
    /// The count of its entries.
    pub version: i64,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// The transaction that closed it, by its place in the book; none while it is open.
    pub closed_seq: Option<i64>,
}

impl Account {
    /// What is left of the balance after what is held, in minor units: below zero only where overdraft is allowed.
    pub fn available(&self) -> i128 {
        self.balance - self.held_out
    }
}

impl Overdraft {
    pub(crate) fn from_allowed(allowed: bool) -> Overdraft {
        if allowed { Overdraft::Allowed } else { Overdraft::Forbidden }
    }

    pub(crate) fn is_allowed(self) -> bool {
        self == Overdraft::Allowed
    }
}

/// An account as its row has it.
struct Row {
    id: Uuid,
    currency: String,
    overdraft: bool,
    code: i32,
    group_id: Option<Uuid>,
    balance: i64,
    held_out: i64,
    held_in: i64,
    version: i64,
    opened_at: DateTime<Utc>,
    closed_seq: Option<i64>,
}

impl From<Row> for Account {
    fn from(row: Row) -> Account {
        assert!(row.overdraft || row.balance >= row.held_out, "a CHECK holds the bound");
        assert!(row.version > 0 || row.balance == 0, "a balance is made of entries");
        Account {
            id: AccountId(row.id),
            currency: Currency::parse(&row.currency).expect("only currencies of the table are stored"),
            overdraft: Overdraft::from_allowed(row.overdraft),
            code: u16::try_from(row.code).expect("a CHECK holds the code to 16 bits"),
            group: row.group_id.map(GroupId),
            balance: row.balance.into(),
            held_out: row.held_out.into(),
            held_in: row.held_in.into(),
            version: row.version,
            opened_at: row.opened_at,
            closed_seq: row.closed_seq,
        }
    }
}

/// Opens accounts; answers for each in the order given. Does not wait for the writer of the book. A group that an account
/// is to begin in may be made before or after.
///
/// # Errors
/// When the database fails.
pub async fn open(
    conn: &mut PgConnection,
    book: Book,
    accounts: &[NewAccount],
) -> Result<Vec<AccountOutcome>, sqlx::Error> {
    let inserted = insert(conn, book, accounts).await?;
    let found = if inserted.len() == accounts.len() { Vec::new() } else { find(conn, book, &ids(accounts)).await? };
    let mut known: HashMap<AccountId, (Currency, Overdraft, u16)> =
        found.into_iter().map(|account| (account.id, (account.currency, account.overdraft, account.code))).collect();
    let mut created = HashSet::with_capacity(inserted.len());
    let mut outcomes = Vec::with_capacity(accounts.len());
    for account in accounts {
        let wanted = (account.currency, account.overdraft, account.code);
        // The first of an id is the one that was inserted, so it is also the one that the others are compared with.
        outcomes.push(if inserted.contains(&account.id) && created.insert(account.id) {
            known.insert(account.id, wanted);
            AccountOutcome::Created
        } else if known.get(&account.id).expect("an account that is not inserted is there") == &wanted {
            AccountOutcome::Exists
        } else {
            AccountOutcome::ExistsWithDifferent
        });
    }
    assert_eq!(outcomes.len(), accounts.len(), "each account has its outcome");
    assert_eq!(created.len(), inserted.len(), "nothing is inserted that was not asked for");
    Ok(outcomes)
}

fn ids(accounts: &[NewAccount]) -> Vec<AccountId> {
    accounts.iter().map(|account| account.id).collect()
}

/// Inserts those that are new, the first of each id; returns their ids.
async fn insert(
    conn: &mut PgConnection,
    book: Book,
    accounts: &[NewAccount],
) -> Result<HashSet<AccountId>, sqlx::Error> {
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.id.0).collect();
    let currencies: Vec<String> = accounts.iter().map(|account| account.currency.code().to_owned()).collect();
    let overdrafts: Vec<bool> = accounts.iter().map(|account| account.overdraft.is_allowed()).collect();
    let codes: Vec<i32> = accounts.iter().map(|account| account.code.into()).collect();
    let groups: Vec<Option<Uuid>> = accounts.iter().map(|account| account.group.map(|group| group.0)).collect();
    let inserted = sqlx::query_scalar!(
        // In the order of the ids, so that two callers with the same accounts wait for each other and never in a circle.
        r#"insert into ledger.account (shard, book, id, currency, overdraft, code, group_id)
           select $1, $2, id, currency, overdraft, code, group_id
           from unnest($3::uuid[], $4::text[], $5::boolean[], $6::integer[], $7::uuid[]) with ordinality
               as new (id, currency, overdraft, code, group_id, n)
           order by id, n
           on conflict do nothing
           returning id as "id: AccountId""#,
        book.shard,
        book.id,
        &ids,
        &currencies,
        &overdrafts,
        &codes,
        &groups as &[Option<Uuid>]
    )
    .fetch_all(conn)
    .await?;
    assert!(inserted.len() <= accounts.len(), "an account is inserted at most once");
    Ok(inserted.into_iter().collect())
}

/// The accounts of these ids that are open, in no order.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut PgConnection, book: Book, ids: &[AccountId]) -> Result<Vec<Account>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        Row,
        // The lateral query keeps the plan at one index look-up for each id, whatever was known when it was made.
        r#"select a.id, a.currency, a.overdraft, a.code, a.group_id, a.balance, a.held_out, a.held_in, a.version,
               a.opened_at, a.closed_seq
           from (select distinct unnest($3::uuid[]) as id) as wanted
           cross join lateral (
               select *
               from ledger.account
               where shard = $1
                   and book = $2
                   and id = wanted.id
               offset 0
           ) as a"#,
        book.shard,
        book.id,
        &ids
    )
    .fetch_all(conn)
    .await?;
    assert!(rows.len() <= ids.len(), "an id is found at most once");
    Ok(rows.into_iter().map(Account::from).collect())
}
