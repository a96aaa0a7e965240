//! `bitnexus schedules list`, `show` and `next`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use ledger::Book;
use queue::schedule::{self, ScheduleView};
use serde_json::{Value, json};

use crate::config::DatabaseArgs;
use crate::operator::{OutputArgs, print_table, time_or_dash};

/// How many past ticks are shown.
const PAST_MAX: u16 = 10;

/// List schedules.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Show a schedule and its last ticks.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// The schedule.
    name: String,
}

/// Say when a schedule ticks next, in its own time zone.
#[derive(Debug, Args)]
pub(super) struct NextArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// The schedule.
    name: String,
}

pub(super) async fn list(args: ListArgs) -> Result<ExitCode> {
    let schedules = schedule::list(&mut args.database.connect("schedules list").await?).await?;
    if args.output.json {
        println!("{:#}", json!(schedules));
        return Ok(ExitCode::SUCCESS);
    }
    let row = |schedule: &ScheduleView| {
        let state = match (&schedule.error, schedule.is_paused) {
            (None, false) if schedule.next.is_empty() => "off",
            (Some(_), _) => "failing",
            (None, true) => "paused",
            (None, false) => "ticking",
        };
        [
            schedule.name.clone(),
            schedule.kind.clone(),
            schedule.spec.clone(),
            schedule.time_zone.clone(),
            state.to_owned(),
            schedule.source.to_owned(),
            time_or_dash(schedule.next.first().copied()),
            time_or_dash(schedule.last_tick_at),
        ]
    };
    let rows: Vec<[String; 8]> = schedules.iter().map(row).collect();
    print_table(["NAME", "KIND", "SPEC", "TIME ZONE", "STATE", "BY", "NEXT", "LAST"], &rows);
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn show(args: ShowArgs) -> Result<ExitCode> {
    let mut connection = args.database.connect("schedules show").await?;
    let schedule = schedule::get(&mut connection, &args.name).await?;
    let ticks = schedule::ticks(&mut connection, Book::MAIN.shard, &args.name, PAST_MAX).await?;
    let mut shown = json!(schedule);
    shown["ticks"] = json!(ticks);
    if args.output.json {
        println!("{shown:#}");
        return Ok(ExitCode::SUCCESS);
    }
    for (name, value) in shown.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::String(text) => println!("{name:<16} {text}"),
            Value::Array(items) => items.iter().for_each(|item| println!("{name:<16} {item}")),
            other => println!("{name:<16} {other}"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn next(args: NextArgs) -> Result<ExitCode> {
    let schedule = schedule::get(&mut args.database.connect("schedules next").await?, &args.name).await?;
    let local = schedule.next_local();
    if args.output.json {
        println!("{:#}", json!({ "time_zone": schedule.time_zone, "next": schedule.next, "next_local": local }));
        return Ok(ExitCode::SUCCESS);
    }
    if schedule.is_paused {
        println!("it is paused; it would tick at");
    }
    local.iter().for_each(|tick| println!("{tick} {}", schedule.time_zone));
    Ok(ExitCode::SUCCESS)
}
