//! Workers ask witnesses to sign the checkpoints: what is signed is kept, served and exported, whatever else witnesses do.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jobs::cosign::{self, Cosign};
use jobs::publish_checkpoint;
use jobs::witness::{Place, Witnesses};
use jobs::{LEDGER_QUEUE, MIRROR_QUEUE, State};
use ledger::Book;
use ledger::checkpoint::note::{Body, is_signed};
use ledger::checkpoint::{Checkpoint, cosigned};
use ledger::verify::Finding;
use ledger::witness::cosignature::{CosignatureKey, CosignerKey};
use queue::Registry;
use queue::testing::{Outcome, advance, drain, enqueued, run_inline};
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;
use tests::binary;
use tests::certificate;
use tests::outside::Tool;
use tests::receiver::{Receiver, answer};
use tests::wait::{until, until_async};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::ledger_kit::transfer;
use crate::log_kit::{Exported, key};
use crate::log_witness::{Witness, bitnexus};

const PATIENCE: Duration = Duration::from_secs(60);

/// All jobs of a new process that asks these witnesses: a key and an address each.
fn registry(witnesses: &[(&str, &str)]) -> Registry {
    let place = |(vkey, url): &(&str, &str)| Place::new(CosignatureKey::parse(vkey).unwrap(), url).unwrap();
    let witnesses = Witnesses::new(witnesses.iter().map(place).collect(), Vec::new()).unwrap();
    jobs::registry(State::of_key(key()).with_witnesses(witnesses))
}

/// A log of so many leaves with its checkpoint, and connections to its database.
async fn log(leaves: usize) -> (Exported, PgPool) {
    let log = Exported::create(leaves).await;
    let pool = log.bench.database.pool(4).await;
    (log, pool)
}

/// Records one more transaction, and has it signed for by the job that does that.
async fn publish(log: &mut Exported, pool: &PgPool, registry: &Registry) {
    log.bench.post_one(&transfer(log.bench.cash, log.bench.wallets[0], 1)).await;
    queue::enqueue(&mut log.bench.conn, &[publish_checkpoint::of(Book::MAIN).unwrap()]).await.unwrap();
    advance(pool, publish_checkpoint::DELAY).await;
    assert_eq!(drain(pool, registry, LEDGER_QUEUE).await.len(), 1);
}

/// Asks once; how many witnesses did what.
async fn ask(pool: &PgPool, registry: &Registry) -> Value {
    let payload = json!({ "shard": 0, "book_id": 1 });
    let job = jobs::catalogue::find("ledger.cosign").unwrap().job(&payload).unwrap();
    result(run_inline(pool, registry, job).await.outcome)
}

fn result(outcome: Outcome) -> Value {
    let Outcome::Succeeded(result) = outcome else { panic!("{outcome:?}") };
    result.unwrap_or_default()
}

/// The last checkpoint with what witnesses signed.
async fn witnessed(pool: &PgPool) -> Option<Checkpoint> {
    cosigned::latest(&mut pool.acquire().await.unwrap(), Book::MAIN, 1).await.unwrap()
}

/// The sizes that were signed for.
async fn kept(pool: &PgPool) -> Vec<i64> {
    sqlx::query_scalar("select size from ledger.cosignature order by size").fetch_all(pool).await.unwrap()
}

/// A witness of this name that only signs when the test does, for whatever the test wants.
fn signer(seed: u8) -> (CosignerKey, String) {
    let key = CosignerKey::from_seed("witness.example/scripted", &[seed; 32]).unwrap();
    let vkey = key.verifier().to_text();
    (key, vkey)
}

#[tokio::test]
async fn a_checkpoint_that_is_published_is_cosigned_kept_exported_and_good_for_others() {
    let (folder, (mut log, pool)) = (TempDir::new().unwrap(), log(300).await);
    let witness = Witness::start(folder.path());
    let registry = registry(&[(&witness.vkey, &witness.url)]);
    assert_eq!(ask(&pool, &registry).await, json!({ "signed": 1 }));
    let older = witnessed(&pool).await.unwrap();
    assert_eq!(ask(&pool, &registry).await, json!({}), "it has signed that");

    publish(&mut log, &pool, &registry).await;
    publish(&mut log, &pool, &registry).await;
    assert_eq!(enqueued::<Cosign>(&mut log.bench.conn).await.len(), 1, "the one that waits is enough");
    advance(&pool, cosign::DELAY).await;
    let ran = drain(&pool, &registry, MIRROR_QUEUE).await;
    assert_eq!(ran.into_iter().map(|ran| result(ran.outcome)).collect::<Vec<_>>(), [json!({ "signed": 1 })]);
    assert_eq!(kept(&pool).await, [300, 302]);

    let last = witnessed(&pool).await.unwrap();
    let (body, vkey) = (Body::read(&last.note).unwrap(), CosignatureKey::parse(&witness.vkey).unwrap());
    assert_eq!((last.size, body.size), (302, 302));
    assert!(is_signed(&last.note, &[key().verifier()]));
    assert_eq!(last.note.lines().filter(|line| vkey.time_of(&body, line).is_some()).count(), 1, "{}", last.note);
    log.export().await.unwrap();
    assert_eq!(std::fs::read_to_string(log.file("checkpoint")).unwrap(), last.note);
    let report = log.bench.verify().await;
    assert!(report.is_clean() && report.cosignatures == 2, "{:#?}", report.findings);
    others_accept(&log, &older, &witness.vkey);
}

