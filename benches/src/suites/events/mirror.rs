//! An Erlang ledger that is told what ours has recorded: a real node with the ledger of the tests, and our worker processes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use domain::mirror;
use ledger::Book;
use ledger::posting::Memory;
use sqlx::PgPool;

use crate::report::Report;
use crate::roles::Roles;
use crate::server::Server;
use crate::suites::ledger::fund;

const NODE: &str = "ledger@127.0.0.1";
const COOKIE: &str = "bench";
/// A port that no other port mapper has.
const EPMD_PORT: &str = "14369";
/// How long it may take in all.
const PATIENCE: Duration = Duration::from_secs(300);

/// A node and its port mapper; they end when this is dropped.
struct Erlang {
    processes: Vec<Child>,
    folder: std::path::PathBuf,
}

/// Adds `events.mirror`; nothing where there is no Erlang.
pub(super) async fn run(quick: bool, report: &mut Report) -> Result<()> {
    let transactions = if quick { 50_000 } else { 300_000 };
    let Some(erlang) = Erlang::start()? else {
        eprintln!("events.mirror is left out: this machine has no Erlang");
        return Ok(());
    };
    let server = Server::start().await?;
    let pool = server.pool(2).await?;
    fund(&pool, transactions, &Memory::default()).await?;
    server.settle().await?;
    let cookie = erlang.folder.join("cookie").to_string_lossy().into_owned();
    let set = [("LEDGER_NODE", NODE), ("LEDGER_COOKIE_FILE", &cookie), ("ERL_EPMD_PORT", EPMD_PORT)];
    let _roles = Roles::start_with(&server, &set).await?;
    // From the first page on: what comes before is the start of the processes.
    let (began, first) = until(&pool, 1).await?;
    let (ended, last) = until(&pool, transactions as i64).await?;
    report.add("events.mirror", (last - first) as f64 / (ended - began).as_secs_f64(), "transactions/s");
    Ok(())
}

/// Waits until the node has confirmed so many; when that was, and how many they are.
async fn until(pool: &PgPool, confirmed: i64) -> Result<(Instant, i64)> {
    let began = Instant::now();
    loop {
        let rows = mirror::list(&mut *pool.acquire().await?, Book::MAIN).await?;
        if let Some(row) = rows.first().filter(|row| row.position >= confirmed) {
            return Ok((Instant::now(), row.position));
        }
        ensure!(began.elapsed() < PATIENCE, "the Erlang ledger has not got {confirmed} transactions: {rows:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Erlang {
    fn start() -> Result<Option<Erlang>> {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("bitnexus-bench-erlang-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let mut erlang = Erlang { processes: Vec::new(), folder };
        let cookie = erlang.folder.join("cookie");
        std::fs::write(&cookie, COOKIE)?;
        std::fs::set_permissions(&cookie, std::fs::Permissions::from_mode(0o600))?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/outside/erlang/ledger_server.erl");
        let Ok(compiled) = Command::new("erlc").arg("-o").arg(&erlang.folder).arg(source).status() else {
            return Ok(None);
        };
        ensure!(compiled.success(), "the Erlang ledger does not compile");
        erlang.spawn("epmd", &["-address", "127.0.0.1", "-port", EPMD_PORT])?;
        let code = erlang.folder.to_string_lossy().into_owned();
        let name = ["-name", NODE, "-setcookie", COOKIE, "-noinput", "-start_epmd", "false"];
        let rest = ["-kernel", "inet_dist_use_interface", "{127,0,0,1}", "-s", "ledger_server", "-pa", &code];
        erlang.spawn("erl", &[&name[..], &rest[..]].concat())?;
        Ok(Some(erlang))
    }

    fn spawn(&mut self, program: &str, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(program);
        command.args(arguments).env("ERL_EPMD_PORT", EPMD_PORT).env("HOME", &self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.processes.push(command.spawn().with_context(|| format!("starting {program}"))?);
        Ok(())
    }
}

impl Drop for Erlang {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            let _ = process.kill();
            let _ = process.wait();
        }
        // What is left in the temporary folder is nothing that anybody keeps.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
