//! What a run came to: the closing table.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::file::{File, Refused};
use super::load::Loaded;
use super::orders::{Fate, Order};

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    read: u64,
    accepted: u64,
    refused: BTreeMap<String, u64>,
    deposits: u64,
    existed: u64,
    recorded: u64,
    rejected: BTreeMap<String, u64>,
    took: Duration,
}

impl Report {
    /// Counts a run that `took` so long and in the end refused these lines.
    pub fn of(file: &File, refused: &[Refused], loaded: &Loaded, took: Duration) -> Report {
        let mut report = Report {
            read: file.read,
            accepted: loaded.orders.iter().filter(|order| order.id().is_some()).count() as u64,
            refused: tally(refused.iter().map(|line| line.reason.as_str())),
            deposits: loaded.deposits.len() as u64,
            existed: 0,
            recorded: 0,
            rejected: BTreeMap::new(),
            took,
        };
        for order in loaded.deposits.iter().chain(&loaded.orders) {
            report.count(order);
        }
        assert_eq!(report.read, report.accepted + refused.len() as u64, "every line is accounted for");
        report
    }

    fn count(&mut self, order: &Order) {
        self.existed += u64::from(order.existed);
        match &order.fate {
            Fate::Recorded(_) => self.recorded += 1,
            Fate::Rejected(_, reason) => *self.rejected.entry(reason.clone()).or_default() += 1,
            Fate::Unsent | Fate::Pending(_) | Fate::Refused(_) => {}
        }
    }

    /// Transactions that became final, deposits included, for each second of the whole run.
    fn transactions_per_second(&self) -> u128 {
        let settled = self.recorded + self.rejected.values().sum::<u64>();
        u128::from(settled) * 1_000 / self.took.as_millis().max(1)
    }
}

fn tally<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(out, "{name:<36}{value:>12}");
        row("lines read", self.read.to_string())?;
        row("  accepted", self.accepted.to_string())?;
        row("  refused", self.refused.values().sum::<u64>().to_string())?;
        for (reason, count) in &self.refused {
            row(&format!("    {reason}"), count.to_string())?;
        }
        row("opening deposits", self.deposits.to_string())?;
        row("transactions recorded", self.recorded.to_string())?;
        row("  of these there before this run", self.existed.to_string())?;
        row("transactions rejected", self.rejected.values().sum::<u64>().to_string())?;
        for (reason, count) in &self.rejected {
            row(&format!("    {reason}"), count.to_string())?;
        }
        let millis = self.took.as_millis();
        row("seconds", format!("{}.{}", millis / 1_000, millis % 1_000 / 100))?;
        row("transactions a second", self.transactions_per_second().to_string())
    }
}
