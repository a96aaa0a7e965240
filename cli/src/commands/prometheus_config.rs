//! `bitnexus prometheus-config`: what a Prometheus has to be told to watch everything that runs.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

/// Print a prometheus.yml that finds every role that runs, by asking the API. Needs no database.
#[derive(Debug, Args)]
pub struct PrometheusConfigArgs {
    /// The API that is asked where roles are, as Prometheus reaches it.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4000", value_parser = url)]
    api: String,
    /// How often Prometheus looks, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=300))]
    interval: u16,
    /// Files of rules, such as dashboards/prometheus/alerts.yml; may be given again.
    #[arg(long, value_name = "GLOB")]
    rules: Vec<String>,
    /// Host and port of an Alertmanager; may be given again.
    #[arg(long, value_name = "HOST:PORT")]
    alertmanager: Vec<String>,
}

/// Prints it.
///
/// # Errors
/// None.
pub fn run(args: PrometheusConfigArgs) -> Result<ExitCode> {
    print!("{}", config(&args));
    Ok(ExitCode::SUCCESS)
}

/// An address of HTTP, without what comes after the host.
fn url(given: &str) -> Result<String> {
    let url = reqwest::Url::parse(given).with_context(|| format!("`{given}` is no URL"))?;
    let is_http = ["http", "https"].contains(&url.scheme()) && url.has_host();
    anyhow::ensure!(is_http, "`{given}` is no URL of HTTP");
    Ok(given.trim_end_matches('/').to_owned())
}

fn config(args: &PrometheusConfigArgs) -> String {
    let PrometheusConfigArgs { api, interval, rules, alertmanager } = args;
    let mut text = format!(
        "# Printed by `bitnexus prometheus-config`.\n\
         global:\n  scrape_interval: {interval}s\n  evaluation_interval: {interval}s\n"
    );
    if !rules.is_empty() {
        text += "rule_files:\n";
        rules.iter().for_each(|rule| text += &format!("  - {}\n", quoted(rule)));
    }
    if !alertmanager.is_empty() {
        text += "alerting:\n  alertmanagers:\n    - static_configs:\n        - targets:\n";
        alertmanager.iter().for_each(|target| text += &format!("            - {}\n", quoted(target)));
    }
    let targets = quoted(&format!("{api}/metrics/targets"));
    text += &format!(
        "scrape_configs:\n  - job_name: bitnexus\n    # Roles come and go; the API knows which there are.\n    \
         http_sd_configs:\n      - url: {targets}\n        refresh_interval: 15s\n"
    );
    text
}

/// As a string of YAML.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_prometheus_reads() {
        let args = PrometheusConfigArgs {
            api: url("http://api:4000/").unwrap(),
            interval: 5,
            rules: vec!["it's/*.yml".to_owned()],
            alertmanager: vec!["alerts:9093".to_owned()],
        };
        let expected = "# Printed by `bitnexus prometheus-config`.\n\
            global:\n  scrape_interval: 5s\n  evaluation_interval: 5s\n\
            rule_files:\n  - 'it''s/*.yml'\n\
            alerting:\n  alertmanagers:\n    - static_configs:\n        - targets:\n            - 'alerts:9093'\n\
            scrape_configs:\n  - job_name: bitnexus\n    # Roles come and go; the API knows which there are.\n    \
            http_sd_configs:\n      - url: 'http://api:4000/metrics/targets'\n        refresh_interval: 15s\n";
        assert_eq!(config(&args), expected);
        assert!(url("api:4000").is_err() && url("ftp://api").is_err());
    }
}
