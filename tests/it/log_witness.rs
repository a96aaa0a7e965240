//! The witness as a process of its own: it speaks HTTP, remembers through kill -9, and others accept what it signs.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use ledger::Book;
use ledger::checkpoint::note::Body;
use ledger::log;
use ledger::witness::AddCheckpoint;
use tests::binary;
use tests::outside::Tool;

use crate::log_kit::{Exported, key};

/// A running witness.
pub(crate) struct Witness {
    process: Child,
    pub(crate) url: String,
    /// The key that checks its signatures.
    pub(crate) vkey: String,
}

impl Witness {
    /// Starts one with this folder, which may have been another's before.
    pub(crate) fn start(folder: &Path) -> Witness {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = listener.local_addr().unwrap().to_string();
        drop(listener);
        Witness::start_at(folder, &listen)
    }

    /// Starts one that listens there.
    pub(crate) fn start_at(folder: &Path, listen: &str) -> Witness {
        let mut command = Command::new(binary::path());
        command.args(["witness", "--name", "witness.example/w1", "--listen", listen, "--witness-dir"]).arg(folder);
        command.args(["--log-key", &key().verifier().to_text()]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        // It prints its key when it listens.
        let mut vkey = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut vkey).unwrap();
        Witness { process, url: format!("http://{listen}"), vkey: vkey.trim().to_owned() }
    }

    /// What SIGKILL leaves behind.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// The status, the media type and the body of the answer.
    async fn ask(&self, body: impl Into<String>) -> (u16, String, String) {
        let request = reqwest::Client::new().post(format!("{}/add-checkpoint", self.url)).body(body.into());
        let answer = request.send().await.unwrap();
        let media = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), media.unwrap_or_default(), answer.text().await.unwrap())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The request for the last checkpoint of a log, from an older size on.
async fn request(log: &mut Exported, old: u64) -> String {
    let last = ledger::checkpoint::latest(&mut log.bench.conn, Book::MAIN).await.unwrap().unwrap();
    let proof = match old {
        0 => Vec::new(),
        old => log::consistency(&mut log.bench.conn, Book::MAIN, old, last.size as u64).await.unwrap().hashes,
    };
    AddCheckpoint::new(old, proof, &last.note).unwrap().to_text()
}

#[tokio::test]
async fn a_witness_signs_what_grows_and_refuses_what_does_not_also_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, mut fork) = (Exported::create(300).await, Exported::create(500).await);
    let witness = Witness::start(folder.path());
    let first = request(&mut log, 0).await;
    let (status, media, line) = witness.ask(&first).await;
    assert_eq!((status, media.as_str()), (200, "text/plain; charset=utf-8"));
    assert!(line.starts_with("— witness.example/w1 ") && line.ends_with('\n'), "{line}");
    let vkey = witness.vkey.clone();
    witness.kill();

    let witness = Witness::start(folder.path());
    assert_eq!(witness.vkey, vkey, "it is the same one");
    let conflict = (409, "text/x.tlog.size".to_owned(), "300\n".to_owned());
    assert_eq!(witness.ask(request(&mut fork, 0).await).await, conflict, "a fork that begins anew");
    assert_eq!(witness.ask(request(&mut fork, 300).await).await.0, 422, "a fork with a proof of its own");
    let mut shorter = Exported::create(200).await;
    assert_eq!(witness.ask(request(&mut shorter, 0).await).await, conflict, "a log that was rolled back");
    log.grow(100).await;
    assert_eq!(witness.ask(request(&mut log, 200).await).await, conflict, "from another size");
    assert_eq!(witness.ask(request(&mut log, 300).await).await.0, 200, "the log itself goes on");
}

#[tokio::test]
async fn what_a_witness_does_not_take_has_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Exported::create(3).await;
    let (witness, good) = (Witness::start(folder.path()), request(&mut log, 0).await);
    let body = Body::read(good.split_once("\n\n").unwrap().1).unwrap();
    let stranger = ledger::keys::SigningKey::from_seed(key().name(), &[9; 32]).unwrap();
    let other = ledger::keys::SigningKey::from_seed("other.example/log", &[9; 32]).unwrap();
    let of_other = Body { origin: other.name().to_owned(), ..body.clone() };
    for (status, sent) in [
        (400, String::new()),
        (400, good.replace("old 0", "old zero")),
        (400, good.replace("old 0", "old 4")),
        (403, format!("old 0\n\n{}", body.sign(&stranger))),
        (404, format!("old 0\n\n{}", of_other.sign(&other))),
        (413, "x".repeat(100_000)),
        (422, good.replace("old 0\n", "old 0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")),
    ] {
        assert_eq!(witness.ask(sent.clone()).await.0, status, "{sent}");
    }
    let get = reqwest::get(format!("{}/add-checkpoint", witness.url)).await.unwrap();
    assert_eq!(get.status(), 405);
    assert_eq!(witness.ask(good).await.0, 200);
}

/// Runs the binary on the log's database.
pub(crate) fn bitnexus(log: &Exported, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary::path());
    command.args(arguments).env("DATABASE_URL", log.bench.database.url()).current_dir(log.folder());
    command.env_remove("LEDGER_SIGNING_KEY_FILE").output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn the_command_asks_a_witness_and_others_accept_its_signature() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Exported::create(300).await;
    let witness = Witness::start(folder.path());
    let ask = ["ledger", "witness", "ask", &witness.url, "--witness-key", &witness.vkey];
    let first = text(&bitnexus(&log, &ask));
    log.grow(100).await;
    let second = text(&bitnexus(&log, &ask));
    assert_eq!((Body::read(&first).unwrap().size, Body::read(&second).unwrap().size), (300, 400));
    assert_eq!(second.lines().filter(|line| line.starts_with('—')).count(), 2);
    log.export().await.unwrap();
    std::fs::write(log.file("older"), first).unwrap();
    std::fs::write(log.file("checkpoint"), &second).unwrap();
    let (vkey, exported, older) = (key().verifier().to_text(), log.folder().to_owned(), log.file("older"));
    let (exported, older) = (exported.to_str().unwrap(), older.to_str().unwrap());
    if let Some(tool) = Tool::aics() {
        let output = tool.run(&[&vkey, exported, older, &witness.vkey]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let other = ledger::witness::cosignature::CosignerKey::generate("witness.example/w2").unwrap();
        let output = tool.run(&[&vkey, exported, older, &other.verifier().to_text()]);
        assert!(!output.status.success(), "the signature of another witness is missing");
    }
    let fork = Exported::create(500).await;
    let refused = bitnexus(&fork, &ask);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("refused") || said.contains("forked"), "{said}");
}
