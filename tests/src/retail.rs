//! The order files that the import is tested on, and what an independent sum says they hold.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// A small file with every kind of dirty line.
pub fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/online_retail.csv")
}

/// The real file, where this machine has it: named by `ONLINE_RETAIL_CSV`, or in the folder beside the repository.
pub fn real() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(2).take(2);
    let named = std::env::var_os("ONLINE_RETAIL_CSV").map(PathBuf::from);
    let candidates = named.into_iter().chain(beside.map(|folder| folder.join("shared/data/online_retail.csv")));
    let found = candidates.into_iter().find(|path| path.is_file());
    if found.is_none() {
        eprintln!(
            "skipped on the real orders: no online_retail.csv beside the repository; ONLINE_RETAIL_CSV names one"
        );
    }
    found
}

/// What `sum_online_retail.py` finds in a file; money in pence.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct Sum {
    /// Lines below the header.
    pub read: u64,
    /// Lines that become transactions.
    pub accepted: u64,
    /// The others by reason; those that the script does not tell apart under `other`.
    pub refused: BTreeMap<String, u64>,
    /// Customers with at least one accepted line.
    pub customers: u64,
    /// Transactions by kind: `sales`, `reversals`, `refunds`.
    pub count: BTreeMap<String, u64>,
    /// Money moved by kind.
    pub moved: BTreeMap<String, i128>,
    /// Opening deposits, the shop's included.
    pub deposits: i128,
    /// What the shop ends with.
    pub shop_balance: i128,
    /// Of the lines `customer:pence`, sorted, each with its line end.
    pub balances_sha256: String,
}

impl Sum {
    /// Runs the script on `file`; nothing when this machine has no Python 3.
    pub fn of(file: &Path) -> Option<Sum> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("sum_online_retail.py");
        let Ok(output) = Command::new("python3").arg(script).arg(file).output() else {
            eprintln!("skipped the independent sum: python3 is not on this machine");
            return None;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(serde_json::from_slice(&output.stdout).expect("the script prints one JSON object"))
    }
}

/// The digest of final balances as the script makes it, of pence by customer number.
pub fn balances_sha256(pence: &BTreeMap<String, i128>) -> String {
    let text: String = pence.iter().map(|(customer, pence)| format!("{customer}:{pence}\n")).collect();
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
