//! What keeps `bitnexus up` from starting: one clear line each, with the way out.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tests::binary;

/// A folder that every account may enter.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

/// `bitnexus up` there, on ports of its own.
fn up(folder: &TempDir) -> Command {
    let mut command = Command::new(binary::path());
    command.arg("up").current_dir(folder.path()).stdin(Stdio::null()).env_remove("DATABASE_URL");
    command.env("API_LISTEN", "127.0.0.1:0").env("METRICS_LISTEN", "127.0.0.1:0");
    command
}

/// Runs it to its end and returns the exit code with what it said.
fn refused(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_port_in_use_is_named_with_the_flag_that_chooses_another() {
    let (folder, taken) = (folder(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = taken.local_addr().unwrap().to_string();
    for (variable, flag) in [("API_LISTEN", "--api-listen"), ("METRICS_LISTEN", "--metrics-listen")] {
        let mut command = up(&folder);
        command.env(variable, &address);
        let (code, said) = refused(command);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains(&format!("{address} is in use")) && said.contains(flag) && said.contains(variable),
            "{said}"
        );
    }
}

#[test]
fn data_of_another_major_version_is_left_alone() {
    let folder = folder();
    let data = folder.path().join(".bitnexus/pg/data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("PG_VERSION"), "99\n").unwrap();
    let (code, said) = refused(up(&folder));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("was made by PostgreSQL 99") && said.contains("Install PostgreSQL 99"), "{said}");
    assert_eq!(fs::read_to_string(data.join("PG_VERSION")).unwrap(), "99\n");
}

#[test]
fn programs_that_are_not_where_they_should_be_are_not_looked_for_elsewhere() {
    let folder = folder();
    let mut command = up(&folder);
    command.env("BITNEXUS_PG_BIN", folder.path());
    let (code, said) = refused(command);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("BITNEXUS_PG_BIN=") && said.contains("no `initdb` and `postgres`"), "{said}");
}

#[test]
fn a_wrong_value_is_named() {
    let folder = folder();
    for (variable, value, code, named) in [
        ("API_LISTEN", "nowhere", 2, "--api-listen"),
        ("WORKER_PROCESSES", "0", 2, "--processes"),
        ("SHUTDOWN_TIMEOUT", "soon", 2, "--shutdown-timeout"),
        ("LOG_FORMAT", "xml", 2, "--log-format"),
        ("RUST_LOG", "a=b=c", 1, "RUST_LOG"),
        ("DATABASE_URL", "mysql://root:secret@localhost", 1, "DATABASE_URL"),
        ("DATABASE_URL", "postgres://root:secret@127.0.0.1:9/none", 1, "DATABASE_URL"),
    ] {
        let mut command = up(&folder);
        command.env(variable, value);
        let (exit, said) = refused(command);
        assert_eq!(exit, Some(code), "{variable}: {said}");
        assert!(said.contains(named) && !said.contains("secret"), "{variable}: {said}");
    }
}

#[test]
fn commands_without_a_database_say_how_to_get_one() {
    let folder = folder();
    for arguments in [&["migrate"][..], &["db", "url"], &["ledger", "verify"], &["admin", "create-key"]] {
        let mut command = Command::new(binary::path());
        command.args(arguments).current_dir(folder.path()).env_remove("DATABASE_URL");
        let (code, said) = refused(command);
        assert_eq!(code, Some(1), "{arguments:?}: {said}");
        assert!(said.contains("DATABASE_URL is not set"), "{arguments:?}: {said}");
    }
}

#[test]
fn files_of_tls_that_are_wrong_are_named() {
    let folder = folder();
    let table = [
        (&[("API_TLS_CERT", "nowhere.pem"), ("API_TLS_KEY", "nowhere.key")][..], 1, "API_TLS_CERT", "nowhere.pem"),
        (&[("API_TLS_CERT", "nowhere.pem")], 2, "--tls-key", "required"),
        (&[("API_TLS_KEY", "nowhere.key")], 2, "--tls-cert", "required"),
    ];
    for (variables, exit, named, told) in table {
        let mut command = up(&folder);
        command.envs(variables.iter().copied());
        let (code, said) = refused(command);
        assert_eq!(code, Some(exit), "{variables:?}: {said}");
        assert!(said.contains(named) && said.contains(told), "{variables:?}: {said}");
    }
}
