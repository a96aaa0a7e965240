//! `bitnexus ledger reconcile`: runs the checks R1 to R12 here and now.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::Args;
use domain::reconciliation::breaks::{self, Filter};
use domain::reconciliation::report::hex;
use domain::reconciliation::runs::{self, NewRun, Run};
use indicatif::ProgressBar;
use jobs::reconcile::{Progress, run_inline};
use ledger::Book;
use ledger::reconcile::Class;
use sqlx::PgConnection;
use uuid::Uuid;

use super::breaks::{operator, print_break};
use crate::config::DatabaseArgs;
use crate::mirror::MirrorArgs;

/// The connections of a run: one reads, one verifies, one writes, one compares the Erlang ledger.
const CONNECTIONS: u32 = 4;

/// Compare what the ledger, the requests and statements of others say, and name what does not agree.
///
/// May run beside the service, which does the same every five minutes. The exit status is 0 when no break is open, else 1.
#[derive(Debug, Args)]
pub(super) struct ReconcileArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Check everything, not only what came since the last verified size.
    #[arg(long)]
    full: bool,
    /// Derive projections of the log again where they differ, and enqueue lost work under the id that it had.
    #[arg(long)]
    repair: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    mirror: MirrorArgs,
}

/// Reconciles the main book.
pub(super) async fn run(args: ReconcileArgs) -> Result<ExitCode> {
    let pool = args.database.pool("ledger reconcile", CONNECTIONS)?;
    let new = NewRun {
        id: Uuid::now_v7(),
        book: Book::MAIN,
        is_full: args.full,
        repair: args.repair,
        asked_by: "bitnexus ledger reconcile".to_owned(),
    };
    let bar = ProgressBar::new_spinner();
    let tell = |progress: &Progress| {
        bar.set_message(format!(
            "{} ({} of {}), {} rows",
            progress.step, progress.number, progress.steps, progress.scanned
        ));
        bar.tick();
    };
    let mirror = args.mirror.mirror()?;
    let summary = run_inline(&pool, &new, mirror.as_ref(), tell).await;
    bar.finish_and_clear();
    let summary = summary.map_err(|error| anyhow!("reconciling: {error}"))?;
    let mut connection = pool.acquire().await?;
    let run = runs::find(&mut connection, &operator(), new.id).await?;
    if args.json {
        print_json(&run)
    } else {
        print(&mut connection, &run, summary.open).await?
    }
    Ok(if summary.is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_json(run: &Run) {
    let report = serde_json::json!({
        "id": run.id,
        "kind": run.kind,
        "state": run.state,
        "from_size": run.from_size,
        "size": run.size,
        "root": run.root.as_deref().map(hex),
        "scanned": run.scanned,
        "snapshots": run.snapshots,
        "left_out": run.left_out,
        "carried": run.carried,
        "gone": run.gone,
        "healed": run.healed,
        "classes": run.classes,
        "digest": run.digest.as_deref().map(hex),
        "started_at": run.started_at,
        "ended_at": run.ended_at,
    });
    println!("{report:#}");
}

async fn print(conn: &mut PgConnection, run: &Run, open: i64) -> Result<()> {
    for class in Class::ALL {
        let of = &run.classes[class.as_str()];
        println!("{:<4} {:<60} {:>6} found, {} new", class.as_str(), class.title(), of["found"], of["new"]);
    }
    let listed = breaks::list(conn, &operator(), &Filter { run: Some(run.id), ..Filter::default() }).await?;
    listed.items.iter().for_each(print_break);
    if listed.has_more {
        println!("BREAK … and more: bitnexus ledger breaks");
    }
    let size = run.size.unwrap_or_default();
    println!(
        "run {} as of {size} leaves, root {}\n{} rows; {} carried forward, {} gone, {} repaired; digest {}\n{}",
        run.id,
        run.root.as_deref().map(hex).unwrap_or_default(),
        run.scanned,
        run.carried,
        run.gone,
        run.healed,
        run.digest.as_deref().map(hex).unwrap_or_default(),
        if open == 0 { "everything agrees".to_owned() } else { format!("{open} BREAKS ARE OPEN") },
    );
    Ok(())
}
