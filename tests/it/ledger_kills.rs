//! The writer, or PostgreSQL, is killed between any two messages of a posting: nothing is half-written, nothing that was
//! acknowledged is lost, and posting the same again settles the rest.
//!
//! The writer is another process of this program. It talks to the server by way of a gate that lets so many messages pass,
//! either way, and then none: that is the moment of the kill. Each trial lets one more pass, until the writer gets through.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cli::migrations::migrate;
use ledger::accounts::{NewAccount, Overdraft, open};
use ledger::posting::{Memory, post_all};
use ledger::{AccountId, Book, Currency, Outcome, Posting, TransactionId};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection, PgPool};
use tempfile::TempDir;
use tests::again::Again;
use tests::server::{Server, Shutdown};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::ledger_invariants::assert_sound_on;
use crate::ledger_kit::{capture_part, chain, hold, reverse_part, transfer, up_to};

/// The name of the socket in its folder, as PostgreSQL has it.
const SOCKET: &str = ".s.PGSQL.5432";
/// How many batches a writer posts: the first prepares the statements, the second uses them.
const BATCHES: u64 = 2;
/// Set for the other process: the database's address, its file of acknowledgements, and the number of its trial.
const DATABASE: &str = "LEDGER_KILLS_DATABASE";
const ACKNOWLEDGED: &str = "LEDGER_KILLS_ACKNOWLEDGED";
const TRIAL: &str = "LEDGER_KILLS_TRIAL";

fn account(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}

/// What the writer of a trial posts: of every kind of row something.
fn batch(trial: u64, number: u64) -> Vec<Posting> {
    let (cash, a, b) = (account(1), account(2), account(3));
    let held = hold(a, b, 4, None);
    let sent = transfer(a, b, 3);
    let mut batch = vec![transfer(cash, a, 10), held.clone(), sent.clone(), reverse_part(&sent, 1)];
    batch.extend(chain(vec![capture_part(&held, 2), up_to(b, cash, 1_000)]));
    batch.extend([hold(cash, a, 1, None), transfer(a, a, 1)]);
    // The same each time they are made: ids by trial, batch and place.
    let ids: Vec<TransactionId> = batch.iter().map(|posting| posting.id).collect();
    let named = |id: TransactionId| match ids.iter().position(|other| *other == id) {
        Some(place) => {
            TransactionId(Uuid::from_u128(u128::from(trial + 1) << 64 | u128::from(number) << 32 | place as u128))
        }
        None => id,
    };
    for posting in &mut batch {
        posting.id = named(posting.id);
        posting.act = match posting.act {
            ledger::Act::Capture(hold) => ledger::Act::Capture(named(hold)),
            ledger::Act::ReversePart(original) => ledger::Act::ReversePart(named(original)),
            act => act,
        };
    }
    batch
}

async fn post_batch(conn: &mut PgConnection, batch: &[Posting], memory: &Memory) -> sqlx::Result<Vec<Outcome>> {
    let mut tx = conn.begin().await?;
    let posted = post_all(&mut tx, Book::MAIN, batch, memory).await;
    let posted = posted.map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
    tx.commit().await?;
    Ok(posted.outcomes)
}

/// The main function of the other process.
#[tokio::test]
#[ignore = "it is the main function of another process"]
async fn run_as_a_writer() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let (trial, acknowledged) = (variable(TRIAL).parse().unwrap(), variable(ACKNOWLEDGED));
    let mut conn = PgConnection::connect(&variable(DATABASE)).await.unwrap();
    let memory = Memory::default();
    for number in 0..BATCHES {
        post_batch(&mut conn, &batch(trial, number), &memory).await.unwrap();
        fs::write(&acknowledged, (number + 1).to_string()).unwrap();
    }
}

