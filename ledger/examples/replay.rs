//! How fast a book is verified, exported, verified without its database, and replayed:
//! `cargo run --release -p ledger --example replay -- FROM_URL TO_URL FOLDER`. The second database is migrated and empty, the
//! folder is not there yet.

use std::path::PathBuf;
use std::time::Instant;

use ledger::Book;
use ledger::export::{self, import, jsonl};
use ledger::verify::{Tables, verify, verify_tables};
use sqlx::{Connection, PgConnection};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, folder] = arguments.as_slice() else { return Err("two addresses and a folder".into()) };
    let folder = PathBuf::from(folder);
    let (mut from, mut to) = (PgConnection::connect(from).await?, PgConnection::connect(to).await?);
    let began = Began::now();
    let report = verify(&mut from, Book::MAIN, &[], |_| ()).await?;
    assert!(report.is_clean(), "{:?}", report.findings);
    tell("verified from the database", report.leaves, began);
    let tables = Tables::read(&mut from, Book::MAIN).await?;
    let began = Began::now();
    assert!(verify_tables(&tables, &[]).is_clean());
    tell("verified in memory", report.leaves, began);
    drop(tables);
    let began = Began::now();
    let mut tx = from.begin().await?;
    let exported = jsonl(&mut tx, Book::MAIN, &folder, |_| ()).await?;
    tx.rollback().await?;
    tell("exported", exported.transactions, began);
    let began = Began::now();
    let report = export::verify(&folder, &[], |_| ())?;
    assert!(report.is_clean(), "{:?}", report.findings);
    tell("verified from the export", report.leaves, began);
    let began = Began::now();
    let imported = import(&mut to, &folder, &[], |_| ()).await?;
    assert_eq!(imported.root, report.root);
    tell("replayed", imported.transactions, began);
    Ok(())
}

/// When something began, by the clock and by this thread's time on a core.
struct Began {
    at: Instant,
    on_core: u64,
}

impl Began {
    fn now() -> Began {
        Began { at: Instant::now(), on_core: nanos_on_core() }
    }
}

/// How long this thread has had a core, where the system says it.
fn nanos_on_core() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}

fn tell(what: &str, leaves: u64, began: Began) {
    let (millis, on_core) = (began.at.elapsed().as_millis() as u64, (nanos_on_core() - began.on_core) / 1_000_000);
    let rate = leaves * 1_000 / millis.max(1);
    let here = leaves * 1_000 / on_core.max(1);
    println!("{leaves} leaves {what} in {millis} ms: {rate}/s; {on_core} ms of them on a core here: {here}/s");
}
