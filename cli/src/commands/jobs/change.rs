//! `bitnexus jobs cancel`, `retry`, `redrive` and `delete`: jobs by id or by filter, with a row in the audit.

use std::process::ExitCode;

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use ledger::Book;
use queue::control::{self, Action, Control, Filter, Select, parse_state};
use serde_json::json;
use uuid::Uuid;

use crate::config::DatabaseArgs;
use crate::operator::{OutputArgs, actor, flagged};

/// Which jobs.
#[derive(Debug, Args)]
pub(super) struct ChangeArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// These jobs; otherwise those that the filter passes.
    #[arg(value_name = "JOB", conflicts_with_all = ["queue", "kind", "state", "tag", "actor", "parent", "created_after", "created_before", "all"])]
    jobs: Vec<Uuid>,
    /// Those in this queue.
    #[arg(long)]
    queue: Option<String>,
    /// Those of this kind.
    #[arg(long)]
    kind: Option<String>,
    /// Those in this state; may be given more than once.
    #[arg(long)]
    state: Vec<String>,
    /// Those with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Those that this actor caused.
    #[arg(long)]
    actor: Option<String>,
    /// Those that this job enqueued.
    #[arg(long, value_name = "JOB")]
    parent: Option<Uuid>,
    /// Those enqueued at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    created_after: Option<DateTime<Utc>>,
    /// Those enqueued before this time.
    #[arg(long, value_name = "TIME")]
    created_before: Option<DateTime<Utc>>,
    /// All that can be treated so.
    #[arg(long)]
    all: bool,
    /// How many at most, up to 100,000.
    #[arg(long, value_name = "N", default_value_t = control::CAP_DEFAULT)]
    limit: usize,
    /// Only tell how many there are.
    #[arg(long)]
    dry_run: bool,
}

/// Changes them; fails when jobs were named and none could be changed.
pub(super) async fn run(args: ChangeArgs, action: Action) -> Result<ExitCode> {
    let select = args.select()?;
    let is_by_id = matches!(select, Select::Ids(_));
    let mut connection = args.database.connect("jobs").await?;
    let mut control = Control::new(&mut connection, Book::MAIN.shard, actor()).map_err(flagged)?;
    control = control.cap(args.limit).map_err(flagged)?;
    if args.dry_run {
        let preview = control.preview(action, &select).await.map_err(flagged)?;
        match args.output.json {
            true => println!("{:#}", json!(preview)),
            false => println!("{} jobs{}", preview.matched, if preview.has_more { ", and more" } else { "" }),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let answer = control.bulk(action, &select).await.map_err(flagged)?;
    control::wake(&mut connection).await?;
    if args.output.json {
        println!("{:#}", json!(answer));
    } else {
        let more = if answer.has_more { "; there are more: repeat it" } else { "" };
        println!(
            "{}: {} of {} jobs, {} of them asked to end{more}",
            action.name(),
            answer.changed,
            answer.matched,
            answer.asked
        );
    }
    if is_by_id && answer.changed == 0 {
        bail!("no job was in a state for it: `bitnexus jobs explain` says where one is");
    }
    Ok(ExitCode::SUCCESS)
}

impl ChangeArgs {
    fn select(&self) -> Result<Select> {
        if !self.jobs.is_empty() {
            return Ok(Select::Ids(self.jobs.clone()));
        }
        let states = self.state.iter().map(|state| parse_state(state)).collect::<Result<_, _>>().map_err(flagged)?;
        Ok(Select::Filter(Filter {
            queue: self.queue.clone(),
            kind: self.kind.clone(),
            states,
            tag: self.tag.clone(),
            actor: self.actor.clone(),
            parent: self.parent,
            limit: None,
            created_after: self.created_after,
            created_before: self.created_before,
            everything: self.all,
        }))
    }
}
