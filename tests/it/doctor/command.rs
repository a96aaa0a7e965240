//! The command itself: what it reads, prints and ends with, and that it finds nothing where all is well.

use std::process::{Command, Output};
use std::time::Duration;

use cli::commands::doctor::misspelt;
use serde_json::Value;
use tests::binary;
use tests::service::Service;
use tests::wait::until;

use super::kit::Patient;

/// Runs the command with an environment of its own.
fn doctor(patient: &Patient, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(binary::path());
    command.arg("doctor").args(arguments).env_clear().current_dir(patient.folder.path());
    command.env("DATABASE_URL", patient.subject.url.as_ref().unwrap()).env("BITNEXUS_DIR", ".");
    command.envs(variables.iter().copied()).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn codes(report: &Value) -> Vec<String> {
    let name =
        |finding: &Value| format!("{}.{}", finding["check"].as_str().unwrap(), finding["code"].as_str().unwrap());
    let names = report["findings"].as_array().unwrap().iter().map(name);
    // How full this machine's disk is, is none of the test's business.
    names.filter(|name| !name.starts_with("disk.")).collect()
}

#[tokio::test]
async fn the_configuration_is_told_as_processes_would_take_it() {
    let patient = Patient::healthy().await;
    let secret = "postgres://ada:lovelace@replica.example:6432/books";
    let variables = [("WORKER_CONCURRENCY", "3"), ("REPLICA_URL", secret), ("RATE_LIMIT_LOGIN", "off")];
    let report = json(&doctor(&patient, &variables, &["--json"]));
    assert_eq!(codes(&report), ["settings.fsync_off"]);
    assert_eq!(report["status"], "error");
    let (api, worker) = (&report["configuration"]["api"], &report["configuration"]["worker"]);
    assert_eq!(worker["WORKER_CONCURRENCY"]["value"], "3");
    assert_eq!(worker["WORKER_CONCURRENCY"]["from"], "environment");
    assert_eq!(worker["WORKER_PROCESSES"]["from"], "default");
    assert_eq!(api["RATE_LIMIT_LOGIN"]["value"], "off");
    assert_eq!(api["REPLICA_URL"]["value"], "books as ada at replica.example:6432");
    assert_eq!(api["API_TLS_CERT"]["from"], "unset");
    assert!(!report.to_string().contains("lovelace"));
    let text = doctor(&patient, &variables, &["--config"]).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("books as ada at replica.example:6432 (environment)"), "{text}");
    assert!(!text.contains("lovelace") && !text.contains('\x1b'), "{text}");
}

#[tokio::test]
async fn what_a_role_would_refuse_is_told() {
    let patient = Patient::healthy().await;
    for (name, value, said) in [
        ("WORKER_PROCESSES", "many", "bitnexus worker"),
        ("API_LISTEN", "everywhere", "bitnexus api"),
        ("REPLICA_URL", "mysql://ada:lovelace@there", "REPLICA_URL"),
    ] {
        let output = doctor(&patient, &[(name, value)], &["--json"]);
        let report = json(&output);
        assert_eq!(codes(&report), ["configuration.refused", "settings.fsync_off"], "{report:#}");
        assert!(report["findings"][0]["what"].as_str().unwrap().contains(said), "{report:#}");
        assert!(!report.to_string().contains("lovelace"));
        assert_eq!(output.status.code(), Some(2));
    }
    let half = doctor(&patient, &[("API_TLS_CERT", "/nowhere.pem")], &["--json"]);
    assert_eq!(codes(&json(&half)), ["configuration.refused", "settings.fsync_off"]);
}

#[tokio::test]
async fn a_variable_that_nobody_reads_is_told() {
    let patient = Patient::healthy().await;
    let output = doctor(&patient, &[("WORKER_PROCESES", "4"), ("BITNEXUS_COLOUR", "blue")], &["--json"]);
    let report = json(&output);
    let unknown = "configuration.unknown_variable";
    assert_eq!(codes(&report), ["settings.fsync_off", unknown, unknown], "{report:#}");
    let todo: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|finding| finding["todo"].as_str().unwrap()).collect();
    assert!(todo.contains(&"is it `WORKER_PROCESSES` that is meant?") && todo.contains(&"unset it"), "{todo:?}");
}

#[tokio::test]
async fn processes_that_are_missing_on_this_machine_are_told() {
    let mut patient = Patient::healthy().await;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    patient.execute(&format!("update queue.process set host = '{}'", host.trim())).await;
    for (processes, expected) in
        [("1", vec!["settings.fsync_off"]), ("3", vec!["settings.fsync_off", "workers.missing"])]
    {
        let output = doctor(&patient, &[("WORKER_PROCESSES", processes)], &["--json"]);
        assert_eq!(codes(&json(&output)), expected);
    }
}

#[test]
fn only_what_resembles_ours_is_misspelt() {
    let named = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        misspelt(&names).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    let wrong = ["DATABSE_URL", "API_LISTN", "LEDGER_SIGNING_KEY_FIEL", "BITNEXUS_DRI", "SHUTDOWN_TIMEOUTS"];
    assert_eq!(named(&wrong), wrong);
    let others =
        ["PATH", "HOME", "PS", "DATABASE_URL", "API_KEY", "DATABASE_PASSWORD", "BITNEXUS_PG_BIN", "RUST_LOG", "PORT"];
    assert!(named(&others).is_empty());
}

#[tokio::test]
async fn a_whole_service_that_runs_has_nothing() {
    let service = Service::start().await;
    let sound = until("a doctor who finds nothing", Duration::from_secs(120), || {
        let report = json(&service.command(&["doctor", "--json"]).output().unwrap());
        // Its workers may still be starting.
        codes(&report).is_empty().then_some(report)
    });
    let report = sound.await;
    assert_eq!(report["facts"]["workers"], "2 alive on 1 machines");
    assert!(report["not_checked"].as_array().unwrap().is_empty(), "{report:#}");
    let output = service.command(&["doctor"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = [(0, "\nnothing is wrong\n"), (1, "\n0 errors, ")];
    let status = output.status.code();
    assert!(expected.iter().any(|(code, end)| status == Some(*code) && text.contains(end)), "{status:?}: {text}");
    for role in ["api", "worker"] {
        let output = service.command(&["health", role]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    service.stop();
}
