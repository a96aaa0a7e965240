//! `bitnexus admin`: what only whoever has the database may do.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use domain::setup;
use ledger::Book;

use crate::config::DatabaseArgs;

/// Administer an installation.
#[derive(Debug, Args)]
pub struct AdminArgs {
    #[command(subcommand)]
    command: AdminCommand,
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Make another API key for the administrator and print it, once.
    CreateKey(CreateKeyArgs),
}

#[derive(Debug, Args)]
struct CreateKeyArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// What the key is for.
    #[arg(long, default_value = "made by bitnexus admin")]
    name: String,
}

/// Does what is asked.
///
/// # Errors
/// When the database cannot be reached, or has no administrator yet.
pub async fn run(args: AdminArgs) -> Result<ExitCode> {
    let AdminCommand::CreateKey(args) = args.command;
    let mut connection = args.database.connect("admin").await?;
    let key = setup::create_admin_key(&mut connection, Book::MAIN, &args.name).await.context("making the key")?;
    let key = key.context("there is no administrator yet: `bitnexus up` makes one")?;
    println!("{}", key.reveal());
    Ok(ExitCode::SUCCESS)
}
