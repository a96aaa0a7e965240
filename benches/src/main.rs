//! The published figures, by one command: `cargo run --release -p benches -- SUITE [--quick] [--rivals] [--json FILE]`.
//!
//! Each suite runs on a PostgreSQL of its own with the settings of a careful production server: fsync and
//! synchronous_commit are on. What each figure means, and what to compare it with, is in docs/BENCHMARKS.md.

mod cpu;
mod load;
mod machine;
mod percentile;
mod plot;
mod report;
mod roles;
mod server;
mod suites;
mod wal;
mod zipf;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use machine::Machine;
use report::Report;
use suites::ledger;
use suites::queue::{Part, Plan};

/// That of the service, whose parts run in this process: workers, enqueuers and the ledger.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the service and prints a table.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure.
    suite: Suite,
    /// Smaller amounts: the whole run ends within a minute, and its figures say less.
    #[arg(long)]
    quick: bool,
    /// Measures the queue's rivals as well; they are got from their registries and built first.
    #[arg(long)]
    rivals: bool,
    /// Measures others' ledgers as well, whose SQL files lie in this folder: init-postgresql.sql of tb-perf, pgledger.sql and uuid-to-ulid.sql of pgledger.
    #[arg(long, value_name = "FOLDER")]
    ledger_rivals: Option<PathBuf>,
    /// Only this part of the queue suite; may be given several times.
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// Also prints what the queue's write-ahead log consists of.
    #[arg(long)]
    wal_split: bool,
    /// Also writes machine and results to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Jobs: enqueue and drain.
    Queue,
    /// Postings.
    Ledger,
    /// Transactions over HTTP.
    Api,
    /// Files of products over HTTP.
    Imports,
    /// Searches over many products.
    Search,
    /// The event log.
    Events,
    /// Clients of channels.
    Sockets,
    /// All of them.
    All,
}

impl Suite {
    fn includes(self, other: Suite) -> bool {
        self == Suite::All || self == other
    }
}

impl Arguments {
    fn ledger_plan(&self) -> ledger::Plan {
        ledger::Plan { quick: self.quick, rivals: self.ledger_rivals.clone() }
    }

    fn queue_plan(&self) -> Plan {
        Plan { quick: self.quick, rivals: self.rivals, only: self.only.clone(), wal_split: self.wal_split }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let machine = Machine::this().await?;
    let mut report = Report::default();
    if arguments.suite.includes(Suite::Queue) {
        suites::queue::run(&arguments.queue_plan(), &mut report).await.context("suite queue")?;
    }
    if arguments.suite.includes(Suite::Ledger) {
        suites::ledger::run(&arguments.ledger_plan(), &mut report).await.context("suite ledger")?;
    }
    if arguments.suite.includes(Suite::Api) {
        suites::api::run(arguments.quick, &mut report).await.context("suite api")?;
    }
    if arguments.suite.includes(Suite::Imports) {
        suites::imports::run(arguments.quick, &mut report).await.context("suite imports")?;
    }
    if arguments.suite.includes(Suite::Search) {
        suites::search::run(arguments.quick, &mut report).await.context("suite search")?;
    }
    if arguments.suite.includes(Suite::Events) {
        suites::events::run(arguments.quick, &mut report).await.context("suite events")?;
    }
    if arguments.suite.includes(Suite::Sockets) {
        suites::sockets::run(arguments.quick, &mut report).await.context("suite sockets")?;
    }
    print!("{machine}{report}");
    if let Some(path) = arguments.json {
        std::fs::write(&path, report.json(&machine)).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
