//! Makes a new database cluster: UTF-8, C order, peer authentication, closed to the network.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::account::Account;
use super::discover::Installation;

/// The database role that everything of ours connects as.
pub const ROLE: &str = "bitnexus";

/// The role that api and workers log in as: they may add to what is recorded, not change it.
pub const SERVICE: &str = "bitnexus_app";

/// Whether a new cluster is on the disk before `initdb` returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It survives a power cut.
    Synced,
    /// It may be lost, for a third less time: a cluster for tests.
    Unsynced,
}

/// Makes a cluster in `data`, owned by and run as `owner`; `caller` may connect as [`ROLE`].
///
/// # Errors
/// When `initdb` fails; its own words are in the error.
pub fn initdb(
    installation: &Installation,
    owner: &Account,
    caller: &Account,
    data: &Path,
    durability: Durability,
) -> Result<()> {
    let locale = if installation.major >= 15 { "C.UTF-8" } else { "C" };
    let mut command = Command::new(installation.bin.join("initdb"));
    command
        .args(["--encoding=UTF8", "--auth=peer", "--username", ROLE])
        .args((durability == Durability::Unsynced).then_some("--no-sync"))
        .arg(format!("--locale={locale}"))
        .arg("--pgdata")
        .arg(data)
        .current_dir("/")
        .env("LC_ALL", "C");
    run_as(&mut command, owner, caller);
    let output = command.output().context("starting initdb")?;
    ensure!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    write_access(owner, caller, data)
}

/// Lets only the two accounts in, over the Unix socket, by peer authentication.
///
/// # Errors
/// When the files cannot be written.
pub fn write_access(owner: &Account, caller: &Account, data: &Path) -> Result<()> {
    fs::write(data.join("pg_hba.conf"), "local all all peer map=bitnexus\n").context("writing pg_hba.conf")?;
    let mut ident = String::new();
    for account in [owner, caller] {
        for role in [ROLE, SERVICE] {
            ident.push_str(&format!("bitnexus \"{}\" {role}\n", account.name));
        }
    }
    fs::write(data.join("pg_ident.conf"), ident).context("writing pg_ident.conf")
}

/// Has `command` run as `owner` when that is another account than `caller`.
pub fn run_as(command: &mut Command, owner: &Account, caller: &Account) {
    if owner != caller {
        command.uid(owner.uid).gid(owner.gid);
    }
}
