//! The pass over the entries: in whatever order they lie, by one sum; only if it differs are sums made for each account, and
//! only where those differ are entries compared one by one.

use std::collections::HashMap;

use uuid::Uuid;

use super::VerifyError;
use super::finding::{Finding, Findings};
use super::fold::{ById, Fold, effective};
use super::rows::EntryRow;
use super::source::Source;
use crate::AccountId;
use crate::leaf::Leaf;

/// The most accounts whose entries are compared one by one.
const LOCATED_MAX: usize = 16;

/// Compares all entries with those that follow from the leaves.
pub(super) async fn check(source: &mut impl Source, fold: &mut Fold, size: i64) -> Result<(), VerifyError> {
    let (mut sum, hasher) = (fold.entries_sum, fold.hasher.clone());
    source.entries(None, |account, entry| sum = sum.wrapping_sub(hasher.hash(account, entry))).await?;
    if sum == 0 {
        return Ok(());
    }
    let mut differing = differing(source, fold, size).await?;
    assert!(fold.findings.count() > 0 || !differing.is_empty(), "sums that differ are those of accounts that differ");
    fold.findings.left_out += differing.len().saturating_sub(LOCATED_MAX) as u64;
    differing.truncate(LOCATED_MAX);
    if differing.is_empty() { Ok(()) } else { locate(source, fold, size, &differing).await }
}

/// An account while those that differ are looked for.
#[derive(Default)]
struct Sum {
    version: i64,
    balance: i64,
    sum: u64,
}

/// The accounts whose entries are not those that follow from the leaves: both are read again, and summed for each account.
async fn differing(source: &mut impl Source, fold: &mut Fold, size: i64) -> Result<Vec<Uuid>, VerifyError> {
    let Fold { accounts, hasher, findings, .. } = &mut *fold;
    let mut sums: ById<Sum> = accounts.keys().map(|id| (*id, Sum::default())).collect();
    source
        .leaves(0..size, |row| {
            let Ok(leaf) = Leaf::decode(row.leaf) else { return };
            for leg in leaf.legs.iter().filter(|_| leaf.act.moves()) {
                let Some(sum) = sums.get_mut(&leg.account.0) else { continue };
                let (version, balance) = (sum.version + 1, sum.balance.wrapping_add(leg.amount));
                let (seq, amount, effective_at) = (row.seq, leg.amount, effective(&leaf));
                let hash = hasher.hash(leg.account.0, &EntryRow { version, seq, amount, balance, effective_at });
                *sum = Sum { version, balance, sum: sum.sum.wrapping_add(hash) };
            }
        })
        .await?;
    source
        .entries(None, |account, entry| match sums.get_mut(&account) {
            Some(sum) => sum.sum = sum.sum.wrapping_sub(hasher.hash(account, entry)),
            None => findings.add(Finding::EntryExtra { account: AccountId(account), version: entry.version }),
        })
        .await?;
    let mut differing: Vec<Uuid> = sums.iter().filter(|(_, sum)| sum.sum != 0).map(|(id, _)| *id).collect();
    differing.sort_unstable();
    Ok(differing)
}

/// Reads the log again for these accounts, and compares what follows from it entry by entry.
async fn locate(source: &mut impl Source, fold: &mut Fold, size: i64, accounts: &[Uuid]) -> Result<(), VerifyError> {
    let mut wanted: HashMap<Uuid, Vec<EntryRow>> = accounts.iter().map(|account| (*account, Vec::new())).collect();
    source
        .leaves(0..size, |row| {
            if let Ok(leaf) = Leaf::decode(row.leaf) {
                expect_legs(&mut wanted, row.seq, &leaf);
            }
        })
        .await?;
    for account in accounts {
        let mut found = Vec::new();
        source.entries(Some(*account), |_, entry| found.push(*entry)).await?;
        found.sort_unstable_by_key(|entry: &EntryRow| entry.version);
        let before = fold.findings.count();
        compare(&mut fold.findings, AccountId(*account), &wanted[account], &found);
        assert!(fold.findings.count() > before, "sums that differ are those of entries that differ");
    }
    Ok(())
}

fn expect_legs(wanted: &mut HashMap<Uuid, Vec<EntryRow>>, seq: i64, leaf: &Leaf) {
    for leg in leaf.legs.iter().filter(|_| leaf.act.moves()) {
        if let Some(entries) = wanted.get_mut(&leg.account.0) {
            let before = entries.last().map_or(0, |last| last.balance);
            let (version, balance) = (entries.len() as i64 + 1, before.wrapping_add(leg.amount));
            entries.push(EntryRow { version, seq, amount: leg.amount, balance, effective_at: effective(leaf) });
        }
    }
}

/// Names what differs, version by version; what was found is in the order of its versions.
fn compare(findings: &mut Findings, account: AccountId, wanted: &[EntryRow], found: &[EntryRow]) {
    let mut found = found.iter().peekable();
    for entry in wanted {
        let version = entry.version;
        while let Some(extra) = found.next_if(|found| found.version < version) {
            findings.add(Finding::EntryExtra { account, version: extra.version });
        }
        match found.next_if(|found| found.version == version) {
            None => findings.add(Finding::EntryMissing { account, version }),
            Some(found) => {
                if let Some(column) = difference(entry, found) {
                    findings.add(Finding::Entry { account, version, column });
                }
            }
        }
    }
    found.for_each(|extra| findings.add(Finding::EntryExtra { account, version: extra.version }));
}

fn difference(wanted: &EntryRow, found: &EntryRow) -> Option<&'static str> {
    let columns = [
        ("seq", found.seq == wanted.seq),
        ("amount", found.amount == wanted.amount),
        ("balance", found.balance == wanted.balance),
        ("effective_at", found.effective_at == wanted.effective_at),
    ];
    columns.into_iter().find(|(_, same)| !same).map(|(column, _)| column)
}
