//! `bitnexus schedules set`

use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use jobs::by_hand::{check, known};
use ledger::Book;
use queue::control::parse_priority;
use queue::schedule::{self, CatchUp, Change, Overlap, Schedule, ScheduleError};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::{flagged, note};
use crate::commands::jobs::payload;
use crate::config::DatabaseArgs;
use crate::operator::{self, flagged_fields};

/// Make a schedule, or change one.
#[derive(Debug, Args)]
pub(super) struct SetArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Its name.
    name: String,
    /// The kind of its jobs; a new schedule needs it, and it stays.
    #[arg(long)]
    kind: Option<String>,
    /// The payload of its jobs as JSON, or @ and a file that has it; a new schedule needs it.
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
    /// When it ticks: cron of five fields or six, `@every 5m`, or a word such as @daily; a new schedule needs it.
    #[arg(long)]
    spec: Option<String>,
    /// The IANA name of its time zone; UTC for a new schedule.
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// What becomes of ticks that nobody fired in time: none, last, or all: and how many.
    #[arg(long, value_name = "none|last|all:N", value_parser = catch_up)]
    catch_up: Option<CatchUp>,
    /// What a tick does while the last job is live: allow, skip or replace.
    #[arg(long, value_name = "POLICY", value_parser = overlap)]
    overlap: Option<Overlap>,
    /// The priority of its jobs: 0 to 99, the smaller runs first.
    #[arg(long, value_name = "RANK")]
    priority: Option<i64>,
    /// How many attempts its jobs have.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    max_attempts: Option<u16>,
}

/// Changes the schedule if it is there, else makes it.
pub(super) async fn run(args: SetArgs) -> Result<ExitCode> {
    let mut connection = args.database.connect("schedules set").await?;
    let mut tx = connection.begin().await?;
    let action = match schedule::get_locked(&mut tx, &args.name).await {
        Ok(there) => {
            if args.kind.as_ref().is_some_and(|kind| *kind != there.kind) {
                return Err(anyhow!("--kind: the schedule is of the kind {}, which stays", there.kind));
            }
            args.change(&mut tx, &there.kind).await?;
            "change_schedule"
        }
        Err(ScheduleError::NotFound(_)) => {
            schedule::create(&mut tx, &args.schedule()?).await.map_err(flagged)?;
            "create_schedule"
        }
        Err(error) => return Err(error.into()),
    };
    let now = schedule::get(&mut tx, &args.name).await?;
    let set = json!({ "kind": now.kind, "spec": now.spec, "time_zone": now.time_zone, "overlap": now.overlap });
    note(&mut tx, action, &args.name, Some(set)).await?;
    tx.commit().await?;
    println!("{} ticks next at {}", now.name, now.next_local().first().map_or("no time", String::as_str));
    Ok(ExitCode::SUCCESS)
}

impl SetArgs {
    async fn change(&self, conn: &mut PgConnection, kind: &str) -> Result<()> {
        let payload = self.payload.as_deref().map(payload).transpose()?;
        if let Some(payload) = &payload {
            check(known(kind).map_err(flagged_fields)?, payload, Book::MAIN).map_err(flagged_fields)?;
        }
        let change = Change {
            spec: self.spec.clone(),
            time_zone: self.time_zone.clone(),
            catch_up: self.catch_up,
            overlap: self.overlap,
            payload,
            priority: self.priority.map(parse_priority).transpose().map_err(operator::flagged)?,
            max_attempts: self.max_attempts,
        };
        schedule::change(conn, &self.name, &change).await.map_err(flagged)
    }

    fn schedule(&self) -> Result<Schedule> {
        let needed = |flag| format!("{flag}: there is no schedule {} yet, and a new one needs it", self.name);
        let kind = self.kind.as_deref().with_context(|| needed("--kind"))?;
        let spec = self.spec.as_deref().with_context(|| needed("--spec"))?;
        let payload = payload(self.payload.as_deref().with_context(|| needed("--payload"))?)?;
        let mut job = check(known(kind).map_err(flagged_fields)?, &payload, Book::MAIN).map_err(flagged_fields)?;
        if let Some(rank) = self.priority {
            job = job.priority(parse_priority(rank).map_err(operator::flagged)?);
        }
        if let Some(attempts) = self.max_attempts {
            job = job.max_attempts(attempts);
        }
        let mut schedule = Schedule::of_job(&self.name, job, spec).map_err(flagged)?;
        if let Some(zone) = &self.time_zone {
            schedule = schedule.time_zone(zone).map_err(flagged)?;
        }
        schedule = schedule.catch_up(self.catch_up.unwrap_or(CatchUp::Last));
        Ok(schedule.overlap(self.overlap.unwrap_or(Overlap::Allow)))
    }
}

fn catch_up(text: &str) -> Result<CatchUp, String> {
    match text.split_once(':') {
        None if text == "none" => Ok(CatchUp::None),
        None if text == "last" => Ok(CatchUp::Last),
        Some(("all", max)) => {
            let max = max.parse().ok().filter(|max| (1..=schedule::CATCH_UP_MAX).contains(max));
            max.map(CatchUp::All).ok_or_else(|| format!("all: takes 1 to {} ticks", schedule::CATCH_UP_MAX))
        }
        _ => Err("it is none, last, or all: and how many".to_owned()),
    }
}

fn overlap(text: &str) -> Result<Overlap, String> {
    let all = [Overlap::Allow, Overlap::Skip, Overlap::Replace];
    all.into_iter().find(|one| one.as_str() == text).ok_or_else(|| "it is allow, skip or replace".to_owned())
}
