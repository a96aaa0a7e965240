//! R11: what is kept beside the leaves for looking up says what the leaves say: columns, entries, and the index by id.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::pages::{self, FOUND_MAX, LeafRow};
use super::{Class, Found, Page, Place, Scope};
use crate::leaf::Leaf;

/// What an entry is known by: its account and its leaf.
type Key = (Uuid, i64);

pub(super) async fn page(conn: &mut PgConnection, scope: &Scope, place: Option<Place>) -> sqlx::Result<Page> {
    let is_first = place.is_none();
    let ((start, stop), next) = pages::window(scope, place);
    let rows = pages::leaves(conn, scope.book, start, stop).await?;
    let mut found = not_found_by_id(conn, scope, (start, stop)).await?;
    // A full run leaves columns and entries to the verification, which derives all of them again from the leaves.
    if !scope.is_full {
        found.extend(columns_and_entries(conn, scope, (start, stop), &rows).await?);
    }
    if is_first {
        found.extend(beyond(conn, scope).await?);
    }
    Ok(Page { found, scanned: rows.len() as u64, next, frontier: None })
}

async fn columns_and_entries(
    conn: &mut PgConnection,
    scope: &Scope,
    (start, stop): (i64, i64),
    rows: &[LeafRow],
) -> sqlx::Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut legs: BTreeMap<Key, i64> = BTreeMap::new();
    for row in rows {
        let Ok(leaf) = Leaf::decode(&row.leaf) else {
            found.push(Found::leaf(Class::R11, "leaf", row.seq, format!("leaf {} cannot be read", row.seq)));
            continue;
        };
        found.extend(columns(scope, row, &leaf));
        let moving = leaf.legs.iter().filter(|leg| leaf.act.moves() && leg.amount != 0);
        legs.extend(moving.map(|leg| ((leg.account.0, row.seq), leg.amount)));
    }
    let mut accounts: Vec<Uuid> = legs.keys().map(|(account, _)| *account).collect();
    accounts.dedup();
    let entries = entries(conn, scope, &accounts, (start, stop)).await?;
    found.extend(differences(&legs, &entries));
    assert!(accounts.len() <= legs.len(), "an account is touched by a leg");
    Ok(found)
}

/// The columns of a row that say something else than its leaf.
fn columns(scope: &Scope, row: &LeafRow, leaf: &Leaf) -> Option<Found> {
    let same = [
        ("book", leaf.book == scope.book.id),
        ("seq", leaf.seq == row.seq),
        ("id", leaf.id.0 == row.id),
        ("recorded_at", leaf.recorded_at == row.recorded_at),
        ("reverses", leaf.act.reverses().map(|id| id.0) == row.reverses),
        ("reverses_part", leaf.act.reverses_part().map(|id| id.0) == row.reverses_part),
        ("resolves", leaf.act.resolves().map(|id| id.0) == row.resolves),
    ];
    let wrong: Vec<&str> = same.into_iter().filter(|(_, same)| !same).map(|(column, _)| column).collect();
    let detail = || format!("leaf {} has another {} than its row", row.seq, wrong.join(", "));
    (!wrong.is_empty()).then(|| Found::leaf(Class::R11, "column", row.seq, detail()))
}

/// The entries of these accounts that are of leaves of the page.
async fn entries(
    conn: &mut PgConnection,
    scope: &Scope,
    accounts: &[Uuid],
    (start, stop): (i64, i64),
) -> sqlx::Result<BTreeMap<Key, i64>> {
    let rows = sqlx::query!(
        r#"select wanted.id as "account_id!", e.seq, e.amount
           from unnest($3::uuid[]) as wanted (id)
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
                   and seq >= $4
                   and seq < $5
               offset 0
           ) as e"#,
        scope.book.shard,
        scope.book.id,
        accounts,
        start,
        stop
    )
    .fetch_all(conn)
    .await?;
    let mut entries = BTreeMap::new();
    for row in rows {
        // Two entries that say they are of one leg are added up, and so never pass for it.
        let amount: &mut i64 = entries.entry((row.account_id, row.seq)).or_default();
        *amount = amount.saturating_add(row.amount);
    }
    Ok(entries)
}

/// Legs without their entry, and entries without their leg.
fn differences(legs: &BTreeMap<Key, i64>, entries: &BTreeMap<Key, i64>) -> Vec<Found> {
    let of = |sub_class, (account, seq): &Key, detail: String| {
        let subject = ("entry", format!("{account}@{seq}"));
        Found::new(Class::R11, sub_class, subject, format!("{detail} of account {account} at leaf {seq}"))
    };
    let missing = legs.iter().filter_map(|(key, leg)| match entries.get(key) {
        None => Some(of("entry_missing", key, format!("there is no entry for the leg of {leg}"))),
        Some(entry) if entry != leg => Some(of("entry", key, format!("the entry says {entry}, the leaf {leg}"))),
        Some(_) => None,
    });
    let extra = entries.keys().filter(|key| !legs.contains_key(key));
    let extra = extra.map(|key| of("entry_extra", key, "the leaf has no leg for the entry".to_owned()));
    missing.chain(extra).take(FOUND_MAX as usize).collect()
}

/// Transactions that a look-up by their id does not find in their place.
async fn not_found_by_id(
    conn: &mut PgConnection,
    scope: &Scope,
    (start, stop): (i64, i64),
) -> sqlx::Result<Vec<Found>> {
    let seqs = sqlx::query_scalar!(
        r#"select t.seq
           from ledger.transaction as t
           where t.shard = $1
               and t.book = $2
               and t.seq >= $3
               and t.seq < $4
               and not exists (
                   select
                   from ledger.transaction as same
                   where same.shard = t.shard and same.id = t.id and same.book = t.book and same.seq = t.seq
               )
           order by t.seq
           limit $5"#,
        scope.book.shard,
        scope.book.id,
        start,
        stop,
        FOUND_MAX
    )
    .fetch_all(conn)
    .await?;
    let found = |seq| Found::leaf(Class::R11, "index", seq, format!("leaf {seq} is not found by its transaction's id"));
    Ok(seqs.into_iter().map(found).collect())
}

/// Entries of accounts that are not there: only a full run looks for them.
async fn beyond(conn: &mut PgConnection, scope: &Scope) -> sqlx::Result<Vec<Found>> {
    if !scope.is_full {
        return Ok(Vec::new());
    }
    let accounts = sqlx::query_scalar!(
        r#"select distinct e.account_id
           from ledger.entry as e
           where e.shard = $1
               and e.book = $2
               and not exists (
                   select from ledger.account as a where a.shard = e.shard and a.book = e.book and a.id = e.account_id
               )
           limit $3"#,
        scope.book.shard,
        scope.book.id,
        FOUND_MAX
    )
    .fetch_all(conn)
    .await?;
    let found = |account: Uuid| {
        let detail = format!("account {account} has entries, and no row");
        Found::new(Class::R11, "account_missing", ("account", account.to_string()), detail)
    };
    Ok(accounts.into_iter().map(found).collect())
}
