//! What `bitnexus api` refuses to start with, each with the flag's name, and what `bitnexus openapi` prints.

use std::process::{Command, Stdio};

use tests::binary;

/// Runs it to its end: the exit code, what it printed, what it said.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(binary::path());
    command.args(arguments).stdin(Stdio::null()).env_remove("DATABASE_URL");
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_wrong_value_is_refused_with_the_name_of_its_flag() {
    let rows = [
        ("--rate-limit", "10", "10/s"),
        ("--rate-limit-writes", "0/s", "10/s"),
        ("--rate-limit-staff", "none", "off"),
        ("--rate-limit-address", "5/d", "600/m"),
        ("--rate-limit-login", "", "5000/h"),
        ("--trusted-proxies", "10.0.0.0/33", "10.0.0.0/8"),
        ("--cors-origins", "*", "https://app.example.org"),
        ("--cors-origins", "https://a.example,https://b.example/", "without a path"),
        ("--requests-in-flight", "0", "1..=1000000"),
        ("--database-wait", "soon", "seconds"),
        ("--request-timeout", "4000", "hour"),
        ("--replica-lag-max", "-1", "negative"),
        ("--tls-cert", "certificate.pem", "--tls-key"),
        ("--sockets", "0", "1..=1000000"),
        ("--sockets-per-user", "many", "digit"),
    ];
    for (flag, value, hint) in rows {
        let (code, _, said) = run(&["api", &format!("{flag}={value}")]);
        assert_eq!(code, Some(2), "{flag}={value}: {said}");
        assert!(said.contains(flag) && said.contains(hint), "{flag}={value}: {said}");
    }
    let database = "--database-url=postgres://nobody@localhost/nothing";
    let rows = [
        (vec!["--tls-cert=nowhere.pem", "--tls-key=nowhere.key"], "--tls-cert (API_TLS_CERT)", "nowhere.pem"),
        (vec!["--replica-url=mysql://nowhere"], "--replica-url (REPLICA_URL)", "postgres://"),
    ];
    for (flags, name, hint) in rows {
        let (code, _, said) = run(&[&["api", database][..], &flags].concat());
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(name) && said.contains(hint), "{said}");
    }
}

#[test]
fn the_document_is_printed_without_a_database() {
    let (code, printed, said) = run(&["openapi"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert_eq!(printed.trim_end(), api::document());
}
