//! The units of systemd and the Procfile, and what a role tells systemd.

use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tests::binary;
use tests::database::Database;

use super::kit::{is_command, is_variable, read, root};

const UNITS: [&str; 3] = ["bitnexus-api.service", "bitnexus-worker.service", "bitnexus-migrate.service"];

fn unit(name: &str) -> String {
    read(&format!("packaging/systemd/{name}"))
}

/// The values of a setting, in their order.
fn values<'a>(unit: &'a str, name: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect()
}

#[test]
fn what_the_units_name_exists() {
    for name in UNITS {
        let unit = unit(name);
        let role = name.trim_start_matches("bitnexus-").trim_end_matches(".service");
        assert_eq!(values(&unit, "ExecStart"), [format!("/usr/local/bin/bitnexus {role}")]);
        is_command(&[role]);
        for pair in values(&unit, "Environment").iter().flat_map(|pairs| pairs.split(' ')) {
            is_variable(pair.split_once('=').unwrap().0);
        }
        for other in
            values(&unit, "After").iter().flat_map(|names| names.split(' ')).filter(|name| name.starts_with("bitnexus"))
        {
            assert!(UNITS.contains(&other), "{other}");
        }
        assert_eq!(values(&unit, "User"), ["bitnexus"]);
        assert_eq!(values(&unit, "EnvironmentFile")[0], "/etc/bitnexus/bitnexus.env");
    }
    assert!(read("packaging/systemd/bitnexus.sysusers").contains("\nu bitnexus "));
}

#[test]
fn a_role_is_killed_only_after_it_should_have_ended() {
    for name in &UNITS[..2] {
        let unit = unit(name);
        let environment = values(&unit, "Environment").join(" ");
        let given = environment.split("SHUTDOWN_TIMEOUT=").nth(1).unwrap().parse::<u32>().unwrap();
        let stop: u32 = values(&unit, "TimeoutStopSec")[0].trim_end_matches('s').parse().unwrap();
        assert!(stop > given, "{name}");
        assert_eq!(values(&unit, "Type"), ["notify"], "{name}");
    }
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        assert!(!std::env::var("OUTSIDE_TOOLS").is_ok_and(|wish| wish == "required"), "there is no systemd-analyze");
        return eprintln!("skipped: this machine has no systemd-analyze; `apt install systemd` has it");
    };
    assert!(version.status.success());
    let folder = tempfile::tempdir().unwrap();
    for name in UNITS {
        let text = unit(name).replace("/usr/local/bin/bitnexus", &binary::path().display().to_string());
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let verify = |names: &[&str]| {
        let output =
            Command::new("systemd-analyze").arg("verify").args(names).current_dir(folder.path()).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(verify(&UNITS), (true, String::new()));
    // It does look.
    std::fs::write(folder.path().join("wrong.service"), "[Service]\nExecStart=/nowhere\nTpye=notify\n").unwrap();
    assert!(verify(&["wrong.service"]).1.contains("Tpye"));
}

#[test]
fn what_the_procfile_names_exists() {
    let text = std::fs::read_to_string(root().join("Procfile")).unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (_, command) = line.split_once(": exec bitnexus ").unwrap_or_else(|| panic!("{line}"));
        is_command(&command.split(' ').collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn the_api_tells_systemd_how_it_is() {
    let (database, folder) = (Database::create().await, tempfile::tempdir().unwrap());
    let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut api = Command::new(binary::path());
    api.args(["api", "--listen", "127.0.0.1:0"]).env("DATABASE_URL", database.url()).stderr(Stdio::null());
    api.env("NOTIFY_SOCKET", folder.path().join("notify")).env("WATCHDOG_USEC", "300000");
    let mut api = api.spawn().unwrap();
    let next = || {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    };
    assert_eq!(next(), "READY=1");
    assert_eq!([next(), next()], ["WATCHDOG=1", "WATCHDOG=1"]);
    let pid = Pid::from_raw(api.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let last = std::iter::repeat_with(next).find(|told| told != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
    assert!(api.wait().unwrap().success());
}
