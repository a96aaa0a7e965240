//! Saves accepted transactions in one statement; in two if one of them has many legs.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ledger::{Book, TransactionId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::decide::{Act, Movement};
use super::{Hold, Leg, NewTransaction, Status, Transaction, legs};
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
    more: More,
}

/// The columns that plain transactions do not need: all of them are empty where no request needs one.
#[derive(Default)]
struct More {
    acts: Vec<Option<&'static str>>,
    expires_at: Vec<Option<DateTime<Utc>>>,
    resolves: Vec<Option<Uuid>>,
    leg_counts: Vec<Option<i16>>,
}

impl More {
    fn of(accepted: &[Accepted<'_>]) -> More {
        let mut more = More::default();
        let is_plain = |(request, movement): &Accepted<'_>| {
            movement.act.is_none() && movement.legs.is_empty() && request.1.resolves.is_none()
        };
        if accepted.iter().all(is_plain) {
            return more;
        }
        for ((_, new), movement) in accepted {
            let (act, expires_at) = match movement.act {
                Some(Act::Hold { expires_at }) => (Some("hold"), expires_at),
                Some(Act::Part) => (Some("part"), None),
                None => (None, None),
            };
            more.acts.push(act);
            more.expires_at.push(expires_at);
            more.resolves.push(new.resolves.map(|hold| hold.0));
            let count = i16::try_from(movement.legs.len()).expect("legs are at most a thousand");
            more.leg_counts.push((count > 0).then_some(count));
        }
        more
    }
}

/// A request that may be saved, and what it comes to.
type Accepted<'a> = ((Principal, &'a NewTransaction), &'a Movement);

impl Columns {
    fn push(&mut self, id: TransactionId, principal: &Principal, new: &NewTransaction, legs: &Movement) {
        let mut salt = vec![0; 16];
        getrandom::fill(&mut salt).expect("the operating system gives random bytes");
        self.ids.push(id.0);
        self.kinds.push(new.kind.as_str().to_owned());
        self.from_accounts.push(legs.from.0);
        self.to_accounts.push(legs.to.0);
        self.amounts.push(i64::try_from(legs.amount.minor).expect("money is parsed within bounds that fit"));
        self.currencies.push(legs.amount.currency.code().to_owned());
        self.product_ids.push(new.product_id.map(|product| product.0));
        self.quantities.push(legs.quantity);
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
    accepted: Vec<Accepted<'_>>,
) -> sqlx::Result<Vec<Option<Transaction>>> {
    if accepted.is_empty() {
        return Ok(Vec::new());
    }
    let mut columns = Columns { more: More::of(&accepted), ..Columns::default() };
    let ids: Vec<TransactionId> = accepted.iter().map(|_| TransactionId(Uuid::now_v7())).collect();
    for (id, ((principal, new), movement)) in ids.iter().zip(&accepted) {
        columns.push(*id, principal, new, movement);
    }
    let times = write(conn, book, &columns).await?;
    let is_saved = |(id, _): &(&TransactionId, &Accepted<'_>)| times.contains_key(&id.0);
    let with_legs = ids.iter().zip(&accepted).filter(is_saved).map(|(id, (_, movement))| (*id, &movement.legs[..]));
    let with_legs: Vec<(TransactionId, &[Leg])> = with_legs.filter(|(_, legs)| !legs.is_empty()).collect();
    legs::insert(conn, book.shard, &with_legs).await?;
    let row = |(id, ((principal, new), movement)): (TransactionId, Accepted<'_>)| {
        let (created_at, effective_at) = *times.get(&id.0)?;
        Some(transaction(id, &principal, new, movement, created_at, effective_at))
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
        &columns.more.acts as &[Option<&str>],
        &columns.more.expires_at as &[Option<DateTime<Utc>>],
        &columns.more.resolves as &[Option<Uuid>],
        &columns.more.leg_counts as &[Option<i16>],
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, (row.created_at, row.effective_at))).collect())
}

fn transaction(
    id: TransactionId,
    principal: &Principal,
    new: &NewTransaction,
    movement: &Movement,
    created_at: DateTime<Utc>,
    effective_at: DateTime<Utc>,
) -> Transaction {
    let hold = match movement.act {
        Some(Act::Hold { expires_at }) => Some(Hold { expires_at, is_over: false, ended: None }),
        _ => None,
    };
    Transaction {
        id,
        kind: new.kind,
        from: movement.from,
        to: movement.to,
        amount: movement.amount,
        legs: movement.legs.clone(),
        product_id: new.product_id,
        quantity: movement.quantity,
        reverses: new.reverses,
        resolves: new.resolves,
        is_part: movement.act == Some(Act::Part),
        hold,
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
