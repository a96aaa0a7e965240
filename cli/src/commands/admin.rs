//! `bitnexus admin`: what only whoever has the database may do.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use domain::accounts::{self, Erased};
use domain::{UserId, setup};
use ledger::Book;
use sqlx::Connection;
use uuid::Uuid;

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
    /// Erase everything personal about a user; ids, and so the ledger, stay as they are.
    EraseUser(EraseUserArgs),
}

#[derive(Debug, Args)]
struct CreateKeyArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// What the key is for.
    #[arg(long, default_value = "made by bitnexus admin")]
    name: String,
}

#[derive(Debug, Args)]
struct EraseUserArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The user's id.
    user: Uuid,
}

/// Does what is asked.
///
/// # Errors
/// When the database cannot be reached, or has no administrator yet.
pub async fn run(args: AdminArgs) -> Result<ExitCode> {
    match args.command {
        AdminCommand::CreateKey(args) => create_key(args).await,
        AdminCommand::EraseUser(args) => erase_user(args).await,
    }
}

async fn create_key(args: CreateKeyArgs) -> Result<ExitCode> {
    let mut connection = args.database.connect("admin").await?;
    let key = setup::create_admin_key(&mut connection, Book::MAIN, &args.name).await.context("making the key")?;
    let key = key.context("there is no administrator yet: `bitnexus up` makes one")?;
    println!("{}", key.reveal());
    Ok(ExitCode::SUCCESS)
}

async fn erase_user(args: EraseUserArgs) -> Result<ExitCode> {
    let mut connection = args.database.connect("admin").await?;
    let mut tx = connection.begin().await?;
    let erased = accounts::erase(&mut tx, Book::MAIN, UserId(args.user)).await.context("erasing the user")?;
    let Erased::Done { transactions } = erased else {
        bail!("transactions of the user are still to be recorded: try again when they are");
    };
    tx.commit().await?;
    println!("erased; {transactions} transactions lost their words, and the ledger is as it was");
    Ok(ExitCode::SUCCESS)
}
