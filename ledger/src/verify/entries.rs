//! The pass over the entries: in whatever order they lie, by sums; only if an account's sums differ are its entries compared
//! one by one.

use std::collections::HashMap;

use uuid::Uuid;

use super::finding::{Finding, Findings};
use super::fold::{AccountFold, ById, EntryHasher, Fold, effective};
use super::rows::EntryRow;
use super::source::Source;
use super::{PAGE, VerifyError};
use crate::AccountId;
use crate::leaf::Leaf;

/// The most accounts whose entries are compared one by one.
const LOCATED_MAX: usize = 16;

/// Compares all entries with those that follow from the leaves.
pub(super) async fn check(source: &mut impl Source, fold: &mut Fold, size: i64) -> Result<(), VerifyError> {
    let Fold { accounts, hasher, findings, .. } = &mut *fold;
    source.entries(None, |account, entry| take(accounts, hasher, findings, account, entry)).await?;
    let mut differing: Vec<Uuid> =
        fold.accounts.iter().filter(|(_, account)| account.entries != 0).map(|(id, _)| *id).collect();
    differing.sort_unstable();
    fold.findings.left_out += differing.len().saturating_sub(LOCATED_MAX) as u64;
    differing.truncate(LOCATED_MAX);
    if differing.is_empty() { Ok(()) } else { locate(source, fold, size, &differing).await }
}

/// Takes the entry off its account's sum: at the end, what is left over is nothing.
fn take(
    accounts: &mut ById<AccountFold>,
    hasher: &EntryHasher,
    findings: &mut Findings,
    account: Uuid,
    entry: &EntryRow,
) {
    match accounts.get_mut(&account) {
        Some(fold) => fold.entries = fold.entries.wrapping_sub(hasher.hash(account, entry)),
        None => findings.add(Finding::EntryExtra { account: AccountId(account), version: entry.version }),
    }
}

/// Reads the log again for these accounts, and compares what follows from it entry by entry.
async fn locate(source: &mut impl Source, fold: &mut Fold, size: i64, accounts: &[Uuid]) -> Result<(), VerifyError> {
    let mut wanted: HashMap<Uuid, Vec<EntryRow>> = accounts.iter().map(|account| (*account, Vec::new())).collect();
    let mut start = 0;
    while start < size {
        let stop = size.min(start + PAGE);
        let expect = |leaf: Leaf, seq| expect_legs(&mut wanted, seq, &leaf);
        let mut expect = expect;
        source
            .leaves(start..stop, |row| Leaf::decode(row.leaf).into_iter().for_each(|leaf| expect(leaf, row.seq)))
            .await?;
        start = stop;
    }
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
