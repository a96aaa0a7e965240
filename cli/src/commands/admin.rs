//! `bitnexus admin`: what only whoever has the database may do.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use domain::accounts::{self, Erased};
use domain::{UserId, setup};
use ledger::Book;
use sqlx::{Connection, PgConnection};
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
    /// Set a new installation up, as `bitnexus up` does by itself: the accounts for cash, and an administrator, whose API
    /// key is printed, once. Where there is an administrator nothing changes.
    Create(CreateArgs),
    /// Make another API key for the administrator and print it, once.
    CreateKey(CreateKeyArgs),
    /// Erase everything personal about a user; ids, and so the ledger, stay as they are.
    EraseUser(EraseUserArgs),
}

#[derive(Debug, Args)]
struct CreateArgs {
    #[command(flatten)]
    database: DatabaseArgs,
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
        AdminCommand::Create(args) => create(args).await,
        AdminCommand::CreateKey(args) => create_key(args).await,
        AdminCommand::EraseUser(args) => erase_user(args).await,
    }
}

async fn create(args: CreateArgs) -> Result<ExitCode> {
    let mut connection = args.database.connect("admin").await?;
    match set_up(&mut connection).await.context("setting the installation up")? {
        Some(key) => println!("{key}"),
        None => eprintln!("there is an administrator already; another key: bitnexus admin create-key"),
    }
    Ok(ExitCode::SUCCESS)
}

/// All that a new installation needs or nothing, and nothing where it is done: a start that was killed is repeated by the
/// next. The key of the administrator that was made, if one was.
pub(super) async fn set_up(connection: &mut PgConnection) -> sqlx::Result<Option<String>> {
    let mut transaction = connection.begin().await?;
    setup::open_cash_accounts(&mut transaction, Book::MAIN).await?;
    let key = setup::create_admin(&mut transaction, Book::MAIN).await?;
    transaction.commit().await?;
    Ok(key.map(|key| key.reveal().to_owned()))
}

async fn create_key(args: CreateKeyArgs) -> Result<ExitCode> {
    let mut connection = args.database.connect("admin").await?;
    let key = setup::create_admin_key(&mut connection, Book::MAIN, &args.name).await.context("making the key")?;
    let key = key.context("there is no administrator yet: `bitnexus admin create` makes one")?;
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
