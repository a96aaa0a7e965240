//! A real Prometheus with our configuration and rules, pointed at one service and gone with the test.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::outside::tool;
use super::rules::{ALERTS, RECORDED};
use super::source::root;

/// How often it scrapes and looks at rules here. A scrape may take as long, and on a busy machine one does.
const INTERVAL: &str = "2s";
/// How long it may take to be ready, on a slow machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A running Prometheus.
pub(super) struct Prometheus {
    url: String,
    http: reqwest::Client,
    folder: TempDir,
    child: Child,
}

impl Prometheus {
    /// Starts one that discovers what the API at this address lists; none if the machine has no Prometheus.
    pub(super) async fn start(api: &str) -> Option<Prometheus> {
        let mut command = tool("prometheus")?;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("prometheus.yml"), configuration(api)).unwrap();
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        command.arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address={listen}"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let url = format!("http://{listen}");
        let prometheus = Prometheus { url, http: reqwest::Client::new(), folder, child };
        prometheus.wait_until_ready().await;
        Some(prometheus)
    }

    async fn wait_until_ready(&self) {
        let (started, url) = (Instant::now(), format!("{}/-/ready", self.url));
        while !self.http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            assert!(started.elapsed() < START_TIMEOUT, "not ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many series an expression gives now whose value is a number.
    pub(super) async fn numbers(&self, expression: &str) -> usize {
        let answer = self.ask("query", &[("query", expression)]).await;
        let series = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{expression}: {answer}"));
        series.iter().filter(|one| one["value"][1] != "NaN").count()
    }

    /// The `data` of a question to its API, such as `rules` or `targets`.
    pub(super) async fn ask(&self, what: &str, query: &[(&str, &str)]) -> Value {
        let request = self.http.get(format!("{}/api/v1/{what}", self.url)).query(query);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// What it has logged.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our configuration with another address, and with less patience.
fn configuration(api: &str) -> String {
    let text = fs::read_to_string(root().join("dashboards/prometheus/prometheus.yml")).unwrap();
    let mut configuration: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    configuration["global"]["scrape_interval"] = INTERVAL.into();
    configuration["global"]["evaluation_interval"] = INTERVAL.into();
    configuration["rule_files"] =
        [RECORDED, ALERTS].map(|path| root().join(path).display().to_string()).to_vec().into();
    let discovery = &mut configuration["scrape_configs"][0]["http_sd_configs"][0];
    let path = discovery["url"].as_str().unwrap().split("127.0.0.1:4000").nth(1).unwrap().to_owned();
    discovery["url"] = format!("{api}{path}").into();
    discovery["refresh_interval"] = "1s".into();
    serde_yaml::to_string(&configuration).unwrap()
}
