//! Real worker processes, and a node that is killed, stopped and forgets.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use domain::mirror::Row;
use jobs::mirror::term::Term;
use ledger::keys::SigningKey;
use rustix::process::{Pid, Signal, kill_process};
use tests::binary;
use tests::erlang::NODE;
use tests::wait::until_async;

use super::kit::Kit;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(150);

/// `bitnexus worker` with two processes that tell the node; it ends with the test.
struct Worker {
    supervisor: Child,
    _folder: tempfile::TempDir,
}

impl Worker {
    fn start(kit: &Kit) -> Worker {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("ledger.key");
        std::fs::write(&key, SigningKey::generate("test.example/main").unwrap().to_text()).unwrap();
        let mut command = Command::new(binary::path());
        command.args(["worker", "--processes", "2", "--concurrency", "4", "--metrics-listen", "127.0.0.1:0"]);
        command.args(["--ledger-node", NODE, "--epmd-port", &kit.erlang.epmd_port.to_string()]);
        command.arg("--ledger-cookie-file").arg(kit.erlang.cookie_file()).arg("--signing-key-file").arg(key);
        command.current_dir(folder.path()).env("DATABASE_URL", kit.bench.database.url()).env("RUST_LOG", "error");
        let supervisor = command.stdin(Stdio::null()).spawn().unwrap();
        Worker { supervisor, _folder: folder }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_raw(self.supervisor.id().cast_signed()).unwrap(), Signal::TERM);
        let _ = self.supervisor.wait();
    }
}

impl Kit {
    /// Waits until the row is like that.
    async fn until(&self, what: &str, is_it: impl Fn(&Row) -> bool) -> Row {
        until_async(what, PATIENCE, async || self.row().await.filter(&is_it)).await
    }

    /// The node has all of it, once.
    async fn agrees(&self, count: i64) {
        self.until("everything to be told", |row| row.position == count && row.state == "connected").await;
        let mut order = self.erlang.order().await;
        order.sort_unstable();
        assert_eq!(order, (0..count).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_tell_it_once_and_in_order() {
    let Some(mut kit) = Kit::start(false).await else { return };
    kit.record(1_500).await;
    let _worker = Worker::start(&kit);
    kit.agrees(1_500).await;
    kit.record(1_500).await;
    kit.agrees(3_000).await;
    assert_eq!(kit.erlang.order().await, (0..3_000).collect::<Vec<_>>(), "in order");
    assert_eq!(kit.erlang.ask("repeated", Vec::new()).await, Term::Integer(0), "none twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_in_the_middle_is_told_the_rest() {
    let Some(mut kit) = Kit::start(true).await else { return };
    kit.record(16_000).await;
    let _worker = Worker::start(&kit);
    kit.until("some to be told", |row| row.position > 0).await;
    kit.erlang.kill();
    let row = kit.until("the node to be missed", |row| row.state == "down").await;
    assert!(row.position < 16_000, "it was in the middle");
    kit.erlang.run().await;
    kit.agrees(16_000).await;
    assert_eq!(kit.erlang.order().await, (0..16_000).collect::<Vec<_>>(), "in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stands_still_is_slow_and_catches_up() {
    let Some(mut kit) = Kit::start(false).await else { return };
    kit.record(200).await;
    let _worker = Worker::start(&kit);
    kit.agrees(200).await;
    kit.erlang.signal(Signal::STOP);
    kit.record(2_000).await;
    kit.until("the node to be found slow", |row| row.state == "slow").await;
    let since = kit.until("it to be slow for a while", |row| row.state == "slow" && row.state_seconds >= 3).await;
    assert_eq!(since.position, 200);
    kit.erlang.signal(Signal::CONT);
    kit.agrees(2_200).await;
    assert_eq!(kit.erlang.order().await, (0..2_200).collect::<Vec<_>>(), "in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_forgotten_everything_is_told_again() {
    let Some(mut kit) = Kit::start(false).await else { return };
    kit.record(1_000).await;
    let _worker = Worker::start(&kit);
    kit.agrees(1_000).await;
    kit.erlang.kill();
    kit.erlang.run().await;
    kit.record(100).await;
    kit.until("the node to be found without", |row| row.refed_total > 0).await;
    kit.agrees(1_100).await;
    assert_eq!(kit.erlang.order().await, (0..1_100).collect::<Vec<_>>(), "in order");
}
