//! The pass over the entries: in whatever order they lie, by sums; only if an account's sums differ are its entries compared
//! one by one.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::VerifyError;
use super::copy::for_each_row;
use super::finding::{Finding, Findings};
use super::fold::{AccountFold, EntryHasher, Expected, Fold};
use super::leaves::{PAGE, leaf_row, page_query};
use crate::leaf::Leaf;
use crate::{AccountId, Book};

/// The most accounts whose entries are compared one by one.
const LOCATED_MAX: usize = 16;

/// Compares all entries with those that follow from the leaves.
pub(super) async fn check(conn: &mut PgConnection, fold: &mut Fold, size: i64) -> Result<(), VerifyError> {
    let Book { shard, id } = fold.book;
    let query = format!(
        "select account_id, version, seq, amount, balance from ledger.entry where shard = {shard} and book = {id}"
    );
    let Fold { accounts, hasher, findings, .. } = &mut *fold;
    for_each_row::<5>(conn, &query, |row| {
        let entry = expected([row.bigint(1)?, row.bigint(2)?, row.bigint(3)?, row.bigint(4)?]);
        take(accounts, hasher, findings, row.uuid(0)?, &entry);
        Ok(())
    })
    .await?;
    let mut differing: Vec<Uuid> =
        fold.accounts.iter().filter(|(_, account)| account.entries != 0).map(|(id, _)| *id).collect();
    differing.sort_unstable();
    fold.findings.left_out += differing.len().saturating_sub(LOCATED_MAX) as u64;
    differing.truncate(LOCATED_MAX);
    if differing.is_empty() { Ok(()) } else { locate(conn, fold, size, &differing).await }
}

fn expected([version, seq, amount, balance]: [i64; 4]) -> Expected {
    Expected { version, seq, amount, balance }
}

/// Takes the entry off its account's sum: at the end, what is left over is nothing.
fn take(
    accounts: &mut HashMap<Uuid, AccountFold>,
    hasher: &EntryHasher,
    findings: &mut Findings,
    account: Uuid,
    entry: &Expected,
) {
    match accounts.get_mut(&account) {
        Some(fold) => fold.entries = fold.entries.wrapping_sub(hasher.hash(account, entry)),
        None => findings.add(Finding::EntryExtra { account: AccountId(account), version: entry.version }),
    }
}

/// Reads the log again for these accounts, and compares what follows from it entry by entry.
async fn locate(conn: &mut PgConnection, fold: &mut Fold, size: i64, accounts: &[Uuid]) -> Result<(), VerifyError> {
    let mut wanted: HashMap<Uuid, Vec<Expected>> = accounts.iter().map(|account| (*account, Vec::new())).collect();
    let mut start = 0;
    while start < size {
        let stop = size.min(start + PAGE);
        for_each_row(conn, &page_query(fold.book, start, stop), |row| {
            let row = leaf_row(&row)?;
            if let Ok(leaf) = Leaf::decode(row.leaf) {
                expect_legs(&mut wanted, row.seq, &leaf);
            }
            Ok(())
        })
        .await?;
        start = stop;
    }
    for account in accounts {
        let found = entries_of(conn, fold.book, *account).await?;
        compare(&mut fold.findings, AccountId(*account), &wanted[account], &found);
    }
    Ok(())
}

fn expect_legs(wanted: &mut HashMap<Uuid, Vec<Expected>>, seq: i64, leaf: &Leaf) {
    for leg in &leaf.legs {
        if let Some(entries) = wanted.get_mut(&leg.account.0) {
            let before = entries.last().map_or(0, |last| last.balance);
            let (version, balance) = (entries.len() as i64 + 1, before.saturating_add(leg.amount));
            entries.push(expected([version, seq, leg.amount, balance]));
        }
    }
}

async fn entries_of(conn: &mut PgConnection, book: Book, account: Uuid) -> Result<Vec<Expected>, VerifyError> {
    let rows = sqlx::query_as!(
        Expected,
        r#"select version, seq, amount, balance
           from ledger.entry
           where shard = $1
               and book = $2
               and account_id = $3
           order by version"#,
        book.shard,
        book.id,
        account
    );
    Ok(rows.fetch_all(conn).await?)
}

/// Names what differs, version by version.
fn compare(findings: &mut Findings, account: AccountId, wanted: &[Expected], found: &[Expected]) {
    let by_version: HashMap<i64, &Expected> = found.iter().map(|entry| (entry.version, entry)).collect();
    for entry in wanted {
        let version = entry.version;
        let Some(found) = by_version.get(&version) else {
            findings.add(Finding::EntryMissing { account, version });
            continue;
        };
        let columns = [
            ("seq", found.seq == entry.seq),
            ("amount", found.amount == entry.amount),
            ("balance", found.balance == entry.balance),
        ];
        if let Some((column, _)) = columns.into_iter().find(|(_, same)| !same) {
            findings.add(Finding::Entry { account, version, column });
        }
    }
    let is_extra = |entry: &&Expected| entry.version < 1 || entry.version > wanted.len() as i64;
    for entry in found.iter().filter(is_extra) {
        findings.add(Finding::EntryExtra { account, version: entry.version });
    }
}
