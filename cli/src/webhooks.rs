//! Flags of webhooks: where they may be beside the public internet, and whom they may trust.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::Args;
use domain::webhooks::reach::{Network, Reach};
use jobs::webhooks::client::Client;

use crate::tls::authorities;

/// Where webhooks may be.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Webhooks")]
pub struct ReachArgs {
    /// Networks beside the public internet that webhooks may be in, also by plain http, such as 127.0.0.0/8, with commas between.
    #[arg(long, value_name = "NETWORKS", env = "WEBHOOK_NETWORKS", value_delimiter = ',')]
    webhook_networks: Vec<Network>,
}

impl ReachArgs {
    /// The rule.
    pub fn reach(&self) -> Reach {
        Reach::with(self.webhook_networks.clone())
    }
}

/// How webhooks are posted.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Webhooks")]
pub struct ClientArgs {
    #[command(flatten)]
    reach: ReachArgs,
    /// File with certificates of authorities, as PEM, that webhooks may have theirs from beside those that browsers know.
    #[arg(long, value_name = "FILE", env = "WEBHOOK_CA_FILE")]
    webhook_ca_file: Option<PathBuf>,
}

impl ClientArgs {
    /// The client that posts.
    ///
    /// # Errors
    /// When the file cannot be read or is none of certificates.
    pub fn client(&self) -> Result<Client> {
        let roots = authorities("--webhook-ca-file (WEBHOOK_CA_FILE)", self.webhook_ca_file.as_deref())?;
        Ok(Client::new(self.reach.reach(), roots))
    }

    /// Gives another process of this program the same.
    pub fn pass_on(&self, command: &mut Command) {
        let mut networks = String::new();
        for network in &self.reach.webhook_networks {
            let comma = if networks.is_empty() { "" } else { "," };
            write!(networks, "{comma}{network}").expect("writing to a string cannot fail");
        }
        if !networks.is_empty() {
            command.env("WEBHOOK_NETWORKS", networks);
        }
        if let Some(file) = &self.webhook_ca_file {
            command.env("WEBHOOK_CA_FILE", file);
        }
    }
}
