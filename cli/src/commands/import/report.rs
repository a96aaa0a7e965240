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
        row("transactions there before this run", self.existed.to_string())?;
        row("transactions rejected", self.rejected.values().sum::<u64>().to_string())?;
        for (reason, count) in &self.rejected {
            row(&format!("    {reason}"), count.to_string())?;
        }
        let millis = self.took.as_millis();
        row("seconds", format!("{}.{}", millis / 1_000, millis % 1_000 / 100))?;
        row("transactions a second", self.transactions_per_second().to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use uuid::Uuid;

    use super::*;

    fn order(line: u64, fate: Fate) -> Order {
        Order { fate, ..Order::new(line, Value::Null) }
    }

    #[test]
    fn the_table_accounts_for_every_line() {
        let header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";
        let sale = "1,A,x,1,12/1/10 8:26,1.00,17850,UK";
        let file = File::parse(format!("{header}\n{sale}\n{sale}\n{sale}\n537\n").as_bytes()).unwrap();
        let refused = |number, reason: &str| Refused { number, reason: reason.to_owned(), text: String::new() };
        let refused = [refused(4, "sale_refused"), refused(5, "truncated")];
        let fates = [
            Fate::Recorded(Uuid::nil()),
            Fate::Rejected(Uuid::nil(), "insufficient_funds".to_owned()),
            Fate::Refused("sale_refused".to_owned()),
        ];
        let orders = (2..).zip(fates).map(|(line, fate)| order(line, fate)).collect();
        let mut deposit = order(0, Fate::Recorded(Uuid::nil()));
        deposit.existed = true;
        let loaded = Loaded { deposits: vec![deposit], orders };
        let report = Report::of(&file, &refused, &loaded, Duration::from_millis(1_500)).to_string();
        let rows: Vec<String> =
            report.lines().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let expected = [
            "lines read 4",
            "accepted 2",
            "refused 2",
            "sale_refused 1",
            "truncated 1",
            "opening deposits 1",
            "transactions recorded 2",
            "transactions there before this run 1",
            "transactions rejected 1",
            "insufficient_funds 1",
            "seconds 1.5",
            "transactions a second 2",
        ];
        assert_eq!(rows, expected);
    }
}
