//! `bitnexus worker` itself: its settings, its exit code, its crash reports, and new releases of it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;
use tests::binary;
use tests::wait::until_async;

use super::kit::{PATIENCE, signal};
use super::role::Place;

fn refusal(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let output = place.run(&[&["worker"], arguments].concat());
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_wrong_are_refused_by_name() {
    let place = Place::make().await;
    for (arguments, named) in [
        (["--queues", "leger"], "there is no queue `leger`; there are ledger, accounts, products"),
        (["--queues", "ledger:0"], "the weight of `ledger` is a number from 1 to 1000"),
        (["--memory-limit", "512"], "--memory-limit"),
        (["--processes", "257"], "--processes"),
        (["--heartbeat-timeout", "soon"], "--heartbeat-timeout"),
        (["--restart-window", "3601"], "longer than an hour"),
    ] {
        let (code, text) = refusal(&place, &arguments);
        assert!(code == Some(2) && text.contains(named), "{arguments:?}: {text}");
    }
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, text) = refusal(&place, &["--metrics-listen", &busy.local_addr().unwrap().to_string()]);
    assert!(code == Some(1) && text.contains("--metrics-listen (METRICS_LISTEN)"), "{text}");
    let mut ported = place.command(&binary::path(), &["worker"]);
    let output = ported.env("PORT", "many").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("PORT: `many` is no port"));
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_cannot_live_end_the_role_with_70_and_are_reported() {
    let place = Place::make().await;
    let mut role = place.worker(&["--processes", "1", "--max-restarts", "2", "--queues", "ledger:3,accounts"]);
    role.logged("child is at work", 1).await;
    let queues: Vec<String> =
        sqlx::query_scalar("select queues from queue.process").fetch_one(&place.pool).await.unwrap();
    assert_eq!(queues, ["ledger", "accounts"]);
    // Without its key none of the next ones starts.
    fs::remove_file(place.key()).unwrap();
    signal(role.workers()[0].pid, Signal::KILL);
    assert_eq!(role.ended().await, Some(70));
    role.wait_until_none_is_left().await;
    let listed = place.run(&["queues", "crashes", "--json"]);
    let crashes: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let codes: Vec<_> = crashes.as_array().unwrap().iter().map(|crash| &crash["exit_code"]).collect();
    assert_eq!(codes, [&Value::from(1), &Value::from(1), &Value::Null]);
    assert!(crashes[0]["last_lines"].to_string().contains("bitnexus: "), "{crashes:#}");
    assert_eq!((&crashes[2]["signal"], &crashes[2]["cause"]), (&Value::from(9), &Value::from("died")));
    let table = String::from_utf8(place.run(&["queues", "crashes"]).stdout).unwrap();
    assert!(table.contains("died, exit code 1") && table.contains("worker.1"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_drain_and_give_up_their_leases() {
    let place = Place::make().await;
    let mut role = place.worker(&["--processes", "2"]);
    role.logged("child is at work", 2).await;
    role.processes();
    role.signal(Signal::KILL);
    role.ended().await;
    role.wait_until_none_is_left().await;
    // They could write no log any more, and still did all that there was to do.
    let leases: i64 = sqlx::query_scalar("select count(*) from queue.process").fetch_one(&place.pool).await.unwrap();
    assert_eq!(leases, 0);
}

/// Puts a program in the place of another, as a release does.
fn release(program: &Path, content: &[u8]) {
    let new = program.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&new, program).unwrap();
}

/// What a process runs; the kernel adds ` (deleted)` to a file that was replaced.
fn program_of(pid: u32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_release_is_taken_up_and_a_broken_one_is_not() {
    let place = Place::make().await;
    let (program, content) = (place.folder.path().join("bitnexus"), fs::read(binary::path()).unwrap());
    release(&program, &content);
    let arguments = ["worker", "--metrics-listen", "127.0.0.1:0", "--processes", "1"];
    let mut role = place.start(&mut place.command(&program, &arguments));
    role.logged("child is at work", 1).await;
    let first = role.workers()[0].pid;

    release(&program, &content);
    assert_ne!(program_of(first), program, "it runs what was replaced");
    role.signal(Signal::HUP);
    role.logged("rolling restart completed", 1).await;
    let second = role.workers()[0].pid;
    assert_ne!(second, first);
    assert_eq!(program_of(second), program);

    release(&program, b"#!/bin/sh\nexit 4\n");
    role.signal(Signal::HUP);
    role.logged("rolling restart aborted", 1).await;
    let now: Vec<u32> = role.workers().iter().map(|worker| worker.pid).collect();
    assert_eq!(now, [second]);
    role.signal(Signal::TERM);
    assert_eq!(role.ended().await, Some(0));
    // The broken one is reported, too.
    until_async("a crash report", PATIENCE, async || {
        let code = "select exit_code from queue.crash";
        sqlx::query_scalar::<_, i32>(code).fetch_optional(&place.pool).await.unwrap().filter(|code| *code == 4)
    })
    .await;
}
