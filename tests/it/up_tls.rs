//! `bitnexus up` with a certificate: it knows its API by it, and so do the commands beside it.

use std::path::Path;

use tests::certificate;
use tests::service::Service;

/// A service with a certificate for a name that nobody on this machine has; none if this machine cannot make one.
async fn start(folder: &Path) -> Option<Service> {
    if !certificate::make(folder, "api.example.org") {
        eprintln!("skipped: this machine has no openssl");
        return None;
    }
    let file = |name| folder.join(name).display().to_string();
    Some(Service::start_with(&[("API_TLS_CERT", &file("certificate.pem")), ("API_TLS_KEY", &file("key.pem"))]).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_comes_up_and_is_reached_by_tls() {
    let folder = tempfile::tempdir().unwrap();
    let Some(service) = start(folder.path()).await else { return };
    let address = service.url.trim_start_matches("https://").to_owned();
    let log = service.log();
    for page in ["/api/v1", "/docs", "/metrics (API)"] {
        assert!(log.contains(&format!("https://{address}{page}")), "{page}: {log}");
    }
    assert!(!log.contains(&format!("http://{address}")), "{log}");
    let seen = certificate::ask(&address).await;
    assert!(seen.contains("HTTP/1.1 200 OK") && seen.contains("api.example.org"), "{seen}");
    let plain = service.command(&["health", "api"]).env_remove("API_TLS_CERT").output().unwrap();
    assert_eq!(plain.status.code(), Some(1), "plain HTTP is not answered");
    let other = tempfile::tempdir().unwrap();
    assert!(certificate::make(other.path(), "api.example.org"));
    let mut health = service.command(&["health", "api"]);
    let other = health.env("API_TLS_CERT", other.path().join("certificate.pem")).output().unwrap();
    let said = String::from_utf8_lossy(&other.stderr);
    assert!(other.status.code() == Some(1) && said.contains("TLS"), "another certificate of that name: {said}");
    let second = service.command(&["up"]).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains(&format!("API on https://{address}")), "{said}");
    service.stop();
}