/// aics-tlog accepts what was exported, and that it continues what was witnessed before.
fn others_accept(log: &Exported, older: &Checkpoint, witness: &str) {
    let Some(tool) = Tool::aics() else { return };
    std::fs::write(log.file("older"), &older.note).unwrap();
    let (vkey, folder, older) = (key().verifier().to_text(), log.folder(), log.file("older"));
    let output = tool.run(&[&vkey, folder.to_str().unwrap(), older.to_str().unwrap(), witness]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn without_witnesses_nobody_is_asked() {
    let (mut log, pool) = log(3).await;
    let none = registry(&[]);
    publish(&mut log, &pool, &none).await;
    assert!(enqueued::<Cosign>(&mut log.bench.conn).await.is_empty());
    assert_eq!(ask(&pool, &none).await, Value::Null);
    let is_scheduled = |registry: &Registry| registry.schedules().iter().any(|one| one.name() == "ledger.cosign");
    assert!(!is_scheduled(&none) && is_scheduled(&registry(&[(&signer(1).1, "https://witness.example")])));
}

#[tokio::test]
async fn a_witness_that_is_away_is_left_alone_for_a_while_and_signs_when_it_is_back() {
    let (folder, (mut log, pool)) = (TempDir::new().unwrap(), log(300).await);
    let witness = Witness::start(folder.path());
    let (vkey, url) = (witness.vkey.clone(), witness.url.clone());
    let registry = registry(&[(&vkey, &url)]);
    assert_eq!(ask(&pool, &registry).await, json!({ "signed": 1 }));
    witness.kill();
    log.grow(100).await;
    assert_eq!(ask(&pool, &registry).await, json!({ "unreachable": 1 }));
    assert_eq!(ask(&pool, &registry).await, json!({}), "not again at once");
    log.grow(100).await;
    let witness = Witness::start_at(folder.path(), url.strip_prefix("http://").unwrap());
    assert_eq!(witness.vkey, vkey);
    let signed = async || (ask(&pool, &registry).await == json!({ "signed": 1 })).then_some(());
    until_async("the witness to be asked again", PATIENCE, signed).await;
    assert_eq!(kept(&pool).await, [300, 500]);
}

#[tokio::test]
async fn a_log_that_was_forked_or_rolled_back_raises_the_alarm_and_nothing_is_kept() {
    let (folder, (_log, pool)) = (TempDir::new().unwrap(), log(300).await);
    let witness = Witness::start(folder.path());
    let asked = [(witness.vkey.as_str(), witness.url.as_str())];
    assert_eq!(ask(&pool, &registry(&asked)).await, json!({ "signed": 1 }));
    for (leaves, what) in [(500, "a longer fork"), (300, "one of that very size"), (200, "a log that is shorter")] {
        let (_fork, pool) = log(leaves).await;
        assert_eq!(ask(&pool, &registry(&asked)).await, json!({ "forked": 1 }), "{what}");
        assert!(kept(&pool).await.is_empty(), "{what}");
    }
}

#[tokio::test]
async fn what_somebody_else_had_signed_meanwhile_is_signed_again_and_kept() {
    let (folder, (mut log, pool)) = (TempDir::new().unwrap(), log(300).await);
    let witness = Witness::start(folder.path());
    let by_hand = ["ledger", "witness", "ask", &witness.url, "--witness-key", &witness.vkey];
    assert!(bitnexus(&log, &by_hand).status.success());
    let registry = registry(&[(&witness.vkey, &witness.url)]);
    assert_eq!(ask(&pool, &registry).await, json!({ "signed": 1 }), "the same size again");
    log.grow(100).await;
    assert!(bitnexus(&log, &by_hand).status.success());
    log.grow(100).await;
    assert_eq!(ask(&pool, &registry).await, json!({ "signed": 1 }), "from a size that was not kept here");
    assert_eq!(kept(&pool).await, [300, 500]);
}

#[tokio::test]
async fn what_is_no_signature_of_the_witness_is_refused() {
    let (_log, pool) = log(300).await;
    let last = ledger::checkpoint::latest(&mut pool.acquire().await.unwrap(), Book::MAIN).await.unwrap().unwrap();
    let (body, receiver) = (Body::read(&last.note).unwrap(), Receiver::start().await);
    let ((own, vkey), (other, _)) = (signer(1), signer(2));
    let url = format!("http://{}", receiver.address);
    let good = own.cosign(&body, 1_700_000_000);
    for (said, outcome) in [
        (answer(200, "", &other.cosign(&body, 1)), "refused"),
        (answer(200, "", &own.cosign(&Body { size: 299, ..body.clone() }, 1)), "refused"),
        (answer(200, "", &good.replace("scripted", "somebody")), "refused"),
        (answer(200, "", ""), "refused"),
        (answer(409, "", "many\n"), "refused"),
        (answer(403, "", "no"), "refused"),
        (answer(302, "Location: https://127.0.0.1/\r\n", ""), "refused"),
        (answer(409, "", "0\n"), "forked"),
        (answer(409, "", "301\n"), "forked"),
        (answer(422, "", ""), "forked"),
        (answer(503, "", ""), "unreachable"),
        (Some("no HTTP".to_owned()), "unreachable"),
        (answer(200, "", &good), "signed"),
    ] {
        receiver.says(said.clone());
        // Each time another process, which does not know of the time before.
        assert_eq!(ask(&pool, &registry(&[(&vkey, &url)])).await, json!({ outcome: 1 }), "{said:?}");
        assert_eq!(kept(&pool).await.len(), usize::from(outcome == "signed"), "{said:?}");
    }
    let last = witnessed(&pool).await.unwrap();
    assert!(last.note.ends_with(&good), "{}", last.note);
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_it() {
    let (_log, pool) = log(3).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let endless = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4_096]).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut written = 0_u64;
        while stream.write_all(&[b'x'; 4_096]).await.is_ok() {
            written += 4_096;
        }
        written
    });
    assert_eq!(ask(&pool, &registry(&[(&signer(1).1, &url)])).await, json!({ "refused": 1 }));
    let written = endless.await.unwrap();
    assert!(written < 64 << 20, "{written} bytes were taken");
    assert!(kept(&pool).await.is_empty());
}

