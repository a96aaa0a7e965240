//! Real workers: one is killed in the middle of a delivery, and one endpoint is slow.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ledger::keys::SigningKey;
use rustix::process::{Pid, Signal, kill_process};
use tests::binary;
use tests::processes::{Role, below};
use tests::receiver::{Receiver, answer};
use tests::wait::{until, until_async};

use super::kit::Kit;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// `bitnexus worker` with one worker process; it ends with the test.
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
        command.args(["worker", "--processes", "1", "--concurrency", "6", "--metrics-listen", "127.0.0.1:0"]);
        command.args(["--webhook-networks", "127.0.0.0/8", "--signing-key-file"]).arg(key);
        command.current_dir(folder.path()).env("DATABASE_URL", kit.database.url()).env("RUST_LOG", "warn");
        let supervisor = command.stdin(Stdio::null()).spawn().unwrap();
        Worker { supervisor, _folder: folder }
    }

    /// Kills the process that runs the jobs.
    async fn kill_child(&self) {
        let child = || below(self.supervisor.id()).into_iter().find(|process| process.role != Role::Up);
        let child = until("a worker process", PATIENCE, child).await;
        kill_process(Pid::from_raw(child.pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_raw(self.supervisor.id().cast_signed()).unwrap(), Signal::TERM);
        let _ = self.supervisor.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_in_the_middle_of_a_delivery_makes_it_again() {
    let kit = Kit::start().await;
    let (user, mut receiver) = (kit.user().await, Receiver::start().await);
    let endpoint = kit.endpoint(&user, &receiver, &[]).await.0;
    receiver.says(None);
    let worker = Worker::start(&kit);
    kit.happen("wallet.opened", &[user.user_id]).await;
    let first = receiver.next().await;
    receiver.says(answer(204, "", ""));
    worker.kill_child().await;
    let second = receiver.next().await;
    assert_eq!((first.header("webhook-id"), &first.body), (second.header("webhook-id"), &second.body));
    let delivered = async || {
        let delivery = kit.deliveries(&user, &endpoint).await.remove(0);
        (delivery.status == "delivered").then_some(delivery)
    };
    let delivery = until_async("the delivery", PATIENCE, delivered).await;
    assert_eq!(delivery.attempts, 1, "what was cut was not written down, and used no attempt");
    assert!(receiver.unseen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_endpoint_holds_up_itself_and_nobody_else() {
    let kit = Kit::start().await;
    let (user, mut slow, mut quick) = (kit.user().await, Receiver::start().await, Receiver::start().await);
    kit.endpoint(&user, &slow, &["product.*"]).await;
    kit.endpoint(&user, &quick, &["wallet.*"]).await;
    slow.says(None);
    for _ in 0..20 {
        kit.happen("product.created", &[user.user_id]).await;
    }
    let _worker = Worker::start(&kit);
    // Two at once, and no more of it.
    slow.next().await;
    slow.next().await;
    for _ in 0..20 {
        kit.happen("wallet.opened", &[user.user_id]).await;
    }
    for _ in 0..20 {
        quick.next().await;
    }
    assert!(slow.unseen().len() <= 18, "the slow ones go on two by two");
}
