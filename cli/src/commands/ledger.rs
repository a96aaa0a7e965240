//! `bitnexus ledger`: looks after the ledger.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::config::DatabaseArgs;

/// Check the ledger.
#[derive(Debug, Args)]
pub struct LedgerArgs {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    /// Derive balances, running balances, hashes, root and signature again, and name every difference.
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
struct VerifyArgs {
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Does what is asked.
///
/// # Errors
/// When the database cannot be reached.
pub async fn run(args: LedgerArgs) -> Result<ExitCode> {
    let LedgerCommand::Verify(args) = args.command;
    let _pool = args.database.pool("ledger verify", 1)?;
    bail!("not here yet")
}
