//! `bitnexus ledger mirror`: how far an Erlang ledger outside has been told.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use domain::mirror::{self, Row};
use ledger::Book;

use crate::config::DatabaseArgs;

/// An Erlang ledger outside, which is told what ours records.
#[derive(Debug, Args)]
pub(super) struct MirrorArgs {
    #[command(subcommand)]
    command: MirrorCommand,
}

#[derive(Debug, Subcommand)]
enum MirrorCommand {
    Status(StatusArgs),
    Refeed(RefeedArgs),
}

/// Show how each node is, and how far it has been told. The exit status is 0 when each is connected, else 1.
#[derive(Debug, Args)]
struct StatusArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Tell a node again, from a leaf on; it knows by the id what it has, so that changes nothing that is there.
#[derive(Debug, Args)]
struct RefeedArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The node, such as ledger@10.0.0.7.
    node: String,
    /// The leaf to begin with.
    #[arg(long, value_name = "LEAF", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    from: i64,
}

pub(super) async fn run(args: MirrorArgs) -> Result<ExitCode> {
    match args.command {
        MirrorCommand::Status(args) => status(args).await,
        MirrorCommand::Refeed(args) => refeed(args).await,
    }
}

async fn status(args: StatusArgs) -> Result<ExitCode> {
    let pool = args.database.pool("ledger mirror", 1)?;
    let rows = mirror::list(&mut *pool.acquire().await?, Book::MAIN).await?;
    if args.json {
        println!("{:#}", rows.iter().map(json).collect::<serde_json::Value>());
    } else if rows.is_empty() {
        println!("no mirror has been fed; see LEDGER_NODE in docs/ERLANG.md");
    } else {
        rows.iter().for_each(print);
    }
    let are_connected = rows.iter().all(|row| row.state == "connected");
    Ok(if are_connected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn json(row: &Row) -> serde_json::Value {
    serde_json::json!({
        "node": row.node,
        "state": row.state,
        "state_seconds": row.state_seconds,
        "last_error": row.last_error,
        "position": row.position,
        "size": row.size,
        "confirmed_total": row.confirmed_total,
        "refed_total": row.refed_total,
        "seen_seconds": row.seen_seconds,
    })
}

fn print(row: &Row) {
    let Row { node, state, position, size, .. } = row;
    println!("{node}: {state} for {} s, told {position} of {size} leaves", row.state_seconds);
    println!(
        "    {} confirmed in all, set back {} times; a worker last had to do with it {} s ago",
        row.confirmed_total, row.refed_total, row.seen_seconds
    );
    if let Some(error) = &row.last_error {
        println!("    {error}");
    }
}

async fn refeed(args: RefeedArgs) -> Result<ExitCode> {
    let pool = args.database.pool("ledger mirror", 1)?;
    let mut conn = pool.acquire().await?;
    let rows = mirror::list(&mut conn, Book::MAIN).await?;
    ensure!(rows.iter().any(|row| row.node == args.node), "no mirror of the name {} has been fed", args.node);
    let is_set_back = mirror::set_back(&mut conn, Book::MAIN, &args.node, args.from).await?;
    ensure!(is_set_back, "{} has not been told as far as leaf {}", args.node, args.from);
    println!("{} is told again from leaf {} on", args.node, args.from);
    Ok(ExitCode::SUCCESS)
}
