//! R4: what accounts hold is what the open holds hold, the list of open holds is what the log says, and none is overdue.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::pages::FOUND_MAX;
use super::{Class, Found, Page, Scope};
use crate::leaf::Leaf;
use crate::{AccountId, Act};

/// Open holds that are read at once.
const HOLDS: i64 = 4_096;

/// What the open holds of one account take from it and bring to it, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) out: i128,
    pub(super) r#in: i128,
}

/// An open hold with its leaf, if there is one.
struct Row {
    id: Uuid,
    seq: i64,
    expires_at: Option<DateTime<Utc>>,
    accounts: Vec<Uuid>,
    is_overdue: Option<bool>,
    leaf: Option<Vec<u8>>,
    is_ended: bool,
}

pub(super) async fn page(conn: &mut PgConnection, scope: &Scope) -> sqlx::Result<Page> {
    let mut found = Vec::new();
    let (held, scanned) = open(conn, scope, |row, leaf| check(&mut found, row, leaf)).await?;
    found.extend(not_listed(conn, scope).await?);
    for differing in differing(conn, scope, &held).await? {
        found.push(of_account(&differing));
    }
    Ok(Page { found, scanned, ..Page::default() })
}

/// Goes through the open holds; returns what they add up to for each account, and how many there are.
async fn open(
    conn: &mut PgConnection,
    scope: &Scope,
    mut look: impl FnMut(&Row, Option<&Leaf>),
) -> sqlx::Result<(BTreeMap<Uuid, Held>, u64)> {
    let (mut held, mut scanned, mut after) = (BTreeMap::<Uuid, Held>::new(), 0, Uuid::nil());
    loop {
        let rows = open_page(conn, scope, after).await?;
        let Some(last) = rows.last() else { return Ok((held, scanned)) };
        (after, scanned) = (last.id, scanned + rows.len() as u64);
        for row in &rows {
            let leaf = row.leaf.as_deref().and_then(|leaf| Leaf::decode(leaf).ok());
            look(row, leaf.as_ref());
            let is_hold = leaf.as_ref().is_some_and(|leaf| matches!(leaf.act, Act::Hold { .. }));
            for leg in leaf.filter(|_| is_hold && !row.is_ended).into_iter().flat_map(|leaf| leaf.legs) {
                let of = held.entry(leg.account.0).or_default();
                let side = if leg.amount < 0 { &mut of.out } else { &mut of.r#in };
                *side += i128::from(leg.amount).abs();
                assert!(*side >= 0, "what is held adds up");
            }
        }
    }
}

async fn open_page(conn: &mut PgConnection, scope: &Scope, after: Uuid) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        r#"select h.id, h.seq, h.expires_at, h.accounts,
                  -- Its expiry is a job, and jobs may be late.
                  h.expires_at < clock_timestamp() - interval '1 minute' as is_overdue,
                  t.leaf as "leaf?",
                  (ended.id is not null) as "is_ended!"
           from (
               select *
               from ledger.open_hold
               where shard = $1 and book = $2 and id > $3
               order by id
               limit $4
           ) as h
           left join lateral (
               select leaf
               from ledger.transaction
               where shard = $1 and book = $2 and id = h.id and seq = h.seq
               offset 0
           ) as t on true
           left join lateral (
               select id
               from ledger.transaction
               where shard = $1 and book = $2 and resolves = h.id
               offset 0
           ) as ended on true
           order by h.id"#,
        scope.book.shard,
        scope.book.id,
        after,
        HOLDS
    )
    .fetch_all(conn)
    .await
}

