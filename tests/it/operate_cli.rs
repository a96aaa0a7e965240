//! The operator's commands around jobs, queues, schedules and the audit.

use std::io::Read as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use sqlx::PgPool;
use tests::binary;
use tests::database::Database;
use uuid::Uuid;

const PAYLOAD: &str = r#"{"shard":0,"book_id":1}"#;

/// Runs the binary on a database.
struct Shell {
    database: Database,
    pool: PgPool,
}

impl Shell {
    async fn start() -> Shell {
        let database = Database::create().await;
        let pool = database.pool(2).await;
        Shell { database, pool }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary::path());
        command.args(arguments).env("DATABASE_URL", self.database.url()).env("USER", "ada").output().unwrap()
    }

    /// What it prints when all is well.
    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// What it says when it is not.
    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn enqueue(&self) -> String {
        self.text(&["jobs", "enqueue", "--kind", "products.categorize", "--payload", PAYLOAD, "--tag", "by-hand"])
    }
}

/// As by `bitnexus openapi | head -1`.
#[test]
fn a_reader_that_goes_away_ends_the_command_without_a_word() {
    let mut command = Command::new(binary::path());
    let mut running = command.arg("openapi").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1];
    running.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = running.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(141), ""));
}

#[tokio::test]
async fn jobs_are_enqueued_looked_at_and_ended_by_commands() {
    let shell = Shell::start().await;
    let (first, second) = (shell.enqueue(), shell.enqueue());
    let listed = shell.json(&["jobs", "list", "--tag", "by-hand", "--state", "ready"]);
    let ids: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [second.as_str(), first.as_str()]);
    assert!(shell.text(&["jobs", "list", "--limit", "1"]).contains(&format!("… and more: --after {second}")));
    let shown = shell.json(&["jobs", "show", &first]);
    assert_eq!((&shown["actor"], &shown["payload"]["book_id"]), (&json!("cli:ada"), &json!(1)));
    assert!(shell.text(&["jobs", "explain", &first]).contains("no live worker serves the queue products"));
    assert_eq!(shell.text(&["jobs", "cancel", "--tag", "by-hand", "--dry-run"]), "2 jobs");
    assert_eq!(shell.json(&["jobs", "cancel", &first])["changed"], 1);
    assert!(shell.refusal(&["jobs", "cancel", &first]).contains("no job was in a state for it"));
    assert_eq!(shell.json(&["jobs", "delete", "--queue", "products"])["changed"], 1);
    assert_eq!(shell.json(&["jobs", "list", "--state", "cancelled"])["items"][0]["id"], first.as_str());
    let rows: [(&[&str], &str); 6] = [
        (&["jobs", "cancel"], "give ids, a filter such as --queue, or --all"),
        (&["jobs", "list", "--state", "lost"], "--state: there is no state \"lost\""),
        (&["jobs", "enqueue", "--kind", "no.kind", "--payload", "{}"], "--kind: there is no such kind"),
        (&["jobs", "enqueue", "--kind", "products.categorize", "--payload", "{"], "--payload: not JSON"),
        (
            &["jobs", "enqueue", "--kind", "products.categorize", "--payload", r#"{"shard":0}"#],
            "--payload /book_id: this field is required",
        ),
        (&["jobs", "show", "00000000-0000-0000-0000-000000000000"], "there is no such job"),
    ];
    for (arguments, expected) in rows {
        let told = shell.refusal(arguments);
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
    let audited = shell.json(&["audit", "--actor", "cli:ada"]);
    let actions: Vec<&str> =
        audited.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["delete", "cancel", "cancel", "enqueue", "enqueue"]);
}

#[tokio::test]
async fn queues_are_paused_and_limited_by_commands() {
    let shell = Shell::start().await;
    shell.enqueue();
    assert_eq!(shell.text(&["queues", "pause", "products"]), "done");
    assert_eq!(shell.text(&["queues", "pause", "products"]), "it was so already");
    assert_eq!(shell.text(&["queues", "limit", "products", "--running-max", "3"]), "done");
    assert_eq!(shell.text(&["queues", "pause", "--kind", "products.categorize"]), "done");
    let queues = shell.json(&["queues", "list"]);
    let products = queues.as_array().unwrap().iter().find(|queue| queue["queue"] == "products").unwrap();
    assert_eq!(
        (&products["ready"], &products["running_max"], &products["paused_by"]),
        (&json!(1), &json!(3), &json!("cli:ada"))
    );
    assert!(shell.text(&["queues", "list"]).contains("products"));
    assert_eq!(shell.text(&["queues", "resume", "products"]), "done");
    assert_eq!(shell.text(&["queues", "limit", "products", "--unlimited"]), "done");
    assert_eq!(shell.json(&["queues", "workers"]), json!([]));
    assert!(shell.refusal(&["queues", "pause", "a b"]).contains("--queue: queue has the character ' '"));
    assert!(shell.refusal(&["queues", "limit", "products"]).contains("--running-max"));
}

