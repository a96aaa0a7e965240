//! `bitnexus schedules`: looks at schedules and changes them, straight on the database.

mod look;
mod set;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use ledger::Book;
use queue::control;
use queue::schedule::{self, ScheduleError, SpecError};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::config::DatabaseArgs;
use crate::operator::actor;

/// Look at schedules and change them.
#[derive(Debug, Args)]
pub struct SchedulesArgs {
    #[command(subcommand)]
    command: SchedulesCommand,
}

#[derive(Debug, Subcommand)]
enum SchedulesCommand {
    List(look::ListArgs),
    Show(look::ShowArgs),
    Next(look::NextArgs),
    Set(set::SetArgs),
    /// Stop its ticks.
    Pause(NamedArgs),
    /// Go on with the next tick from now.
    Resume(NamedArgs),
    /// Enqueue its job once more, now.
    Run(NamedArgs),
    /// Let what environment and code say of it count again.
    Revert(NamedArgs),
    /// Take it away; its jobs stay. One that code declares comes back with the next start.
    Delete(NamedArgs),
}

#[derive(Debug, Args)]
struct NamedArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The schedule.
    name: String,
}

/// Does what is asked.
///
/// # Errors
/// When there is no such schedule, it makes no sense, or the database fails.
pub async fn run(args: SchedulesArgs) -> Result<ExitCode> {
    match args.command {
        SchedulesCommand::List(args) => look::list(args).await,
        SchedulesCommand::Show(args) => look::show(args).await,
        SchedulesCommand::Next(args) => look::next(args).await,
        SchedulesCommand::Set(args) => set::run(args).await,
        SchedulesCommand::Pause(args) => act(args, "pause_schedule").await,
        SchedulesCommand::Resume(args) => act(args, "resume_schedule").await,
        SchedulesCommand::Run(args) => act(args, "run_schedule").await,
        SchedulesCommand::Revert(args) => act(args, "revert_schedule").await,
        SchedulesCommand::Delete(args) => act(args, "delete_schedule").await,
    }
}

/// Does it, with a row in the audit.
async fn act(args: NamedArgs, action: &'static str) -> Result<ExitCode> {
    let mut connection = args.database.connect("schedules").await?;
    let mut tx = connection.begin().await?;
    let name = &args.name;
    let mut done = "done".to_owned();
    match action {
        "pause_schedule" => schedule::pause(&mut tx, name).await?,
        "resume_schedule" => schedule::resume(&mut tx, name).await?,
        "revert_schedule" => schedule::revert(&mut tx, name).await?,
        "delete_schedule" => schedule::remove(&mut tx, name).await?,
        _ => {
            let enqueued = schedule::run_now(&mut tx, name).await?;
            if !enqueued.created {
                bail!("its last job, {}, is live, and its overlap policy is to skip", enqueued.id);
            }
            done = enqueued.id.to_string();
        }
    }
    note(&mut tx, action, name, None).await?;
    tx.commit().await?;
    println!("{done}");
    Ok(ExitCode::SUCCESS)
}

/// Leaves a row of what was done, with the values that were set.
async fn note(conn: &mut PgConnection, action: &'static str, name: &str, set: Option<Value>) -> sqlx::Result<()> {
    let mut target = json!({ "schedule": name });
    if let Some(set) = set {
        target["set"] = set;
    }
    control::note(conn, Book::MAIN.shard, &actor(), action, target).await
}

/// What was refused, with the flag that it is about.
fn flagged(error: ScheduleError) -> anyhow::Error {
    let flag = match &error {
        ScheduleError::Spec(SpecError::TimeZone(_)) => "--time-zone",
        ScheduleError::Spec(_) => "--spec",
        ScheduleError::CatchUp(_) => "--catch-up",
        ScheduleError::Job(_) => "--payload",
        _ => return error.into(),
    };
    anyhow::anyhow!("{flag}: {error}")
}
