//! `bitnexus queues crashes`: how worker processes ended that nobody had asked to.

use anyhow::Result;
use clap::Args;
use ledger::Book;
use queue::crash::{self, CrashView};
use serde_json::json;

use crate::config::DatabaseArgs;
use crate::operator::{OutputArgs, print_table, time};

/// List worker processes that died, gave no sign of life or had to be killed, the newest first. JSON has their jobs and
/// last lines, too.
#[derive(Debug, Args)]
pub(super) struct CrashesArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
}

/// Lists them.
pub(super) async fn run(args: &CrashesArgs) -> Result<()> {
    let mut connection = args.database.connect("queues crashes").await?;
    let crashes = crash::list(&mut connection, Book::MAIN.shard, i64::from(args.limit)).await?;
    if args.output.json {
        println!("{:#}", json!(crashes))
    } else {
        print(&crashes)
    }
    Ok(())
}

fn print(crashes: &[CrashView]) {
    let row = |crash: &CrashView| {
        [
            time(crash.at),
            crash.host.clone(),
            crash.slot.clone(),
            crash.pid.to_string(),
            format!("{}{}", crash.cause, how(crash)),
            format!("{:.1} s", crash.uptime_ms as f64 / 1000.0),
            crash.rss_bytes_max.map_or_else(|| "-".to_owned(), |bytes| format!("{} MiB", bytes >> 20)),
            crash.jobs_in_all.to_string(),
            crash.last_lines.last().map_or("-", String::as_str).chars().take(100).collect(),
        ]
    };
    let rows: Vec<[String; 9]> = crashes.iter().map(row).collect();
    print_table(["AT", "HOST", "SLOT", "PID", "CAUSE", "UPTIME", "MEMORY", "JOBS", "LAST LINE"], &rows);
}

fn how(crash: &CrashView) -> String {
    match (crash.exit_code, crash.signal) {
        (Some(code), _) => format!(", exit code {code}"),
        (None, Some(signal)) => format!(", signal {signal}"),
        (None, None) => String::new(),
    }
}
