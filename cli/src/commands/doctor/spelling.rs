//! Variables that nobody reads: those that begin as ours do, and those that are nearly one of ours.

use std::collections::BTreeSet;

use clap::Command;

use crate::commands;
use crate::postgres::{discover, install};

/// What all of ours that name no setting of a role begin with.
const OURS: &str = "BITNEXUS_";

/// Shorter names resemble too much that is not ours.
const LENGTH_MIN: usize = 7;

/// Every variable that some command of ours reads.
pub fn variables() -> BTreeSet<String> {
    fn collect(command: &Command, found: &mut BTreeSet<String>) {
        found.extend(command.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned())));
        command.get_subcommands().for_each(|command| collect(command, found));
    }
    let mut found = BTreeSet::from([discover::VARIABLE, install::VARIABLE].map(str::to_owned));
    collect(&commands::command(), &mut found);
    found
}

/// Those of the names that nobody reads although they look like ours, each with what may have been meant.
pub fn misspelt(names: &[String]) -> Vec<(String, Option<String>)> {
    let known = variables();
    let unknown = names.iter().filter(|name| !known.contains(*name));
    let judged = unknown.filter_map(|name| {
        let near = known.iter().find(|ours| resembles(name, ours)).cloned();
        (near.is_some() || name.starts_with(OURS)).then(|| (name.clone(), near))
    });
    judged.collect()
}

/// One letter wrong, missing, too many or changed with its neighbour; two in a long name.
fn resembles(name: &str, ours: &str) -> bool {
    if name.len() < LENGTH_MIN || ours.len() < LENGTH_MIN {
        return false;
    }
    distance(name.as_bytes(), ours.as_bytes()) <= if ours.len() > 12 { 2 } else { 1 }
}

/// The edit distance with swaps of neighbours (optimal string alignment).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}
