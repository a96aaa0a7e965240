//! Three api processes with a client each, while fifty write: processes are killed, and PostgreSQL is restarted and crashed. Every client
//! sees every event once, in one order, which is that of the commits.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cli::migrations::migrate;
use domain::access::keys;
use domain::events::publish;
use ledger::Book;
use sqlx::PgPool;
use tests::server::{Server, Shutdown};
use tests::sse::Sse;
use tests::{binary, people};
use tokio::sync::watch;

use super::kit::{Written, check_order, event, name};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// `bitnexus api` on an address of its own, wherever it is started again.
struct Process {
    address: String,
    database: String,
    child: Child,
}

impl Process {
    fn start(database: &str) -> Process {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let child = spawn(&address, database);
        Process { address, database: database.to_owned(), child }
    }

    fn kill_and_start_again(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(&self.address, &self.database);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(address: &str, database: &str) -> Child {
    let mut command = Command::new(binary::path());
    command.args(["api", "--connections", "4", "--listen", address]).env("DATABASE_URL", database);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// What a client has seen.
struct Client {
    url: String,
    token: String,
    /// Told once the stream says where it begins.
    begun: watch::Sender<bool>,
    seen: Arc<AtomicUsize>,
}

impl Client {
    /// Follows until the last event, coming back whenever the stream ends.
    async fn follow(self) -> Vec<String> {
        let (http, mut names) = (reqwest::Client::new(), Vec::new());
        let mut last_id: Option<String> = None;
        loop {
            let Ok(mut stream) = Sse::open(&http, &self.url, &self.token, last_id.as_deref()).await else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            stream.begun().await;
            self.begun.send_replace(true);
            while let Some(sent) = stream.next().await {
                names.push(name(&sent.data));
                self.seen.fetch_add(1, Ordering::Relaxed);
                if names.last().is_some_and(|name| name == "end") {
                    return names;
                }
            }
            if !stream.last_id.is_empty() {
                last_id = Some(stream.last_id);
            }
        }
    }
}

/// Writes until it is told to stop. Of a commit without an answer nobody knows whether it was one.
async fn writer(pool: PgPool, number: u64, stop: Arc<AtomicBool>) -> Vec<Written> {
    let mut written = Vec::new();
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("{number}.{round}");
        let commit = async {
            let mut tx = pool.begin().await?;
            publish(&mut tx, Book::MAIN, &[event(&name, &["ledger"])]).await?;
            if round % 9 == number % 9 {
                // It commits long after others that began later.
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            let began = Instant::now();
            tx.commit().await?;
            Ok::<_, sqlx::Error>(began)
        };
        if let Ok(began) = commit.await {
            written.push(Written { name: name.clone(), began, ended: Instant::now(), turn: None });
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    written
}

/// Waits until the clients have seen so many more.
async fn until_seen(seen: &[Arc<AtomicUsize>], more: usize) {
    for seen in seen {
        let goal = seen.load(Ordering::Relaxed) + more;
        tests::wait::until("events to be seen", PATIENCE, || (seen.load(Ordering::Relaxed) >= goal).then_some(()))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_process_tells_everything_once_whatever_is_killed() {
    let mut server = Server::start(&["fsync=off", "max_connections=200"]);
    let database = server.url("postgres");
    let pool = queue::pool_options().max_connections(60).connect(&database).await.unwrap();
    migrate(&pool).await.unwrap();
    let admin = people::admin(&pool).await;
    let key = keys::create(&mut pool.acquire().await.unwrap(), 0, admin.user_id, "test").await.unwrap();
    let mut processes: Vec<Process> = (0..3).map(|_| Process::start(&database)).collect();
    let (mut begun, mut seen, mut clients) = (Vec::new(), Vec::new(), Vec::new());
    for process in &processes {
        let (told, heard) = watch::channel(false);
        let count = Arc::new(AtomicUsize::new(0));
        let url = format!("http://{}/api/v1/events?topic=ledger", process.address);
        let client = Client { url, token: key.reveal().to_owned(), begun: told, seen: Arc::clone(&count) };
        clients.push(tokio::spawn(client.follow()));
        begun.push(heard);
        seen.push(count);
    }
    for heard in &mut begun {
        tokio::time::timeout(PATIENCE, heard.wait_for(|begun| *begun)).await.expect("a stream begins").unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..50).map(|number| tokio::spawn(writer(pool.clone(), number, Arc::clone(&stop)))).collect();
    until_seen(&seen, 100).await;
    for process in &mut processes {
        process.kill_and_start_again();
        until_seen(&seen, 100).await;
    }
    for how in [Shutdown::Fast, Shutdown::Immediate] {
        server.restart(how);
        until_seen(&seen, 100).await;
    }
    processes[0].kill_and_start_again();
    stop.store(true, Ordering::Relaxed);
    let mut written = Vec::new();
    for writer in writers {
        written.extend(writer.await.unwrap());
    }
    super::kit::write(&pool, &["end"], &["ledger"]).await;
    let mut streams = Vec::new();
    for client in clients {
        streams.push(tokio::time::timeout(PATIENCE, client).await.expect("the end is seen").unwrap());
    }
    assert!(streams[0] == streams[1] && streams[1] == streams[2], "all clients see one order");
    let payloads: Vec<String> = sqlx::query_scalar("select payload::text from app.event where kind = 'test.written'")
        .fetch_all(&pool)
        .await
        .unwrap();
    let mut there: Vec<String> = payloads.iter().map(|payload| name(payload)).collect();
    let mut told = streams[0].clone();
    assert_eq!(told.last().map(String::as_str), Some("end"));
    there.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, there, "what is told is what is there, once");
    let acknowledged: std::collections::HashSet<&str> = written.iter().map(|one| one.name.as_str()).collect();
    let in_order: Vec<String> =
        streams[0].iter().filter(|name| acknowledged.contains(name.as_str())).cloned().collect();
    check_order(&in_order, &written);
    println!(
        "{} events, {} of them acknowledged, seen by 3 clients over 4 kills, a restart and a crash",
        there.len(),
        written.len()
    );
}
