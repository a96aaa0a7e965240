//! `bitnexus jobs`: looks at jobs and changes them, straight on the database.

mod change;
mod enqueue;
mod list;
mod rotate_keys;
mod show;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use queue::control::Action;

pub(crate) use enqueue::payload;

/// Look at jobs and change them.
#[derive(Debug, Args)]
pub struct JobsArgs {
    #[command(subcommand)]
    command: JobsCommand,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Explain(show::ExplainArgs),
    /// End jobs: those that run are asked to.
    Cancel(change::ChangeArgs),
    /// Make scheduled jobs due now, such as those between two attempts.
    Retry(change::ChangeArgs),
    /// Give dead letters another life.
    Redrive(change::ChangeArgs),
    /// Take jobs away that do not run, without a history; dead letters by id or with --state dead.
    Delete(change::ChangeArgs),
    Enqueue(enqueue::EnqueueArgs),
    RotateKeys(rotate_keys::RotateKeysArgs),
}

/// Does what is asked.
///
/// # Errors
/// As each command says.
pub async fn run(args: JobsArgs) -> Result<ExitCode> {
    match args.command {
        JobsCommand::List(args) => list::run(args).await,
        JobsCommand::Show(args) => show::show(args).await,
        JobsCommand::Explain(args) => show::explain(args).await,
        JobsCommand::Cancel(args) => change::run(args, Action::Cancel).await,
        JobsCommand::Retry(args) => change::run(args, Action::Retry).await,
        JobsCommand::Redrive(args) => change::run(args, Action::Redrive).await,
        JobsCommand::Delete(args) => change::run(args, Action::Delete).await,
        JobsCommand::Enqueue(args) => enqueue::run(args).await,
        JobsCommand::RotateKeys(args) => rotate_keys::run(args).await,
    }
}
