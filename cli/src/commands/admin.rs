//! `bitnexus admin`: what only whoever has the database may do.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::config::DatabaseArgs;
use crate::glue;

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
    let pool = args.database.pool("admin", 1)?;
    println!("{}", glue::create_admin_key(&pool, &args.name).await?);
    Ok(ExitCode::SUCCESS)
}
