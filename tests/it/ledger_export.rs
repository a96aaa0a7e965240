//! A ledger out of its database and back: verified without one, replayed into another, the same byte for byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ledger::Book;
use ledger::export::{self, ImportError, import, jsonl, tiles};
use ledger::keys::{SigningKey, VerifierKey};
use ledger::verify::{Report, VerifyError};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tests::database::Database;
use tests::random::Random;

use crate::ledger_history::recorded;

/// How many single changes are made to the files.
const CHANGES: usize = 120;

async fn export_to(conn: &mut PgConnection, folder: &Path) {
    let mut tx = conn.begin_with("begin transaction isolation level repeatable read, read only").await.unwrap();
    jsonl(&mut tx, Book::MAIN, folder, |_| ()).await.expect("the book is exported");
    tiles::tiles(&mut tx, Book::MAIN, folder, |_| ()).await.expect("the log is exported");
}

fn verify(folder: &Path, keys: &[VerifierKey]) -> Result<Report, VerifyError> {
    export::verify(folder, keys, |_| ())
}

/// All files of a folder, by their path within.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[tokio::test]
async fn an_export_is_verified_replayed_and_exported_again() {
    let key = SigningKey::generate("bitnexus.example/main").unwrap();
    let (mut bench, _) = recorded(&key).await;
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    export_to(&mut bench.conn, first.path()).await;
    let report = verify(first.path(), &[key.verifier()]).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    let here = bench.verify().await;
    assert_eq!((report.leaves, report.root, report.entries), (here.leaves, here.root, here.entries));
    assert_eq!((report.signatures, report.refusals), (2, here.refusals));

    let database = Database::create().await;
    let mut other = PgConnection::connect_with(&database.options()).await.unwrap();
    let imported = import(&mut other, first.path(), &[key.verifier()], |_| ()).await.expect("the export is replayed");
    assert_eq!((imported.transactions, imported.root), (here.leaves, here.root));
    let there = ledger::verify::verify(&mut other, Book::MAIN, &[key.verifier()], |_| ()).await.unwrap();
    assert!(there.is_clean(), "{:#?}", there.findings);
    export_to(&mut other, second.path()).await;
    assert!(files(first.path()) == files(second.path()), "an export of what was replayed is the same byte for byte");

    let again = import(&mut other, first.path(), &[], |_| ()).await;
    assert!(matches!(&again, Err(ImportError::NotEmpty { table, .. }) if table == "transaction"), "{again:?}");
}

#[tokio::test]
async fn every_change_to_an_export_is_found_and_nothing_of_it_is_imported() {
    let seed = Random::seed();
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let key = SigningKey::generate("bitnexus.example/main").unwrap();
    let (mut bench, _) = recorded(&key).await;
    let folder = TempDir::new().unwrap();
    export_to(&mut bench.conn, folder.path()).await;
    let clean: Vec<_> = files(folder.path()).into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
    let is_found = |what: &str| match verify(folder.path(), &[key.verifier()]) {
        Ok(report) => assert!(!report.is_clean(), "seed {seed}: {what} is not found"),
        Err(error) => println!("{what}: {error}"),
    };
    for n in 0..CHANGES {
        let (path, bytes) = &clean[n % clean.len()];
        let (file, mut changed) = (folder.path().join(path), bytes.clone());
        let at = random.below(bytes.len() as u64) as usize;
        let what = match random.below(4) {
            0 => {
                changed.truncate(at);
                "cut off"
            }
            1 => {
                changed.insert(at, b' ');
                "a byte inserted"
            }
            _ => {
                changed[at] ^= 1 << random.below(8);
                "a bit flipped"
            }
        };
        std::fs::write(&file, changed).unwrap();
        is_found(&format!("{}, {what} at {at}", path.display()));
        std::fs::write(&file, bytes).unwrap();
    }
    for (path, bytes) in &clean {
        let file = folder.path().join(path);
        std::fs::remove_file(&file).unwrap();
        is_found(&format!("{} deleted", path.display()));
        std::fs::write(&file, bytes).unwrap();
    }
    assert!(verify(folder.path(), &[key.verifier()]).unwrap().is_clean());

    let leaves = folder.path().join("transactions.jsonl");
    let text = std::fs::read_to_string(&leaves).unwrap();
    std::fs::write(&leaves, text.replacen("\"post\"", "\"hold\"", 1)).unwrap();
    let database = Database::create().await;
    let mut other = PgConnection::connect_with(&database.options()).await.unwrap();
    let refused = import(&mut other, folder.path(), &[], |_| ()).await;
    assert!(matches!(refused, Err(ImportError::NotSound(_))), "{refused:?}");
    let report = ledger::verify::verify(&mut other, Book::MAIN, &[], |_| ()).await.unwrap();
    assert!(report.is_clean() && report.leaves == 0 && report.accounts == 0);
}
