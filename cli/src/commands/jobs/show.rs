//! `bitnexus jobs show` and `bitnexus jobs explain`

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use ledger::Book;
use queue::{explain, inspect};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::DatabaseArgs;
use crate::operator::OutputArgs;

/// Show a job: its state, its attempts, its payload and its result.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// The job.
    job: Uuid,
}

/// Say why a job does not run, or what became of it.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// The job.
    job: Uuid,
}

/// Prints the job.
pub(super) async fn show(args: ShowArgs) -> Result<ExitCode> {
    let mut connection = args.database.connect("jobs show").await?;
    let job = inspect::find(&mut connection, Book::MAIN.shard, args.job).await?.context("there is no such job")?;
    let payload = inspect::payload(&mut connection, Book::MAIN.shard, args.job).await?;
    let mut shown = json!(job);
    shown["payload"] = payload.unwrap_or_default();
    if args.output.json {
        println!("{shown:#}");
        return Ok(ExitCode::SUCCESS);
    }
    for (name, value) in shown.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Array(items) if items.is_empty() => {}
            Value::String(text) => println!("{name:<16} {text}"),
            Value::Array(items) => items.iter().for_each(|item| println!("{name:<16} {item}")),
            other => println!("{name:<16} {other}"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the reasons.
pub(super) async fn explain(args: ExplainArgs) -> Result<ExitCode> {
    let mut connection = args.database.connect("jobs explain").await?;
    let explained =
        explain::explain(&mut connection, Book::MAIN.shard, args.job).await?.context("there is no such job")?;
    if args.output.json {
        println!("{:#}", json!(explained));
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} {} in {}: {}", explained.id, explained.kind, explained.queue, explained.state.as_str());
    explained.reasons.iter().for_each(|reason| println!("- {reason}"));
    Ok(ExitCode::SUCCESS)
}
