//! The operator's commands around the log: keys, receipts, export.

use std::fs;
use std::process::{Command, Output};

use ledger::Book;
use ledger::checkpoint::note::Body;
use ledger::checkpoint::{cosigned, latest, sign_head_by};
use ledger::keys::SigningKey;
use ledger::witness::cosignature::CosignerKey;
use tests::binary;
use uuid::Uuid;

use crate::ledger_kit::transfer;
use crate::log_kit::{Exported, turn_a_bit};

/// Runs the binary in the log's folder, with the key file `log.key`.
fn bitnexus(log: &Exported, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary::path());
    command.args(arguments).env("DATABASE_URL", log.bench.database.url()).current_dir(log.folder());
    command.env("LEDGER_SIGNING_KEY_FILE", log.file("log.key")).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap().trim().to_owned()
}

/// The keys of the file, as a worker reads them for each checkpoint.
fn keys(log: &Exported) -> Vec<SigningKey> {
    cli::keys::read(&log.file("log.key")).unwrap()
}

async fn sign(log: &mut Exported) {
    let posting = transfer(log.bench.cash, log.bench.wallets[0], 1);
    log.bench.post_one(&posting).await;
    let keys = keys(log);
    sign_head_by(&mut log.bench.conn, Book::MAIN, &keys).await.unwrap().expect("there is a new leaf");
}

async fn last_note(log: &mut Exported) -> String {
    latest(&mut log.bench.conn, Book::MAIN).await.unwrap().unwrap().note
}

#[tokio::test]
async fn a_key_is_made_shown_rotated_and_retired() {
    let mut log = Exported::empty().await;
    let first = text(&bitnexus(&log, &["ledger", "key", "new", "--origin", "log.example/main", "log.key"]));
    assert!(!bitnexus(&log, &["ledger", "key", "new", "--origin", "log.example/main", "log.key"]).status.success());
    sign(&mut log).await;
    let second = text(&bitnexus(&log, &["ledger", "key", "rotate"]));
    assert_ne!(first, second);
    assert!(!bitnexus(&log, &["ledger", "key", "retire"]).status.success(), "the new key has signed nothing yet");
    sign(&mut log).await;
    assert_eq!(last_note(&mut log).await.matches("— log.example/main ").count(), 2);
    assert_eq!(fs::read_to_string(log.file("log.vkey")).unwrap(), format!("{second}\n{first}\n"));
    text(&bitnexus(&log, &["ledger", "key", "retire"]));
    sign(&mut log).await;
    assert_eq!(last_note(&mut log).await.matches("— log.example/main ").count(), 1);
    assert_eq!(keys(&log).len(), 1);
    let shown = text(&bitnexus(&log, &["ledger", "key", "show", "--key", &first]));
    let expected = [
        format!("{first}  signs from 1 leaves on, to 2, retired; trusted"),
        format!("{second}  signs from 2 leaves on, in force; trusted"),
    ];
    assert_eq!(shown, expected.join("\n"));
    assert!(!bitnexus(&log, &["ledger", "key", "show", "--key", &second]).status.success(), "nothing leads back");
    let verified = bitnexus(&log, &["ledger", "verify", "--key", &format!("{first},{second}")]);
    assert!(text(&verified).contains("3 of 3 checkpoints signed by a known key"));
}

#[tokio::test]
async fn a_receipt_is_made_and_checked_offline() {
    let log = Exported::create(300).await;
    let id: Uuid = {
        let mut conn = log.bench.database.pool(1).await.acquire().await.unwrap();
        sqlx::query_scalar("select id from ledger.transaction where seq = 77").fetch_one(&mut *conn).await.unwrap()
    };
    let receipt = text(&bitnexus(&log, &["ledger", "receipt", "make", &id.to_string(), "--leaf", "leaf"])) + "\n";
    fs::write(log.file("receipt"), &receipt).unwrap();
    let vkey = crate::log_kit::key().verifier().to_text();
    let check = ["ledger", "receipt", "check", "receipt", "--leaf", "leaf", "--key", &vkey];
    let said = text(&bitnexus(&log, &check));
    assert!(said.starts_with(&format!("{id} is leaf 77 of bitnexus.example/main (300 leaves)\n")), "{said}");
    turn_a_bit(&log.file("leaf"), 50);
    let refused = bitnexus(&log, &check);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("does not prove that this leaf is in the log"));
}

#[tokio::test]
async fn a_receipt_is_checked_for_the_witnesses_that_one_trusts() {
    let mut log = Exported::create(300).await;
    let last = latest(&mut log.bench.conn, Book::MAIN).await.unwrap().unwrap();
    let body = Body::read(&last.note).unwrap();
    let [one, two, absent] = [1, 2, 3].map(|seed| {
        let witness = CosignerKey::from_seed(&format!("witness.example/w{seed}"), &[seed; 32]).unwrap();
        (witness.verifier().to_text(), witness)
    });
    for (_, witness) in [&one, &two] {
        let line = witness.cosign(&body, 1_700_000_000);
        cosigned::keep(&mut log.bench.conn, Book::MAIN, &last, (&witness.verifier(), &line)).await.unwrap();
    }
    let id: Uuid = sqlx::query_scalar("select id from ledger.transaction where seq = 77")
        .fetch_one(&mut log.bench.conn)
        .await
        .unwrap();
    let id = id.to_string();
    let make = |more: &[&str]| bitnexus(&log, &[&["ledger", "receipt", "make", &id, "--leaf", "leaf"], more].concat());
    fs::write(log.file("plain"), text(&make(&[])) + "\n").unwrap();
    fs::write(log.file("witnessed"), text(&make(&["--witnesses", "2"])) + "\n").unwrap();
    let refusal = |output: Output| {
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refusal(make(&["--witnesses", "3"])).contains("no checkpoint that so many witnesses signed"));
    assert!(refusal(make(&["--witnesses", "0"])).contains("--witnesses"));
    let vkey = crate::log_kit::key().verifier().to_text();
    let check = |file: &str, keys: &str, more: &[&str]| {
        let check = ["ledger", "receipt", "check", file, "--leaf", "leaf", "--key", &vkey, "--witness-key", keys];
        bitnexus(&log, &[&check, more].concat())
    };
    let both = format!("{},{}", one.0, two.0);
    let said = text(&check("witnessed", &both, &[]));
    assert!(
        said.contains("\nwitnessed by witness.example/w1 at 2023-11-14T22:13:20Z\nwitnessed by witness.example/w2 at "),
        "{said}"
    );
    let three = format!("{both},{}", absent.0);
    assert!(
        refusal(check("witnessed", &three, &[])).contains("2 of these witnesses signed the checkpoint, and 3 have to")
    );
    text(&check("witnessed", &three, &["--witnesses", "2"]));
    assert!(refusal(check("plain", &one.0, &[])).contains("0 of these witnesses signed the checkpoint, and 1 have to"));
    assert!(refusal(check("witnessed", &both, &["--witnesses", "3"])).contains("--witnesses 3: only 2 are named"));
    assert!(refusal(check("witnessed", "w1+x", &[])).contains("--witness-key w1+x"));
    assert!(refusal(check("witnessed", &format!("{0},{0}", one.0), &[])).contains("is named twice"));
}

#[tokio::test]
async fn the_log_is_exported_by_a_command() {
    let log = Exported::create(300).await;
    let export = ["ledger", "export", "tiles", "out/log"];
    assert_eq!(text(&bitnexus(&log, &export)), "300 leaves in out/log: 5 files written, 0 kept");
    assert_eq!(text(&bitnexus(&log, &export)), "300 leaves in out/log: 0 files written, 5 kept");
}
