//! The Procfile under honcho and node-foreman, with the real binary: scaled, on ports of their own, and stopped.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tests::binary;
use tests::processes::Role as Kind;

use super::role::{Place, Running};

/// Worker roles that the runners start.
const WORKERS: usize = 4;

/// The runner's program; none, with a word about it, if this machine has none.
fn runner(name: &str) -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/tools");
    let places = [tools.join("honcho/bin").join(name), tools.join("foreman/node_modules/.bin").join(name), name.into()];
    let found = places.into_iter().find(|path| Command::new(path).arg("--version").output().is_ok());
    if found.is_none() {
        let is_required = std::env::var("OUTSIDE_TOOLS").is_ok_and(|wish| wish == "required");
        assert!(!is_required, "OUTSIDE_TOOLS=required, and there is no {name}");
        eprintln!("skipped: this machine has no {name}");
    }
    found
}

/// Starts our Procfile under it, in a folder with the binary and our settings.
fn start(place: &Place, runner: &Path, arguments: &[&str], port: u16) -> Running {
    let procfile = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("Procfile");
    std::fs::copy(procfile, place.folder.path().join("Procfile")).unwrap();
    // Each has a PORT of its own from here on.
    let port = port.to_string();
    let arguments: Vec<&str> =
        arguments.iter().map(|argument| if *argument == "PORT" { &port } else { *argument }).collect();
    let mut command = place.command(runner, &arguments);
    let bin = binary::path().parent().unwrap().display().to_string();
    command.env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap()));
    command.env("WORKER_PROCESSES", "1").env("NO_COLOR", "1").env("PYTHONUNBUFFERED", "1");
    place.start(&mut command)
}

/// Waits until all roles are at work; every one has an address of its own, and answers on it.
async fn all_are_up(running: &mut Running) {
    running.logged("child is at work", WORKERS + 1).await;
    running.logged("the api listens", 1).await;
    let log = running.log();
    let addresses: BTreeSet<&str> = log
        .lines()
        .filter(|line| line.contains("the metrics page listens") || line.contains("the api listens"))
        .filter_map(|line| Some(&line[line.find("127.0.0.1:")?..]))
        .map(|rest| rest.trim_end_matches(|c: char| !c.is_ascii_digit()))
        .collect();
    assert_eq!(addresses.len(), WORKERS + 2, "{addresses:?}");
    for address in addresses {
        let answer = reqwest::get(format!("http://{address}/livez")).await.unwrap();
        assert!(answer.status().is_success(), "{address}: {answer:?}");
    }
    let supervisors = running.processes().iter().filter(|process| process.role == Kind::Supervisor).count();
    assert!(supervisors > WORKERS, "{supervisors}");
}

/// A port, a hundred apart for each kind of test, that the system gives nobody by itself.
const HONCHO: u16 = 15_000;
const FOREMAN: u16 = 16_000;
const FOREMAN_KILLED: u16 = 17_000;

#[tokio::test(flavor = "multi_thread")]
async fn honcho_scales_the_workers_and_stops_all() {
    let Some(honcho) = runner("honcho") else { return };
    let place = Place::make().await;
    let arguments = ["start", "-p", "PORT", "-c", "worker=4", "api", "worker", "ledger_worker"];
    let mut running = start(&place, &honcho, &arguments, HONCHO);
    all_are_up(&mut running).await;
    running.signal(Signal::TERM);
    running.ended().await;
    running.wait_until_none_is_left().await;
    // All drained in the four seconds that they give themselves under a runner: nobody was killed.
    let leases: i64 = sqlx::query_scalar("select count(*) from queue.process").fetch_one(&place.pool).await.unwrap();
    assert_eq!(leases, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_foreman_scales_the_workers_and_stops_all() {
    let Some(foreman) = runner("nf") else { return };
    let place = Place::make().await;
    let arguments = ["-j", "Procfile", "-p", "PORT", "start", "-r", "api=1,worker=4,ledger_worker=1"];
    let mut running = start(&place, &foreman, &arguments, FOREMAN);
    all_are_up(&mut running).await;
    running.signal(Signal::INT);
    running.ended().await;
    running.wait_until_none_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_node_foreman_that_forwards_no_sigterm() {
    let Some(foreman) = runner("nf") else { return };
    let place = Place::make().await;
    let arguments = ["-j", "Procfile", "-p", "PORT", "start", "-r", "api=1,worker=4,ledger_worker=1"];
    let mut running = start(&place, &foreman, &arguments, FOREMAN_KILLED);
    all_are_up(&mut running).await;
    running.signal(Signal::TERM);
    running.ended().await;
    running.wait_until_none_is_left().await;
}