#[tokio::test]
async fn schedules_are_set_and_run_by_commands() {
    let shell = Shell::start().await;
    let set = ["schedules", "set", "nightly", "--kind", "products.categorize", "--payload", PAYLOAD];
    let made =
        shell.text(&[&set[..], &["--spec", "0 12 * * *", "--time-zone", "Asia/Tokyo", "--overlap", "skip"]].concat());
    assert!(made.starts_with("nightly ticks next at ") && made.ends_with("T12:00:00+09:00"), "{made}");
    let changed = shell.text(&["schedules", "set", "nightly", "--spec", "0 13 * * *", "--catch-up", "all:5"]);
    assert!(changed.ends_with("T13:00:00+09:00"), "{changed}");
    assert_eq!(shell.text(&["schedules", "next", "nightly"]).lines().count(), 10);
    let job = shell.text(&["schedules", "run", "nightly"]);
    assert_eq!(shell.json(&["schedules", "show", "nightly"])["last_job_id"], job.as_str());
    assert!(shell.refusal(&["schedules", "run", "nightly"]).contains(&job));
    assert_eq!(shell.text(&["schedules", "pause", "nightly"]), "done");
    let listed = shell.json(&["schedules", "list"]);
    assert_eq!((&listed[0]["is_paused"], &listed[0]["catch_up_max"]), (&json!(true), &json!(5)));
    assert_eq!(shell.text(&["schedules", "resume", "nightly"]), "done");
    let rows: [(&[&str], &str); 5] = [
        (&["--spec", "0 25 * * *"], "--spec: `25` is no hour"),
        (&["--time-zone", "Mars/Olympus"], "--time-zone: "),
        (&["--catch-up", "all"], "--catch-up"),
        (&["--kind", "accounts.erase"], "--kind: the schedule is of the kind products.categorize"),
        (&["--payload", "{}"], "--payload /"),
    ];
    for (arguments, expected) in rows {
        let told = shell.refusal(&[&["schedules", "set", "nightly"], arguments].concat());
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
    assert!(shell.refusal(&["schedules", "set", "new"]).contains("--kind: there is no schedule new yet"));
    assert_eq!(shell.text(&["schedules", "delete", "nightly"]), "done");
    assert!(shell.refusal(&["schedules", "show", "nightly"]).contains("there is no schedule named `nightly`"));
}

#[tokio::test]
async fn payloads_are_sealed_anew_by_a_command() {
    let shell = Shell::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, byte: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, byte.repeat(32)).unwrap();
        format!("{name}={}", path.display())
    };
    let (old, new) = (file("old", "ab"), file("new", "cd"));
    let key = queue::encryption::Key::from_text("old", &"ab".repeat(32)).unwrap();
    let keyring = queue::encryption::Keyring::new(key);
    let job = queue::NewJob::encrypted(&Secret { word: "hush".to_owned() }, &keyring).unwrap();
    let id: Uuid = queue::enqueue(&mut shell.pool.acquire().await.unwrap(), &[job]).await.unwrap()[0].id;
    let rotated = shell.json(&["jobs", "rotate-keys", "--key", &new, "--old-key", &old]);
    assert_eq!(rotated, json!({ "live": 1, "dead": 0, "running": 0, "unopened": 0 }));
    assert_eq!(shell.json(&["jobs", "show", &id.to_string()])["payload"]["enc"]["key"], "new");
    assert!(!shell.run(&["jobs", "rotate-keys", "--key", &old]).status.success(), "one does not open any more");
    assert!(shell.refusal(&["jobs", "rotate-keys", "--key", "old"]).contains("--key: it is an id, `=`, and a file"));
}

/// A job whose payload nobody is to read.
#[derive(serde::Serialize, serde::Deserialize)]
struct Secret {
    word: String,
}

impl queue::Job for Secret {
    const KIND: &'static str = "test.secret";
    const QUEUE: &'static str = "test";
    const ENCRYPTED: bool = true;

    async fn run(self, _: &mut queue::JobContext<'_>) -> Result<(), queue::JobError> {
        Ok(())
    }
}