/// What is wrong with one row of the list.
fn check(found: &mut Vec<Found>, row: &Row, leaf: Option<&Leaf>) {
    let mut add = |sub_class, detail: &str| {
        let subject = ("transaction", row.id.to_string());
        found.push(Found::new(Class::R4, sub_class, subject, format!("hold {} of leaf {}: {detail}", row.id, row.seq)));
    };
    let Some((leaf, Act::Hold { expires_at })) = leaf.map(|leaf| (leaf, leaf.act)) else {
        return add("no_hold", "it is listed as open, and there is no such hold in the log");
    };
    if expires_at != row.expires_at {
        add("expiry", "it is listed with another end than its leaf has");
    }
    if leaf.legs.iter().any(|leg| !row.accounts.contains(&leg.account.0)) {
        add("accounts", "it is listed without an account of its leaf");
    }
    if row.is_ended {
        add("ended", "it is listed as open, and the log has its end");
    } else if row.is_overdue == Some(true) {
        add("overdue", "its time is over, and it is open still");
    }
}

/// Holds of the log that neither ended nor are listed. A hold is told by the fifth byte of its leaf.
async fn not_listed(conn: &mut PgConnection, scope: &Scope) -> sqlx::Result<Vec<Found>> {
    let rows = sqlx::query!(
        r#"select t.id, t.seq
           from ledger.transaction as t
           where t.shard = $1
               and t.book = $2
               and t.seq >= $3
               and t.seq < $4
               and length(t.leaf) > 4
               and get_byte(t.leaf, 4) = 2
               and not exists (
                   select from ledger.open_hold as h where h.shard = t.shard and h.book = t.book and h.id = t.id
               )
               and not exists (
                   select from ledger.transaction as e
                   where e.shard = t.shard and e.resolves = t.id and e.book = t.book and e.resolves is not null
               )
           order by t.seq
           limit $5"#,
        scope.book.shard,
        scope.book.id,
        if scope.is_full { 0 } else { scope.from },
        scope.size,
        FOUND_MAX
    )
    .fetch_all(conn)
    .await?;
    let found = |id: Uuid, seq| {
        let detail = format!("hold {id} of leaf {seq}: the log has no end of it, and it is not listed as open");
        Found::new(Class::R4, "not_listed", ("transaction", id.to_string()), detail)
    };
    Ok(rows.into_iter().map(|row| found(row.id, row.seq)).collect())
}

/// An account whose row holds something else than the open holds do.
pub(super) struct Differing {
    pub(super) account: AccountId,
    currency: String,
    row: Held,
    pub(super) holds: Held,
}

/// Compares each account that holds anything with what the open holds add up to.
async fn differing(
    conn: &mut PgConnection,
    scope: &Scope,
    held: &BTreeMap<Uuid, Held>,
) -> sqlx::Result<Vec<Differing>> {
    let ids: Vec<Uuid> = held.keys().copied().collect();
    let rows = sqlx::query!(
        r#"select id, currency, held_out, held_in
           from ledger.account
           where shard = $1
               and book = $2
               and (held_out <> 0 or held_in <> 0 or id = any($3))
           order by id"#,
        scope.book.shard,
        scope.book.id,
        &ids
    )
    .fetch_all(conn)
    .await?;
    let compared = rows.into_iter().map(|row| Differing {
        account: AccountId(row.id),
        currency: row.currency,
        row: Held { out: row.held_out.into(), r#in: row.held_in.into() },
        holds: held.get(&row.id).copied().unwrap_or_default(),
    });
    Ok(compared.filter(|one| one.row != one.holds).take(FOUND_MAX as usize).collect())
}

fn of_account(differing: &Differing) -> Found {
    let Differing { account, currency, row, holds } = differing;
    let off = (row.out - holds.out).abs() + (row.r#in - holds.r#in).abs();
    assert!(off > 0, "what does not differ is not told of");
    let detail = format!(
        "account {account} holds {} out and {} in, its open holds add up to {} and {}",
        row.out, row.r#in, holds.out, holds.r#in
    );
    Found::account(Class::R4, "held", *account, detail).amount(off, currency.clone())
}

/// The accounts whose rows hold something else than the open holds do, for [`super::repair`].
pub(super) async fn accounts_off(conn: &mut PgConnection, scope: &Scope) -> sqlx::Result<Vec<Differing>> {
    let (held, _) = open(conn, scope, |_, _| ()).await?;
    differing(conn, scope, &held).await
}
