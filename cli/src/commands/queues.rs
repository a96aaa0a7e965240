//! `bitnexus queues`: looks at queues and worker processes, pauses and limits, straight on the database.

mod crashes;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use ledger::Book;
use queue::control::{self, Answer, Control};
use queue::inspect::{self, ProcessView, QueueView};
use serde_json::json;
use sqlx::PgConnection;

use crate::config::DatabaseArgs;
use crate::operator::{OutputArgs, actor, flagged, print_table, time_or_dash};

/// Look at queues and workers, and pause and limit them.
#[derive(Debug, Args)]
pub struct QueuesArgs {
    #[command(subcommand)]
    command: QueuesCommand,
}

#[derive(Debug, Subcommand)]
enum QueuesCommand {
    /// List queues, with how many jobs are where.
    List(LookArgs),
    /// List worker processes.
    Workers(LookArgs),
    Crashes(crashes::CrashesArgs),
    /// Claim nothing more from a queue, or begin no more jobs of a kind.
    Pause(PauseArgs),
    /// Go on with a queue, or with a kind.
    Resume(PauseArgs),
    Limit(LimitArgs),
}

#[derive(Debug, Args)]
struct LookArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct PauseArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The queue.
    #[arg(required_unless_present = "kind", conflicts_with = "kind")]
    queue: Option<String>,
    /// A kind of job instead.
    #[arg(long)]
    kind: Option<String>,
}

/// Limit how many jobs of a queue run at once, over all processes.
#[derive(Debug, Args)]
struct LimitArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The queue.
    queue: String,
    /// How many; 0 for none.
    #[arg(long, value_name = "N", required_unless_present = "unlimited", conflicts_with = "unlimited")]
    running_max: Option<u32>,
    /// Any number again.
    #[arg(long)]
    unlimited: bool,
}

/// Does what is asked.
///
/// # Errors
/// When a name is none, or the database fails.
pub async fn run(args: QueuesArgs) -> Result<ExitCode> {
    match args.command {
        QueuesCommand::List(args) => {
            let mut connection = args.database.connect("queues list").await?;
            let queues = inspect::queues(&mut connection, Book::MAIN.shard, &jobs::QUEUES).await?;
            if args.output.json { println!("{:#}", json!(queues)) } else { print_queues(&queues) }
        }
        QueuesCommand::Workers(args) => {
            let mut connection = args.database.connect("queues workers").await?;
            let processes = inspect::processes(&mut connection, Book::MAIN.shard).await?;
            if args.output.json { println!("{:#}", json!(processes)) } else { print_processes(&processes) }
        }
        QueuesCommand::Crashes(args) => crashes::run(&args).await?,
        QueuesCommand::Pause(args) => pause(&args, true).await?,
        QueuesCommand::Resume(args) => pause(&args, false).await?,
        QueuesCommand::Limit(args) => {
            let mut connection = args.database.connect("queues limit").await?;
            let mut control = Control::new(&mut connection, Book::MAIN.shard, actor()).map_err(flagged)?;
            let answer = control.limit_queue(&args.queue, args.running_max).await.map_err(flagged)?;
            tell(&mut connection, answer).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn pause(args: &PauseArgs, is_pause: bool) -> Result<()> {
    let mut connection = args.database.connect("queues").await?;
    let mut control = Control::new(&mut connection, Book::MAIN.shard, actor()).map_err(flagged)?;
    let answer = match (&args.queue, &args.kind, is_pause) {
        (Some(queue), _, true) => control.pause_queue(queue).await,
        (Some(queue), _, false) => control.resume_queue(queue).await,
        (None, kind, true) => control.pause_kind(kind.as_deref().unwrap_or_default()).await,
        (None, kind, false) => control.resume_kind(kind.as_deref().unwrap_or_default()).await,
    };
    tell(&mut connection, answer.map_err(flagged)?).await
}

/// Tells the workers, and whoever asked.
async fn tell(conn: &mut PgConnection, answer: Answer) -> Result<()> {
    control::wake(conn).await?;
    println!("{}", if answer.changed > 0 { "done" } else { "it was so already" });
    Ok(())
}

fn print_queues(queues: &[QueueView]) {
    let row = |queue: &QueueView| {
        let counts = &queue.counts;
        [
            counts.queue.clone(),
            counts.scheduled.to_string(),
            counts.ready.to_string(),
            counts.running.to_string(),
            counts.waiting.to_string(),
            counts.succeeded.to_string(),
            counts.dead.to_string(),
            queue.oldest_ready_s.map_or_else(|| "-".to_owned(), |age_s| format!("{age_s:.1} s")),
            queue.running_max.map_or_else(|| "-".to_owned(), |max| max.to_string()),
            time_or_dash(queue.paused_at),
        ]
    };
    let rows: Vec<[String; 10]> = queues.iter().map(row).collect();
    let heading =
        ["QUEUE", "SCHEDULED", "READY", "RUNNING", "WAITING", "SUCCEEDED", "DIED", "OLDEST", "LIMIT", "PAUSED"];
    print_table(heading, &rows);
}

fn print_processes(processes: &[ProcessView]) {
    let row = |process: &ProcessView| {
        [
            process.id.to_string(),
            process.host.clone(),
            process.pid.to_string(),
            process.queues.join(","),
            if process.is_live { "live".to_owned() } else { "lost".to_owned() },
            format!("{:.1} s", process.heartbeat_age_s),
            process.jobs.map_or_else(|| "-".to_owned(), |jobs| jobs.to_string()),
        ]
    };
    let rows: Vec<[String; 7]> = processes.iter().map(row).collect();
    print_table(["PROCESS", "HOST", "PID", "QUEUES", "LEASE", "HEARTBEAT", "JOBS"], &rows);
}
