//! A real Erlang node with a small ledger of the name `ledger_server` (`tests/outside/erlang`), and a port mapper of its own.
//!
//! A machine may lack Erlang; then the tests that need it say so and prove nothing. Where `OUTSIDE_TOOLS=required` is set,
//! lacking it is a failure.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jobs::mirror::node::{Address, Node};
use jobs::mirror::term::Term;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::wait::until_async;

/// The node's whole name.
pub const NODE: &str = "ledger@127.0.0.1";
/// What it lets in.
pub const COOKIE: &str = "a-cookie-of-the-tests";
/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node that is gone with the test.
#[derive(Debug)]
pub struct Erlang {
    /// Where its port mapper listens.
    pub epmd_port: u16,
    folder: TempDir,
    epmd: Child,
    node: Option<Child>,
    /// Whether the ledger keeps a file.
    is_kept: bool,
}

impl Erlang {
    /// Starts a node whose ledger keeps a file, or forgets everything when it ends; none where there is no Erlang.
    pub async fn start(is_kept: bool) -> Option<Erlang> {
        if !is_installed() {
            return None;
        }
        let folder = tempfile::tempdir().expect("the temporary folder can be written");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("outside/erlang/ledger_server.erl");
        let compiled = Command::new("erlc").arg("-o").arg(folder.path()).arg(source).status().expect("erlc starts");
        assert!(compiled.success(), "the ledger of the tests compiles");
        let epmd_port =
            TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let mut epmd = Command::new("epmd");
        epmd.args(["-address", "127.0.0.1", "-port", &epmd_port.to_string()]);
        let epmd = quiet(&mut epmd).spawn().expect("epmd starts");
        let mut erlang = Erlang { epmd_port, folder, epmd, node: None, is_kept };
        erlang.run().await;
        Some(erlang)
    }

    /// Starts the node again after [`Erlang::kill`].
    pub async fn run(&mut self) {
        assert!(self.node.is_none(), "it does not run");
        let mut command = Command::new("erl");
        command.args(["-name", NODE, "-setcookie", COOKIE, "-noinput", "-start_epmd", "false"]);
        command.args(["-kernel", "inet_dist_use_interface", "{127,0,0,1}", "-s", "ledger_server", "-pa"]);
        command
            .arg(self.folder.path())
            .env("HOME", self.folder.path())
            .env("ERL_EPMD_PORT", self.epmd_port.to_string());
        command.env("ERL_CRASH_DUMP_SECONDS", "0");
        if self.is_kept {
            command.env("LEDGER_FILE", self.folder.path().join("ledger"));
        }
        self.node = Some(quiet(&mut command).spawn().expect("erl starts"));
        let ready = async || {
            let node = Node::connect(&self.address()).await.ok()?;
            node.call("ledger_server", "repeated", Vec::new(), PATIENCE).await.ok()
        };
        until_async("the Erlang node", PATIENCE, ready).await;
    }

    /// Where it is.
    pub fn address(&self) -> Address {
        Address::new(NODE, COOKIE).expect("it is a name").with_epmd_port(self.epmd_port)
    }

    /// A file with the cookie, as workers want it.
    pub fn cookie_file(&self) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let file = self.folder.path().join("cookie");
        std::fs::write(&file, COOKIE).expect("the folder is ours");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("the file is ours");
        file
    }

    /// Calls a function of the ledger.
    ///
    /// # Panics
    /// When the node cannot be asked.
    pub async fn ask(&self, function: &str, arguments: Vec<Term>) -> Term {
        let node = Node::connect(&self.address()).await.expect("the node lets us in");
        node.call("ledger_server", function, arguments, PATIENCE).await.expect("the ledger answers")
    }

    /// The positions that it has recorded, in their order.
    pub async fn order(&self) -> Vec<i64> {
        let Term::List(order) = self.ask("order", Vec::new()).await else { panic!("order is a list") };
        let position = |term: &Term| if let Term::Integer(position) = term { *position } else { panic!("{term}") };
        order.iter().map(position).collect()
    }

    /// Sends the node a signal.
    pub fn signal(&self, signal: Signal) {
        let node = self.node.as_ref().expect("it runs");
        kill_process(Pid::from_raw(node.id().cast_signed()).expect("a process has an id"), signal).expect("it is ours");
    }

    /// Ends the node with nothing said.
    pub fn kill(&mut self) {
        let mut node = self.node.take().expect("it runs");
        node.kill().expect("it is ours");
        node.wait().expect("it is ours");
    }
}

impl Drop for Erlang {
    fn drop(&mut self) {
        for process in self.node.iter_mut().chain([&mut self.epmd]) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

fn is_installed() -> bool {
    let is_there = quiet(Command::new("erlc").arg("-help")).status().is_ok();
    if !is_there {
        let is_required = std::env::var("OUTSIDE_TOOLS").is_ok_and(|wish| wish == "required");
        assert!(!is_required, "OUTSIDE_TOOLS=required, and there is no Erlang");
        eprintln!("skipped: this machine has no Erlang; .ci/run says how to install it");
    }
    is_there
}
