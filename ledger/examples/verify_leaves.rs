//! How fast leaves are verified in memory, on one core: `cargo run --release -p ledger --example verify_leaves -- [leaves]
//! [accounts]`. Each is a transfer between two accounts; tree, balances, running balances and bounds are derived again.

use std::time::Instant;

use chrono::DateTime;
use ledger::leaf::{Leaf, LeafLeg};
use ledger::merkle::leaf_hash;
use ledger::merkle::tiles::Appender;
use ledger::verify::rows::{AccountRow, EntryRow, HeadRow, TileRow};
use ledger::verify::{Tables, Transaction, verify_tables};
use ledger::{AccountId, Act, Book, Currency, TransactionId};
use uuid::Uuid;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>().expect("a number"));
    let leaves = arguments.next().unwrap_or(500_000);
    let accounts = arguments.next().unwrap_or(100_000);
    let tables = tables(leaves, accounts);
    for _ in 0..3 {
        let (began, on_core) = (Instant::now(), nanos_on_core());
        let report = verify_tables(&tables, &[]);
        assert!(report.is_clean(), "{:?}", report.findings);
        let (nanos, on_core) = (began.elapsed().as_nanos() as usize / leaves, (nanos_on_core() - on_core) / leaves);
        let rate = 1_000_000_000 / on_core.max(1);
        println!("{leaves} leaves, {accounts} accounts: {nanos} ns a leaf, {on_core} of them on a core: {rate}/s");
    }
}

/// How long this thread has had a core; all of the time where the system does not say.
fn nanos_on_core() -> usize {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}

fn tables(leaves: usize, accounts: usize) -> Tables {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) as usize % below
    };
    let account = |_| AccountRow {
        id: Uuid::new_v4(),
        currency: "GBP".to_owned(),
        overdraft: true,
        balance: 0,
        version: 0,
        held_out: 0,
        held_in: 0,
        closed_seq: None,
    };
    let mut tables = Tables { accounts: (0..accounts).map(account).collect(), ..Tables::empty(Book::MAIN) };
    let mut appender = Appender::empty();
    for seq in 0..leaves as i64 {
        // The product of two draws falls off about as Zipf's law does.
        let mut draw = || random(accounts) * random(accounts) / accounts;
        let (from, to) = (draw(), draw());
        let to = if from == to { (to + 1) % accounts } else { to };
        let leg = |place: usize, amount| LeafLeg {
            account: AccountId(tables.accounts[place].id),
            currency: Currency::GBP,
            amount,
        };
        let recorded_at = DateTime::from_timestamp_micros(1_700_000_000_000_000 + seq).expect("it is in range");
        let leaf = Leaf {
            book: 1,
            seq,
            id: TransactionId(Uuid::new_v4()),
            recorded_at,
            effective_at: recorded_at,
            code: 1,
            act: Act::Post,
            metadata_hash: [0; 32],
            legs: vec![leg(from, -1_234), leg(to, 1_234)],
        };
        for (place, amount) in [(from, -1_234), (to, 1_234)] {
            let row = &mut tables.accounts[place];
            row.version += 1;
            row.balance += amount;
            let (version, balance) = (row.version, row.balance);
            tables.entries.push((row.id, EntryRow { version, seq, amount, balance, effective_at: None }));
        }
        let bytes = leaf.encode();
        let hash = leaf_hash(&bytes);
        appender.push(hash);
        tables.transactions.push(Transaction {
            seq,
            id: leaf.id.0,
            recorded_at: recorded_at.timestamp_micros(),
            reverses: None,
            reverses_part: None,
            resolves: None,
            leaf_hash: hash.to_vec(),
            leaf: bytes,
        });
    }
    tables.tiles = appender.take_full().into_iter().map(tile).collect();
    let frontier = appender.frontier();
    tables.head = HeadRow {
        size: leaves as i64,
        root: frontier.root().to_vec(),
        frontier: frontier.to_bytes(),
        recorded_at: tables.transactions.last().map(|row| row.recorded_at),
    };
    tables
}

fn tile(tile: ledger::merkle::tiles::Tile) -> TileRow {
    TileRow { level: tile.level.into(), index: tile.index as i64, root: Some(tile.root.to_vec()), hashes: tile.hashes }
}
