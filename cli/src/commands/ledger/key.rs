//! `bitnexus ledger key`: the keys that sign the log's checkpoints.

mod new;
mod retire;
mod rotate;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::config::DatabaseArgs;
use crate::keys;

/// Make, show and rotate the keys that sign the ledger's checkpoints.
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    New(new::NewArgs),
    Show(show::ShowArgs),
    Rotate(KeyFileArgs),
    Retire(retire::RetireArgs),
}

/// Sign with a new key from now on, beside the present one until that is retired.
///
/// The present key endorses the new one in the log's list of keys, so that whoever trusts it can follow. The key's file gets
/// a new first line; workers read it for each checkpoint. Where several machines have the file, copy it to all of them, then
/// run `bitnexus ledger key retire`.
#[derive(Debug, Args)]
struct KeyFileArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// File with the keys that sign the ledger's checkpoints. Default: that of the `bitnexus up` here.
    #[arg(long, value_name = "FILE", env = "LEDGER_SIGNING_KEY_FILE")]
    signing_key_file: Option<PathBuf>,
}

impl KeyFileArgs {
    fn file(&self) -> Result<PathBuf> {
        keys::file(self.signing_key_file.as_deref(), &self.database.dir)
    }
}

/// Does what is asked.
///
/// # Errors
/// As each command says.
pub(super) async fn run(args: KeyArgs) -> Result<ExitCode> {
    match args.command {
        KeyCommand::New(args) => new::run(&args),
        KeyCommand::Show(args) => show::run(args).await,
        KeyCommand::Rotate(args) => rotate::run(args).await,
        KeyCommand::Retire(args) => retire::run(args).await,
    }
}
