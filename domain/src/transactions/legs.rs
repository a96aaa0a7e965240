//! The legs of transactions that have more of them than their own row tells: written, and read again.

use std::collections::HashMap;

use ledger::{AccountId, Book, Currency, Money, TransactionId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Transaction;

/// What a transaction does to one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// The account; each at most once in a transaction.
    pub account: AccountId,
    /// Above zero credits the account, below zero debits it.
    pub amount: Money,
}

impl Leg {
    /// The same the other way round.
    pub(super) fn turned(self) -> Leg {
        Leg { amount: Money { minor: -self.amount.minor, ..self.amount }, ..self }
    }
}

/// The legs of an amount from one account to another.
pub(super) fn two(from: AccountId, to: AccountId, amount: Money) -> [Leg; 2] {
    let credit = Leg { account: to, amount };
    [Leg { account: from, ..credit }.turned(), credit]
}

/// Saves the legs of transactions that were saved in this database transaction.
pub(super) async fn insert(conn: &mut PgConnection, shard: i16, saved: &[(TransactionId, &[Leg])]) -> sqlx::Result<()> {
    let (mut ids, mut positions, mut accounts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut amounts, mut currencies) = (Vec::new(), Vec::new());
    for (id, legs) in saved {
        for (position, leg) in (0_i16..).zip(*legs) {
            ids.push(id.0);
            positions.push(position);
            accounts.push(leg.account.0);
            amounts.push(i64::try_from(leg.amount.minor).expect("money is parsed within bounds that fit"));
            currencies.push(leg.amount.currency.code().to_owned());
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "insert into app.transaction_leg (shard, transaction_id, position, account_id, amount, currency)
         select $1, input.id, input.position, input.account_id, input.amount, input.currency
         from unnest($2::uuid[], $3::smallint[], $4::uuid[], $5::bigint[], $6::text[])
             as input (id, position, account_id, amount, currency)",
        shard,
        &ids,
        &positions,
        &accounts,
        &amounts,
        &currencies,
    )
    .execute(conn)
    .await?;
    assert_eq!(written.rows_affected(), ids.len() as u64, "each leg is written");
    Ok(())
}

/// The legs of these transactions, in their order.
pub(super) async fn load(
    conn: &mut PgConnection,
    shard: i16,
    ids: &[Uuid],
) -> sqlx::Result<HashMap<TransactionId, Vec<Leg>>> {
    let mut found: HashMap<TransactionId, Vec<Leg>> = HashMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let rows = sqlx::query!(
        "select leg.transaction_id, leg.account_id, leg.amount, leg.currency
         from unnest($2::uuid[]) as input (id)
         -- One look-up in the primary key for each, whatever the planner thinks of the table.
         cross join lateral (
             select *
             from app.transaction_leg
             where shard = $1 and transaction_id = input.id
             order by position
             offset 0
         ) as leg
         order by leg.transaction_id, leg.position",
        shard,
        ids,
    )
    .fetch_all(conn)
    .await?;
    for row in rows {
        let currency = Currency::parse(&row.currency).expect("only known currencies are written");
        let amount = Money { minor: i128::from(row.amount), currency };
        let leg = Leg { account: AccountId(row.account_id), amount };
        found.entry(TransactionId(row.transaction_id)).or_default().push(leg);
    }
    Ok(found)
}

/// Gives the transactions that have rows of their own for their legs what these say.
pub(super) async fn complete(
    conn: &mut PgConnection,
    book: Book,
    found: Vec<(Transaction, Option<i16>)>,
) -> sqlx::Result<Vec<Transaction>> {
    let wanted: Vec<Uuid> = found.iter().filter(|(_, count)| count.is_some()).map(|(one, _)| one.id.0).collect();
    let legs = load(conn, book.shard, &wanted).await?;
    let complete = |(transaction, count): (Transaction, Option<i16>)| {
        let own = legs.get(&transaction.id).cloned().unwrap_or_default();
        assert_eq!(own.len(), usize::try_from(count.unwrap_or(0)).unwrap_or(0), "a transaction has all of its legs");
        Transaction { legs: own, ..transaction }
    };
    Ok(found.into_iter().map(complete).collect())
}
