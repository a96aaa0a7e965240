//! `bitnexus jobs enqueue`

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use clap::Args;
use jobs::by_hand::{self, ByHand};
use ledger::Book;
use queue::control::parse_priority;
use serde_json::{Value, json};
use sqlx::Connection;

use crate::config::DatabaseArgs;
use crate::operator::{OutputArgs, actor, flagged, flagged_fields};

/// Enqueue a job of any kind; its payload is checked against the kind's schema first.
#[derive(Debug, Args)]
pub(super) struct EnqueueArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Its kind, such as products.categorize.
    #[arg(long)]
    kind: String,
    /// Its payload as JSON, or @ and a file that has it.
    #[arg(long, value_name = "JSON")]
    payload: String,
    /// Another queue than its kind's.
    #[arg(long)]
    queue: Option<String>,
    /// When it is due (RFC 3339); now without it.
    #[arg(long, value_name = "TIME")]
    run_at: Option<DateTime<Utc>>,
    /// Another priority than its kind's: 0 to 99, the smaller runs first.
    #[arg(long, value_name = "RANK")]
    priority: Option<i64>,
    /// No other job of its kind with this key is enqueued while it lives.
    #[arg(long, value_name = "KEY")]
    unique_key: Option<String>,
    /// A word to find it by; may be given more than once.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

/// Enqueues it in the main book; workers find it within a second.
pub(super) async fn run(args: EnqueueArgs) -> Result<ExitCode> {
    let by_hand = ByHand {
        kind: args.kind,
        payload: payload(&args.payload)?,
        queue: args.queue,
        run_at: args.run_at,
        priority: args.priority.map(parse_priority).transpose().map_err(flagged)?,
        max_attempts: None,
        unique_key: args.unique_key,
        tags: args.tags,
    };
    let job = by_hand.job(Book::MAIN).map_err(flagged_fields)?;
    let mut connection = args.database.connect("jobs enqueue").await?;
    let mut tx = connection.begin().await?;
    let id = by_hand::enqueue(&mut tx, &actor(), Book::MAIN.shard, job).await.map_err(flagged_fields)?;
    tx.commit().await?;
    match args.output.json {
        true => println!("{:#}", json!({ "job_id": id })),
        false => println!("{id}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// JSON, given as it is or in a file.
pub(crate) fn payload(given: &str) -> Result<Value> {
    let text = match given.strip_prefix('@') {
        Some(file) => fs::read_to_string(file).with_context(|| format!("--payload: reading {file}"))?,
        None => given.to_owned(),
    };
    serde_json::from_str(&text).context("--payload: not JSON")
}
