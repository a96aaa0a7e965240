//! `bitnexus audit`: what was done by whom.

use std::process::ExitCode;

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::Args;
use domain::audit::Filter;
use domain::{Page, Principal, Role, UserId};
use ledger::Book;
use queue::control::{self, Log};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::DatabaseArgs;
use crate::operator::{OutputArgs, print_table, time};

/// List what was done by whom, to accounts and to the queue, the latest first.
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Only what this one did: a user's id, or cli: and a name.
    #[arg(long)]
    actor: Option<String>,
    /// Only what was done so, such as pause_queue.
    #[arg(long)]
    action: Option<String>,
    /// Only what was done to this: an id, or a name.
    #[arg(long)]
    target: Option<String>,
    /// Only at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// Only before this time.
    #[arg(long, value_name = "TIME")]
    to: Option<DateTime<Utc>>,
    /// Go on after this entry.
    #[arg(long, value_name = "ID")]
    after: Option<Uuid>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    limit: u16,
}

/// Prints them.
///
/// # Errors
/// When the database fails.
pub async fn run(args: AuditArgs) -> Result<ExitCode> {
    let mut connection = args.database.connect("audit").await?;
    let log = Log {
        actor: args.actor.clone(),
        action: args.action.clone(),
        target: args.target.clone(),
        from: args.from,
        to: args.to,
        after: args.after,
    };
    let mut entries: Vec<(Uuid, Value)> = Vec::new();
    for entry in control::log(&mut connection, Book::MAIN.shard, &log, args.limit.into()).await? {
        entries.push((entry.id, json!(entry)));
    }
    let user = args.actor.as_deref().map(str::parse::<Uuid>);
    if !matches!(user, Some(Err(_))) {
        let filter = Filter {
            actor: user.and_then(Result::ok),
            action: args.action,
            target: args.target,
            from: args.from,
            to: args.to,
            page: Page { after: args.after, limit: args.limit },
        };
        let admin = Principal::of(UserId(Uuid::nil()), Role::Admin, Book::MAIN);
        for entry in domain::audit::list(&mut connection, &admin, &filter).await?.items {
            let shown = json!({
                "id": entry.id, "at": entry.at, "actor": entry.actor, "action": entry.action,
                "target": { "id": entry.target, "set": entry.detail }
            });
            entries.push((entry.id, shown));
        }
    }
    entries.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
    entries.truncate(args.limit.into());
    let entries: Vec<Value> = entries.into_iter().map(|(_, entry)| entry).collect();
    if args.output.json {
        println!("{:#}", json!(entries))
    } else {
        print(&entries)
    }
    Ok(ExitCode::SUCCESS)
}

fn print(entries: &[Value]) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |entry: &Value| {
        let at = text(&entry["at"]).parse().map_or_else(|_| text(&entry["at"]), time);
        let target: String = entry["target"].to_string().chars().take(100).collect();
        let jobs = entry["jobs"].as_i64().map_or_else(|| "-".to_owned(), |jobs| jobs.to_string());
        [at, text(&entry["actor"]), text(&entry["action"]), jobs, target]
    };
    let rows: Vec<[String; 5]> = entries.iter().map(row).collect();
    print_table(["AT", "ACTOR", "ACTION", "JOBS", "TARGET"], &rows);
}
