//! The steps of compose.yaml, one after the other, on a PostgreSQL of the test's own: roles, key, migration,
//! administrator, api and worker, each asked how it is.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use cli::commands::doctor::{Severity, Subject, Thresholds, examine};
use cli::postgres::ephemeral::Ephemeral;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tests::binary;
use tests::wait::{until, until_async};

use super::kit::read;

/// For anything to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A machine with a folder for the key and a database that was just made.
struct Machine {
    _cluster: Ephemeral,
    folder: tempfile::TempDir,
    owner: String,
    service: String,
    api: String,
    metrics: String,
}

impl Machine {
    async fn start() -> Machine {
        let cluster = Ephemeral::start(&["max_connections=100"]).unwrap();
        let owner = cluster.url("postgres");
        let mut conn = PgConnection::connect(&owner).await.unwrap();
        let roles = read("packaging/postgres/roles.sql");
        sqlx::raw_sql(sqlx::AssertSqlSafe(roles)).execute(&mut conn).await.unwrap();
        let service = owner.replacen("bitnexus@", "bitnexus_app:bitnexus_app@", 1);
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let folder = tempfile::tempdir().unwrap();
        Machine { _cluster: cluster, folder, owner, service, api: free(), metrics: free() }
    }

    fn key(&self) -> String {
        self.folder.path().join("ledger.key").display().to_string()
    }

    fn command(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary::path());
        command.args(arguments).env_clear().current_dir(self.folder.path()).env("DATABASE_URL", url);
        command.env("API_LISTEN", &self.api).env("METRICS_LISTEN", &self.metrics).env("SHUTDOWN_TIMEOUT", "25");
        command.env("LEDGER_SIGNING_KEY_FILE", self.key()).env("BITNEXUS_DIR", ".").stdin(Stdio::null());
        command
    }

    /// What a step prints, which has to end well.
    fn step(&self, url: &str, arguments: &[&str]) -> String {
        let output: Output = self.command(url, arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn role(&self, name: &str) -> Role {
        let child = self.command(&self.service, &[name]).stderr(Stdio::null()).spawn().unwrap();
        Role { child }
    }

    fn is_well(&self, role: &str) -> bool {
        self.command(&self.service, &["health", role]).output().unwrap().status.success()
    }
}

/// A role that runs; stopped in order when dropped.
struct Role {
    child: Child,
}

impl Drop for Role {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        let _ = kill_process(pid, Signal::TERM);
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_steps_of_a_first_start_lead_to_a_recorded_transaction() {
    let machine = Machine::start().await;
    let make_key = ["ledger", "key", "new", "--if-missing", "--origin", "bitnexus.local/dev", &machine.key()];
    let public = machine.step(&machine.owner, &make_key);
    assert_eq!(machine.step(&machine.owner, &make_key), public, "a second start keeps the key");
    assert!(!machine.is_well("api") && !machine.is_well("worker"), "nothing runs yet");
    let api = machine.role("api");
    machine.step(&machine.owner, &["migrate"]);
    machine.step(&machine.owner, &["migrate"]);
    let admin = machine.step(&machine.owner, &["admin", "create"]);
    assert!(admin.starts_with("bnx_"), "{admin}");
    assert_eq!(machine.step(&machine.owner, &["admin", "create"]), "", "there is one administrator");
    let worker = machine.role("worker");
    for role in ["api", "worker"] {
        until("a role that is well", PATIENCE, || machine.is_well(role).then_some(())).await;
    }
    deposit(&machine, &admin).await;
    nothing_is_wrong(&machine).await;
    drop((worker, api));
    assert!(!machine.is_well("api") && !machine.is_well("worker"));
}

/// A user, a wallet, and money in it.
async fn deposit(machine: &Machine, key: &str) {
    let http = reqwest::Client::new();
    let post = async |path: &str, body: Value| -> Value {
        let url = format!("http://{}/api/v1/{path}", machine.api);
        let request = http.post(url).bearer_auth(key).header("Prefer", "wait=10").json(&body);
        request.send().await.unwrap().json().await.unwrap()
    };
    let user = post("users", json!({ "email": "ada@example.org", "name": "Ada", "currencies": ["GBP"] })).await;
    let wallet = user["wallets"][0]["account_id"].clone();
    let body = json!({ "type": "deposit", "to": wallet, "amount": { "amount": "20.00", "currency": "GBP" } });
    let recorded = until_async("a recorded deposit", PATIENCE, async || {
        let answer = post("transactions", body.clone()).await;
        (answer["status"] == "recorded").then_some(answer)
    });
    assert_eq!(recorded.await["amount"]["amount"], "20.00");
}

/// As the service's own login, on the machine of the workers.
async fn nothing_is_wrong(machine: &Machine) {
    let subject = |url: &str| Subject {
        url: Ok(url.to_owned()),
        dir: Path::new(".").to_owned(),
        signing_key_file: Some(machine.key().into()),
        thresholds: Thresholds { free: 0.0, ..Thresholds::default() },
        clock: std::time::SystemTime::now,
    };
    for url in [&machine.owner, &machine.service] {
        let report = until_async("a doctor who finds nothing", PATIENCE, async || {
            let report = examine(&subject(url)).await;
            (report.exit_code() == 0).then_some(report)
        });
        let report = report.await;
        assert!(report.findings.iter().all(|finding| finding.severity == Severity::Note), "{:?}", report.findings);
        assert!(report.not_checked.is_empty());
    }
}
