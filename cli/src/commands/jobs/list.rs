//! `bitnexus jobs list`

use std::process::ExitCode;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use clap::Args;
use ledger::Book;
use queue::control::parse_state;
use queue::inspect::{self, JobSummary, Search};
use uuid::Uuid;

use crate::config::DatabaseArgs;
use crate::operator::{OutputArgs, flagged, print_table, time};

/// List jobs, live, dead and ended, the newest first.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Only those in this queue.
    #[arg(long)]
    queue: Option<String>,
    /// Only those of this kind.
    #[arg(long)]
    kind: Option<String>,
    /// Only those in this state: scheduled, ready, running, waiting, succeeded, discarded, cancelled or dead.
    #[arg(long)]
    state: Option<String>,
    /// Only those with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Only those that this actor caused.
    #[arg(long)]
    actor: Option<String>,
    /// Only those that this job enqueued.
    #[arg(long, value_name = "JOB")]
    parent: Option<Uuid>,
    /// Only those enqueued at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    created_after: Option<DateTime<Utc>>,
    /// Only those enqueued before this time.
    #[arg(long, value_name = "TIME")]
    created_before: Option<DateTime<Utc>>,
    /// Only those with this text in their last error.
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Go on after this job.
    #[arg(long, value_name = "JOB")]
    after: Option<Uuid>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
}

/// Prints a page of them.
pub(super) async fn run(args: ListArgs) -> Result<ExitCode> {
    let states = args.state.iter().map(|state| parse_state(state)).collect::<Result<_, _>>().map_err(flagged)?;
    let search = Search {
        queue: args.queue,
        kind: args.kind,
        states,
        tag: args.tag,
        actor: args.actor,
        parent: args.parent,
        created_after: args.created_after,
        created_before: args.created_before,
        error: args.error,
        ..Search::default()
    };
    let mut connection = args.database.connect("jobs list").await?;
    let (mut after, mut jobs) = (args.after, Vec::new());
    // A look that finds little is not the end of the list.
    loop {
        let left = args.limit - u16::try_from(jobs.len()).unwrap_or(args.limit);
        let page = inspect::list(&mut connection, Book::MAIN.shard, &search, after, left).await;
        let page = page.context("listing jobs")?;
        jobs.extend(page.items);
        after = page.next;
        if after.is_none() || jobs.len() >= usize::from(args.limit) {
            break;
        }
    }
    if args.output.json {
        println!("{:#}", serde_json::json!({ "items": jobs, "next": after }));
    } else {
        print(&jobs, after);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(jobs: &[JobSummary], after: Option<Uuid>) {
    let row = |job: &JobSummary| {
        let attempts = format!("{}/{}", job.attempt, job.max_attempts);
        let error: String = job.last_error.clone().unwrap_or_default().replace('\n', " ").chars().take(60).collect();
        [
            job.id.to_string(),
            job.kind.clone(),
            job.queue.clone(),
            job.state.as_str().to_owned(),
            attempts,
            time(job.run_at),
            error,
        ]
    };
    let rows: Vec<[String; 7]> = jobs.iter().map(row).collect();
    print_table(["ID", "KIND", "QUEUE", "STATE", "ATTEMPT", "RUN AT", "LAST ERROR"], &rows);
    if let Some(after) = after {
        println!("… and more: --after {after}");
    }
}
