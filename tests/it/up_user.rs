//! `bitnexus up` as an ordinary user, and as root where PostgreSQL's account cannot go.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cli::postgres::account::Account;
use rustix::process::{Pid, Signal, kill_process};
use tests::binary;
use tests::processes::{Role, below};

/// An `up` that is stopped when the test ends, however that is.
struct Up(Child);

impl Up {
    /// Starts it and waits until it says that it is up.
    fn start(mut command: Command) -> Up {
        command.arg("up").env_remove("DATABASE_URL").stdin(Stdio::null()).stdout(Stdio::piped());
        command.env("API_LISTEN", free_address()).env("METRICS_LISTEN", free_address());
        let mut up = Up(command.spawn().unwrap());
        let mut lines = BufReader::new(up.0.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.is_ok_and(|line| line.contains("BitNexus is up."))), "it did not come up");
        up
    }

    fn stop(&mut self) -> Option<i32> {
        let pid = Pid::from_raw(self.0.id().cast_signed()).unwrap();
        // It may have ended already; then the wait says how.
        let _ = kill_process(pid, Signal::TERM);
        self.0.wait().unwrap().code()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.stop();
        }
    }
}

fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The user id that the process with this role runs as.
fn user_of(up: &Up, role: Role) -> u32 {
    let process = below(up.0.id()).into_iter().find(|process| process.role == role).unwrap();
    fs::metadata(format!("/proc/{}", process.pid)).unwrap().uid()
}

#[test]
fn an_ordinary_user_needs_nothing_from_root() {
    if Account::current().unwrap().uid != 0 {
        // Then every other test of `up` shows it.
        return;
    }
    let (folder, nobody) = (tempfile::tempdir().unwrap(), 65534);
    // The binary may lie where only root can go.
    let program = folder.path().join("bitnexus");
    fs::copy(binary::path(), &program).unwrap();
    chown(folder.path(), Some(nobody), Some(nobody)).unwrap();
    let mut command = Command::new(&program);
    command.uid(nobody).gid(nobody).current_dir(folder.path()).env("HOME", folder.path());
    let mut up = Up::start(command);
    for role in [Role::Up, Role::Api, Role::Worker, Role::Postgres] {
        assert_eq!(user_of(&up, role), nobody, "{role:?}");
    }
    assert_eq!(up.stop(), Some(0));
}

#[test]
fn root_keeps_the_data_elsewhere_when_postgres_cannot_enter_the_folder() {
    if Account::current().unwrap().uid != 0 {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Closed to everybody else, as /root is.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    let mut command = Command::new(binary::path());
    command.current_dir(folder.path());
    let mut up = Up::start(command);
    let owner = user_of(&up, Role::Postgres);
    let data = fs::read_link(format!("/proc/{}/cwd", postgres(&up))).unwrap();
    assert_eq!(up.stop(), Some(0));
    assert_ne!(owner, 0);
    assert!(data.starts_with("/var/lib/bitnexus"), "{}", data.display());
    assert!(!folder.path().join(".bitnexus/pg").exists());
    fs::remove_dir_all(data.parent().unwrap()).unwrap();
}

fn postgres(up: &Up) -> u32 {
    below(up.0.id()).into_iter().find(|process| process.role == Role::Postgres).unwrap().pid
}

#[test]
fn what_is_secret_is_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(binary::path());
    command.current_dir(folder.path());
    let mut up = Up::start(command);
    let state = folder.path().join(".bitnexus");
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    for secret in ["ledger.key", "up.json", "up.lock", "family.lock"] {
        assert_eq!(mode(&state.join(secret)), 0o600, "{secret}");
    }
    assert_eq!(mode(&state.join("pg")), 0o700);
    assert_eq!(mode(&state), 0o711);
    assert_eq!(up.stop(), Some(0));
}
