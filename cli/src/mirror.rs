//! Flags of the Erlang ledger: which node it is on, and the cookie that lets us in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use jobs::mirror::Mirror;
use jobs::mirror::node::{Address, EPMD_PORT};

/// An Erlang ledger that is told what ours records. Whoever knows the cookie may run any program on the node, so it is read
/// from a file that nobody else may open, and only by what needs it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Erlang ledger")]
pub struct MirrorArgs {
    /// The Erlang node of a ledger that is to be told what ours records, such as ledger@10.0.0.7; on a private network only.
    /// Default: none.
    #[arg(long, value_name = "NAME@HOST", env = "LEDGER_NODE", requires = "ledger_cookie_file")]
    ledger_node: Option<String>,
    /// File with the node's cookie, which no other account may open.
    #[arg(long, value_name = "FILE", env = "LEDGER_COOKIE_FILE")]
    ledger_cookie_file: Option<PathBuf>,
    /// Port of the port mapper (epmd) on the node's machine.
    #[arg(long, value_name = "PORT", env = "ERL_EPMD_PORT", default_value_t = EPMD_PORT)]
    epmd_port: u16,
}

impl MirrorArgs {
    /// The ledger, if one is configured; it is connected to when it is first needed.
    ///
    /// # Errors
    /// When the cookie cannot be read, or others can read it; when the node's name is none.
    pub fn mirror(&self) -> Result<Option<Mirror>> {
        let (Some(node), Some(file)) = (&self.ledger_node, &self.ledger_cookie_file) else { return Ok(None) };
        let cookie = read_cookie(file)
            .with_context(|| format!("--ledger-cookie-file (LEDGER_COOKIE_FILE): {}", file.display()))?;
        let address = Address::new(node, cookie).with_context(|| {
            format!("--ledger-node (LEDGER_NODE): {node} is no name of a node, such as ledger@10.0.0.7")
        })?;
        Ok(Some(Mirror::new(address.with_epmd_port(self.epmd_port))))
    }

    /// Gives another process of this program the same.
    pub fn pass_on(&self, command: &mut Command) {
        let (Some(node), Some(file)) = (&self.ledger_node, &self.ledger_cookie_file) else { return };
        command.env("LEDGER_NODE", node).env("LEDGER_COOKIE_FILE", file);
        command.env("ERL_EPMD_PORT", self.epmd_port.to_string());
    }
}

fn read_cookie(file: &Path) -> Result<String> {
    let mode = fs::metadata(file)?.permissions().mode();
    ensure!(mode & 0o077 == 0, "other accounts may open it: `chmod 600 {}`", file.display());
    let cookie = fs::read_to_string(file)?.trim().to_owned();
    let is_cookie = (1..=255).contains(&cookie.len()) && cookie.chars().all(|c| c.is_ascii_graphic());
    ensure!(is_cookie, "it holds no cookie: one word of up to 255 letters, digits and signs");
    Ok(cookie)
}