#[tokio::test]
async fn of_two_witnesses_the_one_that_answers_is_kept_while_the_other_is_silent() {
    let (folder, (_log, pool)) = (TempDir::new().unwrap(), log(300).await);
    let (witness, listener) = (Witness::start(folder.path()), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let silent_url = format!("http://{}", listener.local_addr().unwrap());
    // Until whoever asks gives it up.
    let silent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        while stream.read(&mut [0; 4_096]).await.is_ok_and(|read| read > 0) {}
    });
    let registry = registry(&[(&signer(1).1, &silent_url), (&witness.vkey, &witness.url)]);
    let asking = tokio::spawn({
        let pool = pool.clone();
        async move { ask(&pool, &registry).await }
    });
    until_async("the other's signature", PATIENCE, async || witnessed(&pool).await).await;
    let open: i64 = sqlx::query_scalar(
        "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert!(!silent.is_finished() && open == 0, "one is still being asked, and no transaction is open");
    assert_eq!(asking.await.unwrap(), json!({ "signed": 1, "unreachable": 1 }));
    assert_eq!(kept(&pool).await, [300]);
}

#[tokio::test]
async fn a_cosignature_stays_and_one_that_is_none_is_found() {
    let (mut log, pool) = log(300).await;
    let last = ledger::checkpoint::latest(&mut log.bench.conn, Book::MAIN).await.unwrap().unwrap();
    let (body, (own, vkey)) = (Body::read(&last.note).unwrap(), signer(1));
    let line = own.cosign(&body, 1);
    cosigned::keep(&mut log.bench.conn, Book::MAIN, &last, (&own.verifier(), &line)).await.unwrap();
    let change = sqlx::query("update ledger.cosignature set size = 1").execute(&pool).await.unwrap_err();
    assert!(change.to_string().contains("append-only"), "{change}");
    assert_eq!(log.bench.verify().await.cosignatures, 1);
    let other = own.cosign(&Body { size: 299, ..body }, 1);
    for (size, line) in [(299, &line), (299, &other), (301, &line)] {
        let insert = "insert into ledger.cosignature (book, witness, size, line) values (1, $1, $2, $3)";
        sqlx::query(insert).bind(&vkey).bind(size).bind(line).execute(&pool).await.unwrap();
        assert_eq!(log.bench.verify().await.findings, [Finding::Cosignature { size }], "{size}");
        log.bench.execute("alter table ledger.cosignature disable trigger append_only".to_owned()).await;
        log.bench.execute("delete from ledger.cosignature where size <> 300".to_owned()).await;
    }
}

