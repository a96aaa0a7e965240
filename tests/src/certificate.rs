//! Certificates that sign themselves, and a client that shows what a server makes of one: both are openssl's.

use std::path::Path;
use std::process::Command;

/// Makes `certificate.pem` and `key.pem` in the folder, for this name; false if this machine has no openssl.
pub fn make(folder: &Path, name: &str) -> bool {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    openssl.args(["-subj", &format!("/CN={name}"), "-keyout"]).arg(folder.join("key.pem"));
    openssl.arg("-out").arg(folder.join("certificate.pem"));
    openssl.output().is_ok_and(|output| output.status.success())
}

/// What openssl's client sees when it asks for `/livez`: the subject of the certificate, and the answer.
///
/// # Panics
/// When the client cannot be started.
pub async fn ask(address: &str) -> String {
    let request = "GET /livez HTTP/1.1\\r\\nhost: localhost\\r\\nconnection: close\\r\\n\\r\\n";
    let command = format!("printf '{request}' | openssl s_client -connect {address} -alpn http/1.1 -ign_eof 2>&1");
    let output = tokio::task::spawn_blocking(move || Command::new("sh").args(["-c", &command]).output());
    let output = output.await.expect("it does not panic").expect("a shell can be started");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
