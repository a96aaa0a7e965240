//! Verification finds every change, and names what was changed.

use ledger::Book;
use ledger::checkpoint::sign_head;
use ledger::keys::SigningKey;
use ledger::verify::{Report, verify};

use crate::ledger_kit::{Bench, reversal, transfer};

/// The tables of the ledger.
pub(crate) const TABLES: [&str; 8] =
    ["book", "account", "transaction", "entry", "refusal", "tile", "checkpoint", "open_hold"];

/// The middle of a leaf is flipped, its hash made to fit.
const FORGED: &str = "update ledger.transaction
    set leaf = set_byte(leaf, 70, get_byte(leaf, 70) # 1),
        leaf_hash = sha256('\\x00'::bytea || set_byte(leaf, 70, get_byte(leaf, 70) # 1))";

/// Turns one bit of a column.
fn flip(table: &str, column: &str, byte: usize, condition: &str) -> String {
    format!(
        "update ledger.{table} set {column} = set_byte({column}, {byte}, get_byte({column}, {byte}) # 4) where {condition}"
    )
}

/// Each change, and what has to be among the findings.
fn changes() -> Vec<(String, &'static str)> {
    let update = |table: &str, rest: &str| format!("update ledger.{table} set {rest}");
    vec![
        (flip("transaction", "leaf", 60, "seq = 7"), "leaf 7 (…) does not hash to its leaf_hash"),
        (flip("transaction", "leaf", 0, "seq = 8"), "leaf 8 (…) cannot be read"),
        (flip("transaction", "leaf_hash", 31, "seq = 699"), "leaf 699 (…) does not hash to its leaf_hash"),
        (format!("{FORGED} where seq = 300"), "tile 0/1 has another hashes"),
        (format!("{FORGED} where seq = 300"), "the checkpoint at 400 leaves has another root"),
        (format!("{FORGED} where seq = 699"), "the head of the book has another root"),
        (update("transaction", "id = gen_random_uuid() where seq = 5"), "leaf 5 (…) has another id than its row"),
        (
            update("transaction", "recorded_at = recorded_at + interval '1 us' where seq = 5"),
            "leaf 5 (…) has another recorded_at than its row",
        ),
        (
            update("transaction", "recorded_at = recorded_at - interval '1 day' where seq = 5"),
            "leaf 5 is not recorded later",
        ),
        (
            update("transaction", "reverses = gen_random_uuid() where seq = 5"),
            "leaf 5 (…) has another reverses than its row",
        ),
        (update("transaction", "seq = 700 where seq = 5"), "leaf 5 is missing"),
        (update("transaction", "seq = 700 where seq = 5"), "leaf 700 is beyond the head"),
        ("delete from ledger.transaction where seq = 699".to_owned(), "leaf 699 is missing"),
        (
            "update ledger.transaction as t set leaf = o.leaf, leaf_hash = o.leaf_hash
             from ledger.transaction as o where (t.seq, o.seq) in ((20, 21), (21, 20))"
                .to_owned(),
            "leaf 20 (…) has another seq than its row",
        ),
        (flip("tile", "hashes", 8_191, "index = 1"), "tile 0/1 has another hashes"),
        (flip("tile", "root", 0, "index = 0"), "tile 0/0 has another root"),
        ("delete from ledger.tile where index = 1".to_owned(), "tile 0/1 is missing"),
        (update("tile", "index = 2 where index = 1"), "tile 0/2 is beyond the head"),
        (flip("book", "root", 9, "true"), "the head of the book has another root"),
        (flip("book", "frontier", 9, "true"), "the head of the book has another frontier"),
        (update("book", "recorded_at = recorded_at + interval '1 us'"), "the head of the book has another recorded_at"),
        (update("book", "size = 690"), "leaf 690 is beyond the head"),
        (update("book", "size = 300"), "the checkpoint at 400 leaves is beyond the head"),
        (update("account", "balance = balance + 1 where not overdraft"), "account … has another balance"),
        (update("account", "version = version + 1"), "account … has another version"),
        (
            update("account", "currency = 'EUR' where not overdraft"),
            "has account …, which is not open in that currency",
        ),
        (
            update("account", "overdraft = false, balance = 0 where overdraft"),
            "leaf 0 takes account … beyond its bound",
        ),
        ("delete from ledger.account where overdraft".to_owned(), "leaf 0 has account …, which is not open"),
        (update("entry", "amount = amount + 1 where version = 3"), "entry 3 of account … has another amount"),
        (update("entry", "balance = balance + 1 where version = 3"), "entry 3 of account … has another balance"),
        (update("entry", "seq = seq + 1 where version = 3"), "entry 3 of account … has another seq"),
        (update("entry", "version = 1000 where version = 3"), "entry 3 of account … is missing"),
        (update("entry", "version = 1000 where version = 3"), "entry 1000 of account … is in no leaf"),
        (update("entry", "account_id = gen_random_uuid() where version = 9"), "entry 9 of account … is in no leaf"),
        ("delete from ledger.entry where version = 1".to_owned(), "entry 1 of account … is missing"),
        (flip("checkpoint", "root", 1, "size = 400"), "the checkpoint at 400 leaves has another root"),
        (flip("checkpoint", "root", 1, "size = 400"), "the note of the checkpoint at 400 leaves does not say"),
        (update("checkpoint", "size = 401 where size = 400"), "the note of the checkpoint at 401 leaves does not say"),
        (update("checkpoint", "note = replace(note, '/main', '/mine')"), "the checkpoint at 400 leaves is not signed"),
        (
            "insert into ledger.refusal (book, id, reason, refused_at)
             select 1, id, 'amount_zero', now() from ledger.transaction where seq = 3"
                .to_owned(),
            "transaction … is recorded, and refused too",
        ),
    ]
}

/// Whether a finding says this, with any name where the dots stand.
pub(crate) fn says(report: &Report, wanted: &str) -> bool {
    let parts: Vec<&str> = wanted.split('…').collect();
    report.findings.iter().any(|finding| {
        let text = finding.to_string();
        let mut rest = text.as_str();
        parts.iter().all(|part| match rest.split_once(part) {
            Some((_, tail)) => {
                rest = tail;
                true
            }
            None => false,
        })
    })
}

/// 700 leaves in several batches, signed at 400 and at the end.
async fn recorded(key: &SigningKey) -> Bench {
    let mut bench = Bench::create(3).await;
    let (cash, wallets) = (bench.cash, bench.wallets.clone());
    let undone = transfer(wallets[0], wallets[1], 1);
    let deposits: Vec<_> = (0..399).map(|n| transfer(cash, wallets[n % 3], 100)).collect();
    bench.post(&deposits).await;
    bench.post_one(&undone).await;
    sign_head(&mut bench.conn, Book::MAIN, key).await.expect("the head is signed");
    bench.post(&[reversal(&undone), transfer(wallets[0], cash, 1_000_000)]).await;
    bench.post(&(0..299).map(|n| transfer(wallets[n % 3], wallets[(n + 1) % 3], 7)).collect::<Vec<_>>()).await;
    sign_head(&mut bench.conn, Book::MAIN, key).await.expect("the head is signed");
    bench
}

#[tokio::test]
async fn every_change_is_found_and_named() {
    let key = SigningKey::generate("bitnexus.example/main").unwrap();
    let keys = [key.verifier()];
    let mut bench = recorded(&key).await;
    bench.execute("set session_replication_role = replica".to_owned()).await;
    for table in TABLES {
        bench.execute(format!("create table keep_{table} as table ledger.{table}")).await;
    }
    for (change, wanted) in changes() {
        let clean = verify(&mut bench.conn, Book::MAIN, &keys, |_| ()).await.unwrap();
        assert!(clean.is_clean(), "before {change}: {:?}", clean.findings);
        assert_eq!((clean.leaves, clean.checkpoints, clean.signatures, clean.refusals), (700, 2, 2, 1));
        assert!(bench.execute(change.clone()).await > 0, "{change}");
        let report = verify(&mut bench.conn, Book::MAIN, &keys, |_| ()).await.unwrap();
        assert!(says(&report, wanted), "{change}: {wanted} is not among {:#?}", report.findings);
        for table in TABLES {
            bench.execute(format!("delete from ledger.{table}")).await;
            bench.execute(format!("insert into ledger.{table} select * from keep_{table}")).await;
        }
    }
}

#[tokio::test]
async fn a_reversal_that_never_should_have_been_is_found() {
    let key = SigningKey::generate("bitnexus.example/main").unwrap();
    let mut bench = recorded(&key).await;
    bench.execute("set session_replication_role = replica".to_owned()).await;
    // Another original, as if the writer had not looked: the leaf's relation starts at byte 52.
    let change = "update ledger.transaction as t
        set leaf = overlay(t.leaf placing uuid_send(o.id) from 53 for 16), reverses = o.id
        from ledger.transaction as o
        where t.reverses is not null and o.seq = ";
    for (seq, wanted) in [
        (3, "leaf 400 does not reverse transaction … rightly: the legs are not its inverse"),
        (500, "leaf 400 does not reverse transaction … rightly: it is not recorded before"),
    ] {
        assert_eq!(bench.execute(format!("{change}{seq}")).await, 1);
        let report = bench.verify().await;
        assert!(says(&report, wanted), "{:#?}", report.findings);
    }
}

#[tokio::test]
async fn a_checkpoint_of_another_key_is_found_and_no_key_checks_none() {
    let key = SigningKey::generate("bitnexus.example/main").unwrap();
    let other = SigningKey::generate("bitnexus.example/main").unwrap();
    let mut bench = recorded(&key).await;
    let report = verify(&mut bench.conn, Book::MAIN, &[other.verifier()], |_| ()).await.unwrap();
    assert!(says(&report, "the checkpoint at 400 leaves is not signed by a known key"));
    assert_eq!((report.checkpoints, report.signatures), (2, 0));
    let report = verify(&mut bench.conn, Book::MAIN, &[], |_| ()).await.unwrap();
    assert!(report.is_clean());
    let both = [other.verifier(), key.verifier()];
    assert!(verify(&mut bench.conn, Book::MAIN, &both, |_| ()).await.unwrap().is_clean());
}

#[tokio::test]
async fn many_findings_are_counted_and_some_are_named() {
    let mut bench = Bench::create(1).await;
    let (cash, wallet) = (bench.cash, bench.wallets[0]);
    bench.post(&(0..500).map(|_| transfer(cash, wallet, 1)).collect::<Vec<_>>()).await;
    bench.execute("set session_replication_role = replica".to_owned()).await;
    bench.execute("update ledger.transaction set leaf = leaf || '\\x00'".to_owned()).await;
    let mut steps = Vec::new();
    let report = verify(&mut bench.conn, Book::MAIN, &[], |progress| steps.push(progress.leaves)).await.unwrap();
    let encoding = report.findings.iter().filter(|finding| finding.to_string().contains("cannot be read")).count();
    assert_eq!(encoding, ledger::verify::FINDINGS_OF_A_KIND_MAX);
    assert!(report.findings_left_out >= 900, "each leaf has two findings");
    assert_eq!(steps, [500]);
}
