//! Saves accepted transactions in one statement.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ledger::{Book, TransactionId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::decide::Legs;
use super::{NewTransaction, Status, Transaction};
use crate::principal::Principal;

/// The columns of the rows to be saved, as `unnest` wants them.
#[derive(Default)]
struct Columns {
    ids: Vec<Uuid>,
    kinds: Vec<String>,
    from_accounts: Vec<Uuid>,
    to_accounts: Vec<Uuid>,
    amounts: Vec<i64>,
    currencies: Vec<String>,
    product_ids: Vec<Option<Uuid>>,
    quantities: Vec<Option<i32>>,
    reverses: Vec<Option<Uuid>>,
    references: Vec<Option<String>>,
    descriptions: Vec<Option<String>>,
    effective_at: Vec<Option<DateTime<Utc>>>,
    salts: Vec<Vec<u8>>,
    created_by: Vec<Uuid>,
}

impl Columns {
    fn push(&mut self, id: TransactionId, principal: &Principal, new: &NewTransaction, legs: &Legs) {
        let mut salt = vec![0; 16];
        getrandom::fill(&mut salt).expect("the operating system gives random bytes");
        self.ids.push(id.0);
        self.kinds.push(new.kind.as_str().to_owned());
        self.from_accounts.push(legs.from.0);
        self.to_accounts.push(legs.to.0);
        self.amounts.push(i64::try_from(legs.amount.minor).expect("money is parsed within bounds that fit"));
        self.currencies.push(legs.amount.currency.code().to_owned());
        self.product_ids.push(new.product_id.map(|product| product.0));
        self.quantities.push(new.quantity);
        self.reverses.push(new.reverses.map(|original| original.0));
        self.references.push(new.reference.clone());
        self.descriptions.push(new.description.clone());
        self.effective_at.push(new.effective_at);
        self.salts.push(salt);
        self.created_by.push(principal.user_id.0);
    }
}

/// Saves the requests as pending; none stands where the caller's reference was taken in between.
///
/// # Errors
/// When the database fails.
pub(super) async fn insert(
    conn: &mut PgConnection,
    book: Book,
    accepted: Vec<((Principal, &NewTransaction), Legs)>,
) -> sqlx::Result<Vec<Option<Transaction>>> {
    if accepted.is_empty() {
        return Ok(Vec::new());
    }
    let mut columns = Columns::default();
    let ids: Vec<TransactionId> = accepted.iter().map(|_| TransactionId(Uuid::now_v7())).collect();
    for (id, ((principal, new), legs)) in ids.iter().zip(&accepted) {
        columns.push(*id, principal, new, legs);
    }
    let times = write(conn, book, &columns).await?;
    let row = |(id, ((principal, new), legs)): (TransactionId, ((Principal, &NewTransaction), Legs))| {
        let (created_at, effective_at) = *times.get(&id.0)?;
        Some(transaction(id, &principal, new, &legs, created_at, effective_at))
    };
    Ok(ids.into_iter().zip(accepted).map(row).collect())
}

/// Writes the rows; returns when each one that was written was created and counts.
async fn write(
    conn: &mut PgConnection,
    book: Book,
    columns: &Columns,
) -> sqlx::Result<HashMap<Uuid, (DateTime<Utc>, DateTime<Utc>)>> {
    let rows = sqlx::query_file!(
        "src/transactions/insert.sql",
        book.shard,
        book.id,
        &columns.ids,
        &columns.kinds,
        &columns.from_accounts,
        &columns.to_accounts,
        &columns.amounts,
        &columns.currencies,
        &columns.product_ids as &[Option<Uuid>],
        &columns.quantities as &[Option<i32>],
        &columns.reverses as &[Option<Uuid>],
        &columns.references as &[Option<String>],
        &columns.descriptions as &[Option<String>],
        &columns.effective_at as &[Option<DateTime<Utc>>],
        &columns.salts,
        &columns.created_by,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, (row.created_at, row.effective_at))).collect())
}

fn transaction(
    id: TransactionId,
    principal: &Principal,
    new: &NewTransaction,
    legs: &Legs,
    created_at: DateTime<Utc>,
    effective_at: DateTime<Utc>,
) -> Transaction {
    Transaction {
        id,
        kind: new.kind,
        from: legs.from,
        to: legs.to,
        amount: legs.amount,
        product_id: new.product_id,
        quantity: new.quantity,
        reverses: new.reverses,
        reference: new.reference.clone(),
        description: new.description.clone(),
        effective_at,
        created_by: principal.user_id,
        created_at,
        status: Status::Pending,
        reason: None,
        seq: None,
        recorded_at: None,
    }
}
