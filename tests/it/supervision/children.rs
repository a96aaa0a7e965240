//! The supervisor over real processes.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tests::processes::below;
use tests::wait::until;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;
use workers::supervisor::policy::Policy;
use workers::supervisor::report::{Event, Exit};
use workers::supervisor::{ChildSpec, Supervisor};

const PATIENCE: Duration = Duration::from_secs(20);

/// A child that runs this shell script. A lifeline is its standard input, so `read` in it waits for the supervisor's end.
fn script(name: &str, text: &'static str) -> ChildSpec {
    ChildSpec::new(name, move || {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    })
}

async fn next(events: &mut UnboundedReceiver<Event>) -> Event {
    timeout(PATIENCE, events.recv()).await.expect("something happens in time").expect("the supervisor lives")
}

async fn started(events: &mut UnboundedReceiver<Event>, wanted: &str) -> u32 {
    loop {
        if let Event::Started { name, pid } = next(events).await
            && name == wanted
        {
            return pid;
        }
    }
}

async fn ended(events: &mut UnboundedReceiver<Event>) -> Exit {
    loop {
        if let Event::Ended(exit) = next(events).await {
            return exit;
        }
    }
}

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

#[tokio::test]
async fn a_dead_child_is_reported_and_started_again_and_its_sibling_left_alone() {
    let (supervisor, mut events) = Supervisor::new(Policy::default());
    let (one, other) = (supervisor.keep(script("one", "read _")), supervisor.keep(script("other", "read _")));
    let (first, sibling) = (started(&mut events, "one").await, started(&mut events, "other").await);
    kill(first, Signal::KILL);
    let exit = ended(&mut events).await;
    assert_eq!((exit.name.as_str(), exit.pid, exit.status.signal(), exit.is_asked()), ("one", first, Some(9), false));
    let second = started(&mut events, "one").await;
    assert_ne!(second, first);
    one.stop().await;
    other.stop().await;
    let pids = [ended(&mut events).await, ended(&mut events).await].map(|exit| (exit.pid, exit.is_asked()));
    assert_eq!(pids, [(second, true), (sibling, true)]);
}

#[tokio::test]
async fn a_child_that_cannot_live_is_given_up() {
    let policy = Policy { backoff_base: Duration::from_millis(1), early_deaths_max: 3, ..Policy::default() };
    let (supervisor, mut events) = Supervisor::new(policy);
    let kept = supervisor.keep(script("doomed", "exit 3"));
    timeout(PATIENCE, supervisor.given_up()).await.expect("it gives up");
    let mut codes = Vec::new();
    loop {
        match next(&mut events).await {
            Event::Ended(exit) => codes.push(exit.status.code()),
            Event::GivenUp { name } => break assert_eq!(name, "doomed"),
            _ => {}
        }
    }
    assert_eq!(codes, [Some(3); 4]);
    kept.stop().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_given_up_too() {
    let policy = Policy { backoff_base: Duration::from_millis(1), early_deaths_max: 3, ..Policy::default() };
    let (supervisor, _events) = Supervisor::new(policy);
    let _kept = supervisor.keep(ChildSpec::new("missing", || Command::new("/nowhere/at/all")));
    timeout(PATIENCE, supervisor.given_up()).await.expect("it gives up");
}

#[tokio::test]
async fn too_many_restarts_of_all_together_are_too_many() {
    let policy = Policy { backoff_base: Duration::from_millis(1), restarts_max: 5, ..Policy::default() };
    let (supervisor, _events) = Supervisor::new(policy);
    let _kept = ["a", "b", "c"].map(|name| supervisor.keep(script(name, "exit 1")));
    timeout(PATIENCE, supervisor.given_up()).await.expect("it gives up");
}

#[tokio::test]
async fn a_child_that_drains_in_time_ends_by_itself() {
    let (supervisor, mut events) = Supervisor::new(Policy::default());
    let draining = "trap 'exit 7' TERM; while :; do read _ || exit 9; done";
    let kept = supervisor.keep(script("draining", draining));
    let pid = started(&mut events, "draining").await;
    wait_for_trap(pid).await;
    kept.stop().await;
    let exit = ended(&mut events).await;
    assert_eq!((exit.status.code(), exit.is_asked()), (Some(7), true));
}

#[tokio::test]
async fn a_child_that_does_not_drain_is_killed_when_its_grace_is_over() {
    let (supervisor, mut events) = Supervisor::new(Policy::default());
    let stubborn = script("stubborn", "trap '' TERM; while :; do read _ || exit 9; done");
    let kept = supervisor.keep(ChildSpec { grace: Duration::from_millis(100), ..stubborn });
    let pid = started(&mut events, "stubborn").await;
    wait_for_trap(pid).await;
    kept.stop().await;
    let exit = ended(&mut events).await;
    assert_eq!((exit.status.signal(), exit.is_asked()), (Some(9), true));
    assert!(exit.uptime >= Duration::from_millis(100));
}

/// Waits until the shell has set its trap, which the kernel shows: SIGTERM is caught or ignored.
async fn wait_for_trap(pid: u32) {
    until("the trap", PATIENCE, || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let has_term = |name: &str| {
            let mask = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(u64::from_str_radix(mask.trim(), 16).ok()? & (1 << 14) != 0)
        };
        (has_term("SigCgt:")? || has_term("SigIgn:")?).then_some(())
    })
    .await;
}

#[test]
fn the_end_of_the_supervisor_ends_the_lifeline() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pid = runtime.block_on(async {
        let (supervisor, mut events) = Supervisor::new(Policy::default());
        // The kernel's signal is ignored: only the lifeline tells.
        let _kept = supervisor.keep(script("orphan", "trap '' TERM; read _; exit 0"));
        let pid = started(&mut events, "orphan").await;
        wait_for_trap(pid).await;
        pid
    });
    let orphan = below(std::process::id()).into_iter().find(|process| process.pid == pid).unwrap();
    // With the runtime goes all that the supervisor held, but not the thread that the kernel's signal is bound to.
    drop(runtime);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(until("the orphan to end", PATIENCE, || (!orphan.is_running()).then_some(())));
}