/// Lets so many messages pass, whichever way, and then none.
struct Gate {
    folder: TempDir,
    reached: Arc<Notify>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Gate {
    fn open(server: &Path, messages: usize) -> Gate {
        let folder = tempfile::Builder::new().prefix("bn-gate-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let (reached, server) = (Arc::new(Notify::new()), server.join(SOCKET));
        let signal = reached.clone();
        let accepting = tokio::spawn(async move {
            // Of one connection only: the writer has no other.
            let (client, _) = listener.accept().await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = UnixStream::connect(server).await.unwrap().into_split();
            let passed = AtomicUsize::new(0);
            let pass = |from, to| pump(from, to, &passed, messages, &signal);
            tokio::select! {
                () = pass(from_client, to_server) => (),
                () = pass(from_server, to_client) => (),
            }
        });
        Gate { folder, reached, accepting }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, passed: &AtomicUsize, most: usize, signal: &Notify) {
    let mut buffer = vec![0; 1 << 20];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        if passed.fetch_add(1, Ordering::Relaxed) >= most {
            signal.notify_one();
            return std::future::pending().await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// A server of the test's own, with the accounts that are posted to.
struct Stage {
    server: Server,
    folder: TempDir,
}

impl Stage {
    async fn set() -> Stage {
        let server = Server::start(&["fsync=off", "max_connections=20"]);
        let pool = PgPool::connect(&server.url("postgres")).await.unwrap();
        migrate(&pool).await.unwrap();
        let new = |number, overdraft| NewAccount {
            id: account(number),
            currency: Currency::GBP,
            overdraft,
            code: 0,
            group: None,
        };
        let accounts = [new(1, Overdraft::Allowed), new(2, Overdraft::Forbidden), new(3, Overdraft::Forbidden)];
        open(&mut pool.acquire().await.unwrap(), Book::MAIN, &accounts).await.unwrap();
        pool.close().await;
        Stage { server, folder: tempfile::tempdir().unwrap() }
    }

    /// Starts a writer, kills at that message, and looks at what is left. False once the writer gets through before.
    async fn trial(&mut self, trial: u64, messages: usize, kill_server: bool) -> bool {
        let gate = Gate::open(self.server.folder(), messages);
        let acknowledged = self.folder.path().join(format!("acknowledged-{trial}"));
        let database = self.server.url_through(gate.folder.path(), "postgres");
        let environment = [
            (DATABASE, database.into()),
            (ACKNOWLEDGED, acknowledged.clone().into_os_string()),
            (TRIAL, trial.to_string().into()),
        ];
        let log = self.folder.path().join("log");
        let mut writer = Again::start("ledger_kills::run_as_a_writer", &log, environment);
        let is_reached = tokio::select! {
            () = gate.reached.notified() => true,
            () = ended(&mut writer) => false,
        };
        match (kill_server && is_reached, messages % 2) {
            (true, 0) => self.server.restart(Shutdown::Immediate),
            (true, _) => self.kill_backend().await,
            (false, _) => (),
        }
        writer.kill();
        drop(gate);
        let told = fs::read_to_string(&acknowledged).map_or(0, |count| count.parse().unwrap());
        assert!(is_reached || told == BATCHES, "{}", fs::read_to_string(log).unwrap());
        self.assert_settled(trial, told).await;
        is_reached
    }

    /// Kills the process that serves the writer; the server then ends all sessions and recovers. Returns once it has begun to.
    async fn kill_backend(&self) {
        let mut witness = self.connect().await;
        let serving =
            "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";
        let pid: i32 = sqlx::query_scalar(serving).fetch_one(&mut witness).await.unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        while witness.ping().await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// What was acknowledged is there whole; of the rest each batch is there whole or not at all.
    async fn assert_settled(&self, trial: u64, told: u64) {
        let mut conn = self.connect().await;
        assert_sound_on(&mut conn).await;
        for number in 0..BATCHES {
            let batch = batch(trial, number);
            let outcomes = post_batch(&mut conn, &batch, &Memory::default()).await.unwrap();
            let (last, recorded) = outcomes.split_last().unwrap();
            assert_eq!(*last, Outcome::Refused(ledger::Refusal::SameAccount), "a refused id stays refused");
            let is_there = recorded.iter().all(|outcome| matches!(outcome, Outcome::Exists { .. }));
            let is_new = recorded.iter().all(|outcome| matches!(outcome, Outcome::Created { .. }));
            assert!(is_there || (is_new && number >= told), "batch {number} of {told} acknowledged: {outcomes:?}");
        }
        assert_sound_on(&mut conn).await;
    }

    /// A connection, as soon as the server has recovered.
    async fn connect(&self) -> PgConnection {
        let connect = async {
            loop {
                if let Ok(mut conn) = PgConnection::connect(&self.server.url("postgres")).await
                    && sqlx::query("select 1").execute(&mut conn).await.is_ok()
                {
                    return conn;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), connect).await.expect("the server recovers")
    }
}

async fn ended(writer: &mut Again) {
    while !writer.has_ended() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_posting_survives_a_kill_at_any_message() {
    let mut stage = Stage::set().await;
    let mut messages = 0;
    while stage.trial(messages as u64, messages, false).await {
        messages += 1;
    }
    // Statements are prepared, then begun, locked, read, written and committed: and all of it answered.
    assert!(messages > 20, "the writer got through after {messages} messages");
    // The last batch again, and the server is what is killed: begin, lock, read, write, commit, and their answers.
    for before_end in 1..=10 {
        let at = messages - before_end;
        assert!(stage.trial(1_000 + at as u64, at, true).await);
    }
    println!("killed at each of {messages} messages");
}