/// A worker role with these witnesses; it ends with the test.
struct Worker(Child);

impl Worker {
    fn start(folder: &Path, database: &str, witnesses: &[&str]) -> Worker {
        let witnesses: Vec<_> = witnesses.iter().flat_map(|witness| ["--ledger-witness", witness]).collect();
        Worker::start_with(folder, database, &witnesses)
    }

    fn start_with(folder: &Path, database: &str, flags: &[&str]) -> Worker {
        std::fs::write(folder.join("ledger.key"), key().to_text()).unwrap();
        let mut command = Command::new(binary::path());
        command.args(["worker", "--processes", "1", "--metrics-listen", "127.0.0.1:0"]);
        command.args(["--signing-key-file", "ledger.key"]).env("RUST_LOG", "error");
        command
            .args(flags)
            .current_dir(folder)
            .env("DATABASE_URL", database)
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        Worker(command.stdout(Stdio::null()).spawn().unwrap())
    }

    /// What it says when it does not start.
    async fn refusal(mut self) -> String {
        let ended = until("the role to end", PATIENCE, || self.0.try_wait().unwrap()).await;
        assert!(!ended.success());
        std::io::read_to_string(self.0.stderr.take().unwrap()).unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_worker_says_which_witness_is_none() {
    let (folder, vkey) = (TempDir::new().unwrap(), signer(1).1);
    let (here, there) = (format!("{vkey}@http://127.0.0.1:1"), format!("{vkey}@http://127.0.0.1:2"));
    for (witnesses, why) in [
        (vec![vkey.as_str()], "no key with an address"),
        (vec!["witness.example/w1@https://witness.example"], "no key with an address"),
        (vec![&here.replacen("witness", "winess", 1)], "its key is none of a witness"),
        (vec![&here.replace("http:", "gopher:")], "its address must begin with https://"),
        (vec![here.as_str(), &there], "two witnesses have this key"),
    ] {
        let said = Worker::start(folder.path(), "postgres://127.0.0.1:1/x", &witnesses).refusal().await;
        assert!(said.contains("--ledger-witness (LEDGER_WITNESSES)") && said.contains(why), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_by_https_is_believed_if_its_authority_is() {
    let (folder, (mut log, pool)) = (TempDir::new().unwrap(), log(300).await);
    if !certificate::make(folder.path(), "localhost") {
        eprintln!("skipped: this machine has no openssl");
        return;
    }
    let witness = Witness::start(folder.path());
    let url = certificate::front(folder.path(), &witness.url).await;
    let authority = folder.path().join("certificate.pem");
    let mut by_hand = vec!["ledger", "witness", "ask", &url, "--witness-key", &witness.vkey];
    let refused = bitnexus(&log, &by_hand);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("UnknownIssuer"), "{said}");
    by_hand.extend(["--witness-ca-file", authority.to_str().unwrap()]);
    assert!(bitnexus(&log, &by_hand).status.success());
    let flags = ["--ledger-witness", &format!("{}@{url}", witness.vkey), "--ledger-witness-ca-file", "certificate.pem"];
    let _worker = Worker::start_with(folder.path(), &log.bench.database.url(), &flags);
    log.bench.post_one(&transfer(log.bench.cash, log.bench.wallets[0], 1)).await;
    queue::enqueue(&mut log.bench.conn, &[publish_checkpoint::of(Book::MAIN).unwrap()]).await.unwrap();
    let newest = async || witnessed(&pool).await.filter(|last| last.size == 301);
    until_async("the new checkpoint to be cosigned", PATIENCE, newest).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_role_asks_by_itself() {
    let (folder, (mut log, pool)) = (TempDir::new().unwrap(), log(300).await);
    let witness = Witness::start(folder.path());
    let asked = format!("{}@{}", witness.vkey, witness.url);
    let _worker = Worker::start(log.folder(), &log.bench.database.url(), &[&asked]);
    log.bench.post_one(&transfer(log.bench.cash, log.bench.wallets[0], 1)).await;
    queue::enqueue(&mut log.bench.conn, &[publish_checkpoint::of(Book::MAIN).unwrap()]).await.unwrap();
    let newest = async || witnessed(&pool).await.filter(|last| last.size == 301);
    until_async("the new checkpoint to be cosigned", PATIENCE, newest).await;
}
