//! A whole running service: `bitnexus up` in a folder of its own, its processes known by role, and gone with the test.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::binary;
use crate::processes::{Process, Role, below};

/// How long a start may take, the making of the database and a slow machine included.
const START_TIMEOUT: Duration = Duration::from_secs(90);
/// How long an orderly stop may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// How often something is looked at that gives no signal of its own.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A running service.
#[derive(Debug)]
pub struct Service {
    folder: TempDir,
    /// Address of the API.
    pub url: String,
    /// The administrator's API key, printed at the first start.
    pub key: String,
    api_listen: String,
    metrics_listen: String,
    /// What is set besides, by name.
    variables: Vec<(String, String)>,
    up: Child,
}

impl Service {
    /// Starts `bitnexus up` in a new folder, on free ports, and waits until it is ready.
    pub async fn start() -> Service {
        Service::start_with(&[]).await
    }

    /// The same with these variables set.
    pub async fn start_with(variables: &[(&str, &str)]) -> Service {
        let folder = tempfile::Builder::new().prefix("bn-up-").tempdir().expect("the temporary folder can be written");
        // PostgreSQL runs as another account when the tests run as root, and has to get in.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("the folder is ours");
        let (api_listen, metrics_listen) = (free_address(), free_address());
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (up, lines) = spawn(folder.path(), &api_listen, &metrics_listen, &variables);
        let scheme = if variables.iter().any(|(name, _)| name == "API_TLS_CERT") { "https" } else { "http" };
        let (url, key) = (format!("{scheme}://{api_listen}"), String::new());
        let mut service = Service { folder, url, key, api_listen, metrics_listen, variables, up };
        service.key = service.key_from(&lines);
        service.wait_until_ready().await;
        service
    }

    /// The folder it runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything that it has printed, all starts together.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("up.log")).unwrap_or_default()
    }

    /// Its running processes.
    pub fn processes(&self) -> Vec<Process> {
        below(self.up.id())
    }

    /// Kills one process with SIGKILL; false if it was gone already.
    pub fn kill(&mut self, process: &Process) -> bool {
        let killed = signal(process.pid, Signal::KILL);
        if process.role == Role::Up {
            self.up.wait().expect("it is our child");
        }
        killed
    }

    /// Starts `bitnexus up` again if it has ended, as whoever runs it would.
    pub fn start_again_if_ended(&mut self) {
        if self.up.try_wait().expect("it is our child").is_some() {
            (self.up, _) = spawn(self.folder.path(), &self.api_listen, &self.metrics_listen, &self.variables);
        }
    }

    /// Waits until the API says that it is ready.
    ///
    /// # Panics
    /// With everything it printed, when it is not in time.
    pub async fn wait_until_ready(&mut self) {
        let started = Instant::now();
        while !self.is_ready().await {
            let ended = self.up.try_wait().expect("it is our child");
            assert!(ended.is_none() && started.elapsed() < START_TIMEOUT, "not ready, {ended:?}:\n{}", self.log());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn is_ready(&self) -> bool {
        if self.url.starts_with("https") {
            // Our client speaks no TLS; the binary does.
            return self.command(&["health", "api"]).output().expect("the binary starts").status.success();
        }
        let answer = reqwest::get(format!("{}/readyz", self.url)).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// A command of the binary, to be run in the service's folder with its settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.folder.path(), &self.api_listen, &self.metrics_listen);
        command.envs(self.variables.iter().map(|(name, value)| (name, value))).args(arguments);
        command
    }

    /// Imports an order file with these further arguments, through the binary.
    pub fn import(&self, file: &Path, arguments: &[&str]) -> Command {
        let mut command = self.command(&["import", "online-retail"]);
        command.arg(file).args(["--api", &self.url]).env("BITNEXUS_KEY", &self.key).args(arguments);
        command
    }

    /// Runs `bitnexus ledger verify` on its ledger.
    pub fn verify(&self) -> Output {
        self.command(&["ledger", "verify"]).output().expect("the binary starts")
    }

    /// Stops it as Ctrl-C would, and makes sure that nothing is left running.
    pub fn stop(mut self) {
        let before = self.processes();
        assert!(signal(self.up.id(), Signal::TERM), "it was not running:\n{}", self.log());
        let status = self.end_within(STOP_TIMEOUT);
        assert!(status.is_some_and(|code| code == 0), "it ended with {status:?}:\n{}", self.log());
        for process in before {
            assert!(!process.is_running(), "{process:?} was left behind");
        }
    }

    /// The exit code, or nothing if it goes on for longer, or was killed.
    fn end_within(&mut self, patience: Duration) -> Option<i32> {
        let started = Instant::now();
        loop {
            match self.up.try_wait().expect("it is our child") {
                Some(status) => return status.code(),
                None if started.elapsed() > patience => return None,
                None => std::thread::sleep(LOOK_AGAIN),
            }
        }
    }

    /// The key in what it prints at its first start.
    fn key_from(&self, lines: &Receiver<String>) -> String {
        let started = Instant::now();
        while let Ok(line) = lines.recv_timeout(START_TIMEOUT.saturating_sub(started.elapsed())) {
            if let Some(start) = line.find("bnx_live_") {
                return line[start..]
                    .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
            }
        }
        panic!("it printed no key:\n{}", self.log())
    }
}

impl Drop for Service {
    /// Leaves nothing running, whatever the test did to it and however it ended.
    fn drop(&mut self) {
        let before = self.processes();
        signal(self.up.id(), Signal::TERM);
        if self.end_within(Duration::from_secs(10)).is_none() {
            let _ = self.up.kill();
            let _ = self.up.wait();
        }
        for process in before.iter().filter(|process| process.is_running()) {
            signal(process.pid, Signal::KILL);
        }
        if std::thread::panicking() {
            eprintln!("what `bitnexus up` printed:\n{}", self.log());
        }
    }
}

fn command(folder: &Path, api: &str, metrics: &str) -> Command {
    let mut command = Command::new(binary::path());
    // Nothing of the caller's settings may point it at another database.
    command.current_dir(folder).env_remove("DATABASE_URL").env("API_LISTEN", api).env("METRICS_LISTEN", metrics);
    command
}

/// Starts it, with all that it prints going to `up.log` and, line by line, to the receiver.
fn spawn(folder: &Path, api: &str, metrics: &str, variables: &[(String, String)]) -> (Child, Receiver<String>) {
    let log = fs::File::options().create(true).append(true).open(folder.join("up.log")).expect("the folder is ours");
    let mut up = command(folder, api, metrics);
    up.envs(variables.iter().map(|(name, value)| (name, value)));
    up.arg("up").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.try_clone().expect("a file can be shared"));
    let mut up = up.spawn().expect("the binary starts");
    let (sender, receiver) = channel();
    let printed = BufReader::new(up.stdout.take().expect("it was asked for"));
    std::thread::spawn(move || {
        for line in printed.lines().map_while(Result::ok) {
            use std::io::Write;
            writeln!(&log, "{line}").unwrap_or_default();
            // Nobody listens once the key is known.
            let _ = sender.send(line);
        }
    });
    (up, receiver)
}

/// An address that nobody listened on a moment ago.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("a bound socket has an address").to_string()
}

/// Sends a signal; false if there is no such process.
fn signal(pid: u32, signal: Signal) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).is_ok()
}
