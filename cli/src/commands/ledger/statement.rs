//! `bitnexus ledger statement`: brings in what somebody else says of an account.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use domain::reconciliation::statements::{NewStatement, import};
use ledger::{AccountId, Book, Currency, Money};
use uuid::Uuid;

use crate::config::DatabaseArgs;

/// Statements of others.
#[derive(Debug, Args)]
pub(super) struct StatementArgs {
    #[command(subcommand)]
    command: StatementCommand,
}

#[derive(Debug, Subcommand)]
enum StatementCommand {
    Import(ImportArgs),
}

/// Import a CSV with the header `date,amount,currency,reference,id,description`; the next reconciliation matches it.
#[derive(Debug, Args)]
struct ImportArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The file.
    file: PathBuf,
    /// The account that it is about.
    #[arg(long)]
    account: Uuid,
    /// The account's currency.
    #[arg(long, default_value = "GBP")]
    currency: String,
    /// The first day, as in 2026-01-01.
    #[arg(long, value_name = "DAY")]
    from: NaiveDate,
    /// The last day.
    #[arg(long, value_name = "DAY")]
    to: NaiveDate,
    /// The balance before the first day, as in 12.50.
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    opening: String,
    /// The balance after the last day.
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    closing: String,
    /// How many days a line and its entry may be apart.
    #[arg(long, value_name = "DAYS", default_value_t = 3)]
    tolerance_days: i16,
    /// How many minor units a line and its entry may be apart.
    #[arg(long, value_name = "MINOR", default_value_t = 0)]
    tolerance_minor: i64,
    /// What people call it. Default: the file's name.
    #[arg(long)]
    name: Option<String>,
}

/// Does what is asked.
pub(super) async fn run(args: StatementArgs) -> Result<ExitCode> {
    let StatementCommand::Import(args) = args.command;
    let currency = Currency::parse(&args.currency).context("--currency")?;
    let named = args.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let new = NewStatement {
        name: args.name.unwrap_or(named),
        account: AccountId(args.account),
        period_from: args.from,
        period_to: args.to,
        opening: Money::parse(&args.opening, currency).context("--opening")?,
        closing: Money::parse(&args.closing, currency).context("--closing")?,
        tolerance_days: args.tolerance_days,
        tolerance_amount: args.tolerance_minor,
    };
    let file = File::open(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let mut connection = args.database.connect("ledger statement import").await?;
    let imported = import(&mut connection, Book::MAIN, &new, file, "bitnexus ledger statement import").await;
    let imported = imported.with_context(|| format!("importing {}", args.file.display()))?;
    let what = if imported.is_repeated { "was there already" } else { "imported" };
    println!("statement {} {what}: {} lines", imported.id, imported.lines);
    Ok(ExitCode::SUCCESS)
}
